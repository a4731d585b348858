//===- SegmentProgram.cpp - A part of a function, compiled ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SegmentProgram.h"

#include "FunctionFlow.h"

#include "Stopwatch.h"

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/HostToLLVM/StorageTypes.h"
#include "qk/Conversion/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace qk;
using namespace qk::calibration;

quant_llm::ParameterOp
qk::calibration::getWeightParameter(quant_llm::LinearOp layer) {
  Value weight = layer.getWeight();
  if (auto transpose = weight.getDefiningOp<quant_llm::TransposeOp>())
    weight = transpose.getWeight();
  return weight.getDefiningOp<quant_llm::ParameterOp>();
}

/// Whether a parameter can be an argument: its elements are whole bytes.
static bool canPass(quant_llm::ParameterOp op) {
  return op.getStorageType() == op.getResult().getType();
}

namespace {

/// Copies what some values depend on into a function. The order of its ops
/// follows from their uses alone, so that equal parts give equal text.
class Extraction {
public:
  Extraction(ModelCopy &copy, const llvm::StringSet<> &rounded,
             ArrayRef<Value> kept);

  LogicalResult run(ArrayRef<Value> results, ArrayRef<Operation *> assertions);

  OwningOpRef<ModuleOp> module;
  std::vector<SegmentArgument> arguments;

private:
  LogicalResult add(Operation *op);
  LogicalResult clone(Operation *op);
  /// What `op` is copied after; empty where it is not copied.
  SmallVector<Value> dependencies(Operation *op) const;
  bool isRounded(Operation *op) const {
    auto linear = dyn_cast<quant_llm::LinearOp>(op);
    return linear && rounded.contains(linear.getLayer());
  }
  /// Maps a value that is not computed here, if it is one, to an argument.
  bool mapArgument(Value value);
  Value addArgument(SegmentArgument::Kind kind, Value value, Type type,
                    StringRef layer = "");

  ModelCopy &copy;
  const llvm::StringSet<> &rounded;
  llvm::DenseSet<Value> kept;
  func::FuncOp function;
  OpBuilder builder;
  IRMapping mapping;
  llvm::DenseSet<Operation *> done;
};

} // namespace

Extraction::Extraction(ModelCopy &copy, const llvm::StringSet<> &rounded,
                       ArrayRef<Value> kept)
    : copy(copy), rounded(rounded), kept(kept.begin(), kept.end()),
      builder(copy.getContext()) {
  ModuleOp original = copy.getModule();
  module = ModuleOp::create(original.getLoc());
  // Where sub-byte parameters are.
  (*module)->setAttrs(original->getAttrDictionary());
  builder.setInsertionPointToEnd(module->getBody());
  function = func::FuncOp::create(builder, original.getLoc(), "segment",
                                  builder.getFunctionType({}, {}));
  builder.setInsertionPointToEnd(function.addEntryBlock());
}

Value Extraction::addArgument(SegmentArgument::Kind kind, Value value,
                              Type type, StringRef layer) {
  arguments.push_back({kind, value, layer.str()});
  return function.front().addArgument(type, builder.getUnknownLoc());
}

bool Extraction::mapArgument(Value value) {
  if (mapping.contains(value))
    return true;
  if (isa<BlockArgument>(value)) {
    mapping.map(value,
                addArgument(SegmentArgument::Input, value, value.getType()));
    return true;
  }
  if (kept.contains(value)) {
    if (isa<RankedTensorType>(value.getType())) {
      mapping.map(value,
                  addArgument(SegmentArgument::Kept, value, value.getType()));
      return true;
    }
    Value box = addArgument(SegmentArgument::Kept, value,
                            RankedTensorType::get({}, value.getType()));
    mapping.map(value, tensor::ExtractOp::create(
                           builder, builder.getUnknownLoc(), box, ValueRange())
                           .getResult());
    return true;
  }
  auto parameter = value.getDefiningOp<quant_llm::ParameterOp>();
  if (!parameter || !canPass(parameter))
    return false;
  mapping.map(value,
              addArgument(SegmentArgument::Parameter, value, value.getType()));
  return true;
}

SmallVector<Value> Extraction::dependencies(Operation *op) const {
  // The weight of a rounded layer is an argument of its own.
  if (isRounded(op)) {
    auto linear = cast<quant_llm::LinearOp>(op);
    SmallVector<Value> values = {linear.getX()};
    if (linear.getBias())
      values.push_back(linear.getBias());
    return values;
  }
  return FunctionFlow::inputsOf(op);
}

