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
  p.hasTensorScale = seed % 2;
  p.k = pick(1, 30, 64, 129, 320, 1104);
  p.scheme.groupSize = pick(-1, -1, 7, 32, 64, 96, 128, 256);
  p.scheme.scaleType = pick(ScaleType::F16, ScaleType::BF16, ScaleType::F32);
  p.hasZeroPoints = random() % 2 && !p.scheme.isFloat();
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
                         testing::Combine(testing::ValuesIn(kCodeTypes),
                                          testing::Range(1u, 5u)));

// The largest sums there are, of codes, zero points and x at their ends: of a
// whole row, of a group that is added to a float's bits (sm_80, M > 16), and of
// one that is a code too long for that.
TEST(NVVMMmaS8, HoldsTheLargestSums) {
  std::mt19937 random(5);
  for (CodeType code : {CodeType::U2, CodeType::U3, CodeType::U4, CodeType::S8})
    for (bool zeros : {false, true})
      for (int64_t group : {-1, 255, 256}) {
        MatmulProblem p;
        p.scheme = {code, group, ScaleType::F16};
        p.packing = Layout::MmaS8;
        p.int8Activations = true;
        p.type = ElementType::F32;
        p.k = 1020;
        p.hasZeroPoints = zeros;
        // Codes of fewer bits less a zero point are bytes, others have a bit
        // more.
        int low = code == CodeType::S8 ? -128 : p.scheme.codeMax() - 127;
        for (int64_t m : {3, 20, 40}) {
          Case c(p, m, 17, random);
          for (int64_t i = 0; i < c.weight.n * p.k; ++i) {
            bool isFirst = i / p.k % 2;
            c.weight.codes[i] =
                uint8_t(isFirst ? p.scheme.codeMin() : p.scheme.codeMax());
          }
          int64_t groups = p.scheme.groups(p.k);
          for (size_t i = 0; i < c.weight.zeroPoints.size(); ++i)
            c.weight.zeroPoints[i] =
                int16_t(int64_t(i) / groups % 2 ? 127 : low);
          for (int64_t i = 0; i < m * p.k; ++i)
            c.quantized[i] = i / p.k % 2 ? 127 : -128;
          EXPECT_EQ(pack(c.weight, p.packing, c.packed.data()), "");
          KernelChoice choice = chooseKernel(*findChip("sm_80"), p, m, 17);
          EXPECT_EQ(choice.mma.floatSums,
                    m > 16 && group == 255 && !(zeros && code == CodeType::S8));
          EXPECT_EQ(choice.mma.subtractZeros,
                    m > 16 && zeros && code != CodeType::S8);
          EXPECT_EQ(emulate(c, choice, 1, [](mlir::gpu::GPUFuncOp) {}), "");
        }
      }
}

//===----------------------------------------------------------------------===//
// What is broken is found
//===----------------------------------------------------------------------===//

// Codes that become bytes: masks, zero points, the factor at the end, the float
// that sums are added to.
TEST(NVVMMmaS8, FindsWrongBytes) {
  auto broken = [](bool zeros, int64_t m, auto change) {
    MatmulProblem p;
    p.scheme = {CodeType::U4, 64, ScaleType::F16};
    p.packing = Layout::MmaS8;
    p.int8Activations = true;
    p.type = ElementType::F32;
    p.k = 320;
    p.hasZeroPoints = zeros;
    std::mt19937 random(3);
    Case c(p, m, 33, random);
    return emulate(c, 0, change);
  };
  auto with = [&](bool zeros, int64_t m, int64_t from, int64_t to) {
    return broken(zeros, m, [=](mlir::gpu::GPUFuncOp kernel) {
      replaceConstant(kernel, int64_t(int32_t(from)), int64_t(int32_t(to)));
    });
  };
  for (int64_t m : {1, 9, 40}) {
    EXPECT_EQ(broken(false, m, [](mlir::gpu::GPUFuncOp) {}), "");
    EXPECT_EQ(broken(true, m, [](mlir::gpu::GPUFuncOp) {}), "");
    EXPECT_NE(with(false, m, 0xf0f0f0f0, 0x70707070), "");
  }
  // Sums of x are times 16, too.
  EXPECT_NE(with(true, 9, 0x10101010, 0x01010101), "");
  // 128 - 8, each byte; the sign; the stored code's.
  EXPECT_NE(with(true, 40, 0x78787878, 0x77777777), "");
  EXPECT_NE(with(true, 40, 0x80808080, 0), "");
  EXPECT_NE(with(true, 40, 0x08080808, 0), "");
  EXPECT_NE(with(false, 40, 0x4b400000, 0x4b000000), "");
}

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

