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

std::optional<ElementType> elementTypeOf(Type type) {
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
  Type y = getElementTypeOrSelf(op.getY().getType());
  std::optional<ElementType> element = elementTypeOf(x);
  if (x.isInteger(8)) {
    Granularity granularity = op.getXSchemeAttr().getGranularity();
    if (granularity == Granularity::PerTokenGroup)
      return op.emitError("layer '")
             << op.getLayer()
             << "': the GPU's kernels take activations of 8 bits with a scale "
                "for each token or for all of them, got "
             << op.getXSchemeAttr() << "; quantise per_token or per_tensor";
    bool isFloat = op.getXSchemeAttr().getIsFloat();
    if (isFloat != problem.scheme.isFloat())
      return op.emitError("layer '")
             << op.getLayer()
             << "': the GPU's kernels multiply bytes of one kind, got "
             << op.getXSchemeAttr() << " activations and "
             << stringifyCodeType(op.getScheme().getCodeType())
             << " codes; quantise both with one format";
    problem.int8Activations = true;
    problem.hasTensorScale = granularity == Granularity::PerTensor;
    element = elementTypeOf(y);
  } else if (element && y != x) {
    return op.emitError("layer '")
           << op.getLayer() << "': expected a result of x's type " << x
           << ", got " << y;
  }
  if (!element)
    return op.emitError("layer '")
           << op.getLayer()
           << "': expected activations of f32, f16, bf16 or i8, got " << x
           << "; the GPU has no kernel for other quantised activations yet, "
              "lower the float form";
  problem.type = *element;
  if (op.getBias())
    problem.bias = elementTypeOf(getElementTypeOrSelf(op.getBias().getType()));
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

template <typename Op>
static FailureOr<MatmulProblem> checked(Op op, const Chip &chip,
                                        const MatmulProblem &problem) {
  if (std::string why = unsupported(chip, problem); !why.empty())
    return op.emitError("layer '") << op.getLayer() << "': " << why;
  return problem;
}

FailureOr<MatmulProblem> problemOf(MatmulOp op, const Chip &chip) {
  auto codes = cast<RankedTensorType>(op.getCodes().getType());
  FailureOr<MatmulProblem> problem =
      commonProblem(op, codes.getDimSize(0), codes.getDimSize(1));
  if (failed(problem))
    return failure();
  if (op.getXZeroPoints())
    return op.emitError("layer '")
           << op.getLayer()
           << "': the GPU has no kernel for activations with zero points yet; "
              "quantise them symmetrically";
  problem->hasZeroPoints = static_cast<bool>(op.getZeroPoints());
  problem->packing = preferredLayout(chip, *problem);
  return checked(op, chip, *problem);
}

FailureOr<MatmulProblem> problemOf(PackedMatmulOp op, const Chip &chip) {
  FailureOr<MatmulProblem> problem = commonProblem(op, op.getN(), op.getK());
  if (failed(problem))
    return failure();
  problem->hasZeroPoints = op.getHasZeroPoints();
  std::string_view name(op.getLayout().data(), op.getLayout().size());
  problem->packing = layoutByName(name).value_or(Layout::Simt);
  return checked(op, chip, *problem);
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
  if (problem.int8Activations)
    list.set("int8_activations", b.getUnitAttr());
  if (problem.hasTensorScale)
    list.set("tensor_scale", b.getUnitAttr());
  if (problem.packing != Layout::Simt) {
    std::string_view name = layoutName(problem.packing);
    list.set("layout", b.getStringAttr(StringRef(name.data(), name.size())));
  }
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
      !elementTypeOf(element.getValue()))
    return std::nullopt;
  MatmulProblem problem;
  problem.k = k.getInt();
  problem.scheme = scheme.getScheme();
  problem.type = *elementTypeOf(element.getValue());
  problem.hasZeroPoints = dictionary.contains("zero_points");
  problem.hasPermutation = dictionary.contains("permutation");
  problem.int8Activations = dictionary.contains("int8_activations");
  problem.hasTensorScale = dictionary.contains("tensor_scale");
  if (auto name = dictionary.getAs<StringAttr>("layout")) {
    auto layout = layoutByName({name.data(), name.size()});
    if (!layout)
      return std::nullopt;
    problem.packing = *layout;
  }
  if (auto bias = dictionary.getAs<TypeAttr>("bias")) {
    problem.bias = elementTypeOf(bias.getValue());
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
  auto matrixOf = [&](Type type) {
    return MemRefType::get({dynamic, dynamic}, type, rows);
  };
  auto vectorOf = [&](Type type) { return MemRefType::get({dynamic}, type); };
  Type x = problem.int8Activations ? Type(b.getI8Type()) : element;
  SmallVector<Type> inputs{matrixOf(x)};
  if (problem.int8Activations)
    inputs.push_back(matrixOf(b.getF32Type()));
  inputs.push_back(vectorOf(b.getI8Type()));
  if (problem.hasPermutation)
    inputs.push_back(vectorOf(b.getI32Type()));
  if (problem.bias)
    inputs.push_back(vectorOf(elementType(context, *problem.bias)));
  inputs.push_back(matrixOf(element));
  auto function = func::FuncOp::create(b, module.getLoc(), name,
                                       b.getFunctionType(inputs, {}));
  function.setPrivate();
  function->setAttr(kMatmulAttr, toAttribute(context, problem));
  return function;
}

} // namespace qk::nvvm
