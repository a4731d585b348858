//===- NVVMWgmmaInt8Test.cpp - Sums of bytes by wgmma, emulated -----------===//
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

class NVVMWgmmaInt8 : public testing::TestWithParam<unsigned> {};

TEST_P(NVVMWgmmaInt8, EqualsTheReference) {
  unsigned seed = GetParam();
  std::mt19937 random(seed);
  auto pick = [&](auto... values) {
    std::array list{values...};
    return list[random() % list.size()];
  };
  MatmulProblem p;
  p.scheme.codeType =
      std::array{CodeType::S8, CodeType::U8, CodeType::E4M3}[seed % 3];
  p.packing = Layout::MmaS8;
  p.int8Activations = true;
  p.hasTensorScale = seed % 4 == 0;
  p.k = pick(1, 30, 64, 129, 172, 320, 513, 1104, 2048);
  p.scheme.groupSize = pick(-1, -1, 16, 48, 64, 128, 256);
  p.scheme.scaleType = pick(ScaleType::F16, ScaleType::BF16, ScaleType::F32);
  p.hasZeroPoints =
      p.scheme.groups(p.k) == 1 && random() % 2 && !p.scheme.isFloat();
  p.hasPermutation = random() % 4 == 0;
  p.type = pick(ElementType::F16, ElementType::BF16, ElementType::F32);
  if (random() % 2)
    p.bias = pick(p.type, ElementType::F32);
  WgmmaConfig config;
  config.tokens = pick(16, 32, 64, 128, 256);
  config.rowTiles = config.tokens > 128 ? 1 : pick(1, 2);
  config.groupsN = pick(1, 2);
  config.groupsK = 2 / config.groupsN;
  config.panels = pick(1, 2);
  config.stages = pick(2, 4);
  config.lag = pick(0, 0, 1);
  config.maxSplit = pick(1, 3);
  config.band = pick(1, 2);
  Case c(p, pick(1, 15, 33, 64, 140, 260), pick(1, 16, 70, 130, 300), random);
  EXPECT_EQ(
      emulate(c, wgmmaChoice(p, config), seed % 3, [](mlir::gpu::GPUFuncOp) {}),
      "");
}

INSTANTIATE_TEST_SUITE_P(Random, NVVMWgmmaInt8, testing::Range(1u, 19u));

// The table's own kernels; sums of the largest products there are.
TEST(NVVMWgmmaInt8, TheTablesKernels) {
  std::mt19937 random(5);
  MatmulProblem p;
  p.scheme = {CodeType::S8, -1, ScaleType::F16};
  p.packing = Layout::MmaS8;
  p.int8Activations = true;
  p.type = ElementType::F16;
  p.k = 1152;
  for (bool zeros : {false, true})
    for (int64_t m : {33, 100, 1030}) {
      p.hasZeroPoints = zeros;
      KernelChoice choice = chooseKernel(*findChip("sm_90a"), p, m, 72);
      ASSERT_EQ(choice.family, KernelFamily::Wgmma);
      // A kernel takes any M.
      Case c(p, 37, 72, random);
      for (int64_t k = 0; k < p.k; ++k) {
        c.weight.codes[k] = 0x80;
        c.quantized[k] = -128;
      }
      EXPECT_EQ(pack(c.weight, p.packing, c.packed.data()), "");
      EXPECT_EQ(emulate(c, choice, 1, [](mlir::gpu::GPUFuncOp) {}), "");
    }
}

// Codes of fewer bits than x: of all groups, with zero points or without.
class NVVMWgmmaFewBits
    : public testing::TestWithParam<std::tuple<CodeType, unsigned>> {};

