//===- BindQuantized.cpp - Layers with codes that others found ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Binding/Binding.h"
#include "Binding/LayerPaths.h"
#include "Evaluation/ResultWriter.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"
#include "qk/Formats/QuantizedCheckpoint.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_BINDQUANTIZEDPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

/// Where weights are until their layer has its codes; no file is ever named for
/// it.
static constexpr StringLiteral kPendingScope = "quantized-checkpoint";

namespace {

class QuantizedBinder {
public:
  QuantizedBinder(ModuleOp module, const formats::QuantizedCheckpoint &weights,
                  BindingContext &context)
      : module(module), weights(weights), context(context),
        layers(weights.layers()) {}

  /// Takes the weights of quantised layers out of the module. Errors: none is
  /// there.
  LogicalResult markWeights();
  /// The layers that markWeights found.
  ArrayRef<std::string> found() const { return marked; }
  /// Gives raised layers their codes.
  LogicalResult replaceLayers();

private:
  std::optional<std::string> findLayer(StringRef name);
  FailureOr<WeightParameters> getParameters(LinearOp op, StringRef layer);

  ModuleOp module;
  const formats::QuantizedCheckpoint &weights;
  BindingContext &context;
  std::vector<std::string> layers, marked;
  /// By block and layer, so that a weight used twice is one.
  llvm::DenseMap<std::pair<Block *, StringRef>, WeightParameters> parameters;
};

struct BindQuantized
    : public qk::quant_llm::impl::BindQuantizedPassBase<BindQuantized> {
  using BindQuantizedPassBase::BindQuantizedPassBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

private:
  LogicalResult run();
};

} // namespace

/// The quantised layer whose weight a constant called `name` is.
std::optional<std::string> QuantizedBinder::findLayer(StringRef name) {
  std::string handle = name.str();
  if (context.names)
    if (const WeightNames::Entry *entry = context.names->find(name)) {
      handle = entry->tensor;
      if (handle.empty())
        return std::nullopt;
    }
  std::string layer = layerName(handle);
  if (layer.empty())
    return std::nullopt;
  // As it is, or without components in front that only one of the two has.
  for (StringRef rest = layer; !rest.empty(); rest = rest.split('.').second)
    if (weights.contains(rest))
      return rest.str();
  std::optional<std::string> only;
  for (StringRef candidate : layers) {
    StringRef front = candidate;
    if (!front.consume_back(layer) || !front.ends_with("."))
      continue;
    if (only)
      return std::nullopt;
    only = candidate.str();
  }
  return only;
}

LogicalResult QuantizedBinder::markWeights() {
  SmallVector<std::pair<Operation *, std::string>> constants;
  module.walk([&](Operation *op) {
    if (!isa<arith::ConstantOp, tosa::ConstOp, ParameterOp>(op))
      return;
    std::optional<ConstantTensor> constant = getConstant(op->getResult(0));
    if (!constant || constant->name.empty() || constant->type.getRank() < 2 ||
        constant->type != op->getResult(0).getType())
      return;
    if (std::optional<std::string> layer = findLayer(constant->name))
      constants.push_back({op, std::move(*layer)});
  });
  if (constants.empty()) {
    InFlightDiagnostic diagnostic =
        emitError(module.getLoc())
        << weights.checkpoint().mainFile() << ": no constant of the module has "
        << "the name of one of the " << layers.size() << " quantised layers";
    if (!layers.empty())
      diagnostic << " ('" << layers.front() << ".weight', …)";
    return diagnostic << "; --weight-names=FILE.json says which tensors the "
                         "handles of a module are";
  }
  for (auto &[op, layer] : constants) {
    OpBuilder builder(op);
    auto parameter =
        ParameterOp::create(builder, op->getLoc(), op->getResult(0).getType(),
                            kPendingScope, layer + ".weight", ElementsAttr());
    op->getResult(0).replaceAllUsesWith(parameter);
    op->erase();
    if (!llvm::is_contained(marked, layer))
      marked.push_back(layer);
  }
  return success();
}

/// The parameter whose scope is pending and that `weight` is, as it is or
/// transposed.
static ParameterOp getPending(Value weight) {
  if (auto transpose = weight.getDefiningOp<TransposeOp>())
    weight = transpose.getWeight();
  auto parameter = weight.getDefiningOp<ParameterOp>();
  return parameter && parameter.getScope() == kPendingScope ? parameter
                                                            : ParameterOp();
}

