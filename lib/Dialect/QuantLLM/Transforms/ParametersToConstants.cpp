//===- ParametersToConstants.cpp - Parameters back to constants -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Raising/Constants.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/HostDialect.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_PARAMETERSTOCONSTANTSPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

bool qk::quant_llm::isStableHLO(ModuleOp module) {
  if (auto dialect = module->getAttrOfType<StringAttr>(kHostDialectAttr))
    return dialect.getValue() == "stablehlo";
  return module
      .walk([](Operation *op) {
        StringRef name = op->getName().getStringRef();
        return name.starts_with("stablehlo.") && name != "stablehlo.constant"
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// The value of a parameter of a file: a resource of its name without data.
static ElementsAttr getReference(ParameterOp op) {
  MLIRContext *context = op.getContext();
  auto &blobs = DenseResourceElementsHandle::getManagerInterface(context)
                    .getBlobManager();
  auto *entry = blobs.lookup(op.getName());
  if (!entry)
    entry = &blobs.insert(op.getName());
  DenseResourceElementsHandle handle(
      entry, context->getLoadedDialect<BuiltinDialect>());
  return DenseResourceElementsAttr::get(op.getStorageType(), handle);
}

namespace {

struct ParametersToConstants
    : public qk::quant_llm::impl::ParametersToConstantsPassBase<
          ParametersToConstants> {
  using ParametersToConstantsPassBase::ParametersToConstantsPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    bool stablehlo = isStableHLO(module);
    module->removeAttr(kHostDialectAttr);
    // IREE's globals that are a named parameter, by what getConstantKey() says.
    llvm::DenseMap<Attribute, FlatSymbolRefAttr> globals;
    for (Operation &op : *module.getBody())
      if (Attribute key = getGlobalKey(&op))
        globals[key] = FlatSymbolRefAttr::get(
            op.getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName()));

    SmallVector<ParameterOp> parameters;
    SmallVector<Operation *> views;
    SmallVector<ScaleColumnsOp> scales;
    module.walk([&](Operation *op) {
      // What binding noted on constants.
      op->removeDiscardableAttr(kBindingAttr);
      if (auto parameter = dyn_cast<ParameterOp>(op))
        parameters.push_back(parameter);
      else if (isa<TransposeOp>(op) || (stablehlo && isView(op)))
        views.push_back(op);
      else if (auto scale = dyn_cast<ScaleColumnsOp>(op))
        scales.push_back(scale);
    });
    for (ScaleColumnsOp op : scales)
      if (failed(replaceScale(op, stablehlo)))
        return signalPassFailure();
    for (Operation *op : views)
      replaceView(op, stablehlo);
    for (ParameterOp op : parameters) {
      OpBuilder builder(op);
      RankedTensorType type = op.getStorageType();
      if (type != op.getType()) {
        op.emitError("parameter '")
            << op.getName() << "' of type " << op.getType()
            << " has no form outside quant_llm; pack the codes that it holds";
        return signalPassFailure();
      }
      Operation *constant = nullptr;
      auto global = globals.find(getConstantKey(op.getResult()));
      if (global != globals.end()) {
        constant = createOp(builder, op, "util.global.load",
                            {"global", global->second});
      } else {
        ElementsAttr value = op.getValueAttr();
        if (op.getPart()) {
          FailureOr<ElementsAttr> part = readPart(op);
          if (failed(part))
            return signalPassFailure();
          value = *part;
        } else if (!value) {
          value = getReference(op);
        }
        if (stablehlo)
          constant =
              createOp(builder, op, "stablehlo.constant", {"value", value});
        else
          constant = arith::ConstantOp::create(builder, op.getLoc(),
                                               cast<TypedAttr>(value));
      }
      op.getResult().replaceAllUsesWith(constant->getResult(0));
      op.erase();
    }
  }

private:
  /// Whether `op` is how binding makes a tensor of a file the constant that the
  /// module had.
  static bool isView(Operation *op) {
    while (op &&
           isa<TransposeOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
               arith::ExtFOp, arith::TruncFOp>(op))
      op = op->getOperand(0).getDefiningOp();
    return isa_and_present<ParameterOp>(op);
  }

  static void replaceView(Operation *op, bool stablehlo) {
    OpBuilder builder(op);
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    Value result;
    if (stablehlo) {
      StringRef name = isa<TransposeOp>(op) ? "stablehlo.transpose"
                       : isa<arith::ExtFOp, arith::TruncFOp>(op)
                           ? "stablehlo.convert"
                           : "stablehlo.reshape";
      OperationState state(op->getLoc(), name);
      state.addTypes(type);
      state.addOperands(op->getOperand(0));
      if (isa<TransposeOp>(op))
        state.propertiesAttr = builder.getDictionaryAttr(builder.getNamedAttr(
            "permutation", builder.getDenseI64ArrayAttr({1, 0})));
      result = builder.create(state)->getResult(0);
    } else {
      Value empty = tensor::EmptyOp::create(
          builder, op->getLoc(), type.getShape(), type.getElementType());
      result =
          linalg::TransposeOp::create(builder, op->getLoc(), op->getOperand(0),
                                      empty, ArrayRef<int64_t>{1, 0})
              ->getResult(0);
    }
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  }

  /// An activation's scale that no producer took, in StableHLO: factors are
  /// broadcast, and all is computed in f32.
  static Value scaleInStableHLO(OpBuilder &builder, ScaleColumnsOp op) {
    auto create = [&](StringRef name, RankedTensorType type,
                      ValueRange operands, DictionaryAttr properties = {}) {
      OperationState state(op.getLoc(), name);
      state.addTypes(type);
      state.addOperands(operands);
      if (properties)
        state.propertiesAttr = properties;
      return builder.create(state)->getResult(0);
    };
    auto type = cast<RankedTensorType>(op.getType());
    auto wide = type.clone(builder.getF32Type());
    Value x = op.getInput();
    if (type != wide)
      x = create("stablehlo.convert", wide, x);
    Value factors =
        create("stablehlo.broadcast_in_dim", wide, op.getFactors(),
               builder.getDictionaryAttr(builder.getNamedAttr(
                   "broadcast_dimensions",
                   builder.getDenseI64ArrayAttr({type.getRank() - 1}))));
    x = create(op.getInverse() ? "stablehlo.divide" : "stablehlo.multiply",
               wide, {x, factors});
    return type != wide ? create("stablehlo.convert", type, x) : x;
  }

  static Value scaleInLinalg(OpBuilder &builder, ScaleColumnsOp op) {
    auto type = cast<RankedTensorType>(op.getType());
    int64_t rank = type.getRank();
    AffineMap all = builder.getMultiDimIdentityMap(rank);
    AffineMap last =
        AffineMap::get(rank, 0, builder.getAffineDimExpr(rank - 1));
    Value empty = tensor::EmptyOp::create(
        builder, op.getLoc(),
        tensor::getMixedSizes(builder, op.getLoc(), op.getInput()),
        type.getElementType());
    SmallVector<AffineMap> maps{all, last, all};
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        builder, op.getLoc(), TypeRange{empty.getType()},
        ValueRange{op.getInput(), op.getFactors()}, ValueRange{empty}, maps,
        loops, [&](OpBuilder &b, Location loc, ValueRange arguments) {
          Value x = arguments[0];
          if (!x.getType().isF32())
            x = arith::ExtFOp::create(b, loc, b.getF32Type(), x);
          x = op.getInverse()
                  ? arith::DivFOp::create(b, loc, x, arguments[1]).getResult()
                  : arith::MulFOp::create(b, loc, x, arguments[1]).getResult();
          if (!type.getElementType().isF32())
            x = arith::TruncFOp::create(b, loc, type.getElementType(), x);
          linalg::YieldOp::create(b, loc, x);
        });
    Value result = generic.getResult(0);
    if (result.getType() != type)
      result = tensor::CastOp::create(builder, op.getLoc(), type, result);
    return result;
  }

  static LogicalResult replaceScale(ScaleColumnsOp op, bool stablehlo) {
    OpBuilder builder(op);
    auto type = cast<RankedTensorType>(op.getType());
    if (stablehlo && !type.hasStaticShape())
      return op.emitError("expected a static shape of a scaled activation in "
                          "StableHLO, got ")
             << type << "; quantise with layers=foldable";
    op.getResult().replaceAllUsesWith(stablehlo ? scaleInStableHLO(builder, op)
                                                : scaleInLinalg(builder, op));
    op.erase();
    return success();
  }

  static Operation *createOp(OpBuilder &builder, ParameterOp op, StringRef name,
                             std::pair<StringRef, Attribute> attribute) {
    OperationState state(op.getLoc(), name);
    state.addTypes(op.getType());
    state.propertiesAttr = builder.getDictionaryAttr(
        builder.getNamedAttr(attribute.first, attribute.second));
    return builder.create(state);
  }
};

} // namespace
