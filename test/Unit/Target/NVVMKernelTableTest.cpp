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
  EXPECT_EQ(chooseKernel(chip, p, 1).simt.tokens, 1);
  EXPECT_EQ(chooseKernel(chip, p, 2).simt.tokens, 8);
  EXPECT_EQ(chooseKernel(chip, p, 100000).simt.tokens, 8);
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
  EXPECT_EQ(chooseKernel(*findChip("sm_90a"), p, 4096).family,
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
    for (int64_t k : {1, 64, 172, 4096, 28672})
      for (auto [int8, chip] : std::vector<std::pair<bool, const Chip *>>{
               {false, findChip("sm_80")},
               {true, findChip("sm_89")},
               {false, findChip("sm_89")},
               {true, findChip("sm_90a")},
               {false, findChip("sm_90a")}}) {
        MatmulProblem p = problem(code, k, 32);
        p.type = ElementType::F16;
        p.int8Activations = int8;
        p.packing = int8 ? Layout::MmaS8 : Layout::Mma;
        if (int8 ? p.scheme.bits() != 8 : p.scheme.isFloat())
          continue;
        EXPECT_EQ(unsupported(*chip, p), "");
        int64_t next = 1;
        std::set<std::string> names;
        for (const KernelChoice &choice : chooseKernels(*chip, p)) {
          EXPECT_TRUE(names.insert(choice.name()).second) << choice.name();
          EXPECT_EQ(choice.mFrom, next);
          next = choice.mTo + 1;
          // wgmma is sm_90a's; bytes with one scale a row take it sooner.
          bool early = int8 && p.scheme.groups(p.k) == 1;
          bool wgmma =
              chip->name == "sm_90a" && choice.mFrom > (early ? 8 : 32);
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
    KernelChoice choice = chooseKernel(chip, p, m);
    LaunchShape shape = choice.launchShape(m, n);
    EXPECT_GE(shape.grid[0] * choice.blockTokens(), m);
    EXPECT_LT((shape.grid[0] - 1) * choice.blockTokens(), m);
    EXPECT_GE(shape.grid[1] * choice.blockChannels(), n);
    EXPECT_LT((shape.grid[1] - 1) * choice.blockChannels(), n);
    EXPECT_EQ(shape.block[0], choice.threads());
  }
}

} // namespace
