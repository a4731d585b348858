//===- KernelDeclaration.cpp - Kernels before they have a body --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "qk/Dialect/Kernel/Kernel.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;

namespace qk::cpu {

namespace {

constexpr StringLiteral kMatmulAttr = "qk_kernel.matmul";
constexpr StringLiteral kQuantizerAttr = "qk_kernel.quantizer";

/// Numbers in the order of the struct's members: the spec is read back by the
/// same binary that wrote it, within one pipeline or a text in between.
template <typename... Ts>
DenseI64ArrayAttr numbers(MLIRContext *context, Ts... values) {
  return DenseI64ArrayAttr::get(context, {static_cast<int64_t>(values)...});
}

template <typename T> bool inRange(int64_t value, T last) {
  return value >= 0 && value <= static_cast<int64_t>(last);
}

func::FuncOp declare(ModuleOp module, const std::string &symbol,
                     FunctionType type, StringRef attribute, Attribute spec) {
  if (auto found = module.lookupSymbol<func::FuncOp>(symbol))
    return found;
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  auto function = func::FuncOp::create(b, module.getLoc(), symbol, type);
  function.setPrivate();
  function->setAttr(attribute, spec);
  return function;
}

} // namespace

std::string QuantizerSpec::symbol() const {
  return "qk_quantize_" + std::string(name(activation)) + "_g" +
         std::to_string(groupLength) + "_k" + std::to_string(k) + "_" +
         std::string(name(element));
}

FunctionType kernelType(MLIRContext *context, const KernelSpec &spec,
                        bool workspace) {
  OpBuilder b(context);
  auto vector = [](Type element) {
    return MemRefType::get({ShapedType::kDynamic}, element);
  };
  Type element = elementType(b, spec.element);
  SmallVector<Type> inputs;
  if (spec.activation == Activation::Float) {
    inputs.push_back(rowsType(element));
  } else {
    inputs.push_back(rowsType(codeType(b, spec.activation)));
    inputs.push_back(rowsType(b.getF32Type()));
  }
  inputs.push_back(vector(b.getI8Type()));
  if (spec.bias)
    inputs.push_back(vector(b.getF32Type()));
  inputs.push_back(rowsType(element));
  if (workspace)
    inputs.push_back(vector(b.getI8Type()));
  return b.getFunctionType(inputs, {});
}

FunctionType quantizerType(MLIRContext *context, const QuantizerSpec &spec) {
  OpBuilder b(context);
  return b.getFunctionType({rowsType(elementType(b, spec.element)),
                            rowsType(codeType(b, spec.activation)),
                            rowsType(b.getF32Type())},
                           {});
}

func::FuncOp declareKernel(ModuleOp module, const KernelSpec &spec,
                           bool workspace) {
  MLIRContext *context = module.getContext();
  return declare(
      module, spec.symbol(), kernelType(context, spec, workspace), kMatmulAttr,
      numbers(context, spec.scheme.codeType, spec.scheme.groupSize,
              spec.scheme.scaleType, spec.k, spec.zeroPoints, spec.bias,
              spec.activation, spec.sharing, spec.element));
}

func::FuncOp declareQuantizer(ModuleOp module, const QuantizerSpec &spec) {
  MLIRContext *context = module.getContext();
  return declare(module, spec.symbol(), quantizerType(context, spec),
                 kQuantizerAttr,
                 numbers(context, spec.k, spec.groupLength, spec.activation,
                         spec.element));
}

std::optional<KernelSpec> kernelSpec(func::FuncOp function) {
  auto attribute = function->getAttrOfType<DenseI64ArrayAttr>(kMatmulAttr);
  if (!attribute || attribute.size() != 9)
    return std::nullopt;
  ArrayRef<int64_t> v = attribute;
  if (!inRange(v[0], numerics::CodeType::S8) || (v[1] < 1 && v[1] != -1) ||
      !inRange(v[2], numerics::ScaleType::F32) || v[3] < 1 ||
      !inRange(v[6], Activation::Int8) || !inRange(v[7], Sharing::Tensor) ||
      !inRange(v[8], Element::BF16))
    return std::nullopt;
  KernelSpec spec;
  spec.scheme = {static_cast<numerics::CodeType>(v[0]), v[1],
                 static_cast<numerics::ScaleType>(v[2])};
  spec.k = v[3];
  spec.zeroPoints = v[4] != 0;
  spec.bias = v[5] != 0;
  spec.activation = static_cast<Activation>(v[6]);
  spec.sharing = static_cast<Sharing>(v[7]);
  spec.element = static_cast<Element>(v[8]);
  return spec;
}

std::optional<QuantizerSpec> quantizerSpec(func::FuncOp function) {
  auto attribute = function->getAttrOfType<DenseI64ArrayAttr>(kQuantizerAttr);
  if (!attribute || attribute.size() != 4)
    return std::nullopt;
  ArrayRef<int64_t> v = attribute;
  if (v[0] < 1 || v[1] < 1 || v[1] > v[0] || !inRange(v[2], Activation::Int8) ||
      v[2] == 0 || !inRange(v[3], Element::BF16))
    return std::nullopt;
  return QuantizerSpec{v[0], v[1], static_cast<Activation>(v[2]),
                       static_cast<Element>(v[3])};
}

void registerKernelDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect,
                  memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect,
                  kernel::QKKernelDialect>();
}

Architecture architectureOf(const llvm::Triple &target) {
  if (target.getArch() == llvm::Triple::x86_64)
    return Architecture::X86_64;
  // The layout's words are little-endian; kernels for 32-bit pointers
  // (aarch64_32) have not been tried.
  return target.getArch() == llvm::Triple::aarch64 ? Architecture::AArch64
                                                   : Architecture::Other;
}

} // namespace qk::cpu
