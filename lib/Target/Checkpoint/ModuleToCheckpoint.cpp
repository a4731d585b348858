//===- ModuleToCheckpoint.cpp - A module as a checkpoint ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/Checkpoint/ModuleToCheckpoint.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Formats/CheckpointWriter.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/StringSwitch.h"

#include <deque>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;
using formats::ActivationScale;
using formats::Format;

/// The scope of what evaluating leaves.
static constexpr StringLiteral kEvaluatedScope = "quantized";

namespace {

/// Reads what is to be written out of a module.
class Collector {
public:
  Collector(ModuleOp module, formats::CheckpointToWrite &job)
      : module(module), job(job) {}

  LogicalResult collectLayers();
  LogicalResult collectTensors();

private:
  LogicalResult addLayer(MatmulOp op);
  LogicalResult readActivations(MatmulOp op, formats::LayerToWrite &layer);
  /// Takes a parameter for a part of a layer; its key.
  std::string take(Value parameter);

  ModuleOp module;
  formats::CheckpointToWrite &job;
  /// Codes that are written already, and what belongs to layers.
  llvm::StringSet<> codes, taken;
  /// Owners of the bytes that the job refers to.
  std::deque<ParameterData> data;
};

} // namespace

static std::string keyOf(ParameterOp op) {
  return (op.getScope() + Twine('\0') + op.getName()).str();
}

std::string Collector::take(Value parameter) {
  auto op = parameter ? parameter.getDefiningOp<ParameterOp>() : ParameterOp();
  if (!op)
    return "";
  std::string key = keyOf(op);
  taken.insert(key);
  return key;
}

LogicalResult Collector::readActivations(MatmulOp op,
                                         formats::LayerToWrite &layer) {
  Value scales = op.getXScales();
  if (!scales)
    return success();
  Operation *producer = scales.getDefiningOp();
  while (isa_and_present<tensor::CastOp, tensor::CollapseShapeOp,
                         tensor::ExpandShapeOp>(producer))
    producer = producer->getOperand(0).getDefiningOp();
  auto quantize = dyn_cast_if_present<QuantizeOp>(producer);
  if (!quantize || op.getXZeroPoints())
    return op.emitError()
           << "layer '" << op.getLayer()
           << "': expected activations as quant_llm.quantize makes them, "
              "symmetric, got others";
  if (quantize.getFactors())
    return op.emitError()
           << "layer '" << op.getLayer()
           << "': its input is divided by factors as the model runs, which a "
              "checkpoint can't say; quantise with layers=norms or foldable";
  ActivationSchemeAttr scheme = quantize.getScheme();
  if (scheme.getBits() != 8)
    return op.emitError() << "layer '" << op.getLayer()
                          << "': a checkpoint says activations of 8 bits, got "
                          << scheme.getBits();
  switch (scheme.getGranularity()) {
  case Granularity::PerTensor:
    layer.shape.activations = ActivationScale::Tensor;
    break;
  case Granularity::PerToken:
    layer.shape.activations = ActivationScale::Token;
    break;
  case Granularity::PerTokenGroup:
    layer.shape.activations = ActivationScale::TokenGroup;
    layer.shape.activationGroup = scheme.getGroup();
    break;
  }
  layer.shape.floatActivations = scheme.getIsFloat();
  Value given = quantize.getStaticScale();
  if (!given)
    return success();
  layer.shape.activations = ActivationScale::StaticTensor;
  auto parameter = given.getDefiningOp<ParameterOp>();
  if (!parameter)
    return quantize.emitError()
           << "expected the static scale to be a parameter, which evaluating "
              "the recipe leaves; run quant-llm-evaluate first";
  FailureOr<std::vector<float>> value = readAsFloat(parameter);
  if (failed(value))
    return failure();
  layer.inputScale = value->front();
  take(given);
  return success();
}

LogicalResult Collector::addLayer(MatmulOp op) {
  auto parameter = op.getCodes().getDefiningOp<ParameterOp>();
  if (!parameter)
    return op.emitError()
           << "layer '" << op.getLayer()
           << "': expected codes to be a parameter, which evaluating the "
              "recipe leaves; run quant-llm-evaluate first";
  std::string key = take(op.getCodes());
  take(op.getScales());
  take(op.getZeroPoints());
  take(op.getPermutation());
  // A weight that several matmuls use is one layer.
  if (!codes.insert(key + '\0' + op.getLayer().str()).second)
    return success();
  auto type = cast<RankedTensorType>(op.getCodes().getType());
  formats::LayerToWrite layer;
  layer.shape.name = op.getLayer().str();
  layer.shape.n = type.getDimSize(0);
  layer.shape.k = type.getDimSize(1);
  layer.shape.scheme = op.getScheme().getScheme();
  layer.shape.zeroPoints = static_cast<bool>(op.getZeroPoints());
  layer.shape.permutation = static_cast<bool>(op.getPermutation());
  if (failed(readActivations(op, layer)))
    return failure();
  layer.read = [op]() mutable -> llvm::Expected<numerics::QuantizedWeight> {
    FailureOr<numerics::QuantizedWeight> weight =
        readQuantizedWeight(op, op.getScheme(), op.getCodes(), op.getScales(),
                            op.getZeroPoints(), op.getPermutation());
    if (failed(weight))
      return storage::makeError("layer '" + op.getLayer() + "' can't be read");
    return std::move(*weight);
  };
  job.layers.push_back(std::move(layer));
  return success();
}

