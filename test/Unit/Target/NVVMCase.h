//===- NVVMCase.h - Matmuls with random operands, emulated ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TEST_UNIT_TARGET_NVVMCASE_H
#define QK_TEST_UNIT_TARGET_NVVMCASE_H

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
#include <new>

namespace qk::test {

using namespace qk::numerics;
using namespace qk::nvvm;

/// A module with one kernel.
class KernelModule {
public:
  explicit KernelModule(const KernelChoice &choice)
      : KernelModule([&](mlir::gpu::GPUModuleOp module, mlir::Location loc) {
          return buildKernel(module, loc, choice);
        }) {}
  /// `build` adds the kernel to a module and returns it.
  explicit KernelModule(llvm::function_ref<mlir::gpu::GPUFuncOp(
                            mlir::gpu::GPUModuleOp, mlir::Location)>
                            build)
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
    kernel = build(kernels, loc);
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

/// Memory at a multiple of 16 and of no more: what a kernel may expect of its
/// arguments. (What malloc gives has more at times.)
template <typename T> struct Aligned16 {
  using value_type = T;
  static constexpr std::align_val_t kMore{32};
  Aligned16() = default;
  template <typename U> Aligned16(const Aligned16<U> &) {}
  T *allocate(size_t count) {
    void *memory = ::operator new(count * sizeof(T) + 16, kMore);
    return reinterpret_cast<T *>(static_cast<char *>(memory) + 16);
  }
  void deallocate(T *memory, size_t) {
    ::operator delete(reinterpret_cast<char *>(memory) - 16, kMore);
  }
  bool operator==(const Aligned16 &) const { return true; }
};

/// Values of an element type, and what they are as floats.
struct Elements {
  ElementType type;
  std::vector<uint8_t, Aligned16<uint8_t>> bytes;

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
  /// Half a step of the numbers next to 0.
  double tiny() const {
    return type == ElementType::F32   ? 0x1p-150
           : type == ElementType::F16 ? 0x1p-25
                                      : 0x1p-134;
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
  std::vector<uint8_t, Aligned16<uint8_t>> packed;
  /// W8A8: x and its scales.
  std::vector<int8_t, Aligned16<int8_t>> quantized;
  std::vector<float> xScales;
  /// All 0 before and (its counters) after.
  std::vector<uint8_t> workspace;

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
    packed.resize(packedBytes(weight, p.packing));
    EXPECT_EQ(int64_t(packed.size()), p.packedBytes(n));
    EXPECT_EQ(pack(weight, p.packing, packed.data()), "");
    if (p.int8Activations) {
      for (int64_t i = 0; i < m * p.k; ++i)
        quantized.push_back(p.scheme.isFloat() ? int8_t(randomE4M3(random))
                                               : int8_t(random() % 256 - 128));
      for (int64_t i = 0; i < (p.hasTensorScale ? 1 : m); ++i)
        xScales.push_back(std::ldexp(1.0f + float(random() % 64) / 64, -9));
    }
  }

  /// What a byte of x stands for.
  double xLevel(int8_t byte) const {
    return problem.scheme.isFloat() ? decodeE4M3(uint8_t(byte)) : byte;
  }

  std::string describe() const {
    return problemName(problem) + " m " + std::to_string(m) + " n " +
           std::to_string(weight.n);
  }

  std::vector<EmulatorArgument> arguments() {
    std::vector<EmulatorArgument> result{
        problem.int8Activations
            ? EmulatorArgument::input(quantized.data(), quantized.size())
            : EmulatorArgument::input(x.bytes.data(), x.bytes.size()),
        EmulatorArgument::input(packed.data(), packed.size())};
    if (problem.hasPermutation)
      result.push_back(EmulatorArgument::input(weight.permutation.data(),
                                               4 * weight.permutation.size()));
    if (problem.bias)
      result.push_back(
          EmulatorArgument::input(bias.bytes.data(), bias.bytes.size()));
    if (problem.int8Activations)
      result.push_back(
          EmulatorArgument::input(xScales.data(), 4 * xScales.size()));
    result.push_back(EmulatorArgument::output(y.bytes.data(), y.bytes.size()));
    if (problem.packing != Layout::Simt)
      result.push_back(
          EmulatorArgument::output(workspace.data(), workspace.size()));
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
          double factor = problem.int8Activations
                              ? xLevel(quantized[row * problem.k + from]) *
                                    xScales[problem.hasTensorScale ? 0 : row]
                              : double(x.get(row * problem.k + from));
          double term = factor * scaleAt(weight, n, k) * levelAt(weight, n, k);
          sum += term;
          magnitude += std::fabs(term);
        }
        double got = y.get(row * weight.n + n);
        // Sums of f32 products, then one rounding to y's type.
        double allowed =
            magnitude * 0x1p-24 * 16 +
            std::max(std::fabs(sum) * y.epsilon(), y.tiny()) * 1.01;
        if (!(std::fabs(got - sum) <= allowed))
          return describe() + ": y[" + std::to_string(row) + "," +
                 std::to_string(n) + "] is " + std::to_string(got) +
                 ", expected " + std::to_string(sum) + " +- " +
                 std::to_string(allowed);
      }
    return "";
  }
};

/// Runs `c` on `choice`; `change` may break the kernel first.
template <typename Change>
inline std::string emulate(Case &c, const KernelChoice &choice, uint64_t seed,
                           Change change) {
  c.workspace.assign(choice.workspaceBytes(), 0);
  KernelModule module(choice);
  change(module.function());
  auto emulator = module.compile();
  if (!emulator)
    return c.describe() + ": " + llvm::toString(emulator.takeError());
  LaunchShape shape = choice.launchShape(c.m, c.weight.n);
  if (llvm::Error error =
          (*emulator)->launch(choice.name(), shape, c.arguments(), seed))
    return c.describe() + ": " + llvm::toString(std::move(error));
  int64_t counters = c.workspace.empty() ? 0 : choice.mmaCounterBytes();
  for (int64_t i = 0; i < counters; ++i)
    if (c.workspace[i])
      return c.describe() + ": byte " + std::to_string(i) +
             " of the workspace's counters is not 0";
  return c.check();
}
/// On the kernel for its M.
template <typename Change>
inline std::string emulate(Case &c, uint64_t seed, Change change) {
  return emulate(c,
                 chooseKernel(*findChip("sm_80"), c.problem, c.m, c.weight.n),
                 seed, change);
}
inline std::string emulate(Case &c, uint64_t seed) {
  return emulate(c, seed, [](mlir::gpu::GPUFuncOp) {});
}

/// Replaces the integer constant `from` by `to`, everywhere.
inline void replaceConstant(mlir::gpu::GPUFuncOp kernel, int64_t from,
                            int64_t to) {
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

} // namespace qk::test

#endif // QK_TEST_UNIT_TARGET_NVVMCASE_H
