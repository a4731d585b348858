//===- SequentialPlan.cpp - What to run, segment by segment ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// SequentialRun::prepare: the copy of the model, its samples and the plan.
///
//===----------------------------------------------------------------------===//

#include "HeldOut.h"
#include "ObservedModel.h"
#include "SequentialRun.h"

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/HostToLLVM/StorageTypes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/TosaToArith/TosaToArith.h"
#include "mlir/Conversion/TosaToLinalg/TosaToLinalg.h"
#include "mlir/Conversion/TosaToTensor/TosaToTensor.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace qk;
using namespace qk::calibration;

/// The layers whose statistics the recipe of `value` names, with their kinds.
static void
walkStatistics(Value value,
               llvm::function_ref<void(quant_llm::StatisticOp)> visit) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<quant_llm::ParameterOp>(op))
    return;
  if (auto statistic = dyn_cast<quant_llm::StatisticOp>(op))
    return visit(statistic);
  for (Value operand : op->getOperands())
    walkStatistics(operand, visit);
}

/// Reads from the recipes what is rounded and which statistics that takes.
LogicalResult SequentialRun::readUses(ModuleOp original) {
  original.walk([&](quant_llm::MatmulOp op) {
    Operation *rounding = op.getCodes().getDefiningOp();
    if (!isa_and_nonnull<quant_llm::RoundToNearestOp,
                         quant_llm::RoundCompensatedOp>(rounding))
      return;
    rounded.insert(op.getLayer());
    for (Value operand : rounding->getOperands())
      walkStatistics(operand, [&](quant_llm::StatisticOp statistic) {
        uses.emplace_back(op.getLayer().str(), statistic.getLayer().str());
      });
  });
  original.walk([&](quant_llm::StatisticOp op) {
    if (op.getKind() == quant_llm::StatisticKind::Cross)
      crossed.insert(op.getLayer());
    else if (op.getKind() == quant_llm::StatisticKind::Residual)
      residuals.insert(op.getLayer());
  });
  if (rounded.empty())
    return emitError(original.getLoc())
           << "can't calibrate block by block: no layer is rounded, so that "
              "nothing changes from block to block; leave out sequential, or "
              "add a method";
  return success();
}

LogicalResult SequentialRun::chooseEntry() {
  std::string known;
  for (auto candidate : copy->getModule().getOps<func::FuncOp>()) {
    if (candidate.isExternal() || !candidate.isPublic())
      continue;
    if (candidate.getName() == options.entry)
      function = candidate;
    else if (options.entry.empty() && known.empty())
      function = candidate;
    else if (options.entry.empty())
      function = nullptr;
    known += (known.empty() ? "" : ", ") + candidate.getName().str();
  }
  if (function)
    return success();
  return fail(storage::makeError(
      known.empty() ? llvm::Twine("the module has no public function to run")
      : options.entry.empty()
          ? "the module has several functions to run (" + llvm::Twine(known) +
                "); choose one with entry="
          : "no function '" + llvm::Twine(options.entry) +
                "' to run; there is " + known));
}

LogicalResult SequentialRun::openSamples() {
  std::vector<execution::SampleArgument> arguments;
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    std::optional<storage::DataType> element;
    if (type)
      element = storageTypeOf(type.getElementType());
    if (!element)
      return copy->errorAt(function)
             << "can't calibrate on function '" << function.getName()
             << "': expected ranked tensors of f16, bf16, f32, f64, i1, i8 to "
                "i64 or index in its signature, got "
             << argument.getType();
    execution::SampleArgument &each = arguments.emplace_back();
    if (auto named = dyn_cast<NameLoc>(argument.getLoc()))
      each.name = named.getName().str();
    each.type = *element;
    for (int64_t size : type.getShape())
      each.shape.push_back(ShapedType::isDynamic(size) ? -1 : size);
  }
  auto file = execution::SampleFile::open(options.inputs, arguments);
  if (!file)
    return fail(file.takeError());
  samples = std::move(*file);
  std::map<std::vector<int64_t>, size_t> numbers;
  states.resize(samples->size());
  for (size_t i = 0; i < samples->size(); ++i) {
    std::vector<int64_t> shapes;
    for (const execution::SampleTensor &value : (*samples)[i].arguments)
      shapes.insert(shapes.end(), value.shape.begin(), value.shape.end());
    for (auto [argument, value] :
         llvm::zip_equal(arguments, (*samples)[i].arguments))
      for (auto [declared, size] : llvm::zip_equal(argument.shape, value.shape))
        if (declared < 0)
          largestSize = std::max(largestSize, size);
    states[i].shapes =
        numbers.try_emplace(shapes, numbers.size()).first->second;
  }
  return success();
}

