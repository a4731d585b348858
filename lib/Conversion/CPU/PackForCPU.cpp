//===- PackForCPU.cpp - Kernels and packed weights for matmuls --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Packing/PackedWeights.h"
#include "../Packing/RowShapes.h"
#include "qk/Conversion/CPU/Passes.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Target/CPU/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace qk {
#define GEN_PASS_DEF_PACKFORCPU
#include "qk/Conversion/CPU/Passes.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

namespace {

RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// result[m, k] = rows[m, permutation[k]].
Value gatherColumns(OpBuilder &b, Location loc, Value rows, Value permutation) {
  auto type = tensorType(rows);
  Value empty = tensor::EmptyOp::create(
      b, loc, tensor::getMixedSizes(b, loc, rows), type.getElementType());
  AffineExpr column = b.getAffineDimExpr(1);
  SmallVector<AffineMap> maps = {AffineMap::get(2, 0, column),
                                 b.getMultiDimIdentityMap(2)};
  SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
  auto gather = linalg::GenericOp::create(
      b, loc, empty.getType(), permutation, empty, maps, iterators,
      [&](OpBuilder &b, Location loc, ValueRange arguments) {
        Value row = linalg::IndexOp::create(b, loc, 0);
        Value source =
            arith::IndexCastOp::create(b, loc, b.getIndexType(), arguments[0]);
        Value element =
            tensor::ExtractOp::create(b, loc, rows, ValueRange{row, source});
        linalg::YieldOp::create(b, loc, element);
      });
  return gather.getResult(0);
}

/// A vector of f16 or bf16 in f32.
Value toFloat(OpBuilder &b, Location loc, Value vector) {
  auto type = tensorType(vector);
  if (type.getElementType().isF32())
    return vector;
  Value empty =
      tensor::EmptyOp::create(b, loc, type.getShape(), b.getF32Type());
  SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(1));
  auto extend = linalg::GenericOp::create(
      b, loc, empty.getType(), vector, empty, maps,
      SmallVector<utils::IteratorType>{utils::IteratorType::parallel},
      [](OpBuilder &b, Location loc, ValueRange arguments) {
        Value wide =
            arith::ExtFOp::create(b, loc, b.getF32Type(), arguments[0]);
        linalg::YieldOp::create(b, loc, wide);
      });
  return extend.getResult(0);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

cpu::Element elementOf(Type type) {
  if (type.isF16())
    return cpu::Element::F16;
  return type.isBF16() ? cpu::Element::BF16 : cpu::Element::F32;
}

struct PackForCPU : qk::impl::PackForCPUBase<PackForCPU> {
  using PackForCPUBase::PackForCPUBase;

  void runOnOperation() override {
    auto parsed = cpu::parseActivation(activations.getValue());
    if (!parsed) {
      getOperation().emitError("unknown activations '")
          << activations.getValue() << "', expected int16, int8 or float";
      return signalPassFailure();
    }
    activation = *parsed;
    packed = PackedWeights();
    SmallVector<MatmulOp> matmuls;
    getOperation().walk([&](MatmulOp op) { matmuls.push_back(op); });
    for (MatmulOp op : matmuls)
      if (failed(convert(op)))
        return signalPassFailure();
    eraseDeadParameters(getOperation());
  }

private:
  LogicalResult convert(MatmulOp op) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    cpu::KernelSpec spec;
    spec.scheme = op.getScheme().getScheme();
    spec.k = tensorType(op.getCodes()).getDimSize(1);
    spec.zeroPoints = static_cast<bool>(op.getZeroPoints());
    spec.bias = static_cast<bool>(op.getBias());
    spec.element = elementOf(tensorType(op.getY()).getElementType());
    if (failed(checkActivations(op, spec)))
      return failure();

    FailureOr<Value> bytes = packed.get(
        b, op, [](const auto &weight) { return cpu::packedBytes(weight); },
        [](const auto &weight, uint8_t *out) {
          cpu::pack(weight, out);
          return std::string();
        });
    if (failed(bytes))
      return failure();
    Value x = toRows(b, loc, op.getX()), xScales;
    if (op.getPermutation())
      x = gatherColumns(b, loc, x, op.getPermutation());
    ActivationSchemeAttr xScheme = op.getXSchemeAttr();
    if (op.getXScales()) {
      xScales = toRows(b, loc, op.getXScales());
    } else if (activation != cpu::Activation::Float) {
      spec.activation = activation;
      int64_t group = spec.scheme.groupLength(spec.k);
      bool whole = group == spec.k;
      spec.sharing = whole ? cpu::Sharing::Token : cpu::Sharing::TokenGroup;
      xScheme = ActivationSchemeAttr::get(
          b.getContext(), activation == cpu::Activation::Int16 ? 16 : 8,
          whole ? Granularity::PerToken : Granularity::PerTokenGroup,
          whole ? -1 : group);
      auto quantize = QuantizeOp::create(b, loc, x, xScheme);
      quantize->setAttr(
          QuantLLMDialect::kKernelAttr,
          FlatSymbolRefAttr::get(
              cpu::declareQuantizer(getOperation(),
                                    {spec.k, group, activation, spec.element})
                  .getSymNameAttr()));
      x = quantize.getCodes();
      xScales = quantize.getScales();
    }
    Value bias = op.getBias() ? toFloat(b, loc, op.getBias()) : Value();
    func::FuncOp kernel = cpu::declareKernel(getOperation(), spec);
    int64_t n = tensorType(op.getCodes()).getDimSize(0);
    auto type = tensorType(op.getY()).clone({tensorType(x).getDimSize(0), n});
    auto matmul = PackedMatmulOp::create(
        b, loc, type, x, *bytes, /*permutation=*/Value(), bias, xScales,
        op.getScheme(), xScheme, n, spec.k, b.getStringAttr(cpu::kLayoutName),
        spec.zeroPoints, FlatSymbolRefAttr::get(kernel.getSymNameAttr()),
        op.getLayerAttr());
    op.getResult().replaceAllUsesWith(
        fromRows(b, loc, matmul.getY(), op.getX()));
    op.erase();
    return success();
  }

  /// Activations that come quantised: do the kernels have that form?
  LogicalResult checkActivations(MatmulOp op, cpu::KernelSpec &spec) {
    if (!op.getXScales())
      return success();
    if (op.getXZeroPoints())
      return op.emitError("layer '")
             << op.getLayer()
             << "': CPU kernels take symmetric activations only, got zero "
                "points; quantise x without";
    ActivationSchemeAttr scheme = op.getXSchemeAttr();
    spec.activation =
        scheme.getBits() == 8 ? cpu::Activation::Int8 : cpu::Activation::Int16;
    int64_t group = spec.scheme.groupLength(spec.k);
    switch (scheme.getGranularity()) {
    case Granularity::PerTensor:
      spec.sharing = cpu::Sharing::Tensor;
      return success();
    case Granularity::PerToken:
      spec.sharing = cpu::Sharing::Token;
      return success();
    case Granularity::PerTokenGroup:
      if (op.getPermutation())
        return op.emitError("layer '")
               << op.getLayer()
               << "': CPU kernels cannot permute activations that are "
                  "quantised in groups; quantise x per token, or permute it "
                  "before";
      if (std::min<int64_t>(scheme.getGroup(), spec.k) != group)
        return op.emitError("layer '")
               << op.getLayer()
               << "': expected activation groups as long as the weight's, "
               << group << ", got " << scheme.getGroup();
      spec.sharing = cpu::Sharing::TokenGroup;
      return success();
    }
    return success();
  }

  cpu::Activation activation = cpu::Activation::Int16;
  PackedWeights packed;
};

} // namespace
