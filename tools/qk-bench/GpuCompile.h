//===- GpuCompile.h - Kernels to cubins, and what is known of them *- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKBENCH_GPUCOMPILE_H
#define QK_TOOLS_QKBENCH_GPUCOMPILE_H

#include "qk/Target/NVVM/KernelTable.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <memory>

namespace mlir {
class MLIRContext;
} // namespace mlir

namespace qk::bench {

/// A kernel as text, as machine code, and what was said about it.
struct CompiledKernel {
  std::string ptx, cubin;
  /// The kernel before it is lowered, in a module that says what it is: what an
  /// emulated GPU runs.
  std::string module;
  /// As in kernels.json.
  llvm::json::Object description;
  /// By `ptxas -v`.
  int registers = 0, sharedBytes = 0, spillBytes = 0;
  /// Thread instructions a weight in the loop over K, counted in the machine
  /// code where nvdisasm is installed, else in PTX. 0: not found.
  double instructionsPerWeight = 0;
  bool countedInPtx = false;
};

class GpuCompiler {
public:
  explicit GpuCompiler(const nvvm::Chip &chip);
  ~GpuCompiler();

  /// Errors: what MLIR, LLVM or ptxas said, or a spill.
  llvm::Expected<CompiledKernel> compile(const nvvm::KernelChoice &choice);

private:
  const nvvm::Chip &chip;
  std::unique_ptr<mlir::MLIRContext> context;
};

} // namespace qk::bench

#endif // QK_TOOLS_QKBENCH_GPUCOMPILE_H
