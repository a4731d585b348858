//===- NVVMWgmmaTest.cpp - Kernels on wgmma, emulated ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NVVMWgmmaFaults.h"

using namespace qk;
using namespace qk::test;

namespace {

//===----------------------------------------------------------------------===//
// Right on random shapes
//===----------------------------------------------------------------------===//

class NVVMWgmma
    : public testing::TestWithParam<std::tuple<CodeType, unsigned>> {};

TEST_P(NVVMWgmma, EqualsTheReference) {
  auto [code, seed] = GetParam();
  std::mt19937 random(seed * 8 + unsigned(code));
  auto pick = [&](auto... values) {
    std::array list{values...};
    return list[random() % list.size()];
  };
  MatmulProblem p;
  p.scheme.codeType = code;
  p.packing = Layout::Mma;
  p.k = pick(1, 30, 64, 129, 172, 320, 513, 1104);
  p.scheme.groupSize = pick(-1, 7, 16, 32, 48, 64, 96, 128, 256);
  p.scheme.scaleType = pick(ScaleType::F16, ScaleType::BF16, ScaleType::F32);
  p.hasZeroPoints = p.scheme.bits() < 8 && random() % 2;
  p.hasPermutation = random() % 3 == 0;
  p.type = pick(ElementType::F16, ElementType::BF16);
  if (random() % 2)
    p.bias = pick(p.type, ElementType::F32);
  WgmmaConfig config;
  config.tokens = pick(16, 32, 64, 128);
  config.rowTiles = pick(1, 2);
  config.groupsN = pick(1, 2);
  config.groupsK = 2 / config.groupsN;
  config.panels = pick(1, 2);
  config.stages = pick(2, 4);
  config.lag = pick(0, 1, 2);
  config.maxSplit = pick(1, 3);
  config.band = pick(1, 2);
  config.scalesInRing = random() % 2;
  config.cluster = pick(1, 2, 8);
  config.copyWarps = pick(1, 4);
  if (config.groupsN == 2 && config.tokens <= 64 && random() % 2)
    config.groupsN = pick(3, 4);
  KernelChoice choice = wgmmaChoice(p, config);
  Case c(p, pick(1, 15, 33, 64, 140), pick(1, 16, 70, 130, 300), random);
  EXPECT_EQ(emulate(c, choice, seed % 3, [](mlir::gpu::GPUFuncOp) {}), "");
}

INSTANTIATE_TEST_SUITE_P(
    Random, NVVMWgmma,
    testing::Combine(testing::Values(CodeType::U2, CodeType::U3, CodeType::U4,
                                     CodeType::U8, CodeType::S8),
                     testing::Range(1u, 4u)));

// Shares of K that are added up through a cluster: as many as pieces, more, and
// numbers that do not divide them; a tail of channels and of tokens.
TEST(NVVMWgmma, AddsUpInClusters) {
  std::mt19937 random(7);
  MatmulProblem p;
  p.scheme = {CodeType::U4, 128, ScaleType::F16};
  p.packing = Layout::Mma;
  p.type = ElementType::F16;
  p.bias = ElementType::F32;
  p.k = 2048;
  for (auto [tokens, groups, groupsK, split] : std::vector<std::array<int, 4>>{
           {16, 4, 1, 8}, {32, 2, 1, 3}, {32, 2, 2, 3}, {64, 4, 1, 5}}) {
    WgmmaConfig config;
    config.tokens = tokens;
    config.rowTiles = 1;
    config.groupsN = groups;
    config.groupsK = groupsK;
    config.maxSplit = split;
    config.cluster = 8;
    config.copyWarps = 4;
    config.scalesInRing = true;
    KernelChoice choice = wgmmaChoice(p, config);
    Case c(p, tokens - 3, 69, random);
    EXPECT_EQ(choice.launchShape(c.m, c.weight.n).cluster, split);
    EXPECT_EQ(choice.workspaceBytes(), 0);
    EXPECT_EQ(emulate(c, choice, 2, [](mlir::gpu::GPUFuncOp) {}), "");
  }
}

// The table's own kernels.
TEST(NVVMWgmma, TheTablesKernels) {
  std::mt19937 random(5);
  MatmulProblem p;
  p.scheme = {CodeType::U4, 128, ScaleType::F16};
  p.packing = Layout::Mma;
  p.type = ElementType::BF16;
  p.k = 384;
  for (int64_t m : {33, 100, 1030}) {
    KernelChoice choice = chooseKernel(*findChip("sm_90a"), p, m, 72);
    ASSERT_EQ(choice.family, KernelFamily::Wgmma);
    // A kernel takes any M.
    Case c(p, 37, 72, random);
    EXPECT_EQ(emulate(c, choice, 1, [](mlir::gpu::GPUFuncOp) {}), "");
  }
}

/// The table's kernel for `m` rows of a weight with many channels (also where a
/// short row has another one chosen).
KernelChoice wideChoice(const MatmulProblem &p, int64_t m) {
  for (const KernelChoice &choice : chooseKernels(*findChip("sm_90a"), p))
    if (m >= choice.mFrom && m <= choice.mTo && choice.usesWgmma() &&
        choice.blockChannels() == 256)
      return choice;
  ADD_FAILURE() << "no kernel of 256 channels for " << m << " rows";
  return {};
}

// Those for many channels, on odd shapes.
class NVVMWgmmaWide : public testing::TestWithParam<unsigned> {};

TEST_P(NVVMWgmmaWide, EqualsTheReference) {
  std::mt19937 random(GetParam());
  auto pick = [&](auto... values) {
    std::array list{values...};
    return list[random() % list.size()];
  };
  for (int64_t rows : {17, 32, 33, 64}) {
    MatmulProblem p;
    p.scheme = {CodeType::U4, pick(-1, 128, 128, 256, 384),
                pick(ScaleType::F16, ScaleType::BF16)};
    p.packing = Layout::Mma;
    p.type = ElementType::F16;
    p.k = pick(1, 64, 172, 257, 513, 1104, 1536);
    p.hasPermutation = random() % 3 == 0;
    if (random() % 2)
      p.bias = pick(p.type, ElementType::F32);
    KernelChoice choice = wideChoice(p, rows);
    // A kernel takes any M and N.
    Case c(p, pick(int64_t(1), int64_t(15), rows, int64_t(70)),
           pick(1, 16, 130, 250, 300), random);
    EXPECT_EQ(emulate(c, choice, GetParam() % 3, [](mlir::gpu::GPUFuncOp) {}),
              "");
  }
}

INSTANTIATE_TEST_SUITE_P(Random, NVVMWgmmaWide, testing::Range(1u, 6u));

//===----------------------------------------------------------------------===//
// What is broken is found
//===----------------------------------------------------------------------===//

class NVVMWgmmaFaults : public WgmmaFaults {
protected:
  /// Three blocks share K and meet in a cluster.
  bool cluster = false;
  /// The table's kernel for this many rows and many channels, if not 0.
  int64_t wideRows = 0;

