//===- RaiseQuantized.cpp - Quantised matmuls of other tools --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Evaluation/ResultWriter.h"
#include "Raising/Functions.h"
#include "Raising/LayerNames.h"
#include "Raising/LinearForm.h"
#include "Raising/QuantizedForm.h"
#include "Raising/UnlinkedOps.h"
#include "Raising/UnlinkedRewrite.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/RaisingPasses.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <map>
#include <memory>
#include <tuple>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_RAISEQUANTIZEDPASS
#include "qk/Dialect/QuantLLM/Transforms/RaisingPasses.h.inc"
} // namespace qk::quant_llm

/// Where dequantised weights are while their products are looked for, as if
/// they were float parameters; no file is ever named for it.
static constexpr StringLiteral kPendingScope = "quantized-in-module";

namespace {

/// A dequantised constant, for which a parameter stands meanwhile. (Known by
/// its name: raising erases it where it makes one of another shape of it.)
struct Pending {
  Value original;
  QuantizedConstant constant;
  RankedTensorType type;
  /// How it was arranged, for each way in which products read it.
  std::map<std::tuple<int64_t, int64_t, bool>, numerics::QuantizedWeight>
      weights;
  /// Why it was not.
  std::string reason;
  bool isUsed = false;
};

class QuantizedRaiser {
public:
  explicit QuantizedRaiser(ModuleOp module) : module(module) {}
  LogicalResult run();

private:
  void collect();
  void replaceProduct(Operation *op, QuantizedFinding finding,
                      StringRef function);
  void stage(Operation *op, QuantizedConstant constant);
  bool select(const LinearMatch &match);
  void replaceLinear(LinearOp op);
  void restoreUses();
  void finish(Pending &pending);

  ModuleOp module;
  std::optional<LayerNames> names;
  /// By the name of the parameter.
  llvm::StringMap<std::unique_ptr<Pending>> staged;
  SmallVector<Pending *> order;
};

struct RaiseQuantized
    : public qk::quant_llm::impl::RaiseQuantizedPassBase<RaiseQuantized> {
  using RaiseQuantizedPassBase::RaiseQuantizedPassBase;

  void runOnOperation() override {
    if (failed(QuantizedRaiser(getOperation()).run()))
      signalPassFailure();
  }
};

} // namespace

/// What a layer is called whose codes are called `name`; empty where that says
/// nothing.
static std::string layerOfCodes(StringRef name) {
  for (StringRef suffix :
       {".codes", ".qweight", ".weight_packed", ".weight_quantized",
        ".weight_q", ".weight", "_quantized", "_Q4"})
    if (name.size() > suffix.size() && name.consume_back(suffix))
      return name.str();
  return "";
}

void QuantizedRaiser::stage(Operation *op, QuantizedConstant constant) {
  Value result = op->getResult(0);
  RankedTensorType type = getTensorType(result);
  if (!type || !isa<FloatType>(type.getElementType()) ||
      type.getShape() != ArrayRef(constant.shape)) {
    op->emitRemark() << "not a quantised weight: its result isn't a float "
                        "tensor of the shape of its codes";
    return;
  }
  std::string base = layerOfCodes(constant.name);
  std::string name = base.empty() ? "quantized_cst_0" : base + ".weight";
  for (int i = 1; staged.contains(name); ++i)
    name = base.empty() ? "quantized_cst_" + std::to_string(i)
                        : base + "_" + std::to_string(i) + ".weight";
  OpBuilder builder(op);
  Value standing = ParameterOp::create(builder, op->getLoc(), type,
                                       kPendingScope, name, ElementsAttr());
  if (result.getType() != type) {
    OperationState state(op->getLoc(), "torch_c.from_builtin_tensor", standing,
                         result.getType());
    standing = builder.create(state)->getResult(0);
  }
  result.replaceAllUsesWith(standing);
  auto pending = std::make_unique<Pending>();
  pending->original = result;
  pending->constant = std::move(constant);
  pending->type = type;
  order.push_back(pending.get());
  staged[name] = std::move(pending);
}

/// Erases an op, also of a dialect that isn't linked, and what only it reads.
static void eraseWithOperands(Operation *op) {
  // One by one: as long as the op has an operand, that one is used.
  while (unsigned count = op->getNumOperands()) {
    Operation *producer = op->getOperand(count - 1).getDefiningOp();
    op->eraseOperand(count - 1);
    if (producer)
      eraseUnused(producer);
  }
  op->erase();
}

