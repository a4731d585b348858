//===- ApplyFold.cpp - Divides what a plan names --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScaleFolding.h"

#include "../Raising/Constants.h"
#include "../Recipe.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace {

/// Carries out one plan.
class Applier {
public:
  Applier(Value factors, StringRef layer)
      : factors(factors), layer(layer.str()) {}

  LogicalResult apply(const FoldPlan::ScaledConstant &constant);
  LogicalResult apply(const FoldPlan::ScaledLinear &linear);

  std::vector<std::string> names;

private:
  /// The constant `root`, divided by the factors of its channels.
  FailureOr<Value> divide(OpBuilder &builder, Value root, const ChannelMap &map,
                          double offset);
  /// The factors of a dimension with these digits.
  Value gather(OpBuilder &builder, ArrayRef<ChannelDigit> digits);
  /// The constant as a parameter, which recipes are made of.
  FailureOr<Value> getParameter(OpBuilder &builder, Value constant,
                                StringRef suffix);

  Value factors;
  std::string layer;
  /// Constants that are divided already: several blocks may share a norm's.
  struct Divided {
    Value root;
    ChannelMap map;
    double offset;
    Block *block;
    Value scaled;
  };
  std::vector<Divided> divided;
};

} // namespace

/// A tensor of torch, which has types of its own.
static Value castTo(OpBuilder &builder, Location location, Value value,
                    Type type) {
  OperationState state(location, "torch_c.from_builtin_tensor");
  state.addOperands(value);
  state.addTypes(type);
  return builder.create(state)->getResult(0);
}

Value Applier::gather(OpBuilder &builder, ArrayRef<ChannelDigit> digits) {
  hoistBefore(factors, &*builder.getInsertionPoint());
  int64_t channels = cast<RankedTensorType>(factors.getType()).getDimSize(0);
  if (digits.size() == 1 && digits[0] == ChannelDigit{channels, 1})
    return factors;
  SmallVector<int64_t> sizes, strides, first, counts;
  int64_t count = 1;
  for (ChannelDigit digit : digits) {
    sizes.push_back(digit.size);
    strides.push_back(digit.stride);
    first.push_back(digit.first);
    counts.push_back(digit.isPartial() ? digit.count : digit.size);
    count *= digit.size;
  }
  bool isPartial = llvm::any_of(
      digits, [](ChannelDigit digit) { return digit.isPartial(); });
  return GatherFactorsOp::create(
      builder, factors.getLoc(),
      RankedTensorType::get({count}, builder.getF32Type()), factors,
      builder.getDenseI64ArrayAttr(sizes),
      builder.getDenseI64ArrayAttr(strides),
      isPartial ? builder.getDenseI64ArrayAttr(first) : DenseI64ArrayAttr(),
      isPartial ? builder.getDenseI64ArrayAttr(counts) : DenseI64ArrayAttr());
}

FailureOr<Value> Applier::getParameter(OpBuilder &builder, Value constant,
                                       StringRef suffix) {
  std::string name = layer + suffix.str();
  Value value = constant;
  if (!isRecipeValue(constant)) {
    FailureOr<Value> made = createParameter(builder, constant.getLoc(),
                                            *getConstant(constant), name);
    if (failed(made))
      return failure();
    value = *made;
    // It may be one that the block has further down.
    hoistBefore(value, &*builder.getInsertionPoint());
  }
  // Through views and what earlier folds did.
  Value root = value;
  while (root.getDefiningOp()->getNumOperands() > 0)
    root = root.getDefiningOp()->getOperand(0);
  if (auto parameter = root.getDefiningOp<ParameterOp>())
    name = parameter.getName().str();
  names.push_back("'" + name + "'");
  return value;
}