  std::string with(llvm::function_ref<void(mlir::gpu::GPUFuncOp)> change,
                   uint64_t seed = 0) override {
    MatmulProblem p;
    p.scheme = {CodeType::U4, 128, ScaleType::F16};
    p.packing = Layout::Mma;
    p.type = ElementType::F16;
    // More slices than slots.
    p.k = wideRows ? 1536 : 1280;
    std::mt19937 random(3);
    if (wideRows) {
      Case c(p, 20, 260, random);
      return emulate(c, wideChoice(p, wideRows), seed, change);
    }
    Case c(p, 40, 70, random);
    WgmmaConfig config;
    config.tokens = 32;
    config.stages = 4;
    config.maxSplit = cluster ? 3 : 1;
    config.cluster = cluster ? 8 : 1;
    return emulate(c, wgmmaChoice(p, config), seed, change);
  }
};

/// What can go wrong in any kernel: in one of 128 channels, and in those for
/// many channels.
class NVVMWgmmaAnyFaults : public NVVMWgmmaFaults,
                           public testing::WithParamInterface<int64_t> {
  void SetUp() override { wideRows = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Rows, NVVMWgmmaAnyFaults, testing::Values(0, 32, 64));

TEST_P(NVVMWgmmaAnyFaults, NoProxyFence) {
  std::string error =
      run([](std::string &text) { return !has(text, "fence.proxy.async"); });
  EXPECT_NE(error.find("with no proxy fence"), std::string::npos) << error;
}

TEST_P(NVVMWgmmaAnyFaults, NoWgmmaFence) {
  std::string error = run([](std::string &text) {
    replace(text, "wgmma.fence.sync.aligned;", "");
    return true;
  });
  EXPECT_NE(error.find("with no wgmma.fence"), std::string::npos) << error;
}

// Products that are read too early are NaN.
TEST_P(NVVMWgmmaAnyFaults, ProductsReadTooEarly) {
  std::string error = run([](std::string &text) {
    replace(text, "wgmma.wait_group.sync.aligned 0;",
            "wgmma.wait_group.sync.aligned 1;");
    return true;
  });
  EXPECT_NE(error, "");
}

TEST_P(NVVMWgmmaAnyFaults, NoWaitForAFullSlot) {
  for (uint64_t seed : {0, 1}) {
    int wait = 0;
    std::string error = run(
        [&](std::string &text) {
          // The first two in the text are the producer's, for empty slots.
          return !has(text, "try_wait") || wait++ < 2;
        },
        seed);
    EXPECT_NE(error.find("of shared memory that"), std::string::npos) << error;
  }
}

TEST_P(NVVMWgmmaAnyFaults, NoWaitForAnEmptySlot) {
  int wait = 0;
  std::string error = run(
      [&](std::string &text) { return !has(text, "try_wait") || wait++ >= 2; });
  EXPECT_NE(error, "");
}

// Bytes that nobody expects, and none where some are expected.
TEST_P(NVVMWgmmaAnyFaults, NobodyArrives) {
  std::string error = run(
      [](std::string &text) { return !has(text, "mbarrier.arrive.shared"); });
  EXPECT_NE(error.find("waits for ever"), std::string::npos) << error;
}

TEST_P(NVVMWgmmaAnyFaults, WrongBarrierCount) {
  for (int by : {-1, 1})
    EXPECT_NE(withBarrierCounts(by), "");
}

// More registers than the warpgroups have together: it hangs on a card.
TEST_P(NVVMWgmmaAnyFaults, TooManyRegisters) {
  std::string error = run([](std::string &text) {
    replace(text, "setmaxnreg.inc.sync.aligned.u32 232",
            "setmaxnreg.inc.sync.aligned.u32 240");
    replace(text, "setmaxnreg.inc.sync.aligned.u32 112",
            "setmaxnreg.inc.sync.aligned.u32 120");
    return true;
  });
  EXPECT_NE(error.find("registers"), std::string::npos) << error;
}

// Blocks store to the rings of others before those are through with them, or
// read what others have not stored yet.
TEST_F(NVVMWgmmaFaults, NoBarrierOfTheCluster) {
  cluster = true;
  for (int dropped : {0, 1}) {
    int barrier = 0;
    std::string error = run([&](std::string &text) {
      return !has(text, "barrier.cluster") || barrier++ != dropped;
    });
    EXPECT_NE(error.find(dropped ? "with no barrier of the cluster after it"
                                 : "no barrier of the cluster before"),
              std::string::npos)
        << error;
  }
}

// A block that is not there.
TEST_F(NVVMWgmmaFaults, NoSuchBlockOfTheCluster) {
  cluster = true;
  std::string error = with([](mlir::gpu::GPUFuncOp kernel) {
    kernel.walk([&](mlir::LLVM::InlineAsmOp op) {
      if (!has(op.getAsmString().str(), "mapa."))
        return;
      mlir::OpBuilder builder(op);
      mlir::Value one =
          mlir::arith::ConstantIntOp::create(builder, op.getLoc(), 1, 32);
      op.setOperand(1, mlir::arith::AddIOp::create(builder, op.getLoc(),
                                                   op.getOperand(1), one));
    });
  });
  EXPECT_NE(error.find("names block 3 of a cluster of 3"), std::string::npos)
      << error;
}

// Two blocks store to the same place: the sender is left out of it.
TEST_F(NVVMWgmmaFaults, BlocksStoreToOnePlace) {
  cluster = true;
  std::string error = with([](mlir::gpu::GPUFuncOp kernel) {
    kernel.walk([&](mlir::LLVM::InlineAsmOp op) {
      if (!has(op.getAsmString().str(), "mapa."))
        return;
      mlir::OpBuilder builder(op);
      op.setOperand(
          1, mlir::arith::ConstantIntOp::create(builder, op.getLoc(), 0, 32));
    });
  });
  EXPECT_NE(error.find("as another thread does"), std::string::npos) << error;
}

TEST_P(NVVMWgmmaAnyFaults, WrongSwizzle) {
  std::string error = withoutSwizzle();
  EXPECT_NE(error.find("expected"), std::string::npos) << error;
}

} // namespace
