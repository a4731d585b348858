//===- Operands.cpp - Random operands, made again where needed ---*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operands.h"

#include "Parallel.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>

namespace qk::gpurun {

using namespace nvvm;
using namespace numerics;

//===----------------------------------------------------------------------===//
// Floats
//===----------------------------------------------------------------------===//

uint16_t toHalf(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t sign = bits >> 16 & 0x8000;
  float size = std::fabs(value);
  if (!(size < 65520.0f))
    return uint16_t(sign | (std::isnan(value) ? 0x7e00 : 0x7c00));
  // Adding a power of two rounds at the unit of f16's last place.
  int exponent = std::max(-14, std::ilogb(size == 0 ? 1e-30f : size));
  float magic = std::ldexp(1.5f, exponent + 13);
  float rounded = (size + magic) - magic;
  if (rounded < std::ldexp(1.0f, -14))
    return uint16_t(sign | uint32_t(std::ldexp(rounded, 24)));
  uint32_t out = std::bit_cast<uint32_t>(rounded);
  return uint16_t(sign | ((out >> 13) - (112u << 10)));
}

float fromHalf(uint16_t bits) {
  uint32_t exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  float size = exponent == 0 ? std::ldexp(float(mantissa), -24)
               : exponent == 31
                   ? (mantissa ? std::nanf("") : HUGE_VALF)
                   : std::ldexp(float(mantissa | 0x400), int(exponent) - 25);
  return bits & 0x8000 ? -size : size;
}

uint16_t toBFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return 0x7fc0;
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float fromBFloat(uint16_t bits) {
  return std::bit_cast<float>(uint32_t(bits) << 16);
}

float elementAt(const uint8_t *data, ElementType type, int64_t i) {
  uint32_t word = 0;
  uint16_t half = 0;
  if (type == ElementType::F32) {
    std::memcpy(&word, data + 4 * i, 4);
    return std::bit_cast<float>(word);
  }
  std::memcpy(&half, data + 2 * i, 2);
  return type == ElementType::F16 ? fromHalf(half) : fromBFloat(half);
}

static void storeElement(uint8_t *data, ElementType type, int64_t i,
                         float value) {
  if (type == ElementType::F32) {
    std::memcpy(data + 4 * i, &value, 4);
    return;
  }
  uint16_t half = type == ElementType::F16 ? toHalf(value) : toBFloat(value);
  std::memcpy(data + 2 * i, &half, 2);
}

double halfUlp(ElementType type) {
  return type == ElementType::F32   ? 0x1p-24
         : type == ElementType::F16 ? 0x1p-11
                                    : 0x1p-8;
}

double halfStep(ElementType type) {
  return type == ElementType::F32   ? 0x1p-150
         : type == ElementType::F16 ? 0x1p-25
                                    : 0x1p-134;
}

//===----------------------------------------------------------------------===//
// Numbers by position
//===----------------------------------------------------------------------===//

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014).
static uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// Number `index` of stream `stream`.
static uint64_t draw(uint64_t seed, uint64_t stream, uint64_t index) {
  return mix(mix(seed * 64 + stream) + index * 0xd1342543de82ef95);
}

enum Stream : uint64_t { Codes, Scales, Zeros, X, Order, Biases, XScales };

static float uniform(uint64_t bits) { return float(bits >> 40) * 0x1p-24f; }

/// Nearly normal: four uniform numbers of 16 bits.
static float normal(uint64_t bits) {
  int64_t sum = 0;
  for (int i = 0; i < 4; ++i)
    sum += int64_t(bits >> (16 * i) & 0xffff) - 32768;
  return float(sum) * (1.7320508f / 65536);
}

Operands::Operands(const Case &of) : of(of), problem(of.problem) {
  if (!problem.hasPermutation)
    return;
  order.resize(problem.k);
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = problem.k - 1; i > 0; --i)
    std::swap(order[i], order[draw(of.seed, Order, i) % uint64_t(i + 1)]);
}

/// A byte of e4m3 as it is, but for NaNs.
static uint8_t number(uint8_t byte) {
  return (byte & kNaNE4M3) == kNaNE4M3 ? byte ^ 1 : byte;
}

uint8_t Operands::code(int64_t n, int64_t k) const {
  // Eight codes a number.
  uint64_t row = uint64_t(n) << 32;
  uint64_t eight = draw(of.seed, Codes, row + uint64_t(k >> 3));
  auto byte = uint8_t(eight >> (8 * (k & 7)));
  return problem.scheme.isFloat()
             ? number(byte)
             : byte & uint8_t((1 << problem.scheme.bits()) - 1);
}

float Operands::scale(int64_t n, int64_t group) const {
  uint64_t bits = draw(of.seed, Scales, (uint64_t(n) << 32) + group);
  // Some groups are all zero: their scale is.
  float value = bits % 16 == 0 ? 0.0f : 0.001f + 0.099f * uniform(bits);
  switch (problem.scheme.scaleType) {
  case ScaleType::F16:
    return fromHalf(toHalf(value));
  case ScaleType::BF16:
    return fromBFloat(toBFloat(value));
  case ScaleType::F32:
    return value;
  }
  return value;
}