/// Where all samples have one shape, the function is made for that: what
/// depends on sizes alone is then computed now, and code for sizes that are
/// known is faster.
LogicalResult SequentialRun::fixShapes() {
  for (const SampleState &state : states)
    if (state.shapes != states.front().shapes)
      return success();
  OpBuilder builder = OpBuilder::atBlockBegin(&function.front());
  for (auto [argument, value] :
       llvm::zip_equal(function.getArguments(), (*samples)[0].arguments)) {
    auto type = cast<RankedTensorType>(argument.getType());
    if (type.hasStaticShape())
      continue;
    argument.setType(type.clone(value.shape));
    auto cast =
        tensor::CastOp::create(builder, argument.getLoc(), type, argument);
    argument.replaceAllUsesExcept(cast, cast);
  }
  function.setType(builder.getFunctionType(function.front().getArgumentTypes(),
                                           function.getResultTypes()));
  return success();
}

namespace {
/// A layer of an input whose shape is known, seen as one whose shape isn't.
struct FoldCastIntoLinear : OpRewritePattern<quant_llm::LinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(quant_llm::LinearOp op,
                                PatternRewriter &rewriter) const override {
    auto cast = op.getX().getDefiningOp<tensor::CastOp>();
    if (!tensor::canFoldIntoConsumerOp(cast))
      return rewriter.notifyMatchFailure(op, "the cast tells nothing new");
    Value y = quant_llm::LinearOp::create(rewriter, op.getLoc(),
                                          cast.getSource(), op.getWeight(),
                                          op.getBias(), op.getLayer());
    rewriter.replaceOpWithNewOp<tensor::CastOp>(op, op.getY().getType(), y);
    return success();
  }
};
} // namespace

/// All but conversions of weights, which are recognised as they are.
static LogicalResult elementwiseToLinalg(ModuleOp module) {
  MLIRContext *context = module.getContext();
  context->loadDialect<linalg::LinalgDialect>();
  RewritePatternSet patterns(context);
  linalg::populateElementwiseToLinalgConversionPatterns(patterns);
  ConversionTarget target(*context);
  target.markUnknownOpDynamicallyLegal([](Operation *op) {
    return !OpTrait::hasElementwiseMappableTraits(op) ||
           llvm::none_of(op->getOperandTypes(),
                         llvm::IsaPred<RankedTensorType>) ||
           (op->getNumResults() == 1 && isParameterView(op->getResult(0)));
  });
  return applyPartialConversion(module, target, std::move(patterns));
}

/// Carries what is known of shapes through the function.
static LogicalResult refineShapes(ModuleOp module) {
  MLIRContext *context = module.getContext();
  RewritePatternSet patterns(context);
  for (Dialect *dialect : context->getLoadedDialects())
    dialect->getCanonicalizationPatterns(patterns);
  for (RegisteredOperationName op : context->getRegisteredOperations())
    op.getCanonicalizationPatterns(patterns, context);
  patterns.add<FoldCastIntoLinear>(context);
  return applyPatternsGreedily(module, std::move(patterns));
}