LogicalResult Collector::collectLayers() {
  WalkResult result = module.walk([&](Operation *op) -> WalkResult {
    if (auto matmul = dyn_cast<MatmulOp>(op))
      return addLayer(matmul);
    if (auto packed = dyn_cast<PackedMatmulOp>(op))
      return packed.emitError()
             << "the layer is packed for a target already; write the "
                "checkpoint from the module before --lower-to-cpu or "
                "--lower-to-nvvm";
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  if (job.layers.empty())
    return emitError(module.getLoc())
           << "the module has no quantised layer; quantise it (--gptq, --rtn, "
              "--awq, --smoothquant), and write the checkpoint before lowering";
  return success();
}

LogicalResult Collector::collectTensors() {
  llvm::StringSet<> seen;
  WalkResult result = module.walk([&](ParameterOp op) -> WalkResult {
    std::string key = keyOf(op);
    if (taken.contains(key) || !seen.insert(key).second)
      return WalkResult::advance();
    RankedTensorType type = op.getStorageType();
    std::optional<storage::DataType> dataType =
        getDataType(type.getElementType());
    if (!dataType)
      return WalkResult::advance();
    FailureOr<ParameterData> bytes = getParameterData(op);
    if (failed(bytes))
      return failure();
    data.push_back(std::move(*bytes));
    job.tensors.push_back({op.getName().str(), *dataType, type.getShape().vec(),
                           data.back().bytes,
                           op.getScope() == kEvaluatedScope});
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

static std::optional<formats::TargetFormat>
parseFormat(StringRef name, ArrayRef<formats::LayerToWrite> layers) {
  bool allSigned = llvm::all_of(
      layers, [](const auto &layer) { return layer.shape.scheme.isSigned(); });
  bool allFloat = llvm::all_of(
      layers, [](const auto &layer) { return layer.shape.scheme.isFloat(); });
  using Result = std::optional<formats::TargetFormat>;
  auto target = [](Format format, bool storesTrueZeros = false) -> Result {
    return formats::TargetFormat{format, storesTrueZeros};
  };
  return llvm::StringSwitch<Result>(name)
      .Case("gptq", target(Format::Gptq))
      .Case("gptq_v2", target(Format::Gptq, /*storesTrueZeros=*/true))
      .Case("awq", target(Format::AwqGemm))
      .Case("compressed-tensors", target(allFloat    ? Format::FloatQuantized
                                         : allSigned ? Format::IntQuantized
                                                     : Format::PackQuantized))
      .Case("pack-quantized", target(Format::PackQuantized))
      .Case("int-quantized", target(Format::IntQuantized))
      .Case("float-quantized", target(Format::FloatQuantized))
      .Default(std::nullopt);
}

LogicalResult qk::writeCheckpoint(ModuleOp module,
                                  const CheckpointOptions &options) {
  formats::CheckpointToWrite job;
  // The name first: layers say only what a format with several is.
  if (!parseFormat(options.format, {}))
    return emitError(module.getLoc())
           << "expected a format of gptq, gptq_v2, awq, compressed-tensors, "
              "pack-quantized, int-quantized, float-quantized, got '"
           << options.format << "'";
  Collector collector(module, job);
  if (failed(collector.collectLayers()) || failed(collector.collectTensors()))
    return failure();
  job.target = *parseFormat(options.format, job.layers);
  job.output = options.output;
  job.source = options.source;
  if (job.source.empty()) {
    auto weights =
        module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kWeightsAttr);
    auto path = weights ? weights.getAs<StringAttr>("model") : StringAttr();
    if (!path)
      return emitError(module.getLoc())
             << "the module names no checkpoint that embeddings, norms and "
                "config come from; name it with --from=FOLDER";
    job.source = resolveModulePath(module, path);
  }
  if (llvm::Error error = formats::writeCheckpoint(job))
    return emitError(module.getLoc()) << llvm::toString(std::move(error));
  return success();
}
