//===- LogProbabilities.cpp - Logits to probabilities -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/LogProbabilities.h"

#include "Lanes.h"

#include <cmath>

namespace qk::numerics {

using Doubles = double __attribute__((ext_vector_type(16)));
using Bits = int64_t __attribute__((ext_vector_type(16)));

static QK_INLINE inline Doubles load(const double *source) {
  Doubles value;
  std::memcpy(&value, source, sizeof(value));
  return value;
}

/// Pairwise, so in the same order on every target.
static QK_INLINE inline double sumOf(Doubles value) {
  auto eight = value.lo + value.hi;
  auto four = eight.lo + eight.hi;
  auto two = four.lo + four.hi;
  return two.x + two.y;
}

/// exp of x ≤ 0; 0 below -708, where results stop being normal. A vocabulary
/// of fifty thousand words and a library's exp, one at a time, would take a
/// quarter of a small model's time.
static QK_INLINE inline Doubles expOfNegative(Doubles x) {
#pragma clang fp contract(fast)
  // Keeps NaN, which no comparison holds for.
  Bits tiny = x < -708.0;
  Doubles clamped = tiny ? Doubles(-708.0) : x;
  // Adding 1.5·2^52 rounds to an integer, which is then in the lowest bits.
  const Doubles magic = 0x1.8p52;
  Doubles shifted = clamped * 0x1.71547652b82fep0 + magic;
  Doubles n = shifted - magic;
  // ln 2 in two parts: n times the first is exact.
  Doubles r = clamped - n * 0x1.62e42feep-1;
  r = r - n * 0x1.a39ef35793c76p-33;
  // Taylor to r^13 / 13!, |r| ≤ ln 2 / 2: the rest is below 2^-58.
  constexpr double inverse[] = {1.0 / 6227020800,
                                1.0 / 479001600,
                                1.0 / 39916800,
                                1.0 / 3628800,
                                1.0 / 362880,
                                1.0 / 40320,
                                1.0 / 5040,
                                1.0 / 720,
                                1.0 / 120,
                                1.0 / 24,
                                1.0 / 6,
                                0.5,
                                1.0,
                                1.0};
  Doubles sum = inverse[0];
  for (int i = 1; i < 14; ++i)
    sum = sum * r + inverse[i];
  // Times 2^n, by its exponent's bits.
  Bits power, bits;
  std::memcpy(&power, &shifted, sizeof(power));
  std::memcpy(&bits, &sum, sizeof(bits));
  bits += power << 52;
  std::memcpy(&sum, &bits, sizeof(sum));
  return tiny ? Doubles(0.0) : sum;
}

void toLogProbabilities(double *x, int64_t count, double *probabilities) {
  withBestVectors([&]() QK_INLINE {
    // The last of a row are handled as lanes too, filled up with -inf.
    auto read = [&](int64_t i) QK_INLINE {
      if (i + 16 <= count)
        return load(x + i);
      double rest[16];
      for (int64_t lane = 0; lane < 16; ++lane)
        rest[lane] = i + lane < count ? x[i + lane] : -INFINITY;
      return load(rest);
    };
    auto write = [&](double *to, int64_t i, Doubles value) QK_INLINE {
      int64_t left = count - i < 16 ? count - i : 16;
      std::memcpy(to + i, &value, left * sizeof(double));
    };
    Doubles most = read(0);
    for (int64_t i = 16; i < count; i += 16) {
      Doubles value = read(i);
      most = value > most ? value : most;
    }
    double largest = most[0];
    for (int lane = 1; lane < 16; ++lane)
      largest = most[lane] > largest ? most[lane] : largest;
    Doubles sums = 0.0;
    for (int64_t i = 0; i < count; i += 16) {
      Doubles power = expOfNegative(read(i) - largest);
      sums += power;
      if (probabilities)
        write(probabilities, i, power);
    }
    double sum = sumOf(sums), shift = largest + std::log(sum);
    for (int64_t i = 0; i < count; i += 16)
      write(x, i, read(i) - shift);
    for (int64_t i = 0; probabilities && i < count; ++i)
      probabilities[i] /= sum;
  });
}

double divergence(const double *p, const double *logP, const double *logQ,
                  int64_t count) {
  double total = 0;
  withBestVectors([&]() QK_INLINE {
    Doubles sums = 0.0;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
      Doubles weight = load(p + i);
      // Where p is 0 its logarithm may be -inf.
      Doubles term = weight * (load(logP + i) - load(logQ + i));
      sums += weight > 0.0 ? term : Doubles(0.0);
    }
    total = sumOf(sums);
    for (; i < count; ++i)
      if (p[i] > 0)
        total += p[i] * (logP[i] - logQ[i]);
  });
  return total;
}

} // namespace qk::numerics
