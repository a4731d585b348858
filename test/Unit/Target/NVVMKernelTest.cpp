//===- NVVMKernelTest.cpp - GPU kernels, emulated, against f64 ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NVVMCase.h"

using namespace qk;
using namespace qk::numerics;
using namespace qk::nvvm;
using namespace qk::test;

namespace {

//===----------------------------------------------------------------------===//
// Right on random shapes
//===----------------------------------------------------------------------===//

class NVVMKernel
    : public testing::TestWithParam<std::tuple<CodeType, unsigned>> {};

TEST_P(NVVMKernel, EqualsTheReference) {
  auto [code, seed] = GetParam();
  std::mt19937 random(seed * 8 + unsigned(code));
  auto pick = [&](auto... values) {
    std::array list{values...};
    return list[random() % list.size()];
  };
  MatmulProblem p;
  p.scheme.codeType = code;
  p.k = pick(1, 30, 64, 129, 172, 300, 513, 1100);
  p.scheme.groupSize = pick(-1, 7, 16, 32, 48, 128);
  p.scheme.scaleType = pick(ScaleType::F16, ScaleType::BF16, ScaleType::F32);
  p.hasZeroPoints = random() % 2;
  p.hasPermutation = random() % 3 == 0;
  p.type = pick(ElementType::F16, ElementType::BF16, ElementType::F32);
  if (random() % 2)
    p.bias = pick(p.type, ElementType::F32);
  // One case for each range of M.
  for (int64_t m : {int64_t(1), int64_t(pick(2, 7, 8, 9, 17))}) {
    Case c(p, m, pick(1, 31, 32, 33, 64, 70), random);
    EXPECT_EQ(emulate(c, seed % 3), "");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Random, NVVMKernel,
    testing::Combine(testing::Values(CodeType::U2, CodeType::U3, CodeType::U4,
                                     CodeType::U8, CodeType::S8),
                     testing::Range(1u, 7u)));

//===----------------------------------------------------------------------===//
// What is broken is found
//===----------------------------------------------------------------------===//

class NVVMFaults : public testing::TestWithParam<int64_t> {
protected:
  Case makeCase() {
    MatmulProblem p;
    p.scheme = {CodeType::U4, 32, ScaleType::F16};
    p.k = 1100;
    p.bias = ElementType::F32;
    std::mt19937 random(3);
    return Case(p, GetParam(), 70, random);
  }
};

TEST_P(NVVMFaults, NoneWithoutFault) {
  Case c = makeCase();
  EXPECT_EQ(emulate(c, 5), "");
}

// Each of the kernel's three barriers is needed, whatever the order of threads.
TEST_P(NVVMFaults, DroppedBarrier) {
  for (int drop = 0; drop < 3; ++drop)
    for (uint64_t seed : {0, 1}) {
      Case c = makeCase();
      int found = 0;
      std::string error = emulate(c, seed, [&](mlir::gpu::GPUFuncOp kernel) {
        llvm::SmallVector<mlir::Operation *> barriers;
        kernel.walk([&](mlir::gpu::BarrierOp op) { barriers.push_back(op); });
        found = int(barriers.size());
        barriers[drop]->erase();
      });
      ASSERT_EQ(found, 3);
      // Without the first barrier a value may not be there at all.
      EXPECT_NE(error.find(drop == 0 ? "shared memory that"
                                     : "with no barrier in between"),
                std::string::npos)
          << "barrier " << drop << ", seed " << seed << ": " << error;
    }
}

// K's tail: x is read past the end of its row.
TEST_P(NVVMFaults, WrongTail) {
  Case c = makeCase();
  std::string error = emulate(c, 0, [](mlir::gpu::GPUFuncOp kernel) {
    replaceConstant(kernel, /*K=*/1100, 1120);
  });
  EXPECT_NE(error, "");
}

// The last unit's clamp: codes are read past the end of the weight.
TEST_P(NVVMFaults, WrongClamp) {
  Case c = makeCase();
  std::string error = emulate(c, 0, [](mlir::gpu::GPUFuncOp kernel) {
    replaceConstant(kernel, /*units - 1=*/34, 4000);
  });
  EXPECT_NE(error.find("bytes past the end of buffer 1"), std::string::npos)
      << error;
}

// A mask of the fourth code of a word.
TEST_P(NVVMFaults, WrongMask) {
  Case c = makeCase();
  std::string error = emulate(c, 0, [](mlir::gpu::GPUFuncOp kernel) {
    replaceConstant(kernel, 0xf000, 0x7000);
  });
  EXPECT_NE(error.find("expected"), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(M, NVVMFaults, testing::Values(1, 9));

// An instruction without emulation is an error, not a wrong result.
TEST(NVVMKernelErrors, RejectsWhatItDoesNotKnow) {
  MatmulProblem p;
  p.k = 64;
  std::mt19937 random(1);
  Case c(p, 1, 32, random);
  std::string error = emulate(c, 0, [](mlir::gpu::GPUFuncOp kernel) {
    mlir::OpBuilder builder =
        mlir::OpBuilder::atBlockBegin(&kernel.getBody().front());
    mlir::NVVM::CpAsyncBulkCommitGroupOp::create(builder, kernel.getLoc());
  });
  EXPECT_NE(error.find("the emulator does not know "
                       "'llvm.nvvm.cp.async.bulk.commit.group'"),
            std::string::npos)
      << error;
}

} // namespace
