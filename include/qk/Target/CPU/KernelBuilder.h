//===- KernelBuilder.h - CPU kernels as MLIR --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Emits the functions of a quantised matmul on packed weights
///   y[m,n] = sum_k x[m,k] * s[n,k/g] * (c[n,k] - z[n,k/g]) + b[n]
/// as func/scf/vector/arith/memref and qk_kernel ops. A kernel is declared
/// while the module still has tensors, and its body is built after
/// bufferization (the body allocates and frees workspace, which buffer
/// deallocation must not see). Signatures, T being KernelSpec::element, all
/// strides in elements:
///
///   float:       (x : memref<?x?xT, strided<[?, 1], offset: ?>>,
///   int16, int8: (x : memref<?x?xi16|i8, strided…>, scales : memref<?x?xf32,
///   strided…>,
///     then        weights : memref<?xi8>  (Layout.h), [bias : memref<?xf32>,]
///                 y : memref<?x?xT, strided…>
///                 [, workspace : memref<?xi8>])
///
/// A kernel allocates and frees what it packs x into, unless it is declared
/// with a workspace: workspaceBytes of 64-byte aligned memory, which it then
/// carves up instead.
///
/// and of activation quantisation
///   (x : memref<?x?xT, strided…>, codes : memref<?x?xi16|i8, strided…>,
///    scales : memref<?x?xf32, strided…>)
///   scale = max|x| / activationMax over the group (or the token), 1 where all
///   are zero; code = clamp(roundeven(x / scale)).
///
/// M and N are read from x and y. Results do not depend on the number of
/// threads: each output element is one sum in one order.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_CPU_KERNELBUILDER_H
#define QK_TARGET_CPU_KERNELBUILDER_H

#include "qk/Target/CPU/KernelTable.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace llvm {
class Triple;
} // namespace llvm

namespace qk::cpu {

/// What makes two activation quantisers one function.
struct QuantizerSpec {
  int64_t k = 0;
  /// Elements that share a scale; k: per token.
  int64_t groupLength = 0;
  Activation activation = Activation::Int16;
  Element element = Element::F32;

  std::string symbol() const;
  friend bool operator==(const QuantizerSpec &,
                         const QuantizerSpec &) = default;
};

/// The types of a kernel's arguments, for who calls it.
mlir::FunctionType kernelType(mlir::MLIRContext *context,
                              const KernelSpec &spec, bool workspace = false);
mlir::FunctionType quantizerType(mlir::MLIRContext *context,
                                 const QuantizerSpec &spec);

/// The declaration of the kernel in `module`, made if it is not there: a
/// private function without body that carries the spec as an attribute.
mlir::func::FuncOp declareKernel(mlir::ModuleOp module, const KernelSpec &spec,
                                 bool workspace = false);
mlir::func::FuncOp declareQuantizer(mlir::ModuleOp module,
                                    const QuantizerSpec &spec);

/// The specs that a declaration carries; nothing where it is no declaration of
/// that kind.
std::optional<KernelSpec> kernelSpec(mlir::func::FuncOp function);
std::optional<QuantizerSpec> quantizerSpec(mlir::func::FuncOp function);

/// Builds the body of a declaration: one function a level and, where there are
/// several levels, a dispatch on the runtime's `qk_choose_cpu_level`. `levels`
/// is not empty; a machine below all of them takes the first.
void buildKernel(mlir::func::FuncOp declaration, const KernelSpec &spec,
                 llvm::ArrayRef<Level> levels);
void buildQuantizer(mlir::func::FuncOp declaration, const QuantizerSpec &spec,
                    llvm::ArrayRef<Level> levels);

/// The buffers of a call with `rows` rows, in the order in which a workspace
/// holds them: bytes a row of each. Every buffer begins at a multiple of 64.
llvm::SmallVector<int64_t> workspaceBytesPerRow(const KernelSpec &spec,
                                                Level level);

/// What the levels of a target are: of its architecture, where that has some.
Architecture architectureOf(const llvm::Triple &target);

/// Dialects whose ops the builders create.
void registerKernelDialects(mlir::DialectRegistry &registry);

} // namespace qk::cpu

#endif // QK_TARGET_CPU_KERNELBUILDER_H
