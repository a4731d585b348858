//===- Emulator.h - Runs GPU kernels on the CPU -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Runs the LLVM IR of kernels, the same that PTX is made of, on this machine:
/// `llvm.nvvm.*` become calls into a small runtime with one fibre a GPU thread.
/// Barriers and warp collectives rendezvous; blocks run one after the other;
/// which thread and which block runs next is drawn from a seed.
///
/// Besides the numbers it checks what a GPU does not say, each an error that
/// names block and thread:
///   - global accesses outside the arguments' buffers, or stores to inputs;
///   - accesses less aligned than the instruction promises;
///   - reads of shared memory that nobody wrote in this block;
///   - two threads at one word of shared memory, one of them writing, with no
///     barrier in between;
///   - accesses to shared memory that a cp.async may still write: copies happen
///     as late as they may, and leave NaN until then;
///   - reads of global memory that another block stored, without a fence and an
///     atomic operation after the store, and the other way round before the
///     read;
///   - threads that wait at different barriers, or ended while others wait.
///
/// mma.sync (f16, bf16, s8) and ldmatrix are rendezvous of the warp, wgmma (A
/// in registers) of the warpgroup. Of kernels with mbarriers it also finds:
///   - accesses that no barrier and no phase of an mbarrier puts in order, for
///     whatever schedule the run had (vector clocks, Order.cpp);
///   - what threads wrote and wgmma or a bulk copy reads with no proxy fence;
///   - wgmma without wgmma.fence, or whose operands are overwritten before it
///     was waited for; its sums are NaN until then;
///   - arrivals and bytes that an mbarrier does not expect, or waits for for
///     ever, and warpgroups that wait for registers for ever.
///
/// It does not check LLVM's NVPTX back end, ptxas, or speed.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_NVVM_EMULATOR_H
#define QK_TARGET_NVVM_EMULATOR_H

#include "qk/Target/NVVM/KernelTable.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/Support/Error.h"

#include <memory>

namespace qk::nvvm {

/// One argument of an emulated launch.
struct EmulatorArgument {
  /// A pointer to global memory: `bytes` bytes at `data`.
  static EmulatorArgument input(const void *data, size_t bytes) {
    return {const_cast<void *>(data), bytes, false, 0};
  }
  static EmulatorArgument output(void *data, size_t bytes) {
    return {data, bytes, true, 0};
  }
  /// An i32 or i64.
  static EmulatorArgument scalar(int64_t value) {
    return {nullptr, 0, false, value};
  }

  void *data;
  size_t bytes;
  bool writable;
  int64_t value;
};

class Emulator {
public:
  /// Compiles the kernels of `module`, which are in the LLVM and NVVM dialects
  /// (buildKernelLoweringPipeline). Its context needs registerSerialization.
  /// Errors: an NVVM intrinsic that the emulator does not know.
  static llvm::Expected<std::unique_ptr<Emulator>>
  create(mlir::gpu::GPUModuleOp module);
  ~Emulator();

  /// Runs `kernel` to its end. `seed` 0: threads run in order of their number;
  /// other seeds: any order. Stops at the first error.
  llvm::Error launch(llvm::StringRef kernel, const LaunchShape &shape,
                     llvm::ArrayRef<EmulatorArgument> arguments,
                     uint64_t seed = 0);

private:
  struct Impl;
  explicit Emulator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace qk::nvvm

#endif // QK_TARGET_NVVM_EMULATOR_H
