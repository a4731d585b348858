//===- NVVMEmulatorTest.cpp - What the emulator does and finds ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/Emulator.h"
#include "qk/Target/NVVM/KernelBuilder.h"
#include "qk/Target/NVVM/Serialize.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <numeric>

using namespace qk::nvvm;

namespace {

constexpr int kThreads = 64;

/// Runs a kernel `k(in: i32[64], out: i32[64])` of one block of 64 threads.
/// `body` sees %in, %out, %shared (memref<64xi32>), %tid (index), %t (i32).
/// Returns the error, or nothing.
std::string run(const std::string &body, std::vector<int32_t> &out,
                uint64_t seed = 0) {
  mlir::DialectRegistry registry;
  mlir::registerAllExtensions(registry);
  registerSerialization(registry);
  registry.insert<mlir::arith::ArithDialect, mlir::gpu::GPUDialect,
                  mlir::LLVM::LLVMDialect, mlir::memref::MemRefDialect,
                  mlir::NVVM::NVVMDialect, mlir::scf::SCFDialect>();
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  std::string text = R"(
    gpu.module @m {
      gpu.func @k(%in: !llvm.ptr<1>, %out: !llvm.ptr<1>)
          workgroup(%shared: memref<64xi32, #gpu.address_space<workgroup>>)
          kernel {
        %tid = gpu.thread_id x
        %t = arith.index_cast %tid : index to i32
        %c1 = arith.constant 1 : i32
        %c32 = arith.constant 32 : i32
        %mask = arith.constant -1 : i32
        %from = llvm.getelementptr %in[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
        %to = llvm.getelementptr %out[%t] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
        %x = llvm.load %from : !llvm.ptr<1> -> i32
  )" + body + R"(
        gpu.return
      }
    })";
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return "does not parse";
  mlir::PassManager pm(&context);
  buildKernelLoweringPipeline(pm.nest<mlir::gpu::GPUModuleOp>());
  if (failed(pm.run(*module)))
    return "does not lower";
  auto emulator =
      Emulator::create(*module->getOps<mlir::gpu::GPUModuleOp>().begin());
  if (!emulator)
    return llvm::toString(emulator.takeError());
  std::vector<int32_t> in(kThreads);
  std::iota(in.begin(), in.end(), 100);
  out.assign(kThreads, -1);
  LaunchShape shape;
  shape.block[0] = kThreads;
  return llvm::toString(
      (*emulator)->launch("k", shape,
                          {EmulatorArgument::input(in.data(), 4 * kThreads),
                           EmulatorArgument::output(out.data(), 4 * kThreads)},
                          seed));
}

/// Replaces every `{}` in `text`.
std::string with(std::string text, const std::string &value) {
  for (size_t at; (at = text.find("{}")) != std::string::npos;)
    text.replace(at, 2, value);
  return text;
}

TEST(NVVMEmulator, Shuffles) {
  const std::string body = R"(
    %c5 = arith.constant 5 : i32
    %clamp = arith.constant {} : i32
    %r = nvvm.shfl.sync )";
  const std::string store = R"( %mask, %x, %c5, %clamp : i32 -> i32
    llvm.store %r, %to : i32, !llvm.ptr<1>)";
  std::vector<int32_t> out;
  for (uint64_t seed : {0, 1, 2}) {
    ASSERT_EQ(run(with(body, "31") + "bfly" + store, out, seed), "");
    for (int t = 0; t < kThreads; ++t)
      EXPECT_EQ(out[t], 100 + (t ^ 5));
    ASSERT_EQ(run(with(body, "31") + "idx" + store, out, seed), "");
    for (int t = 0; t < kThreads; ++t)
      EXPECT_EQ(out[t], 100 + t / 32 * 32 + 5);
    ASSERT_EQ(run(with(body, "31") + "down" + store, out, seed), "");
    for (int t = 0; t < kThreads; ++t)
      EXPECT_EQ(out[t], 100 + (t % 32 + 5 < 32 ? t + 5 : t));
    ASSERT_EQ(run(with(body, "0") + "up" + store, out, seed), "");
    for (int t = 0; t < kThreads; ++t)
      EXPECT_EQ(out[t], 100 + (t % 32 >= 5 ? t - 5 : t));
  }
}

