//===- CPUKernel.h - A generated CPU kernel, compiled -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Compiles one quantised matmul (and the quantiser of its activations) alone
/// and calls it on plain pointers: for benchmarks, tests and tuning.
///
//===----------------------------------------------------------------------===//

#ifndef QK_EXECUTION_CPUKERNEL_H
#define QK_EXECUTION_CPUKERNEL_H

#include "qk/Target/CPU/KernelTable.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <memory>
#include <string>

namespace llvm {
class Module;
} // namespace llvm

namespace mlir {
class ExecutionEngine;
} // namespace mlir

namespace qk::cpu {

/// Arguments of one call; all arrays contiguous and row-major.
struct MatmulArguments {
  int64_t m = 0, n = 0;
  const void *x = nullptr;          ///< [M,K] of the spec's element, i16 or i8.
  const float *xScales = nullptr;   ///< [M,G], [M,1] or [1,1]; float: unused.
  const uint8_t *weights = nullptr; ///< Layout.h, for N channels.
  const float *bias = nullptr;      ///< [N] where the spec has a bias.
  void *y = nullptr;                ///< [M,N] of the spec's element.
};

struct CPUKernelOptions {
  /// If not empty, the file that gets the object code.
  std::string dumpObject;
  /// What to do with the kernel in LLVM's form before it is optimised.
  std::function<void(llvm::Module &)> rewrite;
  /// Which of the levels compiled for (a mask) to run; the runtime's
  /// `qk_choose_cpu_level` if null.
  int32_t (*chooseLevel)(int32_t levels) = nullptr;
};

class CPUKernel {
public:
  /// Compiles the kernel for `levels` (see KernelBuilder.h); for integer
  /// activations also the quantiser that makes its x.
  static llvm::Expected<std::unique_ptr<CPUKernel>>
  compile(const KernelSpec &spec, llvm::ArrayRef<Level> levels,
          const CPUKernelOptions &options = {});
  ~CPUKernel();

  void matmul(const MatmulArguments &arguments) const;
  /// x [M,K] of the spec's element to codes [M,K] and scales [M,G] or [M,1].
  void quantize(int64_t m, const void *x, void *codes, float *scales) const;

private:
  CPUKernel();
  KernelSpec spec;
  std::unique_ptr<mlir::ExecutionEngine> engine;
  void *matmulEntry = nullptr, *quantizeEntry = nullptr;
};

} // namespace qk::cpu

#endif // QK_EXECUTION_CPUKERNEL_H