TEST_P(NVVMWgmmaFewBits, EqualsTheReference) {
  auto [code, seed] = GetParam();
  std::mt19937 random(seed * 8 + unsigned(code));
  auto pick = [&](auto... values) {
    std::array list{values...};
    return list[random() % list.size()];
  };
  MatmulProblem p;
  p.scheme.codeType = code;
  p.packing = Layout::MmaS8;
  p.int8Activations = true;
  p.hasTensorScale = seed % 4 == 0;
  p.k = pick(1, 30, 64, 129, 320, 513, 1104, 2048);
  p.scheme.groupSize = pick(-1, -1, 7, 32, 64, 96, 128, 256);
  p.scheme.scaleType = pick(ScaleType::F16, ScaleType::BF16, ScaleType::F32);
  p.hasZeroPoints = seed % 2;
  p.hasPermutation = random() % 4 == 0;
  p.type = pick(ElementType::F16, ElementType::BF16, ElementType::F32);
  if (random() % 2)
    p.bias = pick(p.type, ElementType::F32);
  WgmmaConfig config;
  config.tokens = pick(16, 32, 64, 128);
  config.rowTiles = pick(1, 2);
  config.groupsN = pick(1, 2);
  config.groupsK = 2 / config.groupsN;
  config.panels =
      int(std::max<int64_t>(pick(1, 2), p.mmaLayout().unitAtoms() / 2));
  config.stages = pick(2, 4);
  config.lag = pick(0, 0, 1);
  config.maxSplit = pick(1, 3);
  config.cluster = pick(1, 2);
  config.band = pick(1, 2);
  Case c(p, pick(1, 15, 33, 64, 140), pick(1, 16, 70, 130, 300), random);
  EXPECT_EQ(
      emulate(c, wgmmaChoice(p, config), seed % 3, [](mlir::gpu::GPUFuncOp) {}),
      "");
}

INSTANTIATE_TEST_SUITE_P(
    Random, NVVMWgmmaFewBits,
    testing::Combine(testing::Values(CodeType::U2, CodeType::U3, CodeType::U4),
                     testing::Range(1u, 7u)));

// The table's kernels; the largest sums there are, of codes, zero points and x.
TEST(NVVMWgmmaFewBits, TheTablesKernels) {
  std::mt19937 random(5);
  for (CodeType code : {CodeType::U2, CodeType::U3, CodeType::U4})
    for (bool zeros : {false, true})
      for (auto [m, group] :
           {std::pair<int64_t, int64_t>{40, 64}, {200, 128}, {200, -1}}) {
        MatmulProblem p;
        p.scheme = {code, group, ScaleType::F16};
        p.packing = Layout::MmaS8;
        p.int8Activations = true;
        p.hasZeroPoints = zeros;
        p.type = ElementType::F32;
        p.k = 1152;
        KernelChoice choice = chooseKernel(*findChip("sm_90a"), p, m, 72);
        ASSERT_EQ(choice.family, KernelFamily::Wgmma);
        // A kernel takes any M.
        Case c(p, 37, 72, random);
        for (int64_t i = 0; i < c.weight.n * p.k; ++i)
          c.weight.codes[i] = uint8_t(i / p.k % 2 ? 0 : p.scheme.codeMax());
        int64_t groups = p.scheme.groups(p.k);
        for (size_t i = 0; i < c.weight.zeroPoints.size(); ++i)
          c.weight.zeroPoints[i] =
              int16_t(int64_t(i) / groups % 2 ? 127 : p.scheme.codeMax() - 127);
        for (int64_t i = 0; i < 37 * p.k; ++i)
          c.quantized[i] = i / p.k % 2 ? 127 : -128;
        EXPECT_EQ(pack(c.weight, p.packing, c.packed.data()), "");
        EXPECT_EQ(emulate(c, choice, 1, [](mlir::gpu::GPUFuncOp) {}), "");
      }
}

//===----------------------------------------------------------------------===//
// What is broken is found
//===----------------------------------------------------------------------===//

class NVVMWgmmaInt8Faults : public WgmmaFaults {
protected:
  /// Ten slices, four slots.
  std::string with(llvm::function_ref<void(mlir::gpu::GPUFuncOp)> change,
                   uint64_t seed = 0) override {
    MatmulProblem p;
    p.scheme = {CodeType::S8, -1, ScaleType::F16};
    p.packing = Layout::MmaS8;
    p.int8Activations = true;
    p.type = ElementType::F16;
    p.k = 1280;
    std::mt19937 random(3);
    Case c(p, 40, 70, random);
    WgmmaConfig config;
    config.tokens = 32;
    config.panels = 1;
    config.stages = 4;
    config.lag = 0;
    return emulate(c, wgmmaChoice(p, config), seed, change);
  }
};

