//===- NVVMKernelTableTest.cpp - Choice of GPU kernels --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/KernelTable.h"

#include <gtest/gtest.h>

#include <set>

using namespace qk::numerics;
using namespace qk::nvvm;

namespace {

MatmulProblem problem(CodeType code, int64_t k, int64_t group) {
  MatmulProblem result;
  result.scheme = {code, group, ScaleType::F16};
  result.k = k;
  return result;
}

TEST(NVVMKernelTable, KnowsTheChips) {
  EXPECT_EQ(knownChips(), "sm_75, sm_80, sm_86, sm_89, sm_90, sm_90a, "
                          "sm_100a, sm_120");
  ASSERT_NE(findChip("sm_90a"), nullptr);
  EXPECT_EQ(findChip("sm_90a")->capability, 90);
  EXPECT_TRUE(findChip("sm_90a")->isArchitectureSpecific);
  EXPECT_EQ(findChip("sm_70"), nullptr);
}

// The ranges of M follow each other without gap, to the end, whatever the case.
TEST(NVVMKernelTable, CoversEveryM) {
  for (const Chip &chip : allChips())
    for (CodeType code :
         {CodeType::U2, CodeType::U3, CodeType::U4, CodeType::U8, CodeType::S8})
      for (int64_t k : {1, 64, 172, 4096, 28672}) {
        std::vector<KernelChoice> choices =
            chooseKernels(chip, problem(code, k, 32));
        ASSERT_FALSE(choices.empty());
        int64_t next = 1;
        std::set<std::string> names;
        for (const KernelChoice &choice : choices) {
          EXPECT_EQ(choice.mFrom, next);
          next = choice.mTo + 1;
          EXPECT_FALSE(choice.reason.empty());
          names.insert(choice.name());
          // A block fits on every chip of the table: 48 KiB of static shared
          // memory, 65536 registers.
          EXPECT_LE(choice.sharedBytes(), 48 << 10);
          EXPECT_LE(choice.maxRegisters() * choice.threads(), 65536);
          EXPECT_GE(choice.threads(), 64);
        }
        EXPECT_EQ(choices.back().mTo, -1);
        EXPECT_EQ(names.size(), choices.size());
      }
}

TEST(NVVMKernelTable, ChoosesByM) {
  const Chip &chip = *findChip("sm_80");
  MatmulProblem p = problem(CodeType::U4, 4096, 128);
  EXPECT_EQ(chooseKernel(chip, p, 1, 32).simt.tokens, 1);
  EXPECT_EQ(chooseKernel(chip, p, 2, 32).simt.tokens, 8);
  EXPECT_EQ(chooseKernel(chip, p, 100000, 32).simt.tokens, 8);
}

TEST(NVVMKernelTable, ChoosesTheLayout) {
  const Chip &ampere = *findChip("sm_80"), &turing = *findChip("sm_75");
  MatmulProblem p = problem(CodeType::U4, 4096, 128);
  std::string why;
  EXPECT_EQ(preferredLayout(ampere, p, &why), Layout::Simt);
  EXPECT_EQ(why, "activations of f32, which tensor cores would round");
  p.type = ElementType::BF16;
  EXPECT_EQ(preferredLayout(ampere, p), Layout::Mma);
  EXPECT_EQ(preferredLayout(turing, p), Layout::Simt);
  p.scheme.codeType = CodeType::U8;
  EXPECT_EQ(preferredLayout(ampere, p), Layout::Mma);
  p.hasZeroPoints = true;
  EXPECT_EQ(preferredLayout(ampere, p), Layout::Simt);
  p.int8Activations = true;
  EXPECT_EQ(preferredLayout(ampere, p), Layout::MmaS8);
}

// Floats of one byte go with their kind, from the first chip that has them.
TEST(NVVMKernelTable, MultipliesFloatsOfOneByte) {
  MatmulProblem p = problem(CodeType::E4M3, 4096, -1);
  p.type = ElementType::BF16;
  p.int8Activations = true;
  EXPECT_EQ(preferredLayout(*findChip("sm_89"), p), Layout::MmaS8);
  p.packing = Layout::MmaS8;
  EXPECT_EQ(unsupported(*findChip("sm_89"), p), "");
  EXPECT_EQ(unsupported(*findChip("sm_86"), p),
            "codes of e4m3 need sm_89 or later, got sm_86; quantise with "
            "format=int8");
  // Sums of floats have no largest K.
  p.k = 200000;
  EXPECT_EQ(unsupported(*findChip("sm_90a"), p), "");
  p.k = 4096;
  EXPECT_EQ(chooseKernel(*findChip("sm_90a"), p, 4096, 4096).family,
            KernelFamily::Wgmma);
  EXPECT_EQ(problemName(p), "qk_matmul_e4m3_k4096_sf16_xe4m3_ybf16_mma");
  p.int8Activations = false;
  p.packing = preferredLayout(*findChip("sm_90a"), p);
  EXPECT_EQ(unsupported(*findChip("sm_90a"), p),
            "codes of e4m3 need activations of e4m3, got floats; quantise x "
            "with the same format, per token");
}

TEST(NVVMKernelTable, ChoosesFamiliesOnTensorCores) {
  for (CodeType code : kCodeTypes)
    for (auto [k, group] :
         std::vector<std::pair<int64_t, int64_t>>{{1, 32},
                                                  {64, 32},
                                                  {172, 32},
                                                  {4096, 32},
                                                  {28672, 32},
                                                  {4096, 128}})
      for (auto [int8, chip] : std::vector<std::pair<bool, const Chip *>>{
               {false, findChip("sm_80")},
               {true, findChip("sm_89")},
               {false, findChip("sm_89")},
               {true, findChip("sm_90a")},
               {false, findChip("sm_90a")}}) {
        MatmulProblem p = problem(code, k, group);
        p.type = ElementType::F16;
        p.int8Activations = int8;
        p.packing = int8 ? Layout::MmaS8 : Layout::Mma;
        if (!int8 && p.scheme.isFloat())
          continue;
        EXPECT_EQ(unsupported(*chip, p), "");
        int64_t next = 1, from = 0;
        std::set<std::string> names;
        for (const KernelChoice &choice : chooseKernels(*chip, p)) {
          EXPECT_TRUE(names.insert(choice.name()).second) << choice.name();
          // A second one for the same M is wgmma's, with more channels a block.
          bool isSecond = choice.mFrom == from;
          if (isSecond) {
            EXPECT_EQ(choice.mTo, next - 1);
            EXPECT_EQ(choice.blockChannels(), 256);
            EXPECT_GT(choice.roundCost, 0);
          } else {
            EXPECT_EQ(choice.mFrom, next);
          }
          from = choice.mFrom;
          next = choice.mTo + 1;
          // wgmma is sm_90a's; bytes with one scale a row take it sooner.
          bool early =
              int8 && p.scheme.bits() == 8 && p.scheme.groups(p.k) == 1;
          bool wgmma = chip->name == "sm_90a" &&
                       (isSecond || choice.mFrom > (early ? 8 : 32));
          EXPECT_EQ(choice.family, wgmma ? KernelFamily::Wgmma
                                   : choice.mFrom <= 16
                                       ? KernelFamily::Decode
                                       : KernelFamily::Prefill);
          EXPECT_LE(choice.sharedBytes(), chip->blockSharedBytes);
          EXPECT_LE(choice.maxRegisters() * choice.threads(), 65536);
          EXPECT_GE(choice.threads(), 64);
          if (wgmma) {
            const WgmmaConfig &config = choice.wgmma;
            EXPECT_LT(config.lag, config.stages);
            // A slot is one warpgroup's, whatever the turn.
            EXPECT_EQ(config.stages % config.groupsK, 0);
            EXPECT_EQ(config.tokens % 16, 0);
            EXPECT_EQ(choice.wgmmaUnits() * p.mmaLayout().unitAtoms(),
                      2 * config.panels);
            EXPECT_EQ(choice.wgmmaSlotBytes() % 1024, 0);
            EXPECT_EQ(choice.wgmmaBarrierOffset() % 8, 0);
          }
          EXPECT_GE(choice.mma.stages, 2);
          // Rows have whole atoms, and slots are of whole vectors.
          EXPECT_EQ(choice.mmaRowBytes() % 64, 0);
          EXPECT_EQ(choice.mmaSlotBytes() % 16, 0);
          EXPECT_EQ(choice.mma.tokens == 1 ||
                        choice.mma.tokens % (8 * choice.mma.warpsM) == 0,
                    true);
          // A launch that splits K has a place for each block's sums.
          for (int64_t n : {16, 1000, 28672}) {
            LaunchShape shape = choice.launchShape(choice.mFrom, n);
            // Blocks of a cluster have it in their shared memory.
            bool inCluster =
                shape.grid[2] > 1 && shape.grid[2] <= choice.maxCluster();
            EXPECT_EQ(shape.cluster, inCluster ? shape.grid[2] : 1);
            if (inCluster) {
              EXPECT_LE(choice.wgmmaPieces() * choice.wgmma.consumers() * 2048,
                        choice.wgmmaBarrierOffset());
            }
            if (shape.grid[2] == 1 || inCluster)
              continue;
            int64_t blocks = shape.grid[0] * shape.grid[1] * shape.grid[2];
            EXPECT_LE(choice.mmaCounterBytes() + 4 * blocks *
                                                     choice.blockTokens() *
                                                     choice.blockChannels(),
                      choice.workspaceBytes());
            EXPECT_LE(4 * shape.grid[0] * shape.grid[1],
                      choice.mmaCounterBytes());
          }
        }
        EXPECT_EQ(next, 0);
      }
}

// How codes of fewer bits than x meet it: what depends on chip and scheme.
TEST(NVVMKernelTable, ChoosesHowBytesAreMade) {
  MatmulProblem p = problem(CodeType::U4, 4096, 128);
  p.type = ElementType::F16;
  p.int8Activations = true;
  std::string why;
  p.packing = preferredLayout(*findChip("sm_80"), p, &why);
  EXPECT_EQ(p.packing, Layout::MmaS8);
  EXPECT_EQ(why,
            "activations of 8 bits: mma.sync of s8, codes at the top of bytes");
  EXPECT_EQ(unsupported(*findChip("sm_75"), p),
            "layout nvvm-mma-s8 needs mma.sync as sm_80 and later have it, got "
            "sm_75");
  for (const Chip &chip : allChips()) {
    if (chip.capability < 80)
      continue;
    for (bool zeros : {false, true})
      for (CodeType code :
           {CodeType::U2, CodeType::U3, CodeType::U4, CodeType::S8})
        for (int64_t group : {int64_t(128), int64_t(256), int64_t(-1)}) {
          p.scheme = {code, group, ScaleType::F16};
          p.hasZeroPoints = zeros;
          EXPECT_EQ(unsupported(chip, p), "");
          for (const KernelChoice &choice : chooseKernels(chip, p)) {
            if (choice.usesWgmma())
              continue;
            bool isPrefill = choice.family == KernelFamily::Prefill;
            EXPECT_EQ(choice.mma.subtractZeros,
                      isPrefill && zeros && code != CodeType::S8);
            // Groups of 128 sum up to less than 2^22; sm_80 converts slowly.
            EXPECT_EQ(choice.mma.floatSums,
                      isPrefill && group == 128 && chip.capability == 80 &&
                          !(zeros && code == CodeType::S8));
          }
        }
  }
  p.scheme = {CodeType::U4, -1, ScaleType::F16};
  p.k = 131072;
  p.hasZeroPoints = false;
  EXPECT_EQ(unsupported(*findChip("sm_80"), p), "");
  p.hasZeroPoints = true;
  EXPECT_EQ(unsupported(*findChip("sm_80"), p),
            "expected at most 65536 input channels with one scale for "
            "activations of 8 bits, got 131072");
  // It is a group's sums that 32 bits hold.
  p.scheme.groupSize = 128;
  EXPECT_EQ(unsupported(*findChip("sm_80"), p), "");
}

// Many channels take blocks of 256 of them where that saves rounds.
TEST(NVVMKernelTable, ChoosesByN) {
  MatmulProblem p = problem(CodeType::U4, 8192, 128);
  p.type = ElementType::F16;
  p.packing = Layout::Mma;
  const Chip &chip = *findChip("sm_90a");
  Chip half = chip;
  half.multiprocessors /= 2;
  auto channels = [&](const Chip &chip, int64_t m, int64_t n) {
    return chooseKernel(chip, p, m, n).blockChannels();
  };
  // As measured (lib/Target/NVVM/README.md).
  for (int64_t n : {4096, 8192}) {
    EXPECT_EQ(channels(chip, 32, n), 64);
    EXPECT_EQ(channels(chip, 64, n), 128);
  }
  EXPECT_EQ(channels(chip, 32, 28672), 256);
  EXPECT_EQ(channels(chip, 64, 28672), 256);
  EXPECT_EQ(chooseKernel(chip, p, 16, 28672).family, KernelFamily::Decode);
  for (const Chip *of : {&chip, static_cast<const Chip *>(&half)}) {
    int64_t wave = of->multiprocessors;
    for (int64_t m : {17, 32}) {
      // Two rounds of 64 channels are faster than one of 256, three are not.
      EXPECT_EQ(channels(*of, m, 2 * wave * 64), 64);
      EXPECT_EQ(channels(*of, m, 2 * wave * 64 + 1), 256);
      EXPECT_EQ(channels(*of, m, wave * 256), 256);
      EXPECT_EQ(channels(*of, m, wave * 256 + 1), 256);
    }
    for (int64_t m : {33, 64}) {
      // One of 128 is, two are not; three are faster than two of 256.
      EXPECT_EQ(channels(*of, m, wave * 128), 128);
      EXPECT_EQ(channels(*of, m, wave * 128 + 1), 256);
      EXPECT_EQ(channels(*of, m, wave * 256), 256);
      EXPECT_EQ(channels(*of, m, wave * 256 + 1), 128);
      EXPECT_EQ(channels(*of, m, wave * 384), 128);
      EXPECT_EQ(channels(*of, m, wave * 384 + 1), 256);
    }
    for (int64_t m : {1, 8, 16, 128, 1024, 4096})
      EXPECT_EQ(chooseKernel(*of, p, m, 32).name(),
                chooseKernel(*of, p, m, wave * 256).name());
  }
  EXPECT_NE(chooseKernel(chip, p, 32, 28672)
                .reason.find("; N = 28672 is 1 round of 32x256 blocks (43.2 us "
                             "each at K = 8192) against 4 rounds of 32x64 "
                             "blocks (17.5 us each at K = 8192), on 132 "
                             "multiprocessors"),
            std::string::npos);
  EXPECT_NE(chooseKernel(chip, p, 64, 8192)
                .reason.find("; N = 8192 is 1 round of 64x128 blocks (39.4 us "
                             "each at K = 8192) against 1 round of 64x256"),
            std::string::npos);
}

// Where nothing was measured, N decides nothing.
TEST(NVVMKernelTable, ChoosesByNWhereMeasured) {
  MatmulProblem p = problem(CodeType::U4, 8192, 128);
  p.type = ElementType::F16;
  p.packing = Layout::Mma;
  auto isAlone = [](const char *chip, const MatmulProblem &p) {
    for (const KernelChoice &choice : chooseKernels(*findChip(chip), p))
      if (choice.roundCost)
        return false;
    for (int64_t m : {1, 32, 64, 128, 4096})
      if (chooseKernel(*findChip(chip), p, m, 16).name() !=
          chooseKernel(*findChip(chip), p, m, 28672).name())
        return false;
    return true;
  };
  EXPECT_FALSE(isAlone("sm_90a", p));
  for (const char *chip : {"sm_80", "sm_90", "sm_100a"})
    EXPECT_TRUE(isAlone(chip, p));
  auto isAloneWith = [&](auto change) {
    MatmulProblem other = p;
    change(other);
    return isAlone("sm_90a", other);
  };
  EXPECT_TRUE(
      isAloneWith([](MatmulProblem &o) { o.type = ElementType::BF16; }));
  EXPECT_TRUE(isAloneWith([](MatmulProblem &o) { o.hasZeroPoints = true; }));
  EXPECT_TRUE(isAloneWith([](MatmulProblem &o) { o.scheme.groupSize = 64; }));
  EXPECT_TRUE(isAloneWith(
      [](MatmulProblem &o) { o.scheme.scaleType = ScaleType::F32; }));
  for (CodeType code : {CodeType::U2, CodeType::U3, CodeType::S8})
    EXPECT_TRUE(
        isAloneWith([&](MatmulProblem &o) { o.scheme.codeType = code; }));
  EXPECT_FALSE(isAloneWith([](MatmulProblem &o) { o.hasPermutation = true; }));
  EXPECT_FALSE(isAloneWith([](MatmulProblem &o) { o.scheme.groupSize = -1; }));
}

TEST(NVVMKernelTable, NamesTellKernelsApart) {
  MatmulProblem p = problem(CodeType::U4, 4096, 128);
  EXPECT_EQ(problemName(p), "qk_matmul_u4_k4096_g128_sf16_xf32");
  // A group as long as the row is the whole row.
  EXPECT_EQ(problemName(problem(CodeType::S8, 64, 64)),
            problemName(problem(CodeType::S8, 64, -1)));
  std::set<std::string> names{problemName(p)};
  auto differs = [&](auto change) {
    MatmulProblem other = p;
    change(other);
    EXPECT_TRUE(names.insert(problemName(other)).second) << problemName(other);
  };
  differs([](MatmulProblem &o) { o.k = 4095; });
  differs([](MatmulProblem &o) { o.hasZeroPoints = true; });
  differs([](MatmulProblem &o) { o.hasPermutation = true; });
  differs([](MatmulProblem &o) { o.bias = ElementType::F32; });
  differs([](MatmulProblem &o) { o.bias = ElementType::F16; });
  differs([](MatmulProblem &o) { o.type = ElementType::BF16; });
  differs([](MatmulProblem &o) { o.scheme.groupSize = 64; });
  differs([](MatmulProblem &o) { o.scheme.scaleType = ScaleType::F32; });
  differs([](MatmulProblem &o) { o.scheme.codeType = CodeType::U3; });
}

TEST(NVVMKernelTable, GridCoversTheResult) {
  const Chip &chip = *findChip("sm_80");
  MatmulProblem p = problem(CodeType::U4, 4096, 128);
  for (auto [m, n] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 33}, {2, 64}, {9, 65}, {2048, 4096}}) {
    KernelChoice choice = chooseKernel(chip, p, m, n);
    LaunchShape shape = choice.launchShape(m, n);
    EXPECT_GE(shape.grid[0] * choice.blockTokens(), m);
    EXPECT_LT((shape.grid[0] - 1) * choice.blockTokens(), m);
    EXPECT_GE(shape.grid[1] * choice.blockChannels(), n);
    EXPECT_LT((shape.grid[1] - 1) * choice.blockChannels(), n);
    EXPECT_EQ(shape.block[0], choice.threads());
  }
}

} // namespace