// The neighbour's value through shared memory. A warp's barrier is enough for
// the same warp, not for another one.
constexpr const char *kNeighbour = R"(
    memref.store %x, %shared[%tid] : memref<64xi32, #gpu.address_space<workgroup>>
    {}
    %other = arith.xori %t, DISTANCE : i32
    %index = arith.index_cast %other : i32 to index
    %r = memref.load %shared[%index] : memref<64xi32, #gpu.address_space<workgroup>>
    llvm.store %r, %to : i32, !llvm.ptr<1>)";

std::string neighbour(const std::string &distance, const std::string &barrier) {
  std::string text = with(kNeighbour, barrier);
  text.replace(text.find("DISTANCE"), 8, distance);
  return text;
}

TEST(NVVMEmulator, OrdersSharedMemory) {
  std::vector<int32_t> out;
  for (uint64_t seed : {0, 1, 2}) {
    for (const char *distance : {"%c1", "%c32"}) {
      ASSERT_EQ(run(neighbour(distance, "gpu.barrier"), out, seed), "");
      for (int t = 0; t < kThreads; ++t)
        EXPECT_EQ(out[t], 100 + (t ^ (distance[2] == '1' ? 1 : 32)));
    }
    ASSERT_EQ(
        run(neighbour("%c1", "nvvm.bar.warp.sync %mask : i32"), out, seed), "");
    EXPECT_EQ(out[0], 101);
    std::string error =
        run(neighbour("%c32", "nvvm.bar.warp.sync %mask : i32"), out, seed);
    EXPECT_NE(error.find("of shared memory that"), std::string::npos) << error;
    error = run(neighbour("%c1", ""), out, seed);
    EXPECT_NE(error.find("of shared memory that"), std::string::npos) << error;
  }
}

TEST(NVVMEmulator, FindsWrongAccesses) {
  std::vector<int32_t> out;
  auto contains = [&](const std::string &body, const std::string &expected) {
    std::string error = run(body, out);
    EXPECT_NE(error.find(expected), std::string::npos) << error;
  };
  contains("llvm.store %x, %from : i32, !llvm.ptr<1>",
           "block (0, 0, 0), thread 0: stores to an input, at byte 0");
  contains(R"(
    %p = llvm.getelementptr %from[%c32] : (!llvm.ptr<1>, i32) -> !llvm.ptr<1>, i32
    %y = llvm.load %p : !llvm.ptr<1> -> i32
    llvm.store %y, %to : i32, !llvm.ptr<1>)",
           "thread 32: loads 4 bytes outside the arguments");
  contains(R"(
    %v = llvm.load %from {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
    %y = llvm.extractelement %v[%c1 : i32] : vector<4xi32>
    llvm.store %y, %to : i32, !llvm.ptr<1>)",
           "loads 16 bytes at an address not aligned to 16");
}

TEST(NVVMEmulator, FindsDivergence) {
  std::vector<int32_t> out;
  auto contains = [&](const std::string &body, const std::string &expected) {
    for (uint64_t seed : {0, 1}) {
      std::string error = run(body, out, seed);
      EXPECT_NE(error.find(expected), std::string::npos) << error;
    }
  };
  const std::string first = "%low = arith.cmpi ult, %t, %c32 : i32\n";
  contains(first + "scf.if %low { gpu.barrier }",
           "waits for ever: 32 of 64 threads are at a barrier, 0 at a warp "
           "operation, 32 have ended");
  // Different code behind the barriers, or MLIR makes one of them.
  contains(first + R"(
    scf.if %low {
      gpu.barrier
      llvm.store %t, %to : i32, !llvm.ptr<1>
    } else {
      gpu.barrier
      %y = arith.addi %x, %c1 : i32
      llvm.store %y, %to : i32, !llvm.ptr<1>
    })",
           "waits at another barrier than thread 0");
  std::string alone = "%one = arith.cmpi ult, %t, %c1 : i32\n"
                      "scf.if %one { nvvm.bar.warp.sync %mask : i32 }";
  EXPECT_NE(run(alone, out, /*seed=*/0)
                .find("0 of 64 threads are at a barrier, 1 at a warp "
                      "operation, 63 have ended"),
            std::string::npos);
}

} // namespace