// At the top of the loop (of the warp, where it has its x for itself), before
// the sums, and before they are added up.
TEST_P(NVVMMmaFaults, DroppedBarrier) {
  for (int drop = 0; drop < 3; ++drop)
    for (uint64_t seed : {0, 1}) {
      Case c = makeCase();
      std::string error = emulate(c, seed, [&](mlir::gpu::GPUFuncOp kernel) {
        llvm::SmallVector<mlir::Operation *> barriers;
        kernel.walk([&](mlir::Operation *op) {
          if (llvm::isa<mlir::gpu::BarrierOp, mlir::NVVM::SyncWarpOp>(op))
            barriers.push_back(op);
        });
        ASSERT_GE(barriers.size(), 3u);
        barriers[drop]->erase();
      });
      EXPECT_NE(error.find("of shared memory that"), std::string::npos)
          << "barrier " << drop << ", seed " << seed << ": " << error;
    }
}

// A slice that is copied to where the one before is still read.
TEST_P(NVVMMmaFaults, ReusedStage) {
  Case c = makeCase();
  // With more slices than stages.
  KernelChoice choice =
      chooseKernel(*findChip("sm_80"), c.problem, c.m, c.weight.n);
  choice.mma.maxSplit = 1;
  std::string error = emulate(c, choice, 0, [&](mlir::gpu::GPUFuncOp kernel) {
    mlir::scf::ForOp loop;
    kernel.walk([&](mlir::NVVM::CpAsyncWaitGroupOp wait) {
      if (auto parent = llvm::dyn_cast<mlir::scf::ForOp>(wait->getParentOp()))
        loop = parent;
    });
    // The two slots follow the sums: i32, the first of them 0.
    auto inits = loop.getInitArgsMutable();
    for (size_t i = 0; i + 1 < inits.size(); ++i)
      if (inits[i].get().getType().isInteger(32)) {
        inits[i + 1].set(inits[i].get());
        return;
      }
    FAIL() << "no slots";
  });
  EXPECT_NE(error.find("of shared memory that"), std::string::npos) << error;
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
  EXPECT_TRUE(error.find("waits for ever") != std::string::npos ||
              error.find("at another warp operation") != std::string::npos)
      << error;
}

INSTANTIATE_TEST_SUITE_P(M, NVVMMmaFaults, testing::Values(1, 9, 40));

//===----------------------------------------------------------------------===//
// Other configurations than the table's, and blocks that split K
//===----------------------------------------------------------------------===//

/// As the table would choose it for a chip on which `wave` blocks run at once.
KernelChoice choiceOf(const MatmulProblem &problem, MmaConfig config) {
  KernelChoice choice;
  choice.family = KernelFamily::Prefill;
  choice.problem = problem;
  choice.mma = config;
  return choice;
}

class NVVMMmaConfigs
    : public testing::TestWithParam<std::tuple<MmaConfig, unsigned>> {};

