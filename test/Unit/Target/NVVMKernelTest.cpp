//===- NVVMKernelTest.cpp - GPU kernels, emulated, against f64 ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RandomWeight.h"
#include "qk/Target/NVVM/Emulator.h"
#include "qk/Target/NVVM/KernelBuilder.h"
#include "qk/Target/NVVM/Serialize.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace qk;
using namespace qk::numerics;
using namespace qk::nvvm;
using namespace qk::test;

namespace {

/// A module with one kernel.
class KernelModule {
public:
  explicit KernelModule(const KernelChoice &choice)
      : context(registry(), mlir::MLIRContext::Threading::DISABLED) {
    context.loadDialect<mlir::arith::ArithDialect, mlir::gpu::GPUDialect,
                        mlir::LLVM::LLVMDialect, mlir::memref::MemRefDialect,
                        mlir::NVVM::NVVMDialect, mlir::scf::SCFDialect,
                        mlir::vector::VectorDialect>();
    mlir::OpBuilder builder(&context);
    mlir::Location loc = builder.getUnknownLoc();
    module = mlir::ModuleOp::create(builder, loc);
    builder.setInsertionPointToStart(module->getBody());
    kernels = createKernelModule(builder, loc, "kernels", *findChip("sm_80"));
    kernel = buildKernel(kernels, loc, choice);
  }
  mlir::gpu::GPUFuncOp function() { return kernel; }

  llvm::Expected<std::unique_ptr<Emulator>> compile() {
    EXPECT_TRUE(succeeded(mlir::verify(*module)));
    mlir::PassManager pm(&context);
    buildKernelLoweringPipeline(pm.nest<mlir::gpu::GPUModuleOp>());
    EXPECT_TRUE(succeeded(pm.run(*module)));
    return Emulator::create(kernels);
  }

private:
  static mlir::DialectRegistry registry() {
    mlir::DialectRegistry registry;
    mlir::registerAllExtensions(registry);
    registerSerialization(registry);
    return registry;
  }
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::gpu::GPUModuleOp kernels;
  mlir::gpu::GPUFuncOp kernel;
};

/// Values of an element type, and what they are as floats.
struct Elements {
  ElementType type;
  std::vector<uint8_t> bytes;

  Elements(ElementType type, size_t count)
      : type(type), bytes(count * elementTypeBytes(type), 0xff) {}
  void set(size_t i, float value) {
    uint32_t bits = std::bit_cast<uint32_t>(value);
    if (type == ElementType::BF16)
      bits = cpu::toBFloat(value);
    if (type == ElementType::F16)
      bits = std::bit_cast<uint16_t>(static_cast<_Float16>(value));
    std::memcpy(&bytes[i * elementTypeBytes(type)], &bits,
                elementTypeBytes(type));
  }
  float get(size_t i) const {
    uint32_t bits = 0;
    std::memcpy(&bits, &bytes[i * elementTypeBytes(type)],
                elementTypeBytes(type));
    if (type == ElementType::BF16)
      return fromBFloat(uint16_t(bits));
    if (type == ElementType::F16)
      return fromHalf(uint16_t(bits));
    return std::bit_cast<float>(bits);
  }
  /// Half a unit in the last place, relative.
  double epsilon() const {
    return type == ElementType::F32   ? 0x1p-24
           : type == ElementType::F16 ? 0x1p-11
                                      : 0x1p-8;
  }
};

/// A matmul with random operands.
struct Case {
  MatmulProblem problem;
  QuantizedWeight weight;
  int64_t m;
  Elements x, bias, y;
  std::vector<uint8_t> packed;

  Case(MatmulProblem p, int64_t m, int64_t n, std::mt19937 &random)
      : problem(p),
        weight(randomWeight(p.scheme, n, p.k, p.hasZeroPoints, random)), m(m),
        x(p.type, m * p.k), bias(p.bias.value_or(p.type), n), y(p.type, m * n) {
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < m * p.k; ++i)
      x.set(i, normal(random));
    for (int64_t i = 0; i < n; ++i)
      bias.set(i, normal(random));
    if (p.hasPermutation) {
      for (int64_t i = 0; i < p.k; ++i)
        weight.permutation.push_back(int32_t(i));
      std::shuffle(weight.permutation.begin(), weight.permutation.end(),
                   random);
    }
    packed.resize(packedBytes(weight, Layout::Simt));
    EXPECT_EQ(pack(weight, Layout::Simt, packed.data()), "");
  }