/// The weight as parameters and the matmul on it.
static MatmulOp createMatmul(OpBuilder &builder, Location location, Type type,
                             Value x, Value bias, StringRef layer,
                             const numerics::QuantizedWeight &weight) {
  WeightParameters made =
      createWeightParameters(builder, location, layer, weight);
  return MatmulOp::create(builder, location, type, x, made.codes, made.scales,
                          made.zeroPoints, made.permutation, bias,
                          /*x_scales=*/Value(), /*x_zero_points=*/Value(),
                          made.scheme, /*x_scheme=*/ActivationSchemeAttr(),
                          builder.getStringAttr(layer));
}

void QuantizedRaiser::replaceProduct(Operation *op, QuantizedFinding finding,
                                     StringRef function) {
  RankedTensorType xType = getTensorType(finding.x);
  RankedTensorType type = getTensorType(op->getResult(0));
  const numerics::QuantizedWeight &weight = *finding.weight;
  auto reject = [&](const Twine &reason) {
    op->emitRemark() << "not a quantised matmul: " << reason;
  };
  if (!xType || !type || xType.getRank() == 0 ||
      !isa<FloatType>(xType.getElementType()))
    return reject("the type of its input or result can't be read");
  if (xType.getShape().back() != weight.k ||
      type.getShape().back() != weight.n || type.getRank() != xType.getRank() ||
      type.getElementType() != xType.getElementType())
    return reject("its input and result are no tensors of one float type that "
                  "end in " +
                  Twine(weight.k) + " and " + Twine(weight.n));
  OpBuilder builder(op);
  UnlinkedRewrite rewrite{op->getLoc(),
                          finding.x,
                          xType,
                          op->getResult(0),
                          op->getResult(0).getType(),
                          {},
                          {}};
  std::string base = layerOfCodes(finding.name);
  std::string layer = names->fromBase(base, function);
  Value x = rewrite.makeX(builder);
  Value bias = finding.bias;
  if (bias && !isa<RankedTensorType>(bias.getType())) {
    OperationState state(op->getLoc(), "torch_c.to_builtin_tensor", bias,
                         getTensorType(bias));
    bias = builder.create(state)->getResult(0);
  }
  Value y = createMatmul(builder, op->getLoc(), type, x, bias, layer, weight);
  y = rewrite.makeResult(builder, y);
  op->getResult(0).replaceAllUsesWith(y);
  eraseWithOperands(op);
}

void QuantizedRaiser::collect() {
  struct Found {
    Operation *op;
    QuantizedFinding finding;
    std::string function;
  };
  std::vector<Found> found;
  for (const Function &function : findFunctions(module))
    function.body->walk([&](Operation *op) {
      for (auto form : {findLinalgDequantization, findIreeDequantization,
                        findTorchQuantized, findOnnxQuantized}) {
        QuantizedFinding finding = form(op);
        if (finding.constant || finding.weight || !finding.reason.empty()) {
          found.push_back({op, std::move(finding), function.name.str()});
          return;
        }
      }
    });
  for (Found &entry : found) {
    if (entry.finding.constant)
      stage(entry.op, std::move(*entry.finding.constant));
    else if (entry.finding.weight)
      replaceProduct(entry.op, std::move(entry.finding), entry.function);
    else
      entry.op->emitRemark()
          << "not a quantised weight: " << entry.finding.reason;
  }
}

/// The columns that x, padded at its end with zeros to K of the matmul, has of
/// its own, and x without the padding.
static std::optional<std::pair<Value, int64_t>> getUnpadded(Value x) {
  auto pad = x.getDefiningOp<tensor::PadOp>();
  if (!pad || !pad.getConstantPaddingValue() ||
      !matchPattern(pad.getConstantPaddingValue(), m_AnyZeroFloat()))
    return std::nullopt;
  ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
  int64_t columns = pad.getSourceType().getShape().back();
  if (llvm::any_of(low, [](int64_t size) { return size != 0; }) ||
      llvm::any_of(high.drop_back(), [](int64_t size) { return size != 0; }) ||
      ShapedType::isDynamic(columns))
    return std::nullopt;
  return std::pair(pad.getSource(), columns);
}

/// The pending constant that `weight` is, as it is or transposed.
static ParameterOp getPending(Value weight) {
  if (auto transpose = weight.getDefiningOp<TransposeOp>())
    weight = transpose.getWeight();
  auto parameter = weight.getDefiningOp<ParameterOp>();
  return parameter && parameter.getScope() == kPendingScope ? parameter
                                                            : ParameterOp();
}

