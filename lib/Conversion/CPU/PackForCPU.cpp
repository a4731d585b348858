//===- PackForCPU.cpp - Kernels and packed weights for matmuls --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/CPU/Passes.h"
#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Target/CPU/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

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

//===----------------------------------------------------------------------===//
// Shapes: kernels have one dimension of rows
//===----------------------------------------------------------------------===//

/// All leading dimensions are one, the last stays.
Value toRows(OpBuilder &b, Location loc, Value value) {
  auto type = tensorType(value);
  int64_t rank = type.getRank();
  if (rank == 2)
    return value;
  if (rank == 1) {
    auto rows = type.clone({1, type.getDimSize(0)});
    return tensor::ExpandShapeOp::create(
        b, loc, rows, value, SmallVector<ReassociationIndices>{{0, 1}});
  }
  auto leading = llvm::to_vector<2>(llvm::seq<int64_t>(0, rank - 1));
  return tensor::CollapseShapeOp::create(
      b, loc, value, SmallVector<ReassociationIndices>{leading, {rank - 1}});
}

/// [rows, n] with the leading dimensions of `like`.
Value fromRows(OpBuilder &b, Location loc, Value value, Value like) {
  auto type = tensorType(like);
  int64_t rank = type.getRank(), n = tensorType(value).getDimSize(1);
  if (rank == 2)
    return value;
  if (rank == 1)
    return tensor::CollapseShapeOp::create(
        b, loc, value, SmallVector<ReassociationIndices>{{0, 1}});
  SmallVector<OpFoldResult> sizes;
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < rank - 1; ++i) {
    sizes.push_back(tensor::getMixedSize(b, loc, like, i));
    shape.push_back(type.getDimSize(i));
  }
  sizes.push_back(b.getIndexAttr(n));
  shape.push_back(n);
  auto leading = llvm::to_vector<2>(llvm::seq<int64_t>(0, rank - 1));
  return tensor::ExpandShapeOp::create(
      b, loc, tensorType(value).clone(shape), value,
      SmallVector<ReassociationIndices>{leading, {rank - 1}}, sizes);
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
    packed.clear();
    SmallVector<MatmulOp> matmuls;
    getOperation().walk([&](MatmulOp op) { matmuls.push_back(op); });
    for (MatmulOp op : matmuls)
      if (failed(convert(op)))
        return signalPassFailure();
    // Codes and scales that nobody reads any more are half of the memory.
    SmallVector<ParameterOp> dead;
    getOperation().walk([&](ParameterOp op) {
      if (op->use_empty())
        dead.push_back(op);
    });
    for (ParameterOp op : dead)
      op.erase();
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

    FailureOr<Value> bytes = packWeight(b, op);
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

  /// The packed bytes of the weight as an inline parameter.
  FailureOr<Value> packWeight(OpBuilder &b, MatmulOp op) {
    // One weight may be read by several matmuls, through one op or several.
    SmallVector<Attribute> key = {op.getSchemeAttr()};
    for (Value part : {op.getCodes(), op.getScales(), op.getZeroPoints()}) {
      auto parameter = part ? part.getDefiningOp<ParameterOp>() : ParameterOp();
      if (!parameter) {
        key.push_back(b.getUnitAttr());
        continue;
      }
      key.push_back(parameter.getScopeAttr());
      key.push_back(parameter.getNameAttr());
      key.push_back(parameter.getValueAttr()
                        ? Attribute(parameter.getValueAttr())
                        : b.getUnitAttr());
    }
    auto [entry, isNew] = packed.try_emplace(
        b.getArrayAttr(key), std::pair<StringAttr, ElementsAttr>());
    if (isNew) {
      FailureOr<numerics::QuantizedWeight> weight =
          readQuantizedWeight(op, op.getScheme(), op.getCodes(), op.getScales(),
                              op.getZeroPoints(), op.getPermutation());
      if (failed(weight))
        return failure();
      std::string name = (op.getLayer() + ".packed").str();
      auto blob = HeapAsmResourceBlob::allocate(cpu::packedBytes(*weight),
                                                /*align=*/64);
      cpu::pack(*weight,
                reinterpret_cast<uint8_t *>(blob.getMutableData().data()));
      auto type = RankedTensorType::get(
          {static_cast<int64_t>(blob.getData().size())}, b.getI8Type());
      entry->second = {b.getStringAttr(name), DenseResourceElementsAttr::get(
                                                  type, name, std::move(blob))};
    }
    auto [name, value] = entry->second;
    return ParameterOp::create(b, op.getLoc(), value.getType(),
                               b.getStringAttr(""), name, value)
        .getResult();
  }

  cpu::Activation activation = cpu::Activation::Int16;
  DenseMap<Attribute, std::pair<StringAttr, ElementsAttr>> packed;
};

} // namespace
