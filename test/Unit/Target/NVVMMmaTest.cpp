//===- NVVMMmaTest.cpp - Kernels on tensor cores, emulated ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NVVMCase.h"

using namespace qk;
using namespace qk::test;

namespace {

//===----------------------------------------------------------------------===//
// Right on random shapes
//===----------------------------------------------------------------------===//

class NVVMMma : public testing::TestWithParam<std::tuple<CodeType, unsigned>> {
};

TEST_P(NVVMMma, EqualsTheReference) {
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
  // One case for each range of M.
  for (int64_t m : {int64_t(1), int64_t(pick(2, 7, 8)), int64_t(pick(9, 16)),
                    int64_t(pick(17, 31)), int64_t(pick(33, 65))}) {
    Case c(p, m, pick(1, 16, 17, 33, 70), random);
    EXPECT_EQ(emulate(c, seed % 3), "");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Random, NVVMMma,
    testing::Combine(testing::Values(CodeType::U2, CodeType::U3, CodeType::U4,
                                     CodeType::U8, CodeType::S8),
                     testing::Range(1u, 4u)));

class NVVMMmaS8
    : public testing::TestWithParam<std::tuple<CodeType, unsigned>> {};

TEST_P(NVVMMmaS8, EqualsTheReference) {
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
  p.k = pick(1, 30, 64, 129, 320, 1104);
  p.scheme.groupSize = pick(-1, -1, 7, 32, 64, 96);
  p.hasZeroPoints = random() % 2;
  p.hasPermutation = random() % 3 == 0;
  p.type = pick(ElementType::F16, ElementType::BF16, ElementType::F32);
  if (random() % 2)
    p.bias = pick(p.type, ElementType::F32);
  for (int64_t m : {int64_t(1), int64_t(pick(2, 7, 8)), int64_t(pick(9, 16)),
                    int64_t(pick(17, 31)), int64_t(pick(33, 65))}) {
    Case c(p, m, pick(1, 16, 17, 33, 70), random);
    EXPECT_EQ(emulate(c, seed % 3), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Random, NVVMMmaS8,
                         testing::Combine(testing::Values(CodeType::U8,
                                                          CodeType::S8),
                                          testing::Range(1u, 4u)));

//===----------------------------------------------------------------------===//
// What is broken is found
//===----------------------------------------------------------------------===//

class NVVMMmaFaults : public testing::TestWithParam<int64_t> {
protected:
  Case makeCase() {
    MatmulProblem p;
    p.scheme = {CodeType::U4, 32, ScaleType::F16};
    p.packing = Layout::Mma;
    p.type = ElementType::F16;
    p.k = 2208;
    p.bias = ElementType::F32;
    std::mt19937 random(3);
    return Case(p, GetParam(), 70, random);
  }
  template <typename Op>
  static llvm::SmallVector<Op> find(mlir::gpu::GPUFuncOp kernel) {
    llvm::SmallVector<Op> found;
    kernel.walk([&](Op op) { found.push_back(op); });
    return found;
  }
};

TEST_P(NVVMMmaFaults, NoneWithoutFault) {
  Case c = makeCase();
  EXPECT_EQ(emulate(c, 5), "");
}

// At the top of the loop, before the sums, and before they are added up.
TEST_P(NVVMMmaFaults, DroppedBarrier) {
  for (int drop = 0; drop < 3; ++drop)
    for (uint64_t seed : {0, 1}) {
      Case c = makeCase();
      size_t count = 0;
      std::string error = emulate(c, seed, [&](mlir::gpu::GPUFuncOp kernel) {
        auto barriers = find<mlir::gpu::BarrierOp>(kernel);
        count = barriers.size();
        barriers[drop]->erase();
      });
      ASSERT_EQ(count, 3u);
      EXPECT_NE(error.find("of shared memory that"), std::string::npos)
          << "barrier " << drop << ", seed " << seed << ": " << error;
    }
}

// A wait too few, and one that lets one group more be under way.
TEST_P(NVVMMmaFaults, StaleStage) {
  for (bool dropped : {true, false})
    for (uint64_t seed : {0, 1}) {
      Case c = makeCase();
      std::string error = emulate(c, seed, [&](mlir::gpu::GPUFuncOp kernel) {
        auto wait = find<mlir::NVVM::CpAsyncWaitGroupOp>(kernel).front();
        if (dropped)
          wait->erase();
        else
          wait.setN(wait.getN() + 1);
      });
      EXPECT_NE(error.find("asynchronous copy of thread"), std::string::npos)
          << error;
    }
}

// A copy that nobody commits is never waited for.
TEST_P(NVVMMmaFaults, DroppedCommit) {
  Case c = makeCase();
  std::string error = emulate(c, 0, [&](mlir::gpu::GPUFuncOp kernel) {
    for (auto commit : find<mlir::NVVM::CpAsyncCommitGroupOp>(kernel))
      commit->erase();
  });
  EXPECT_NE(error.find("asynchronous copy of thread"), std::string::npos)
      << error;
}

// Zero fill left out: x is read past its end, or a tail counts.
TEST_P(NVVMMmaFaults, NoZeroFill) {
  Case c = makeCase();
  std::string error = emulate(c, 0, [&](mlir::gpu::GPUFuncOp kernel) {
    for (auto copy : find<mlir::NVVM::CpAsyncOp>(kernel))
      copy.getCpSizeMutable().clear();
  });
  EXPECT_NE(error, "");
}

// B's registers exchanged.
TEST_P(NVVMMmaFaults, WrongFragment) {
  Case c = makeCase();
  std::string error = emulate(c, 0, [&](mlir::gpu::GPUFuncOp kernel) {
    auto mma = find<mlir::NVVM::MmaOp>(kernel).front();
    mlir::Value first = mma.getOperandB()[0], second = mma.getOperandB()[1];
    mma.getOperandBMutable().assign({second, first});
  });
  EXPECT_NE(error.find("expected"), std::string::npos) << error;
}

// A mask of the second code of a half.
TEST_P(NVVMMmaFaults, WrongMask) {
  Case c = makeCase();
  std::string error = emulate(c, 0, [](mlir::gpu::GPUFuncOp kernel) {
    replaceConstant(kernel, 0x00f000f0, 0x00700070);
  });
  EXPECT_NE(error.find("expected"), std::string::npos) << error;
}

// The last unit's clamp: codes are read past the end of the weight.
TEST_P(NVVMMmaFaults, WrongClamp) {
  if (GetParam() > 32)
    GTEST_SKIP() << "a slice of this family ends within the scales";
  Case c = makeCase();
  std::string error = emulate(c, 0, [](mlir::gpu::GPUFuncOp kernel) {
    replaceConstant(kernel, /*units - 1=*/34, 4000);
  });
  EXPECT_NE(error.find("bytes past the end of buffer 1"), std::string::npos)
      << error;
}

// A multiplication that half of a warp leaves out waits for ever.
TEST_P(NVVMMmaFaults, DivergentMma) {
  Case c = makeCase();
  std::string error = emulate(c, 0, [](mlir::gpu::GPUFuncOp kernel) {
    auto wait = find<mlir::NVVM::CpAsyncWaitGroupOp>(kernel).front();
    mlir::ImplicitLocOpBuilder b(wait.getLoc(), wait);
    using namespace mlir::arith;
    mlir::Value thread = IndexCastOp::create(
        b, b.getI32Type(),
        mlir::gpu::ThreadIdOp::create(b, mlir::gpu::Dimension::x));
    mlir::Value lane =
        AndIOp::create(b, thread, ConstantIntOp::create(b, 31, 32));
    mlir::Value low = CmpIOp::create(b, CmpIPredicate::ult, lane,
                                     ConstantIntOp::create(b, 16, 32));
    auto branch = mlir::scf::IfOp::create(b, low, /*else=*/false);
    b.setInsertionPointToStart(branch.thenBlock());
    mlir::NVVM::SyncWarpOp::create(b, ConstantIntOp::create(b, -1, 32));
  });
  EXPECT_NE(error.find("waits for ever"), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(M, NVVMMmaFaults, testing::Values(1, 9, 40));

} // namespace