LogicalResult Extraction::clone(Operation *op) {
  if (auto linear = dyn_cast<quant_llm::LinearOp>(op)) {
    Value weight;
    if (isRounded(op)) {
      Value source = linear.getWeight();
      if (!isParameterView(source))
        return copy.errorAt(op)
               << "can't calibrate block by block: expected the weight of "
                  "layer '"
               << linear.getLayer()
               << "' to be a parameter, got a computed one; leave out "
                  "sequential";
      quant_llm::ParameterOp parameter = getWeightParameter(linear);
      bool transposed =
          parameter && source.getDefiningOp<quant_llm::TransposeOp>();
      if (parameter)
        source = parameter.getResult();
      auto type = cast<RankedTensorType>(source.getType());
      weight = addArgument(SegmentArgument::Weight, source,
                           type.clone(builder.getF32Type()), linear.getLayer());
      if (transposed)
        weight = quant_llm::TransposeOp::create(
            builder, builder.getUnknownLoc(), weight);
    } else {
      weight = mapping.lookup(linear.getWeight());
    }
    Value bias = linear.getBias() ? mapping.lookup(linear.getBias()) : Value();
    // No name: equal layers have equal text.
    mapping.map(linear.getY(),
                quant_llm::LinearOp::create(
                    builder, op->getLoc(), linear.getY().getType(),
                    mapping.lookup(linear.getX()), weight, bias, "layer")
                    .getY());
    return success();
  }
  builder.clone(*op, mapping);
  return success();
}

/// Copies an op after what it depends on.
LogicalResult Extraction::add(Operation *root) {
  SmallVector<std::pair<Operation *, bool>> stack = {{root, false}};
  while (!stack.empty()) {
    auto [op, ready] = stack.pop_back_val();
    if (ready) {
      if (done.insert(op).second && failed(clone(op)))
        return failure();
      continue;
    }
    if (done.contains(op))
      continue;
    stack.push_back({op, true});
    SmallVector<Operation *> first;
    for (Value value : dependencies(op))
      if (!mapArgument(value))
        first.push_back(value.getDefiningOp());
    for (Operation *dependency : llvm::reverse(first))
      stack.push_back({dependency, false});
  }
  return success();
}

LogicalResult Extraction::run(ArrayRef<Value> results,
                              ArrayRef<Operation *> assertions) {
  for (Operation *assertion : assertions)
    if (failed(add(assertion)))
      return failure();
  SmallVector<Value> returned;
  for (Value value : results) {
    if (!mapArgument(value) && failed(add(value.getDefiningOp())))
      return failure();
    Value mapped = mapping.lookup(value);
    if (!isa<RankedTensorType>(mapped.getType()))
      mapped = tensor::FromElementsOp::create(
          builder, builder.getUnknownLoc(),
          RankedTensorType::get({}, mapped.getType()), mapped);
    returned.push_back(mapped);
  }
  func::ReturnOp::create(builder, builder.getUnknownLoc(), returned);
  function.setType(builder.getFunctionType(function.front().getArgumentTypes(),
                                           TypeRange(ValueRange(returned))));
  return success();
}

FailureOr<std::shared_ptr<Executable>> SegmentCompiler::lower(ModuleOp module) {
  if (failed(copy.run(
          module, "lowering a part of it failed", [](OpPassManager &pm) {
            pm.addPass(createQuantLLMToReference({/*plain=*/false}));
            buildHostToLLVMPipeline(pm, HostToLLVMOptions());
          })))
    return failure();
  auto executable = Executable::compile(module);
  if (!executable)
    return emitError(copy.getLocation())
           << "calibration failed: " << llvm::toString(executable.takeError());
  return std::shared_ptr<Executable>(std::move(*executable));
}

FailureOr<Segment> SegmentCompiler::compile(ArrayRef<Value> kept,
                                            ArrayRef<Value> results,
                                            ArrayRef<Operation *> assertions) {
  Timed timed(spent);
  Extraction extraction(copy, rounded, kept);
  if (failed(extraction.run(results, assertions)))
    return failure();
  Segment segment;
  segment.arguments = std::move(extraction.arguments);
  segment.results.assign(results.begin(), results.end());
  std::string text;
  llvm::raw_string_ostream stream(text);
  // A resource's key tells it from others; its data may be large.
  extraction.module->print(stream,
                           OpPrintingFlags().elideLargeResourceString(0));
  std::shared_ptr<Executable> &code = codes[text];
  if (!code) {
    FailureOr<std::shared_ptr<Executable>> lowered = lower(*extraction.module);
    if (failed(lowered)) {
      codes.erase(text);
      return failure();
    }
    code = *lowered;
  }
  segment.code = code;
  return segment;
}
