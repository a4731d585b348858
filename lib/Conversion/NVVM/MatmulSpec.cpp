//===- MatmulSpec.cpp - Matmul problems and the IR --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatmulSpec.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::nvvm {

FailureOr<const Chip *> chipByName(Operation *op, StringRef name) {
  if (const Chip *chip = findChip({name.data(), name.size()}))
    return chip;
  return op->emitError("unknown chip '")
         << name << "', expected one of " << knownChips();
}

static std::optional<ElementType> elementOf(Type type) {
  if (type.isF16())
    return ElementType::F16;
  if (type.isBF16())
    return ElementType::BF16;
  if (type.isF32())
    return ElementType::F32;
  return std::nullopt;
}

Type elementType(MLIRContext *context, ElementType type) {
  switch (type) {
  case ElementType::F16:
    return Float16Type::get(context);
  case ElementType::BF16:
    return BFloat16Type::get(context);
  case ElementType::F32:
    return Float32Type::get(context);
  }
  return {};
}

/// What both ops have in common.
template <typename Op>
static FailureOr<MatmulProblem> commonProblem(Op op, int64_t n, int64_t k) {
  MatmulProblem problem;
  problem.scheme = op.getScheme().getScheme();
  problem.k = k;
  problem.hasPermutation = static_cast<bool>(op.getPermutation());
  Type x = getElementTypeOrSelf(op.getX().getType());
  std::optional<ElementType> element = elementOf(x);
  if (!element)
    return op.emitError("layer '")
           << op.getLayer()
           << "': expected activations of f32, f16 or bf16, got " << x
           << "; the GPU has no kernel for quantised activations yet, lower "
              "the float form";
  if (getElementTypeOrSelf(op.getY().getType()) != x)
    return op.emitError("layer '")
           << op.getLayer() << "': expected a result of x's type " << x
           << ", got " << getElementTypeOrSelf(op.getY().getType());
  problem.type = *element;
  if (op.getBias())
    problem.bias = elementOf(getElementTypeOrSelf(op.getBias().getType()));
  // Kernels count in 32 bits along K.
  if (k > (1 << 30))
    return op.emitError("layer '") << op.getLayer() << "': expected at most "
                                   << (1 << 30) << " input channels, got " << k;
  // Channels are along y of the grid.
  constexpr int64_t maxChannels = 65535 * SimtLayout::kLanes;
  if (n > maxChannels)
    return op.emitError("layer '")
           << op.getLayer() << "': expected at most " << maxChannels
           << " output channels, got " << n;
  return problem;
}

FailureOr<MatmulProblem> problemOf(MatmulOp op) {
  auto codes = cast<RankedTensorType>(op.getCodes().getType());
  FailureOr<MatmulProblem> problem =
      commonProblem(op, codes.getDimSize(0), codes.getDimSize(1));
  if (succeeded(problem))
    problem->hasZeroPoints = static_cast<bool>(op.getZeroPoints());
  return problem;
}

FailureOr<MatmulProblem> problemOf(PackedMatmulOp op) {
  FailureOr<MatmulProblem> problem = commonProblem(op, op.getN(), op.getK());
  if (succeeded(problem))
    problem->hasZeroPoints = op.getHasZeroPoints();
  return problem;
}

//===----------------------------------------------------------------------===//
// The attribute
//===----------------------------------------------------------------------===//

DictionaryAttr toAttribute(MLIRContext *context, const MatmulProblem &problem) {
  Builder b(context);
  NamedAttrList list;
  list.set("k", b.getI64IntegerAttr(problem.k));
  list.set("scheme", SchemeAttr::get(context, problem.scheme));
  list.set("element", TypeAttr::get(elementType(context, problem.type)));
  if (problem.bias)
    list.set("bias", TypeAttr::get(elementType(context, *problem.bias)));
  if (problem.hasZeroPoints)
    list.set("zero_points", b.getUnitAttr());
  if (problem.hasPermutation)
    list.set("permutation", b.getUnitAttr());
  return list.getDictionary(context);
}

std::optional<MatmulProblem> fromAttribute(Attribute attribute) {
  auto dictionary = dyn_cast_if_present<DictionaryAttr>(attribute);
  if (!dictionary)
    return std::nullopt;
  auto k = dictionary.getAs<IntegerAttr>("k");
  auto scheme = dictionary.getAs<SchemeAttr>("scheme");
  auto element = dictionary.getAs<TypeAttr>("element");
  if (!k || k.getInt() < 1 || !scheme || !element ||
      !elementOf(element.getValue()))
    return std::nullopt;
  MatmulProblem problem;
  problem.k = k.getInt();
  problem.scheme = scheme.getScheme();
  problem.type = *elementOf(element.getValue());
  problem.hasZeroPoints = dictionary.contains("zero_points");
  problem.hasPermutation = dictionary.contains("permutation");
  if (auto bias = dictionary.getAs<TypeAttr>("bias")) {
    problem.bias = elementOf(bias.getValue());
    if (!problem.bias)
      return std::nullopt;
  }
  return problem;
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

func::FuncOp declareLauncher(ModuleOp module, const MatmulProblem &problem) {
  std::string name = problemName(problem) + "_launch";
  if (auto existing = module.lookupSymbol<func::FuncOp>(name))
    return existing;
  MLIRContext *context = module.getContext();
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  constexpr int64_t dynamic = ShapedType::kDynamic;
  auto rows = StridedLayoutAttr::get(context, dynamic, {dynamic, 1});
  Type element = elementType(context, problem.type);
  auto matrix = MemRefType::get({dynamic, dynamic}, element, rows);
  auto vectorOf = [&](Type type) { return MemRefType::get({dynamic}, type); };
  SmallVector<Type> inputs{matrix, vectorOf(b.getI8Type())};
  if (problem.hasPermutation)
    inputs.push_back(vectorOf(b.getI32Type()));
  if (problem.bias)
    inputs.push_back(vectorOf(elementType(context, *problem.bias)));
  inputs.push_back(matrix);
  auto function = func::FuncOp::create(b, module.getLoc(), name,
                                       b.getFunctionType(inputs, {}));
  function.setPrivate();
  function->setAttr(kMatmulAttr, toAttribute(context, problem));
  return function;
}

} // namespace qk::nvvm
