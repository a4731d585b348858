//===- GpuCases.cpp - What the GPU kernels are measured on ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuCases.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <random>

namespace qk::bench {

using namespace nvvm;
using numerics::CodeType;
using numerics::ScaleType;

//===----------------------------------------------------------------------===//
// Timed
//===----------------------------------------------------------------------===//

static std::string describe(const MatmulProblem &problem, int64_t m,
                            int64_t n) {
  std::string text(numerics::codeTypeName(problem.scheme.codeType));
  text += problem.scheme.groups(problem.k) > 1
              ? " g" + std::to_string(problem.scheme.groupLength(problem.k))
              : " row";
  if (problem.hasZeroPoints)
    text += " zero";
  text += problem.int8Activations ? " x8 " : " ";
  text += elementTypeName(problem.type);
  return text + " m=" + std::to_string(m) + " " + std::to_string(n) + "x" +
         std::to_string(problem.k);
}

std::vector<GpuCase> timedCases(const Chip &chip) {
  std::vector<GpuCase> cases;
  auto add = [&](MatmulProblem problem, int64_t n, int64_t k,
                 std::initializer_list<int64_t> tokens) {
    problem.k = k;
    problem.packing = preferredLayout(chip, problem);
    for (int64_t m : tokens)
      cases.push_back({describe(problem, m, n), "", true,
                       chooseKernel(chip, problem, m, n), m, n});
  };
  auto weights = [](CodeType codes, int64_t group, ElementType type) {
    MatmulProblem problem;
    problem.scheme = {codes, group, ScaleType::F16};
    problem.type = type;
    return problem;
  };
  using enum CodeType;
  using enum ElementType;
  // The table of goals: memory-bound shapes, the crossover, prefill.
  MatmulProblem w4 = weights(U4, 128, F16);
  add(w4, 8192, 8192, {1, 8, 16, 32, 64, 128, 8192});
  add(w4, 4096, 4096, {1, 8, 16, 32, 64, 128});
  add(w4, 28672, 8192, {1, 8, 16, 32, 64, 128});
  // What else a model is likely to have.
  add(weights(U4, 128, BF16), 8192, 8192, {1, 16, 64, 8192});
  add(weights(U4, 64, F16), 8192, 8192, {1, 16, 64});
  MatmulProblem asymmetric = w4;
  asymmetric.hasZeroPoints = true;
  add(asymmetric, 8192, 8192, {1, 16, 64});
  add(weights(U3, 128, F16), 8192, 8192, {1, 16, 64});
  add(weights(U2, 128, F16), 8192, 8192, {1, 16});
  add(weights(S8, -1, F16), 8192, 8192, {1, 16, 64});
  MatmulProblem w8a8 = weights(S8, -1, F16);
  w8a8.int8Activations = true;
  MatmulProblem w4a8 = w4;
  w4a8.int8Activations = true;
  MatmulProblem w4a8Zero = w4a8;
  w4a8Zero.hasZeroPoints = true;
  if (chip.capability >= 80) {
    add(w8a8, 8192, 8192, {1, 16, 32, 64, 128, 512, 8192});
    add(w4a8, 8192, 8192, {1, 8, 16, 32, 64, 128, 8192});
    add(w4a8Zero, 8192, 8192, {1, 16, 64, 8192});
  }
  MatmulProblem float8 = w8a8;
  float8.scheme.codeType = E4M3;
  if (chip.capability >= 89)
    add(float8, 8192, 8192, {1, 16, 128, 512, 8192});
  // Plain multiply-adds.
  add(weights(U4, 128, F32), 8192, 8192, {1, 8});
  return cases;
}

//===----------------------------------------------------------------------===//
// Checked
//===----------------------------------------------------------------------===//

std::vector<GpuCase> sweepCases(const Chip &chip, int count, uint64_t seed) {
  std::vector<GpuCase> cases;
  std::mt19937_64 random(seed);
  auto pick = [&](auto... values) {
    std::array list{int64_t(values)...};
    return list[random() % list.size()];
  };
  for (int i = 0; i < count; ++i) {
    MatmulProblem p;
    // Every scheme in turn.
    bool hasFloat8 = chip.capability >= 89;
    p.scheme.codeType = CodeType(i % (hasFloat8 ? 6 : 5));
    p.scheme.scaleType = ScaleType(random() % 3);
    p.scheme.groupSize =
        pick(-1, 7, 16, 32, 48, 64, 96, 128, 128, 256, 1000000);
    p.k = pick(1, 30, 64, 129, 172, 320, 513, 1104, 2208, 4096, 5000);
    p.hasZeroPoints = random() % 2;
    p.hasPermutation = random() % 4 == 0;
    p.type = ElementType(random() % 3);
    p.int8Activations = chip.capability >= 80 && random() % 3 == 0;
    if (p.scheme.isFloat()) {
      p.int8Activations = true;
      p.hasZeroPoints = false;
    }
    p.hasTensorScale = p.int8Activations && i % 4 == 0;
    p.packing = preferredLayout(chip, p);
    // The portable kernels take all that the others take.
    if (!p.int8Activations && random() % 4 == 0)
      p.packing = Layout::Simt;
    if (random() % 2)
      p.bias = random() % 2 ? p.type : ElementType::F32;
    int64_t m = pick(1, 1, 2, 7, 8, 9, 16, 17, 31, 32, 33, 65, 100, 129, 300);
    int64_t n = pick(1, 16, 17, 33, 64, 70, 129, 300, 1000);
    cases.push_back({"odd " + std::to_string(i), "", false,
                     chooseKernel(chip, p, m, n), m, n,
                     random() % 1000000 + 1});
  }
  return cases;
}

//===----------------------------------------------------------------------===//
// With other parameters
//===----------------------------------------------------------------------===//

/// The parameters of the families by name. A member that a family's
/// configuration gains is one line here.
template <typename Choice>
static std::map<std::string, std::function<void(Choice &, int64_t)>> fields() {
  std::map<std::string, std::function<void(Choice &, int64_t)>> result;
#define QK_FIELD(FAMILY, NAME)                                                 \
  if constexpr (requires(Choice &choice) { choice.FAMILY.NAME; })              \
    result[#FAMILY "." #NAME] = [](Choice &choice, int64_t value) {            \
      choice.FAMILY.NAME = decltype(choice.FAMILY.NAME)(value);                \
    };
  QK_FIELD(simt, tokens)
  QK_FIELD(simt, rowBlocks)
  QK_FIELD(simt, warps)
  QK_FIELD(simt, units)
  QK_FIELD(mma, tokens)
  QK_FIELD(mma, rowTiles)
  QK_FIELD(mma, warpsN)
  QK_FIELD(mma, warpsM)
  QK_FIELD(mma, warpsK)
  QK_FIELD(mma, units)
  QK_FIELD(mma, stages)
  QK_FIELD(mma, codesInRing)
  QK_FIELD(mma, maxSplit)
  QK_FIELD(mma, wave)
  QK_FIELD(mma, band)
  QK_FIELD(mma, subtractZeros)
  QK_FIELD(mma, floatSums)
  QK_FIELD(mma, maxRegisters)
  QK_FIELD(wgmma, tokens)
  QK_FIELD(wgmma, rowTiles)
  QK_FIELD(wgmma, groupsN)
  QK_FIELD(wgmma, groupsK)
  QK_FIELD(wgmma, panels)
  QK_FIELD(wgmma, stages)
  QK_FIELD(wgmma, lag)
  QK_FIELD(wgmma, scalesInRing)
  QK_FIELD(wgmma, copyWarps)
  QK_FIELD(wgmma, cluster)
  QK_FIELD(wgmma, maxSplit)
  QK_FIELD(wgmma, wave)
  QK_FIELD(wgmma, band)
#undef QK_FIELD
  return result;
}

/// Which configuration a family's parameters are in.
static std::string configOf(const std::string &family) {
  return family == "decode" || family == "prefill" ? "mma" : family;
}

static std::vector<std::string> split(const std::string &text, char at) {
  std::vector<std::string> parts(1);
  for (char c : text)
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

std::string parseVariant(const std::string &text, GpuVariant &variant) {
  variant.text = text;
  size_t colon = text.find(':');
  if (colon == std::string::npos)
    return "expected FAMILY[@M]:KEY=VALUE,…, got '" + text + "'";
  std::vector<std::string> head = split(text.substr(0, colon), '@');
  variant.family = head[0];
  if (head.size() == 2)
    for (const std::string &m : split(head[1], '+'))
      variant.tokens.push_back(std::atoll(m.c_str()));
  auto known = fields<KernelChoice>();
  for (const std::string &item : split(text.substr(colon + 1), ',')) {
    std::vector<std::string> sides = split(item, '=');
    std::string key = configOf(variant.family) + "." + sides[0];
    if (sides.size() != 2 || !known.count(key)) {
      std::string names;
      for (const auto &[name, set] : known)
        if (name.rfind(configOf(variant.family) + ".", 0) == 0)
          names +=
              (names.empty() ? "" : ", ") + name.substr(name.find('.') + 1);
      return "family '" + variant.family + "' has no parameter '" + item +
             "', expected KEY=NUMBER with one of " +
             (names.empty() ? "a known family's" : names);
    }
    variant.values.emplace_back(key, std::atoll(sides[1].c_str()));
  }
  return "";
}

std::string applyVariant(const Chip &chip, const GpuCase &of,
                         const GpuVariant &variant,
                         std::optional<GpuCase> &result) {
  result.reset();
  bool isFor =
      variant.tokens.empty()
          ? kernelFamilyName(of.choice.family) == variant.family
          : std::count(variant.tokens.begin(), variant.tokens.end(), of.m) > 0;
  if (!isFor)
    return "";
  std::vector<KernelChoice> choices = chooseKernels(chip, of.choice.problem);
  const KernelChoice *base = nullptr;
  for (const KernelChoice &choice : choices) {
    if (kernelFamilyName(choice.family) != variant.family)
      continue;
    // The one for M and N, or the family's nearest.
    if (!base || of.m >= choice.mFrom)
      base = &choice;
  }
  if (kernelFamilyName(of.choice.family) == variant.family)
    base = &of.choice;
  if (!base)
    return of.name + ": no kernel of family '" + variant.family + "'";
  GpuCase changed = of;
  changed.choice = *base;
  changed.variant = variant.text.substr(variant.text.find(':') + 1);
  auto known = fields<KernelChoice>();
  for (const auto &[key, value] : variant.values)
    known[key](changed.choice, value);
  result = changed;
  return "";
}

} // namespace qk::bench
