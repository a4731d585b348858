//===- Quantizer.h - The GPU kernel that quantises activations --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The kernel for `quant_llm.quantize` with 8 bits per token, which the W8A8
/// matmuls read: of each row of x, divided by factors first where there are
/// some,
///
///   s = max |x| / 127 (all zeros: 1);  c = clamp(round(x / s), -127, 127)
///
/// in f32, divisions correctly rounded, ties to even: bit by bit what the
/// reference lowering gives. A NaN makes its row's scale NaN.
///
/// Kernel ABI (arrays contiguous, row-major, 16-byte aligned, in global
/// memory):
///
///   kernel(x, [factors,] codes, scales)
///     x        T [M,K]
///     factors  f32 [K]   only where the problem has some
///     codes    i8 [M,K]
///     scales   f32 [M]
///
/// launched as launchShape() says: a block a row.
///
/// In place of x there may be a program that computes a row of x, a function on
/// vectors of a whole row:
///
///   func.func private @rows(%h: vector<KxT> {qk_kernel.source = "row"}, …)
///       -> vector<KxT>
///
/// of elementwise ops, `vector.broadcast` and `vector.reduction` (with an
/// initial value, in any order). Its arguments are the kernel's sources, in
/// place of x; qk_kernel.source says where an argument lies:
///
///   row     vector<KxT>  T [M,K]  a row of the source
///   column  vector<KxT>  T [K]    the same for all rows
///   token   T            T [M]    one value a row
///   scalar  T            T [1]
///
/// Each step is done in the type that it has there. A reduction's sum is added
/// up by threads, then warps, then the block, in an order that K and the
/// sources' types fix: the same bytes for any run.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_NVVM_QUANTIZER_H
#define QK_TARGET_NVVM_QUANTIZER_H

#include "qk/Target/NVVM/KernelTable.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <optional>
#include <vector>

namespace qk::nvvm {

/// Where what a program reads lies in memory.
enum class RowSource : uint8_t { Row, Column, Token, Scalar };
std::string_view rowSourceName(RowSource source);

/// A program's attribute of an argument: the name of its RowSource.
inline constexpr llvm::StringLiteral kRowSourceAttr = "qk_kernel.source";

/// What is known of a program when its kernel is launched.
struct RowProgramInfo {
  struct Source {
    RowSource where = RowSource::Row;
    ElementType type = ElementType::F32;
  };
  /// Its symbol.
  std::string name;
  std::vector<Source> sources;
  int64_t reductions = 0;
};

/// Reads a program on rows of K elements, which gives elements of `type`.
/// Nothing where `function` is none.
std::optional<RowProgramInfo> rowProgramInfo(mlir::func::FuncOp function,
                                             int64_t k, ElementType type);

/// All that is fixed when the kernel is compiled.
struct QuantizerProblem {
  int64_t k = 0;
  /// T, of x.
  ElementType type = ElementType::F32;
  bool hasFactors = false;
  /// Codes are e4m3, not integers.
  bool isFloat = false;
  /// What computes x; else x is read.
  std::optional<RowProgramInfo> program = std::nullopt;

  /// Elements that a thread reads at once: 16 bytes of x (of the widest of the
  /// sources that have rows), or what divides K.
  int64_t vector() const;
  /// Threads of a block: whole warps, enough for one vector each, at most 256.
  int64_t threads() const;
  int64_t sharedBytes() const;
  /// The cap on registers a thread: two blocks a multiprocessor at least. Said
  /// outright, as ptxas otherwise spills a few bytes for more.
  static constexpr int64_t kMaxRegisters = 128;
  std::string name() const;
  LaunchShape launchShape(int64_t m) const {
    return {{m, 1, 1}, {threads(), 1, 1}, 0};
  }
};

/// Adds the kernel to `module` (or returns the one already there). `program` is
/// the function of problem.program. Its math ops are still to be expanded
/// (quant-llm-expand-device-math).
mlir::gpu::GPUFuncOp buildQuantizer(mlir::gpu::GPUModuleOp module,
                                    mlir::Location loc,
                                    const QuantizerProblem &problem,
                                    mlir::func::FuncOp program = {});

} // namespace qk::nvvm

#endif // QK_TARGET_NVVM_QUANTIZER_H
