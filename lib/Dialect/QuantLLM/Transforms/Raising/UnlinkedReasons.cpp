//===- UnlinkedReasons.cpp - Why something is no layer --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UnlinkedViews.h"

#include "Constants.h"
#include "Functions.h"
#include "UnlinkedForm.h"
#include "UnlinkedOps.h"

using namespace mlir;
using namespace qk::quant_llm;

/// What the user calls a function's argument: JAX writes the parameter's path
/// in its location.
static std::string nameArgument(BlockArgument argument) {
  std::string name = "argument " + std::to_string(argument.getArgNumber());
  if (auto location = dyn_cast<NameLoc>(argument.getLoc()))
    name += " (\"" + location.getName().str() + "\")";
  return name;
}

/// Where a function is used other than by calls: the composite whose
/// decomposition it is, or nothing.
static std::string getComposite(const Function &function) {
  std::string name;
  function.op->getParentOfType<ModuleOp>().walk([&](Operation *op) {
    auto decomposition = op->getAttrOfType<FlatSymbolRefAttr>("decomposition");
    if (decomposition && decomposition.getValue() == function.name)
      if (auto composite = op->getAttrOfType<StringAttr>("name"))
        name = composite.str();
  });
  return name;
}

static std::string explain(Value root, unsigned depth);

static std::string explainArgument(BlockArgument argument, unsigned depth) {
  std::string what = "the weight is " + nameArgument(argument) + " of ";
  std::optional<Function> function = getFunctionOf(argument);
  if (!function) {
    Operation *op = argument.getOwner()->getParentOp();
    return what + "a region of '" + op->getName().getStringRef().str() +
           "', which changes as the region is repeated; unroll the loop";
  }
  what += "function '" + function->name.str() + "'";
  std::string composite = getComposite(*function);
  if (!composite.empty())
    return what + ", which says what composite '" + composite +
           "' is; turn composites into calls first";
  // Rather what a caller passes, which is what can be changed.
  SmallVector<Value> passed = getPassedValues(argument);
  for (Value value : passed) {
    UnlinkedView view = viewOfUnlinked(value);
    if (!view.isConstant && view.root != argument && depth < kMaxDepth)
      return explain(view.root, depth + 1);
  }
  if (!passed.empty())
    return what + ", which calls itself";
  what += "; --weights=FILE.safetensors binds such arguments to tensors";
  // A printed module may have lost the locations.
  if (!isa<NameLoc>(argument.getLoc()))
    what += ", given --weight-names=MAP.json with \"arg" +
            std::to_string(argument.getArgNumber()) +
            "\", as its location doesn't say which";
  return what;
}

static std::string explain(Value root, unsigned depth) {
  if (auto argument = dyn_cast<BlockArgument>(root))
    return explainArgument(argument, depth);
  Operation *op = root.getDefiningOp();
  // A result of a helper: what the helper returns.
  auto callee = op->getAttrOfType<FlatSymbolRefAttr>("callee");
  auto module = op->getParentOfType<ModuleOp>();
  if (callee && module && depth < kMaxDepth)
    for (const Function &function : findFunctions(module))
      if (function.name == callee.getValue() && !function.entry().empty()) {
        Operation *end = &function.body->back().back();
        unsigned index = cast<OpResult>(root).getResultNumber();
        if (index < end->getNumOperands())
          return explain(viewOfUnlinked(end->getOperand(index)).root,
                         depth + 1);
      }
  StringRef name =
      op->isRegistered() ? op->getName().getStringRef() : getUnlinkedName(op);
  if (name == "stablehlo.dynamic_slice" || name == "stablehlo.dynamic_gather" ||
      name == "stablehlo.gather")
    return "the weight is cut out of a stack of tensors by a computed index "
           "('" +
           name.str() + "'), as in a loop over layers; unroll the loop";
  if (name == "stablehlo.slice" || name == "torch.aten.slice.Tensor" ||
      name == "torch.aten.select.int" || name == "onnx.Slice" ||
      name == "onnx.Split" || name == "stablehlo.real_dynamic_slice") {
    UnlinkedView whole = viewOfUnlinked(op->getOperand(0));
    if (!whole.isConstant && depth < kMaxDepth)
      return explain(whole.root, depth + 1);
    return "the weight is a part of a larger tensor ('" + name.str() +
           "'); store it as a tensor of its own";
  }
  return "the weight is computed by '" + name.str() +
         "'; it must be known when the model is compiled";
}

std::string qk::quant_llm::explainNotConstant(Value root) {
  return explain(root, 0);
}

LinearFinding qk::quant_llm::rejectUnlinkedConvolution(Operation *op) {
  if (op->getNumOperands() < 2)
    return LinearFinding::unrelated();
  UnlinkedView weight = viewOfUnlinked(op->getOperand(1), /*parts=*/true);
  RankedTensorType type = getTensorType(op->getOperand(1));
  if (!weight.isConstant || !type || type.getRank() < 3 ||
      !isa<FloatType>(type.getElementType()) ||
      llvm::count_if(type.getShape(), [](int64_t size) { return size != 1; }) >
          2)
    return LinearFinding::unrelated();
  return LinearFinding::rejected(
      "a convolution of size 1 ('" + getUnlinkedName(op) +
      "'); export it as a product, or lower the module to linalg or TOSA, "
      "where it is raised");
}
