//===- BindParameters.cpp - Constants to named parameters -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Binding/Binding.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_BINDPARAMETERSPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

FailureOr<const storage::Checkpoint *>
BindingContext::getModel(Location location) {
  if (!model) {
    auto opened = openScope(module, kModelScope, location);
    if (failed(opened))
      return failure();
    model = *opened;
  }
  return model.get();
}

FailureOr<const TensorMatcher *> BindingContext::getMatcher(Location location) {
  if (!matcher) {
    if (failed(getModel(location)))
      return failure();
    matcher.emplace(model);
  }
  return &*matcher;
}

FailureOr<ParameterBinding>
BindingContext::getNamed(const WeightNames::Entry &entry, StringRef handle,
                         RankedTensorType type, Location location) {
  auto fail = [&]() -> InFlightDiagnostic {
    return emitError(location)
           << names->path() << ": handle '" << handle
           << "' is said to be tensor '" << entry.tensor << "', ";
  };
  FailureOr<const storage::Checkpoint *> checkpoint = getModel(location);
  if (failed(checkpoint))
    return failure();
  if (!*checkpoint)
    return fail() << "but there is no checkpoint; name it with "
                     "--weights=FILE.safetensors";
  auto found = (*checkpoint)->get(entry.tensor);
  if (!found)
    return fail() << "but " << llvm::toString(found.takeError());
  ParameterBinding binding;
  binding.scope = kModelScope;
  binding.name = entry.tensor;
  binding.converts = true;
  bool asIs = hasShape(type, found->tensor, false);
  bool transposed = hasShape(type, found->tensor, true);
  binding.transposed = entry.transposed.value_or(!asIs && transposed);
  if (!(binding.transposed ? transposed : asIs))
    return fail() << (binding.transposed ? "transposed, " : "") << "which is "
                  << storage::describe(found->tensor.type, found->tensor.shape)
                  << " in " << found->file->path() << "; the module has "
                  << type;
  return binding;
}

LogicalResult qk::quant_llm::bindParameters(ModuleOp module,
                                            const BindOptions &options) {
  BindingContext context;
  context.module = module;
  context.search = !options.weights.empty();
  if (!options.weights.empty())
    recordWeights(module, kModelScope, options.weights);
  if (!options.weightNames.empty()) {
    FailureOr<WeightNames> names =
        WeightNames::read(options.weightNames, module.getLoc());
    if (failed(names))
      return failure();
    context.names = std::move(*names);
  }
  if (failed(bindArguments(context)) || failed(bindConstants(context)))
    return failure();
  if (context.names)
    context.names->warnOfUnused(module.getLoc());
  return success();
}

namespace {
struct BindParameters
    : public qk::quant_llm::impl::BindParametersPassBase<BindParameters> {
  using BindParametersPassBase::BindParametersPassBase;

  void runOnOperation() override {
    if (failed(bindParameters(getOperation(), {weights, weightNames})))
      signalPassFailure();
  }
};
} // namespace
