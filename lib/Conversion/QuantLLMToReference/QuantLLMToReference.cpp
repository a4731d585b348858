//===- QuantLLMToReference.cpp - quant_llm to linalg ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantLLMToReference.h"
#include "LowerToReference.h"

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/Passes.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace qk {
#define GEN_PASS_DEF_QUANTLLMTOREFERENCE
#include "qk/Conversion/Passes.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

/// Whether `type` is a tensor of codes that must become bytes.
static bool isSubByteCodes(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && (tensor.getElementType().isInteger(2) ||
                    tensor.getElementType().isInteger(3) ||
                    tensor.getElementType().isInteger(4));
}

/// Ops of the dialect that have a lowering here.
static bool isLowered(Operation *op) {
  if (auto parameter = dyn_cast<ParameterOp>(op))
    return isSubByteCodes(parameter.getResult().getType());
  if (isa<QuantizeOp>(op))
    return !op->hasAttr(QuantLLMDialect::kKernelAttr);
  return isa<LinearOp, TransposeOp, MatmulOp, DequantizeOp, ScaleColumnsOp,
             ScaleRowsOp, RoundToNearestOp>(op);
}

/// Ops of the dialect that may stay.
static bool isKept(Operation *op) {
  // Those that a kernel computes.
  if (isa<QuantizeOp>(op))
    return op->hasAttr(QuantLLMDialect::kKernelAttr);
  return isa<ParameterOp, ObserveOp, PackedMatmulOp>(op);
}

/// Ops of other dialects whose types can be converted.
static bool isConvertible(Operation *op) {
  return isa<FunctionOpInterface, func::CallOp, func::ReturnOp,
             arith::ConstantOp>(op) ||
         isa_and_nonnull<scf::SCFDialect>(op->getDialect());
}

/// Whether an op has to do with tensors of sub-byte codes.
static bool usesSubByteCodes(Operation *op) {
  return llvm::any_of(op->getOperandTypes(), isSubByteCodes) ||
         llvm::any_of(op->getResultTypes(), isSubByteCodes);
}

/// Whether the codes that an op has to do with are IREE's globals.
static bool usesGlobalCodes(Operation *op) {
  auto isLoad = [](Operation *op) {
    return op && op->getName().getStringRef() == "util.global.load";
  };
  return isLoad(op) || llvm::all_of(op->getOperands(), [&](Value operand) {
           return !isSubByteCodes(operand.getType()) ||
                  isLoad(operand.getDefiningOp());
         });
}

/// Says what this pass can't lower before anything is changed.
static LogicalResult checkLowerable(ModuleOp module, bool keepsGlobals) {
  WalkResult result = module.walk([&](Operation *op) -> WalkResult {
    bool ours = isa_and_nonnull<QuantLLMDialect>(op->getDialect());
    if (ours && !isLowered(op) && !isKept(op))
      return op->emitOpError() << "has no reference lowering; evaluate the "
                                  "recipe first (--quant-llm-evaluate)";
    if (auto round = dyn_cast<RoundToNearestOp>(op);
        round &&
        (round.getPerTensor() || round.getScheme().getScheme().isFloat()))
      return op->emitOpError()
             << "has no reference lowering with "
             << (round.getPerTensor() ? "per_tensor" : "codes of e4m3")
             << "; evaluate the recipe first (--quant-llm-evaluate)";
    if (!ours && !isConvertible(op) && usesSubByteCodes(op) &&
        !(keepsGlobals && usesGlobalCodes(op)))
      return op->emitOpError()
             << "uses a tensor of sub-byte codes, which becomes a tensor of "
                "i8 here; expected only quant_llm ops, functions, calls, "
                "constants and scf ops to use one";
    if (auto constant = dyn_cast<arith::ConstantOp>(op);
        constant && isSubByteCodes(constant.getType()) &&
        !isa<DenseIntElementsAttr>(constant.getValue()))
      return constant.emitOpError()
             << "expected codes written in the module, got "
             << constant.getValue()
             << "; bind it as a parameter first (--quant-llm-bind-parameters)";
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

namespace {

/// Constant codes, zero-extended to bytes.
struct ConvertConstant : public OpConversionPattern<arith::ConstantOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(arith::ConstantOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto codes = cast<DenseIntElementsAttr>(op.getValue());
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(
        op, codes.mapValues(rewriter.getI8Type(),
                            [](const APInt &code) { return code.zext(8); }));
    return success();
  }
};

} // namespace

LogicalResult qk::lowerToReference(ModuleOp module, bool keepsGlobals) {
  if (failed(checkLowerable(module, keepsGlobals)))
    return failure();

  MLIRContext *context = module.getContext();
  TypeConverter converter;
  converter.addConversion([](Type type) { return type; });
  converter.addConversion([](RankedTensorType type) -> std::optional<Type> {
    if (!isSubByteCodes(type))
      return std::nullopt;
    return type.clone(IntegerType::get(type.getContext(), 8));
  });

  ConversionTarget target(*context);
  target.markUnknownOpDynamicallyLegal([&](Operation *op) {
    if (auto function = dyn_cast<FunctionOpInterface>(op))
      return converter.isLegal(function.getArgumentTypes()) &&
             converter.isLegal(function.getResultTypes());
    if (keepsGlobals && !isConvertible(op) && usesSubByteCodes(op) &&
        !isLowered(op))
      return true;
    return !isLowered(op) && converter.isLegal(op);
  });

  RewritePatternSet patterns(context);
  populateModelToReferencePatterns(converter, patterns);
  populateMatmulToReferencePatterns(converter, patterns);
  populateRoundingToReferencePatterns(converter, patterns);
  patterns.add<ConvertConstant>(converter, context);
  populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns,
                                                                 converter);
  populateCallOpTypeConversionPattern(patterns, converter);
  populateReturnOpTypeConversionPattern(patterns, converter);
  scf::populateSCFStructuralTypeConversions(converter, patterns);
  return applyPartialConversion(module, target, std::move(patterns));
}

namespace {

struct QuantLLMToReference
    : public qk::impl::QuantLLMToReferenceBase<QuantLLMToReference> {
  using QuantLLMToReferenceBase::QuantLLMToReferenceBase;

  void runOnOperation() override {
    if (failed(lowerToReference(getOperation())))
      return signalPassFailure();
    if (plain)
      getOperation()->setAttr(plainArithmeticAttrName,
                              UnitAttr::get(&getContext()));
  }
};

} // namespace