FailureOr<WeightParameters> QuantizedBinder::getParameters(LinearOp op,
                                                           StringRef layer) {
  StringRef key = *llvm::find(marked, layer);
  Block *block = op->getBlock();
  auto known = parameters.find({block, key});
  if (known != parameters.end())
    return known->second;
  auto type = cast<RankedTensorType>(op.getWeight().getType());
  auto weight = weights.read(layer, type.getDimSize(0), type.getDimSize(1));
  if (!weight)
    return op.emitError() << llvm::toString(weight.takeError());
  OpBuilder builder = OpBuilder::atBlockBegin(block);
  WeightParameters made =
      createWeightParameters(builder, op.getLoc(), op.getLayer(), *weight);
  parameters[{block, key}] = made;
  return made;
}

LogicalResult QuantizedBinder::replaceLayers() {
  SmallVector<LinearOp> linears;
  module.walk([&](LinearOp op) {
    if (getPending(op.getWeight()))
      linears.push_back(op);
  });
  for (LinearOp op : linears) {
    ParameterOp pending = getPending(op.getWeight());
    StringRef layer = pending.getName().drop_back(StringRef(".weight").size());
    FailureOr<WeightParameters> made = getParameters(op, layer);
    if (failed(made))
      return failure();
    OpBuilder builder(op);
    Value x = op.getX(), xScales;
    ActivationSchemeAttr xScheme;
    // Floats of one byte are multiplied with their kind only.
    const formats::LayerConfig *config = weights.config().find(layer);
    if (config && config->floatActivationsPerToken) {
      xScheme = ActivationSchemeAttr::get(builder.getContext(), 8,
                                          Granularity::PerToken, -1,
                                          /*isFloat=*/true);
      auto quantize = QuantizeOp::create(builder, op.getLoc(), x, xScheme);
      x = quantize.getCodes();
      xScales = quantize.getScales();
    }
    auto matmul = MatmulOp::create(
        builder, op.getLoc(), op.getY().getType(), x, made->codes, made->scales,
        made->zeroPoints, made->permutation, op.getBias(), xScales,
        /*x_zero_points=*/Value(), made->scheme, xScheme, op.getLayerAttr());
    op.getY().replaceAllUsesWith(matmul.getY());
    Operation *transpose = op.getWeight().getDefiningOp<TransposeOp>();
    op.erase();
    if (transpose && transpose->use_empty())
      transpose->erase();
  }
  WalkResult left = module.walk([&](ParameterOp op) {
    if (op.getScope() != kPendingScope)
      return WalkResult::advance();
    if (op->use_empty()) {
      op.erase();
      return WalkResult::advance();
    }
    op.emitError() << weights.checkpoint().mainFile() << ": '" << op.getName()
                   << "' is quantised, but the module uses it for more than "
                      "linear layers, which needs it in float";
    return WalkResult::interrupt();
  });
  return failure(left.wasInterrupted());
}

LogicalResult BindQuantized::run() {
  ModuleOp module = getOperation();
  Location location = module.getLoc();
  auto *dialect = module.getContext()->getLoadedDialect<QuantLLMDialect>();
  // The path is seen from where the user is, as bind-parameters sees it.
  auto checkpoint = dialect->getStore().open(
      resolveModulePath(module, getModulePath(module, weights)));
  if (!checkpoint) {
    // Who needs it first says so, at its place.
    llvm::consumeError(checkpoint.takeError());
    return bindParameters(module, {weights, weightNames});
  }
  auto quantized = formats::QuantizedCheckpoint::open(*checkpoint);
  if (!quantized)
    return emitError(location) << llvm::toString(quantized.takeError());
  if (!*quantized)
    return bindParameters(module, {weights, weightNames});

  BindingContext context;
  context.module = module;
  context.search = true;
  if (!weightNames.empty()) {
    FailureOr<WeightNames> names = WeightNames::read(weightNames, location);
    if (failed(names))
      return failure();
    context.names = std::move(*names);
  }
  QuantizedBinder binder(module, **quantized, context);
  if (failed(binder.markWeights()))
    return failure();
  recordWeights(module, kModelScope, weights);
  if (failed(bindArguments(context)) || failed(bindConstants(context)))
    return failure();

  RaiseLinearPassOptions raise;
  for (const std::string &layer : binder.found())
    raise.only.push_back(layer);
  OpPassManager raising(ModuleOp::getOperationName());
  raising.addPass(createRaiseLinearPass(raise));
  if (failed(runPipeline(raising, module)) || failed(binder.replaceLayers()))
    return failure();
  if ((*quantized)->labelLied())
    emitRemark(location)
        << (*checkpoint)->mainFile() << ": the config says "
        << ((*quantized)->config().storesTrueZeros ? "gptq_v2" : "gptq")
        << ", but the zero points are those of the other version; read as they "
           "are";
  if (llvm::any_of((*quantized)->config().layers, [](const auto &layer) {
        return layer.activations && !layer.floatActivationsPerToken;
      }))
    emitRemark(location)
        << (*checkpoint)->mainFile()
        << ": the config quantises activations too; here they are what "
           "lower-to-cpu's activations= says";
  return success();
}