/// For the layers that are rounded before anything runs in parts.
LogicalResult SequentialRun::runFloatModel(ModuleOp original) {
  floatRun.emplace(options.inputs, options.entry, options.progress,
                   options.profile);
  floatRun->setHeldOut(options.heldOut);
  if (failed(floatRun->prepare(original, plan->first)))
    return failure();
  size_t all = plan->first.size();
  for (const SegmentPlan::Group &group : plan->groups)
    all += group.layers.size();
  emitRemark(original.getLoc())
      << plan->first.size() << " of " << all
      << " layers are calibrated on the float model and rounded before the "
         "others, not block by block: layer '"
      << plan->first.front()
      << "' reads several tensors, as a weight does that several blocks share";
  return success();
}

LogicalResult SequentialRun::prepare(ModuleOp original,
                                     ArrayRef<std::string> layers) {
  if (failed(readUses(original)))
    return failure();
  FailureOr<std::unique_ptr<ModelCopy>> made = ModelCopy::create(original);
  if (failed(made) || failed(checkObservers(original)))
    return failure();
  copy = std::move(*made);
  if (failed(copy->run(
          copy->getModule(), "inlining failed",
          [](OpPassManager &pm) { pm.addPass(createInlinerPass()); })) ||
      failed(chooseEntry()) || failed(openSamples()) || failed(fixShapes()))
    return failure();
  llvm::Expected<size_t> apart = findHeldOut(samples->size(), options.heldOut);
  if (!apart)
    return fail(apart.takeError());
  firstHeldOut = *apart;
  // What the lowering begins with: linalg's ops know how shapes follow from
  // each other.
  if (failed(copy->run(copy->getModule(), "lowering it to linalg failed",
                       [](OpPassManager &pm) {
                         OpPassManager &functions = pm.nest<func::FuncOp>();
                         functions.addPass(tosa::createTosaToLinalgNamed());
                         functions.addPass(tosa::createTosaToLinalg());
                         functions.addPass(createTosaToArithPass());
                         functions.addPass(createTosaToTensorPass());
                       })))
    return failure();
  if (failed(elementwiseToLinalg(copy->getModule())))
    return copy->fail("lowering it to linalg failed");
  if (failed(refineShapes(copy->getModule())))
    return copy->fail("simplifying it failed");
  // Sizes and assertions that can be decided are, so that equal blocks are
  // equal ops.
  if (failed(copy->run(copy->getModule(), "simplifying it failed",
                       [](OpPassManager &pm) {
                         pm.addPass(createCanonicalizerPass());
                         pm.addNestedPass<func::FuncOp>(
                             arith::createIntRangeOptimizationsPass());
                         pm.addPass(createCanonicalizerPass());
                         pm.addPass(createCSEPass());
                         pm.addNestedPass<func::FuncOp>(createSimplifyShapes());
                         pm.addPass(createCanonicalizerPass());
                         pm.addPass(createCSEPass());
                       })))
    return failure();
  FailureOr<SegmentPlan> planned =
      planSegments(*copy, function, layers, rounded, residuals, uses,
                   static_cast<double>(largestSize));
  if (failed(planned))
    return failure();
  plan = std::move(*planned);
  if (!plan->first.empty() && failed(runFloatModel(original)))
    return failure();
  compiler.emplace(*copy, rounded);
  auto mapped = MappedBuffers::create();
  if (!mapped)
    return fail(mapped.takeError());
  buffers = std::move(*mapped);
  inOrder = plan->first;
  for (const SegmentPlan::Group &group : plan->groups) {
    auto entry = std::make_unique<Entry>();
    for (const std::string &layer : group.layers) {
      inOrder.push_back(layer);
      byLayer[layer] = entry.get();
      ++entry->users;
    }
    entries.push_back(std::move(entry));
  }
  if (options.showSteps)
    plan->print(llvm::errs());
  watch = Stopwatch();
  return success();
}
