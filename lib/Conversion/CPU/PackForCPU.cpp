//===- PackForCPU.cpp - Kernels and packed weights for matmuls --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Packing/PackedWeights.h"
#include "../Packing/RowShapes.h"
#include "qk/Conversion/CPU/Passes.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
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
  gather->setAttr(inRangeAttrName, b.getUnitAttr());
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
    floatLayers = 0;
    if (failed(
            forEach<MatmulOp>([&](MatmulOp op) { return packWeight(op); })) ||
        failed(forEach<PackOp>([&](PackOp op) { return evaluate(op); })) ||
        failed(forEach<PackedMatmulOp>(
            [&](PackedMatmulOp op) { return chooseKernel(op); })))
      return signalPassFailure();
    if (floatLayers)
      getOperation().emitRemark()
          << floatLayers << (floatLayers == 1 ? " layer" : " layers")
          << " of e4m3: no CPU kernel multiplies it, computed in f32 from "
             "dequantised weights and activations";
    eraseDeadParameters(getOperation());
  }

private:
  /// Applies `body`, which may erase its argument, to the ops that are there
  /// now.
  template <typename Op>
  LogicalResult forEach(llvm::function_ref<LogicalResult(Op)> body) {
    SmallVector<Op> ops;
    getOperation().walk([&](Op op) { ops.push_back(op); });
    for (Op op : ops)
      if (failed(body(op)))
        return failure();
    return success();
  }

  static int64_t bytesOf(const numerics::QuantizedWeight &weight) {
    return cpu::packedBytes(weight);
  }
  static std::string pack(const numerics::QuantizedWeight &weight,
                          uint8_t *bytes) {
    cpu::pack(weight, bytes);
    return "";
  }

  /// matmul to packed_matmul, the rest as it was.
  LogicalResult packWeight(MatmulOp op) {
    // The reference lowering computes these, by products in f32.
    if (op.getScheme().getScheme().isFloat() ||
        (op.getXScheme() && op.getXScheme()->getIsFloat())) {
      ++floatLayers;
      return success();
    }
    if (op.getXZeroPoints())
      return op.emitError("layer '")
             << op.getLayer()
             << "': CPU kernels take symmetric activations only, got zero "
                "points; quantise x without";
    OpBuilder b(op);
    FailureOr<Value> bytes = packed.get(b, op, bytesOf, pack);
    if (failed(bytes))
      return failure();
    auto codes = tensorType(op.getCodes());
    auto matmul = PackedMatmulOp::create(
        b, op.getLoc(), op.getY().getType(), op.getX(), *bytes,
        op.getPermutation(), op.getBias(), op.getXScales(), op.getScheme(),
        op.getXSchemeAttr(), codes.getDimSize(0), codes.getDimSize(1),
        b.getStringAttr(cpu::kLayoutName),
        static_cast<bool>(op.getZeroPoints()), FlatSymbolRefAttr(),
        op.getLayerAttr());
    op.getResult().replaceAllUsesWith(matmul.getY());
    op.erase();
    return success();
  }

  /// A pack of parameters is a parameter.
  LogicalResult evaluate(PackOp op) {
    if (op.getLayout() != cpu::kLayoutName)
      return success();
    if (op.getScheme().getScheme().isFloat())
      return op.emitError("layout '")
             << cpu::kLayoutName
             << "' holds integer codes, got e4m3; no CPU kernel multiplies it: "
                "leave the matmul unpacked, which is then computed in f32";
    OpBuilder b(op);
    FailureOr<Value> bytes = packed.get(b, op, bytesOf, pack);
    if (failed(bytes))
      return failure();
    if (bytes->getType() != op.getBytes().getType())
      return op.emitError("expected ")
             << bytes->getType() << " for layout '" << cpu::kLayoutName
             << "', got " << op.getBytes().getType();
    op.getBytes().replaceAllUsesWith(*bytes);
    op.erase();
    return success();
  }

  /// Brings x and bias into the form that kernels take, and names the kernel.
  LogicalResult chooseKernel(PackedMatmulOp op) {
    if (op.getKernel() || op.getLayout() != cpu::kLayoutName)
      return success();
    OpBuilder b(op);
    Location loc = op.getLoc();
    cpu::KernelSpec spec;
    spec.scheme = op.getScheme().getScheme();
    spec.k = op.getK();
    spec.zeroPoints = op.getHasZeroPoints();
    spec.bias = static_cast<bool>(op.getBias());
    spec.element = elementOf(tensorType(op.getY()).getElementType());
    int64_t n = op.getN(), bytes = spec.layout().packedBytes(n);
    if (tensorType(op.getBytes()).getDimSize(0) != bytes)
      return op.emitError("layer '")
             << op.getLayer() << "': expected " << bytes
             << " packed bytes for its scheme, n and k, got "
             << tensorType(op.getBytes()).getDimSize(0);
    if (failed(checkActivations(op, spec)))
      return failure();

    Value x = toRows(b, loc, op.getX()), xScales;
    if (op.getPermutation())
      x = gatherColumns(b, loc, x, op.getPermutation());
    ActivationSchemeAttr xScheme = op.getXSchemeAttr();
    if (op.getXScales())
      xScales = toRows(b, loc, op.getXScales());
    else if (activation != cpu::Activation::Float)
      quantize(b, loc, spec, x, xScales, xScheme);
    Value bias = op.getBias() ? toFloat(b, loc, op.getBias()) : Value();
    func::FuncOp kernel = cpu::declareKernel(getOperation(), spec);
    auto type = tensorType(op.getY()).clone({tensorType(x).getDimSize(0), n});
    auto matmul = PackedMatmulOp::create(
        b, loc, type, x, op.getBytes(), /*permutation=*/Value(), bias, xScales,
        op.getScheme(), xScheme, n, spec.k, op.getLayoutAttr(), spec.zeroPoints,
        FlatSymbolRefAttr::get(kernel.getSymNameAttr()), op.getLayerAttr());
    op.getResult().replaceAllUsesWith(
        fromRows(b, loc, matmul.getY(), op.getX()));
    op.erase();
    return success();
  }

  /// Quantises float rows per token and group of the weight.
  void quantize(OpBuilder &b, Location loc, cpu::KernelSpec &spec, Value &x,
                Value &xScales, ActivationSchemeAttr &xScheme) {
    spec.activation = activation;
    int64_t group = spec.scheme.groupLength(spec.k);
    bool whole = group == spec.k;
    spec.sharing = whole ? cpu::Sharing::Token : cpu::Sharing::TokenGroup;
    xScheme = ActivationSchemeAttr::get(
        b.getContext(), activation == cpu::Activation::Int16 ? 16 : 8,
        whole ? Granularity::PerToken : Granularity::PerTokenGroup,
        whole ? -1 : group);
    auto quantize = QuantizeOp::create(b, loc, x, xScheme);
    func::FuncOp quantizer = cpu::declareQuantizer(
        getOperation(), {spec.k, group, activation, spec.element});
    quantize->setAttr(QuantLLMDialect::kKernelAttr,
                      FlatSymbolRefAttr::get(quantizer.getSymNameAttr()));
    x = quantize.getCodes();
    xScales = quantize.getScales();
  }

  /// Activations that come quantised: do the kernels have that form?
  LogicalResult checkActivations(PackedMatmulOp op, cpu::KernelSpec &spec) {
    if (!op.getXScales())
      return success();
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
  int64_t floatLayers = 0;
  PackedWeights packed;
};

} // namespace