int16_t Operands::zero(int64_t n, int64_t group) const {
  if (!problem.hasZeroPoints)
    return int16_t(problem.scheme.defaultZeroPoint());
  uint64_t bits = draw(of.seed, Zeros, (uint64_t(n) << 32) + group);
  int count = problem.scheme.codeMax() - problem.scheme.codeMin() + 1;
  return int16_t(problem.scheme.codeMin() + int(bits % uint64_t(count)));
}

QuantizedWeight Operands::slice(int64_t n0, int64_t rows) const {
  QuantizedWeight weight;
  weight.scheme = problem.scheme;
  weight.n = rows;
  weight.k = problem.k;
  weight.permutation = order;
  weight.codes.resize(size_t(rows * problem.k));
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t k = 0; k < problem.k; ++k)
      weight.codes[row * problem.k + k] = code(n0 + row, k);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t g = 0; g < problem.scheme.groups(problem.k); ++g) {
      weight.scales.push_back(scale(n0 + row, g));
      if (problem.hasZeroPoints)
        weight.zeroPoints.push_back(zero(n0 + row, g));
    }
  return weight;
}

//===----------------------------------------------------------------------===//
// What the kernel reads
//===----------------------------------------------------------------------===//

std::string Operands::packWeight(Bytes &packed) const {
  // Rows are packed in slices on all cores where a layout is one slice after
  // the other.
  int64_t rows = 512, sliceBytes = problem.packedBytes(rows);
  if (problem.packedBytes(2 * rows) != 2 * sliceBytes)
    rows = of.n;
  packed.assign(size_t(problem.packedBytes(of.n)), 0);
  std::string error;
  std::mutex mutex;
  parallelFor((of.n + rows - 1) / rows, [&](int64_t i) {
    QuantizedWeight part = slice(i * rows, std::min(rows, of.n - i * rows));
    std::string failed =
        pack(part, problem.packing, packed.data() + i * sliceBytes);
    std::lock_guard<std::mutex> lock(mutex);
    if (!failed.empty())
      error = failed;
  });
  return error;
}

Bytes Operands::x() const {
  Bytes bytes(size_t(of.m * problem.k * of.xElementBytes()));
  parallelFor(of.m, [&](int64_t m) {
    for (int64_t k = 0; k < problem.k; ++k) {
      int64_t i = m * problem.k + k;
      uint64_t bits = draw(of.seed, X, uint64_t(i));
      if (problem.int8Activations)
        bytes[i] = problem.scheme.isFloat() ? number(uint8_t(bits >> 13))
                                            : uint8_t(bits >> 13);
      else
        storeElement(bytes.data(), problem.type, i, normal(bits));
    }
  });
  return bytes;
}

Bytes Operands::permutation() const {
  Bytes bytes(4 * order.size());
  if (!order.empty())
    std::memcpy(bytes.data(), order.data(), bytes.size());
  return bytes;
}

Bytes Operands::bias() const {
  if (!problem.bias)
    return {};
  Bytes bytes(size_t(of.n * elementTypeBytes(*problem.bias)));
  for (int64_t n = 0; n < of.n; ++n)
    storeElement(bytes.data(), *problem.bias, n,
                 normal(draw(of.seed, Biases, uint64_t(n))));
  return bytes;
}

Bytes Operands::xScales() const {
  if (!problem.int8Activations)
    return {};
  int64_t count = problem.hasTensorScale ? 1 : of.m;
  Bytes bytes(size_t(count) * 4);
  for (int64_t m = 0; m < count; ++m)
    storeElement(bytes.data(), ElementType::F32, m, float(xScaleAt(m)));
  return bytes;
}

//===----------------------------------------------------------------------===//
// What it means
//===----------------------------------------------------------------------===//

void Operands::weightRow(int64_t n, double *values) const {
  int64_t length = problem.scheme.groupLength(problem.k);
  for (int64_t from = 0, g = 0; from < problem.k; from += length, ++g) {
    double s = scale(n, g);
    int z = zero(n, g);
    for (int64_t k = from; k < std::min(from + length, problem.k); ++k) {
      values[k] = s * (double(problem.scheme.codeValue(code(n, k))) - z);
    }
  }
}

void Operands::xRow(const Bytes &x, int64_t m, double *values) const {
  auto level = [&](uint8_t byte) -> double {
    return problem.scheme.isFloat() ? decodeE4M3(byte) : int8_t(byte);
  };
  for (int64_t k = 0; k < problem.k; ++k) {
    int64_t i = m * problem.k + (order.empty() ? k : order[k]);
    values[k] = problem.int8Activations
                    ? level(x[i]) * xScaleAt(problem.hasTensorScale ? 0 : m)
                    : double(elementAt(x.data(), problem.type, i));
  }
}

double Operands::biasAt(int64_t n) const {
  if (!problem.bias)
    return 0;
  uint8_t bytes[4];
  storeElement(bytes, *problem.bias, 0,
               normal(draw(of.seed, Biases, uint64_t(n))));
  return elementAt(bytes, *problem.bias, 0);
}

double Operands::xScaleAt(int64_t m) const {
  return std::ldexp(1 + uniform(draw(of.seed, XScales, uint64_t(m))), -9);
}

} // namespace qk::gpurun