bool QuantizedRaiser::select(const LinearMatch &match) {
  ParameterOp parameter = getPending(match.weight);
  if (!parameter)
    return false;
  Pending &pending = *staged.find(parameter.getName())->second;
  int64_t n = match.n, k = match.k;
  if (n == 0) {
    auto type = cast<RankedTensorType>(parameter.getType());
    n = type.getDimSize(match.transposed ? 1 : 0);
    k = type.getDimSize(match.transposed ? 0 : 1);
  }
  std::tuple key(n, k, match.transposed);
  if (pending.weights.count(key))
    return true;
  auto weight =
      arrangeWeight(pending.constant, n, k, match.transposed, pending.reason);
  if (!weight)
    return false;
  pending.weights.emplace(key, std::move(*weight));
  return true;
}

void QuantizedRaiser::replaceLinear(LinearOp op) {
  ParameterOp parameter = getPending(op.getWeight());
  Pending &pending = *staged.find(parameter.getName())->second;
  auto type = cast<RankedTensorType>(op.getWeight().getType());
  int64_t n = type.getDimSize(0), k = type.getDimSize(1);
  Operation *transpose = op.getWeight().getDefiningOp<TransposeOp>();
  const numerics::QuantizedWeight &weight =
      pending.weights.at({n, k, transpose != nullptr});
  pending.isUsed = true;
  OpBuilder builder(op);
  Value x = op.getX();
  auto unpadded = getUnpadded(x);
  MatmulOp matmul;
  if (unpadded && unpadded->second < k &&
      weight.scheme.groups(unpadded->second) == weight.scheme.groups(k)) {
    numerics::QuantizedWeight narrow = weight;
    narrow.k = unpadded->second;
    narrow.codes.clear();
    for (int64_t row = 0; row < n; ++row)
      narrow.codes.insert(narrow.codes.end(), weight.codes.begin() + row * k,
                          weight.codes.begin() + row * k + narrow.k);
    matmul = createMatmul(builder, op.getLoc(), op.getY().getType(),
                          unpadded->first, op.getBias(), op.getLayer(), narrow);
  } else {
    matmul = createMatmul(builder, op.getLoc(), op.getY().getType(), x,
                          op.getBias(), op.getLayer(), weight);
  }
  op.getY().replaceAllUsesWith(matmul.getY());
  op.erase();
  if (transpose && transpose->use_empty())
    transpose->erase();
  if (Operation *producer = x.getDefiningOp())
    eraseUnused(producer);
}

/// What is no layer reads what it read before.
void QuantizedRaiser::restoreUses() {
  SmallVector<ParameterOp> parameters;
  module.walk([&](ParameterOp op) {
    if (op.getScope() == kPendingScope)
      parameters.push_back(op);
  });
  for (ParameterOp parameter : parameters) {
    Pending &pending = *staged.find(parameter.getName())->second;
    for (Operation *user : llvm::make_early_inc_range(parameter->getUsers()))
      if (getUnlinkedName(user) == "torch_c.from_builtin_tensor") {
        user->getResult(0).replaceAllUsesWith(pending.original);
        user->erase();
      }
    // Those of other shapes were only layers' weights.
    if (!parameter->use_empty())
      parameter.getResult().replaceAllUsesWith(pending.original);
    parameter.erase();
  }
}

void QuantizedRaiser::finish(Pending &pending) {
  Operation *op = pending.original.getDefiningOp();
  if (!pending.isUsed) {
    op->emitRemark() << "not a quantised matmul: "
                     << (pending.reason.empty()
                             ? "no linear layer reads the dequantised weight"
                             : pending.reason);
    return;
  }
  if (!op->use_empty())
    return;
  eraseWithOperands(op);
}

LogicalResult QuantizedRaiser::run() {
  names.emplace(module);
  collect();
  if (order.empty())
    return success();
  if (failed(raiseLinears(module, [&](const LinearMatch &match, StringRef) {
        return select(match);
      })))
    return failure();
  SmallVector<LinearOp> linears;
  module.walk([&](LinearOp op) {
    if (getPending(op.getWeight()))
      linears.push_back(op);
  });
  for (LinearOp op : linears)
    replaceLinear(op);
  restoreUses();
  for (Pending *pending : llvm::reverse(order))
    finish(*pending);
  return success();
}
