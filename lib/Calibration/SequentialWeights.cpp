//===- SequentialWeights.cpp - Weights of segments, float and rounded -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SequentialRun.h"

#include "qk/Conversion/HostToLLVM/StorageTypes.h"
#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Numerics/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/Format.h"

#include <cstring>

using namespace mlir;
using namespace qk;
using namespace qk::calibration;

/// The first layer of that name in `function`.
static quant_llm::LinearOp findLayer(func::FuncOp function, StringRef name) {
  quant_llm::LinearOp found;
  function.walk([&](quant_llm::LinearOp op) {
    if (op.getLayer() == name) {
      found = op;
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return found;
}

/// The bytes of a parameter: mapped where generated code can read them in
/// place.
llvm::Expected<Tensor> SequentialRun::readParameter(quant_llm::ParameterOp op) {
  if (auto known = parameters.find(op); known != parameters.end())
    return known->second;
  FailureOr<quant_llm::ParameterData> data = quant_llm::getParameterData(op);
  if (failed(data))
    return storage::makeError("can't read parameter '" + op.getName() +
                              "': " + copy->getReason());
  auto type = cast<RankedTensorType>(op.getResult().getType());
  Tensor tensor;
  tensor.type = *storageTypeOf(type.getElementType());
  tensor.shape.assign(type.getShape().begin(), type.getShape().end());
  auto owner = std::make_shared<quant_llm::ParameterData>(std::move(*data));
  tensor.data = owner->bytes.data();
  tensor.owner = owner;
  if (reinterpret_cast<uintptr_t>(tensor.data) % 8 != 0) {
    llvm::Expected<Tensor> copied = buffers->copy(tensor);
    if (!copied)
      return copied.takeError();
    tensor = *copied;
  }
  parameters[op] = tensor;
  return tensor;
}

/// A weight that is a parameter, reshaped, transposed and converted.
static FailureOr<std::vector<float>> readView(Value weight) {
  Operation *op = weight.getDefiningOp();
  if (auto parameter = dyn_cast<quant_llm::ParameterOp>(op))
    return quant_llm::readAsFloat(parameter);
  FailureOr<std::vector<float>> values = readView(op->getOperand(0));
  if (failed(values))
    return failure();
  auto type = cast<RankedTensorType>(weight.getType());
  if (isa<quant_llm::TransposeOp>(op)) {
    std::vector<float> transposed(values->size());
    numerics::transpose(values->data(), type.getDimSize(1), type.getDimSize(0),
                        transposed.data());
    return transposed;
  }
  if (isa<arith::TruncFOp>(op))
    numerics::roundElements(values->data(), values->size(),
                            type.getElementType().isF16()
                                ? numerics::ScaleType::F16
                                : numerics::ScaleType::BF16);
  // Others keep the elements and their order.
  return values;
}

llvm::Expected<Tensor>
SequentialRun::readWeight(const SegmentArgument &argument, bool exact) {
  if (!exact)
    if (auto known = weights.find(argument.layer); known != weights.end())
      return known->second;
  auto type = cast<RankedTensorType>(argument.value.getType());
  auto op = argument.value.getDefiningOp<quant_llm::ParameterOp>();
  if (op && type.getElementType().isF32())
    return readParameter(op);
  FailureOr<std::vector<float>> values = readView(argument.value);
  if (failed(values))
    return storage::makeError("can't read the weight of layer '" +
                              argument.layer + "': " + copy->getReason());
  llvm::Expected<Tensor> tensor =
      buffers->allocate(storage::DataType::F32, type.getShape());
  if (tensor)
    std::memcpy(MappedBuffers::writable(*tensor), values->data(),
                values->size() * sizeof(float));
  return tensor;
}

LogicalResult SequentialRun::setRounded(StringRef layer,
                                        ArrayRef<float> weight) {
  finished.insert(layer);
  quant_llm::LinearOp op = findLayer(function, layer);
  // Of a function that does not run.
  if (!op)
    return success();
  auto type = cast<RankedTensorType>(op.getWeight().getType());
  int64_t n = type.getDimSize(0), k = type.getDimSize(1);
  bool transposed = getWeightParameter(op) &&
                    op.getWeight().getDefiningOp<quant_llm::TransposeOp>();
  SmallVector<int64_t> shape = {n, k};
  if (transposed)
    std::swap(shape[0], shape[1]);
  llvm::Expected<Tensor> tensor =
      buffers->allocate(storage::DataType::F32, shape);
  if (!tensor)
    return fail(tensor.takeError());
  auto *target = static_cast<float *>(MappedBuffers::writable(*tensor));
  if (transposed)
    numerics::transpose(weight.data(), n, k, target);
  else
    std::memcpy(target, weight.data(), weight.size() * sizeof(float));
  if (llvm::is_contained(plan->first, layer)) {
    weights[layer] = *tensor;
    return success();
  }
  for (const SegmentPlan::Group &group : plan->groups)
    if (llvm::is_contained(group.layers, layer) && failed(reach(group.step)))
      return failure();
  rounding[layer] = *tensor;
  return success();
}

SequentialRun::~SequentialRun() {
  if (options.profile && step)
    printProfile();
}

void SequentialRun::printProfile() const {
  double forward = spent.quantized + spent.exact;
  llvm::errs() << llvm::format(
      "calibration: %zu samples, %lld tokens, block by block: %zu steps, %zu "
      "segments compiled in %.2f s; forward quantised %.2f s, float %.2f s, "
      "their contractions alone %.2f s (ratio %.2f); statistics %.2f s, cross "
      "moments %.2f s; solve %.2f s; kept at most %.1f MB\n",
      samples->size(), static_cast<long long>(spent.tokens), plan->steps.size(),
      compiler->compiled(), compiler->seconds(), spent.quantized, spent.exact,
      spent.contractions,
      spent.contractions > 0 ? forward / spent.contractions : 0.0,
      spent.statistics, spent.cross, watch.seconds() - spent.own,
      static_cast<double>(buffers->peak()) / 1e6);
}