TEST_P(NVVMMmaConfigs, EqualTheReference) {
  auto [config, seed] = GetParam();
  std::mt19937 random(seed);
  auto pick = [&](auto... values) {
    std::array list{values...};
    return list[random() % list.size()];
  };
  for (bool int8 : {false, true}) {
    MatmulProblem p;
    p.packing = int8 ? Layout::MmaS8 : Layout::Mma;
    p.int8Activations = int8;
    p.scheme.codeType =
        int8 ? pick(CodeType::U2, CodeType::U3, CodeType::U4, CodeType::U8,
                    CodeType::S8)
             : pick(CodeType::U2, CodeType::U3, CodeType::U4, CodeType::S8);
    p.k = pick(129, 512, 640, 1104, 2048);
    p.scheme.groupSize = pick(-1, 16, 32, 48, 128);
    p.scheme.scaleType = pick(ScaleType::F16, ScaleType::BF16, ScaleType::F32);
    p.hasZeroPoints = (int8 || p.scheme.bits() < 8) && random() % 2;
    p.hasPermutation = random() % 4 == 0;
    p.type = pick(ElementType::F16, ElementType::BF16);
    if (random() % 2)
      p.bias = p.type;
    Case c(p, pick(3, 37, 65, 100), pick(16, 70, 129), random);
    EXPECT_EQ(
        emulate(c, choiceOf(p, config), seed % 3, [](mlir::gpu::GPUFuncOp) {}),
        "");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Random, NVVMMmaConfigs,
    testing::Combine(testing::Values(MmaConfig{.tokens = 16,
                                               .rowTiles = 2,
                                               .warpsN = 2,
                                               .warpsK = 2,
                                               .units = 2,
                                               .stages = 3,
                                               .codesInRing = true,
                                               .maxSplit = 3,
                                               .wave = 1000},
                                     MmaConfig{.tokens = 32,
                                               .warpsN = 2,
                                               .warpsM = 2,
                                               .warpsK = 1,
                                               .stages = 4,
                                               .band = 2},
                                     MmaConfig{.tokens = 8,
                                               .warpsK = 4,
                                               .stages = 3,
                                               .codesInRing = true,
                                               .maxSplit = 8,
                                               .wave = 40},
                                     MmaConfig{.tokens = 1,
                                               .warpsK = 2,
                                               .units = 4,
                                               .maxSplit = 2,
                                               .wave = 1000}),
                     testing::Range(1u, 4u)));

class NVVMSplit : public testing::Test {
protected:
  MatmulProblem problem;

  NVVMSplit() {
    // A result of f32, so that rounding it hides no order of sums.
    problem.scheme = {CodeType::S8, 64, ScaleType::F32};
    problem.packing = Layout::MmaS8;
    problem.int8Activations = true;
    problem.type = ElementType::F32;
    problem.k = 1024;
  }
  Case makeCase() {
    std::mt19937 random(7);
    return Case(problem, 5, 40, random);
  }
  KernelChoice choice() {
    return choiceOf(
        problem,
        {.tokens = 8, .warpsN = 2, .warpsK = 1, .maxSplit = 4, .wave = 100});
  }
  template <typename Op>
  static llvm::SmallVector<Op> find(mlir::gpu::GPUFuncOp kernel) {
    llvm::SmallVector<Op> found;
    kernel.walk([&](Op op) { found.push_back(op); });
    return found;
  }
  template <typename Change> std::string broken(uint64_t seed, Change change) {
    Case c = makeCase();
    return emulate(c, choice(), seed, change);
  }
  /// Results of several orders of the blocks that are not the first one's.
  template <typename Change> int different(Change change) {
    decltype(Elements::bytes) first;
    int count = 0;
    for (uint64_t seed = 0; seed < 6; ++seed) {
      Case c = makeCase();
      EXPECT_EQ(emulate(c, choice(), seed, change), "");
      if (seed == 0)
        first = c.y.bytes;
      count += c.y.bytes != first;
    }
    return count;
  }
};

// Shares of K that are added in the order of K, whoever is last.
TEST_F(NVVMSplit, SameBytesInAnyOrder) {
  EXPECT_EQ(choice().launchShape(5, 40).grid[2], 4);
  EXPECT_EQ(different([](mlir::gpu::GPUFuncOp) {}), 0);
}

// The last one's own share first.
TEST_F(NVVMSplit, OrderOfArrival) {
  EXPECT_GT(different([&](mlir::gpu::GPUFuncOp kernel) {
              // Which share is added as the p-th.
              int replaced = 0;
              for (auto op : find<mlir::arith::MinUIOp>(kernel)) {
                if (!op.getLhs().getDefiningOp<mlir::arith::ConstantIntOp>())
                  continue;
                auto last = op.getRhs().getDefiningOp<mlir::arith::SubIOp>();
                mlir::ImplicitLocOpBuilder b(op.getLoc(), op);
                using namespace mlir::arith;
                mlir::Value own = IndexCastOp::create(
                    b, b.getI32Type(),
                    mlir::gpu::BlockIdOp::create(b, mlir::gpu::Dimension::z));
                mlir::Value sum = AddIOp::create(b, op.getLhs(), own);
                op.replaceAllUsesWith(
                    RemUIOp::create(b, sum, last.getLhs()).getResult());
                ++replaced;
              }
              ASSERT_GT(replaced, 0);
            }),
            0);
}

// What the other blocks stored need not be there.
TEST_F(NVVMSplit, DroppedFence) {
  for (uint64_t seed : {0, 1}) {
    std::string error = broken(seed, [](mlir::gpu::GPUFuncOp kernel) {
      find<mlir::LLVM::FenceOp>(kernel)[0]->erase();
    });
    EXPECT_NE(error.find("with no fence and atomic operation after the store"),
              std::string::npos)
        << error;
    error = broken(seed, [](mlir::gpu::GPUFuncOp kernel) {
      find<mlir::LLVM::FenceOp>(kernel)[1]->erase();
    });
    EXPECT_NE(error.find("no atomic operation and fence before the read"),
              std::string::npos)
        << error;
  }
}

// Before the count the block's other threads may still store.
TEST_F(NVVMSplit, DroppedBarrier) {
  std::string error = broken(1, [](mlir::gpu::GPUFuncOp kernel) {
    auto barriers = find<mlir::gpu::BarrierOp>(kernel);
    ASSERT_EQ(barriers.size(), 5u);
    barriers[3]->erase();
  });
  EXPECT_NE(error.find("with no fence and atomic operation after the store"),
            std::string::npos)
      << error;
  error = broken(1, [](mlir::gpu::GPUFuncOp kernel) {
    find<mlir::gpu::BarrierOp>(kernel)[4]->erase();
  });
  EXPECT_NE(error.find("of shared memory that"), std::string::npos) << error;
}

// A counter that is not set back, and one that never says "last".
TEST_F(NVVMSplit, WrongCounter) {
  std::string error = broken(0, [](mlir::gpu::GPUFuncOp kernel) {
    for (auto store : find<mlir::LLVM::StoreOp>(kernel))
      if (store.getValue().getType().isInteger(32) &&
          mlir::isa<mlir::LLVM::LLVMPointerType>(store.getAddr().getType()) &&
          mlir::cast<mlir::LLVM::LLVMPointerType>(store.getAddr().getType())
                  .getAddressSpace() == 1) {
        store->erase();
        return;
      }
    FAIL() << "no store to a counter";
  });
  EXPECT_NE(error.find("of the workspace's counters is not 0"),
            std::string::npos)
      << error;
  error = broken(0, [](mlir::gpu::GPUFuncOp kernel) {
    auto add = find<mlir::LLVM::AtomicRMWOp>(kernel).front();
    mlir::OpBuilder b(add);
    add.getValMutable().assign(
        mlir::arith::ConstantIntOp::create(b, add.getLoc(), 2, 32));
  });
  EXPECT_NE(error, "");
}

} // namespace
