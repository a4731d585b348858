//===- BindParameters.cpp - Constants to named parameters -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raising/Constants.h"
#include "Raising/Functions.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_BINDPARAMETERSPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

/// The scope that `weights=` binds and that inline values are given.
static constexpr StringLiteral kModelScope = "model";

/// Literals below this stay what they are: small tables, not weights.
static constexpr int64_t kLiteralBytes = 1024;

/// The scope whose file holds tensor `name`.
static FailureOr<StringRef> findScope(ModuleOp module, StringRef name,
                                      Location location) {
  auto weights =
      module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kWeightsAttr);
  if (!weights || weights.empty())
    return emitError(location)
           << "resource '" << name
           << "' has no data; name the file that holds it with "
              "--weights=FILE.safetensors";
  for (NamedAttribute entry : weights) {
    auto file = openScope(module, entry.getName(), location);
    if (failed(file))
      return failure();
    if (*file && (*file)->find(name))
      return entry.getName().strref();
  }
  // In none: let the last file say which name is close.
  auto file = openScope(module, weights.getValue().back().getName(), location);
  if (failed(file))
    return failure();
  return emitError(location) << "resource without data: "
                             << llvm::toString((*file)->get(name).takeError());
}

/// Whether a constant holds a weight.
static bool holdsWeight(ElementsAttr value) {
  if (isa<DenseResourceElementsAttr>(value))
    return true;
  auto dense = dyn_cast<DenseElementsAttr>(value);
  return dense && !dense.isSplat() && isa<FloatType>(dense.getElementType()) &&
         static_cast<int64_t>(dense.getRawData().size()) >= kLiteralBytes;
}

/// Lets `--weights=` serve a scope that no file was given for, where that file
/// has the tensor.
static LogicalResult shareWeights(ModuleOp module, StringRef scope,
                                  StringRef name, Location location) {
  auto weights =
      module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kWeightsAttr);
  if (!weights || weights.contains(scope) || !weights.contains(kModelScope))
    return success();
  auto file = openScope(module, kModelScope, location);
  if (failed(file))
    return failure();
  if (!(*file)->find(name))
    return success();
  NamedAttrList entries(weights.getValue());
  entries.set(scope, weights.get(kModelScope));
  module->setAttr(QuantLLMDialect::kWeightsAttr,
                  entries.getDictionary(module.getContext()));
  return success();
}

FailureOr<ParameterOp>
qk::quant_llm::createParameter(OpBuilder &builder, Location location,
                               const ConstantTensor &constant,
                               StringRef literalName) {
  auto module =
      builder.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  std::string scope = constant.scope;
  std::string name = constant.name.empty() ? literalName.str() : constant.name;
  ElementsAttr value = constant.value;
  bool hasFile = true;
  auto resource = dyn_cast_or_null<DenseResourceElementsAttr>(value);
  if (resource && !resource.getRawHandle().getBlob()) {
    FailureOr<StringRef> found = findScope(module, name, location);
    if (failed(found))
      return failure();
    scope = found->str();
    value = {};
  } else if (!value) {
    if (failed(shareWeights(module, scope, name, location)))
      return failure();
    auto weights =
        module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kWeightsAttr);
    // The parameter is named all the same; what reads it will ask for a file.
    hasFile = weights && weights.contains(scope);
  }
  auto parameter =
      ParameterOp::create(builder, location, constant.type, scope, name, value);
  // Finds missing data and wrong types and shapes now, where the message can
  // name the constant.
  if (failed(parameter.verify()) ||
      (hasFile && failed(getParameterData(parameter))))
    return failure();
  return parameter;
}

LogicalResult qk::quant_llm::bindParameters(ModuleOp module,
                                            StringRef weights) {
  if (!weights.empty())
    recordWeights(module, kModelScope, weights);

  SmallVector<Operation *> constants;
  module.walk([&](Operation *op) {
    if (!isa<arith::ConstantOp, tosa::ConstOp>(op) ||
        !isa<RankedTensorType>(op->getResult(0).getType()))
      return;
    ElementsAttr value;
    if (matchPattern(op, m_Constant(&value)) && holdsWeight(value))
      constants.push_back(op);
  });

  // One parameter a function and tensor, at the function's entry, so that a
  // weight used twice is one value.
  llvm::MapVector<std::pair<Block *, Attribute>, ParameterOp> parameters;
  OpBuilder builder(module.getContext());
  int64_t literals = 0;
  for (Operation *op : constants) {
    std::optional<Function> function = findParentFunction(op);
    if (!function)
      continue;
    Block *entry = &function->entry();
    ConstantTensor constant = *getConstant(op->getResult(0));
    ParameterOp &parameter = parameters[{entry, constant.value}];
    if (!parameter) {
      std::string literal;
      if (constant.name.empty())
        literal = (function->name + ".constant" + Twine(literals++)).str();
      builder.setInsertionPointToStart(entry);
      FailureOr<ParameterOp> made =
          createParameter(builder, op->getLoc(), constant, literal);
      if (failed(made))
        return failure();
      parameter = *made;
    }
    op->getResult(0).replaceAllUsesWith(parameter.getResult());
    op->erase();
  }
  return success();
}

namespace {
struct BindParameters
    : public qk::quant_llm::impl::BindParametersPassBase<BindParameters> {
  using BindParametersPassBase::BindParametersPassBase;

  void runOnOperation() override {
    if (failed(bindParameters(getOperation(), weights)))
      signalPassFailure();
  }
};
} // namespace