  std::string describe() const {
    return problemName(problem) + " m " + std::to_string(m) + " n " +
           std::to_string(weight.n);
  }

  std::vector<EmulatorArgument> arguments() {
    std::vector<EmulatorArgument> result{
        EmulatorArgument::input(x.bytes.data(), x.bytes.size()),
        EmulatorArgument::input(packed.data(), packed.size())};
    if (problem.hasPermutation)
      result.push_back(EmulatorArgument::input(weight.permutation.data(),
                                               4 * weight.permutation.size()));
    if (problem.bias)
      result.push_back(
          EmulatorArgument::input(bias.bytes.data(), bias.bytes.size()));
    result.push_back(EmulatorArgument::output(y.bytes.data(), y.bytes.size()));
    result.push_back(EmulatorArgument::scalar(int32_t(m)));
    result.push_back(EmulatorArgument::scalar(int32_t(weight.n)));
    return result;
  }

  /// Empty if y is the matmul's result, else where it is not.
  std::string check() const {
    for (int64_t row = 0; row < m; ++row)
      for (int64_t n = 0; n < weight.n; ++n) {
        double sum = problem.bias ? bias.get(n) : 0, magnitude = std::fabs(sum);
        for (int64_t k = 0; k < problem.k; ++k) {
          int64_t from = problem.hasPermutation ? weight.permutation[k] : k;
          double term = double(x.get(row * problem.k + from)) *
                        scaleAt(weight, n, k) * levelAt(weight, n, k);
          sum += term;
          magnitude += std::fabs(term);
        }
        double got = y.get(row * weight.n + n);
        // Sums of f32 products, then one rounding to y's type.
        double allowed =
            magnitude * 0x1p-24 * 16 + std::fabs(sum) * y.epsilon() * 1.01;
        if (!(std::fabs(got - sum) <= allowed))
          return describe() + ": y[" + std::to_string(row) + "," +
                 std::to_string(n) + "] is " + std::to_string(got) +
                 ", expected " + std::to_string(sum) + " +- " +
                 std::to_string(allowed);
      }
    return "";
  }
};

/// Runs `c` on the kernel for its M; `change` may break the kernel first.
template <typename Change>
std::string emulate(Case &c, uint64_t seed, Change change) {
  KernelChoice choice = chooseKernel(*findChip("sm_80"), c.problem, c.m);
  KernelModule module(choice);
  change(module.function());
  auto emulator = module.compile();
  if (!emulator)
    return c.describe() + ": " + llvm::toString(emulator.takeError());
  LaunchShape shape = choice.launchShape(c.m, c.weight.n);
  if (llvm::Error error =
          (*emulator)->launch(choice.name(), shape, c.arguments(), seed))
    return c.describe() + ": " + llvm::toString(std::move(error));
  return c.check();
}
std::string emulate(Case &c, uint64_t seed) {
  return emulate(c, seed, [](mlir::gpu::GPUFuncOp) {});
}

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

/// Replaces the integer constant `from` by `to`, everywhere.
void replaceConstant(mlir::gpu::GPUFuncOp kernel, int64_t from, int64_t to) {
  int replaced = 0;
  kernel.walk([&](mlir::arith::ConstantIntOp op) {
    if (op.value() != from || !op.getType().isInteger(32))
      return;
    mlir::OpBuilder builder(op);
    op.getResult().replaceAllUsesWith(
        mlir::arith::ConstantIntOp::create(builder, op.getLoc(), to, 32));
    ++replaced;
  });
  EXPECT_GT(replaced, 0);
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
    mlir::NVVM::CpAsyncCommitGroupOp::create(builder, kernel.getLoc());
  });
  EXPECT_NE(error.find("the emulator does not know "
                       "'llvm.nvvm.cp.async.commit.group'"),
            std::string::npos)
      << error;
}

} // namespace
