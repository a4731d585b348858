//===- QuantizerSpec.cpp - Quantisers and the IR ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantizerSpec.h"

#include "MatmulSpec.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::nvvm {

/// Kernels count in 32 bits along K.
static constexpr int64_t kLargestK = int64_t(1) << 30;

std::optional<QuantizerProblem> quantizerOf(QuantizeOp op) {
  ActivationSchemeAttr scheme = op.getScheme();
  auto x = cast<RankedTensorType>(op.getX().getType());
  std::optional<ElementType> type = elementTypeOf(x.getElementType());
  int64_t k = x.getShape().back();
  if (scheme.getBits() != 8 ||
      scheme.getGranularity() != Granularity::PerToken || !type || k < 1 ||
      k > kLargestK)
    return std::nullopt;
  return QuantizerProblem{k, *type, static_cast<bool>(op.getFactors()),
                          scheme.getIsFloat()};
}

std::optional<QuantizerProblem> quantizerOf(func::FuncOp function) {
  auto dictionary = function->getAttrOfType<DictionaryAttr>(kQuantizerAttr);
  if (!dictionary)
    return std::nullopt;
  auto k = dictionary.getAs<IntegerAttr>("k");
  auto element = dictionary.getAs<TypeAttr>("element");
  if (!k || k.getInt() < 1 || k.getInt() > kLargestK || !element)
    return std::nullopt;
  std::optional<ElementType> type = elementTypeOf(element.getValue());
  if (!type)
    return std::nullopt;
  QuantizerProblem problem{k.getInt(), *type, dictionary.contains("factors"),
                           dictionary.contains("e4m3")};
  size_t read = 1;
  if (dictionary.contains("program")) {
    problem.program = rowProgramInfo(programOf(function), problem.k, *type);
    if (!problem.program)
      return std::nullopt;
    read = problem.program->sources.size();
  }
  if (function.getNumArguments() != read + (problem.hasFactors ? 3 : 2))
    return std::nullopt;
  return problem;
}

func::FuncOp programOf(func::FuncOp function) {
  auto dictionary = function->getAttrOfType<DictionaryAttr>(kQuantizerAttr);
  auto program = dictionary ? dictionary.getAs<FlatSymbolRefAttr>("program")
                            : FlatSymbolRefAttr();
  return program ? SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(function,
                                                                      program)
                 : func::FuncOp();
}

func::FuncOp declareQuantizer(ModuleOp module,
                              const QuantizerProblem &problem) {
  std::string name = problem.name() + "_launch";
  if (auto existing = module.lookupSymbol<func::FuncOp>(name))
    return existing;
  MLIRContext *context = module.getContext();
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  constexpr int64_t dynamic = ShapedType::kDynamic;
  auto rows = StridedLayoutAttr::get(context, dynamic, {dynamic, 1});
  auto matrixOf = [&](Type type) {
    return MemRefType::get({dynamic, dynamic}, type, rows);
  };
  Type element = elementType(context, problem.type);
  auto vectorOf = [&](Type type) { return MemRefType::get({dynamic}, type); };
  SmallVector<Type> inputs;
  if (!problem.program)
    inputs.push_back(matrixOf(element));
  else
    for (const RowProgramInfo::Source &source : problem.program->sources) {
      Type type = elementType(context, source.type);
      inputs.push_back(source.where == RowSource::Row ? matrixOf(type)
                                                      : vectorOf(type));
    }
  if (problem.hasFactors)
    inputs.push_back(vectorOf(b.getF32Type()));
  inputs.append({matrixOf(b.getI8Type()), matrixOf(b.getF32Type())});
  auto function = func::FuncOp::create(b, module.getLoc(), name,
                                       b.getFunctionType(inputs, {}));
  function.setPrivate();
  NamedAttrList list;
  list.set("k", b.getI64IntegerAttr(problem.k));
  list.set("element", TypeAttr::get(element));
  if (problem.hasFactors)
    list.set("factors", b.getUnitAttr());
  if (problem.isFloat)
    list.set("e4m3", b.getUnitAttr());
  if (problem.program)
    list.set("program", FlatSymbolRefAttr::get(context, problem.program->name));
  function->setAttr(kQuantizerAttr, list.getDictionary(context));
  return function;
}

} // namespace qk::nvvm