TEST_F(NVVMWgmmaInt8Faults, None) {
  EXPECT_EQ(with([](mlir::gpu::GPUFuncOp) {}), "");
}

// The consumers' fence after their wait; that of the start is another thing's.
TEST_F(NVVMWgmmaInt8Faults, NoProxyFence) {
  std::string error =
      run([](std::string &text) { return !has(text, "fence.proxy.async"); });
  EXPECT_NE(error.find("with no proxy fence"), std::string::npos) << error;
}

// The producer arrives at once, not when its copies are there.
TEST_F(NVVMWgmmaInt8Faults, ArrivesBeforeItsCopies) {
  for (uint64_t seed : {0, 1}) {
    std::string error = run(
        [](std::string &text) {
          replace(text, "cp.async.mbarrier.arrive.noinc.shared::cta.b64 [$0];",
                  "mbarrier.arrive.shared::cta.b64 _, [$0];");
          return true;
        },
        seed);
    EXPECT_NE(error.find("may still write"), std::string::npos) << error;
  }
}

TEST_F(NVVMWgmmaInt8Faults, NoWgmmaFence) {
  std::string error = run([](std::string &text) {
    replace(text, "wgmma.fence.sync.aligned;", "");
    return true;
  });
  EXPECT_NE(error.find("with no wgmma.fence"), std::string::npos) << error;
}

TEST_F(NVVMWgmmaInt8Faults, SumsReadTooEarly) {
  std::string error = run([](std::string &text) {
    replace(text, "wgmma.wait_group.sync.aligned 0;",
            "wgmma.wait_group.sync.aligned 1;");
    return true;
  });
  EXPECT_NE(error.find("expected"), std::string::npos) << error;
}

// A slot is given back while the last batch of its slice may still read it.
TEST_F(NVVMWgmmaInt8Faults, SlotGivenBackTooEarly) {
  std::string error = run([](std::string &text) {
    replace(text, "wgmma.wait_group.sync.aligned 1;",
            "wgmma.wait_group.sync.aligned 2;");
    return true;
  });
  EXPECT_NE(error.find("still read"), std::string::npos) << error;
}

TEST_F(NVVMWgmmaInt8Faults, NoWaitForAFullSlot) {
  for (uint64_t seed : {0, 1}) {
    int wait = 0;
    std::string error = run(
        [&](std::string &text) {
          // The first in the text is the producer's, for empty slots.
          return !has(text, "try_wait") || wait++ < 1;
        },
        seed);
    EXPECT_NE(error.find("of shared memory that"), std::string::npos) << error;
  }
}

TEST_F(NVVMWgmmaInt8Faults, NoWaitForAnEmptySlot) {
  for (uint64_t seed : {0, 1}) {
    int wait = 0;
    std::string error = run(
        [&](std::string &text) {
          return !has(text, "try_wait") || wait++ >= 1;
        },
        seed);
    EXPECT_NE(error, "");
  }
}

TEST_F(NVVMWgmmaInt8Faults, WrongBarrierCount) {
  for (int by : {-1, 1})
    EXPECT_NE(withBarrierCounts(by), "");
}

// The parity of the turn before: what the slot held then.
TEST_F(NVVMWgmmaInt8Faults, StaleSlot) {
  int wait = 0;
  std::string error = with([&](mlir::gpu::GPUFuncOp kernel) {
    kernel.walk([&](mlir::LLVM::InlineAsmOp op) {
      if (!has(op.getAsmString().str(), "try_wait") || wait++ < 1)
        return;
      mlir::OpBuilder builder(op);
      auto one =
          mlir::arith::ConstantIntOp::create(builder, op.getLoc(), 1, 32);
      op.setOperand(1, mlir::arith::XOrIOp::create(builder, op.getLoc(),
                                                   op.getOperands()[1], one));
    });
  });
  EXPECT_NE(error, "");
}

TEST_F(NVVMWgmmaInt8Faults, WrongSwizzle) {
  std::string error = withoutSwizzle();
  EXPECT_NE(error.find("expected"), std::string::npos) << error;
}

} // namespace