FailureOr<Value> Applier::divide(OpBuilder &builder, Value root,
                                 const ChannelMap &map, double offset) {
  for (const Divided &known : divided)
    if (known.root == root && known.map == map && known.offset == offset &&
        known.block == builder.getBlock()) {
      hoistBefore(known.scaled, &*builder.getInsertionPoint());
      return known.scaled;
    }
  FailureOr<Value> parameter = getParameter(builder, root, ".input_norm");
  if (failed(parameter))
    return failure();
  Location location = factors.getLoc();
  Value scaled;
  if (isOnLastDim(map))
    scaled = ScaleColumnsOp::create(builder, location, parameter->getType(),
                                    *parameter, gather(builder, map.back()),
                                    /*inverse=*/true, llvm::APFloat(offset));
  else
    scaled = ScaleRowsOp::create(builder, location, parameter->getType(),
                                 *parameter, gather(builder, map.front()),
                                 /*inverse=*/true);
  if (scaled.getType() != root.getType())
    scaled = castTo(builder, location, scaled, root.getType());
  divided.push_back({root, map, offset, builder.getBlock(), scaled});
  return scaled;
}

LogicalResult Applier::apply(const FoldPlan::ScaledConstant &constant) {
  // Down to the constant; what lies between is copied, for others may read it.
  ConstantChannels view = *getConstantChannels(*constant.operand, constant.map);
  ArrayRef<OpOperand *> path = view.path;
  const ChannelMap &map = view.map;
  Value root = view.root;
  OpBuilder builder(root.getContext());
  builder.setInsertionPoint(path.front()->getOwner());
  // An element read inside of a body: the constants are outside.
  if (isa<linalg::LinalgOp>(builder.getBlock()->getParentOp()))
    builder.setInsertionPoint(builder.getBlock()->getParentOp());
  FailureOr<Value> scaled = divide(builder, root, map, constant.offset);
  if (failed(scaled))
    return failure();
  Value value = *scaled;
  // The operand at the constant is the last of the path.
  for (OpOperand *operand : llvm::reverse(path.drop_front())) {
    Operation *between = operand->getOwner();
    // An element read inside of a body: the op around it.
    if (isa<linalg::LinalgOp>(between->getParentOp()))
      between = between->getParentOp();
    IRMapping mapping;
    mapping.map(operand->get(), value);
    value = builder.clone(*between, mapping)->getResult(0);
  }
  constant.operand->set(value);
  return success();
}

LogicalResult Applier::apply(const FoldPlan::ScaledLinear &linear) {
  OpBuilder builder(linear.op);
  OpOperand *weight, *bias = nullptr;
  StringRef name;
  if (auto op = dyn_cast<LinearOp>(linear.op)) {
    weight = &op.getWeightMutable();
    if (op.getBias())
      bias = &op.getBiasMutable()[0];
    name = op.getLayer();
  } else {
    auto matmul = cast<MatmulOp>(linear.op);
    // The weight that the first step of the recipe reads.
    weight = &matmul.getCodes().getDefiningOp()->getOpOperand(0);
    while (isa_and_present<ClipOp, ScaleColumnsOp, ScaleRowsOp>(
        weight->get().getDefiningOp()))
      weight = &weight->get().getDefiningOp()->getOpOperand(0);
    if (matmul.getBias())
      bias = &matmul.getBiasMutable()[0];
    name = matmul.getLayer();
  }
  names.push_back("'" + name.str() + "'");
  builder.setInsertionPoint(weight->getOwner());
  Value gathered = gather(builder, linear.rows);
  weight->set(ScaleRowsOp::create(builder, factors.getLoc(),
                                  weight->get().getType(), weight->get(),
                                  gathered, /*inverse=*/true));
  if (!bias)
    return success();
  builder.setInsertionPoint(linear.op);
  // The layer whose bias it is names it.
  layer = name.str();
  FailureOr<Value> parameter = getParameter(builder, bias->get(), ".bias");
  if (failed(parameter))
    return failure();
  bias->set(ScaleColumnsOp::create(builder, factors.getLoc(),
                                   parameter->getType(), *parameter, gathered,
                                   /*inverse=*/true, llvm::APFloat(0.0)));
  return success();
}

FailureOr<std::vector<std::string>>
qk::quant_llm::applyFold(const FoldPlan &plan, Value factors, StringRef layer) {
  Applier applier(factors, layer);
  for (const FoldPlan::ScaledConstant &constant : plan.constants)
    if (failed(applier.apply(constant)))
      return failure();
  for (const FoldPlan::ScaledLinear &linear : plan.linears)
    if (failed(applier.apply(linear)))
      return failure();
  return applier.names;
}
