//===- QuantLLMToOperators.cpp - Quantised matmuls as torch's and ONNX's --===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OperatorBuilder.h"

#include "../QuantLLMToReference/TensorProgram.h"

#include "qk/Conversion/ExportPasses.h"
#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Numerics/BitPacking.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/MathExtras.h"

namespace qk {
#define GEN_PASS_DEF_QUANTLLMTOOPERATORS
#include "qk/Conversion/ExportPasses.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

/// Codes from 0 on, and zero points for each group.
static void makeUnsigned(numerics::QuantizedWeight &weight) {
  int64_t groups = weight.scheme.groups(weight.k);
  if (weight.zeroPoints.empty())
    weight.zeroPoints.assign(weight.n * groups,
                             weight.scheme.defaultZeroPoint());
  if (!weight.scheme.isSigned())
    return;
  for (uint8_t &code : weight.codes)
    code ^= 0x80;
  for (int16_t &zero : weight.zeroPoints)
    zero += 128;
  weight.scheme.codeType = numerics::CodeType::U8;
}

/// `values` as a tensor of floats of `element`; an error at `op` where a value
/// is not exact in it.
static FailureOr<DenseElementsAttr> toFloats(MatmulOp op, StringRef what,
                                             ArrayRef<float> values,
                                             ArrayRef<int64_t> shape,
                                             Type element) {
  SmallVector<llvm::APFloat> converted;
  for (float value : values) {
    llvm::APFloat number(value);
    bool loses = false;
    number.convert(cast<FloatType>(element).getFloatSemantics(),
                   llvm::APFloat::rmNearestTiesToEven, &loses);
    if (loses)
      return op.emitOpError()
             << "of layer '" << op.getLayer() << "' has a " << what << " of "
             << value << ", which is not exact in " << element
             << ", the type of x";
    converted.push_back(number);
  }
  return DenseElementsAttr::get(RankedTensorType::get(shape, element),
                                converted);
}

/// Bytes as a tensor of ui8.
static DenseElementsAttr toBytes(OpBuilder &builder, ArrayRef<uint8_t> bytes,
                                 ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(
      shape, IntegerType::get(builder.getContext(), 8, IntegerType::Unsigned));
  return DenseElementsAttr::getFromRawBuffer(
      type,
      ArrayRef(reinterpret_cast<const char *>(bytes.data()), bytes.size()));
}

/// y + bias, in the type of y.
static Value addBias(MatmulOp op, OpBuilder &builder, Value y) {
  if (!op.getBias())
    return y;
  TensorProgram program(op.getLoc(), builder);
  int64_t rank = TensorProgram::typeOf(y).getRank();
  return program.compute(program.sizesOf(y), TensorProgram::elementOf(y),
                         {{y, llvm::to_vector(llvm::seq<int64_t>(0, rank))},
                          {op.getBias(), {rank - 1}}},
                         [&](ImplicitLocOpBuilder &b, ValueRange args) {
                           Value sum =
                               arith::AddFOp::create(b, extendToF32(b, args[0]),
                                                     extendToF32(b, args[1]));
                           return roundFromF32(b, sum, args[0].getType());
                         });
}

//===----------------------------------------------------------------------===//
// torch: quant.matmul_rhs_group_quant
//===----------------------------------------------------------------------===//

/// What the op can't say is an error.
static LogicalResult checkTorch(MatmulOp op,
                                const numerics::QuantizedWeight &weight) {
  int64_t length = weight.scheme.groupLength(weight.k);
  auto fail = [&](const Twine &what) {
    return op.emitOpError() << "of layer '" << op.getLayer() << "' " << what
                            << ", which quant.matmul_rhs_group_quant has no "
                               "form for; quant-llm-to-linalg has one";
  };
  if (op.getXScheme())
    return fail("has a quantised input");
  if (weight.scheme.isFloat())
    return fail("has codes of e4m3");
  if (op.getPermutation())
    return fail("has a permutation");
  if (weight.scheme.bits() == 3)
    return fail("has codes of 3 bits");
  if (weight.k % length != 0)
    return fail("has groups of " + Twine(length) + " that don't divide " +
                Twine(weight.k));
  if ((weight.k * weight.scheme.bits()) % 8 != 0)
    return fail("has rows of " + Twine(weight.k) + " codes of " +
                Twine(weight.scheme.bits()) + " bits");
  Type element = TensorProgram::elementOf(op.getX());
  if (!element.isF16())
    return op.emitOpError()
           << "of layer '" << op.getLayer() << "' computes in " << element
           << "; torch-mlir lowers "
              "quant.matmul_rhs_group_quant in f16 only";
  return success();
}

/// x as [B,M,K], which is what torch-mlir takes.
static LogicalResult replaceByTorch(MatmulOp op,
                                    numerics::QuantizedWeight &weight) {
  if (failed(checkTorch(op, weight)))
    return failure();
  makeUnsigned(weight);
  OpBuilder builder(op);
  int64_t n = weight.n, k = weight.k, groups = weight.scheme.groups(k);
  Type element = TensorProgram::elementOf(op.getX());
  SmallVector<float> zeros(weight.zeroPoints.begin(), weight.zeroPoints.end());
  auto scales = toFloats(op, "scale", weight.scales, {n, groups, 1}, element);
  auto zeroPoints = toFloats(op, "zero point", zeros, {n, groups, 1}, element);
  if (failed(scales) || failed(zeroPoints))
    return failure();

  TensorProgram program(op.getLoc(), builder);
  Value x = op.getX();
  bool reshapes = TensorProgram::typeOf(x).getRank() != 3;
  if (reshapes) {
    x = program.flatten(x);
    auto type = TensorProgram::typeOf(x);
    x = tensor::ExpandShapeOp::create(
        program, RankedTensorType::get({1, type.getDimSize(0), k}, element), x,
        ArrayRef<ReassociationIndices>{{0, 1}, {2}},
        TensorProgram::Sizes{program.getIndexAttr(1), program.sizesOf(x)[0],
                             program.getIndexAttr(k)});
  }
  SmallVector<int64_t> shape(TensorProgram::typeOf(x).getShape());
  shape.back() = n;
  auto yType = RankedTensorType::get(shape, element);
  OperatorBuilder torch(op.getLoc(), builder);
  int bits = weight.scheme.bits();
  std::vector<uint8_t> packed =
      numerics::packRows(weight.codes.data(), n, k, bits);
  Value codes =
      torch.literal(toBytes(builder, packed, {n, k * bits / 8}), false);
  Value y = torch.call("quant.matmul_rhs_group_quant",
                       {torch.toTorch(x), codes, torch.literal(*scales, false),
                        torch.literal(*zeroPoints, false), torch.integer(bits),
                        torch.integer(weight.scheme.groupLength(k))},
                       yType);
  y = torch.fromTorch(y, yType);
  if (reshapes) {
    y = tensor::CollapseShapeOp::create(
        program, y, ArrayRef<ReassociationIndices>{{0, 1}, {2}});
    y = program.unflatten(y, op.getX());
  }
  y = program.castTo(addBias(op, program, y), op.getY().getType());
  op.getY().replaceAllUsesWith(y);
  op.erase();
  return success();
}

//===----------------------------------------------------------------------===//
// ONNX: MatMulNBits, DequantizeLinear
//===----------------------------------------------------------------------===//

namespace {

/// One layer's ops, as torch-mlir's importer of ONNX writes them.
class OnnxLayer {
public:
  OnnxLayer(MatmulOp op, const numerics::QuantizedWeight &weight,
            OpBuilder &builder)
      : op(op), weight(weight), onnx(op.getLoc(), builder),
        element(TensorProgram::elementOf(op.getX())),
        length(weight.scheme.groupLength(weight.k)),
        groups(weight.scheme.groups(weight.k)) {}

  FailureOr<Value> create() {
    Value x = onnx.toTorch(op.getX());
    auto xType = cast<RankedTensorType>(op.getX().getType());
    if (!weight.permutation.empty()) {
      SmallVector<int64_t> columns(weight.permutation.begin(),
                                   weight.permutation.end());
      auto type = RankedTensorType::get(
          {weight.k},
          IntegerType::get(op.getContext(), 64, IntegerType::Signed));
      auto values = DenseElementsAttr::getFromRawBuffer(
          type, ArrayRef(reinterpret_cast<const char *>(columns.data()),
                         columns.size() * sizeof(int64_t)));
      x = onnx.call("onnx.Gather", {x, onnx.literal(values, true)}, xType,
                    onnx.onnxInteger("axis", -1));
    }
    SmallVector<int64_t> shape(xType.getShape());
    shape.back() = weight.n;
    auto yType = RankedTensorType::get(shape, element);
    bool fits = weight.scheme.groupSize >= 16 &&
                llvm::isPowerOf2_64(weight.scheme.groupSize) &&
                weight.scheme.bits() != 3;
    FailureOr<Value> y = fits ? createNBits(x, yType) : createBlocks(x, yType);
    if (failed(y))
      return failure();
    return onnx.fromTorch(*y, yType);
  }

private:
  FailureOr<Value> createNBits(Value x, RankedTensorType yType) {
    int64_t n = weight.n, k = weight.k, bits = weight.scheme.bits();
    int64_t block = weight.scheme.groupSize, blocks = (k + block - 1) / block;
    std::vector<uint8_t> padded(n * blocks * block, 0);
    for (int64_t row = 0; row < n; ++row)
      std::copy_n(&weight.codes[row * k], k, &padded[row * blocks * block]);
    std::vector<uint8_t> bytes =
        numerics::packRows(padded.data(), n, blocks * block, bits);
    auto scales = toFloats(op, "scale", weight.scales, {n, blocks}, element);
    if (failed(scales))
      return failure();
    SmallVector<Value> operands = {
        x,
        onnx.literal(toBytes(onnx, bytes, {n, blocks, block * bits / 8}), true),
        onnx.literal(*scales, true)};
    std::vector<uint8_t> zeros(weight.zeroPoints.begin(),
                               weight.zeroPoints.end());
    if (llvm::any_of(zeros, [&](uint8_t z) { return z != 1 << (bits - 1); })) {
      bytes = numerics::packRows(zeros.data(), n, blocks, bits);
      operands.push_back(onnx.literal(
          toBytes(onnx, bytes, {n, (blocks * bits + 7) / 8}), true));
    }
    return onnx.call("onnx.MatMulNBits", operands, yType,
                     {onnx.onnxInteger("K", k), onnx.onnxInteger("N", n),
                      onnx.onnxInteger("bits", bits),
                      onnx.onnxInteger("block_size", block)});
  }

  /// Along the channels' columns, codes as ui8; then the product.
  FailureOr<Value> createBlocks(Value x, RankedTensorType yType) {
    int64_t n = weight.n, k = weight.k;
    SmallVector<int64_t> shape = {n};
    if (groups > 1)
      shape.push_back(groups);
    auto scales = toFloats(op, "scale", weight.scales, shape, element);
    if (failed(scales))
      return failure();
    std::vector<uint8_t> zeros(weight.zeroPoints.begin(),
                               weight.zeroPoints.end());
    SmallVector<NamedAttribute> attributes = {
        onnx.onnxInteger("axis", groups > 1 ? 1 : 0)};
    if (groups > 1)
      attributes.push_back(onnx.onnxInteger("block_size", length));
    Value dequantized =
        onnx.call("onnx.DequantizeLinear",
                  {onnx.literal(toBytes(onnx, weight.codes, {n, k}), true),
                   onnx.literal(*scales, true),
                   onnx.literal(toBytes(onnx, zeros, shape), true)},
                  RankedTensorType::get({n, k}, element), attributes);
    auto order = onnx.getNamedAttr(
        "torch.onnx.perm",
        onnx.getArrayAttr({onnx.onnxInteger("", 1).getValue(),
                           onnx.onnxInteger("", 0).getValue()}));
    Value turned = onnx.call("onnx.Transpose", dequantized,
                             RankedTensorType::get({k, n}, element), order);
    return onnx.call("onnx.MatMul", {x, turned}, yType);
  }

  MatmulOp op;
  const numerics::QuantizedWeight &weight;
  OperatorBuilder onnx;
  Type element;
  int64_t length, groups;
};

} // namespace

/// Says of `op`'s function which ONNX its ops are, as an importer does:
/// DequantizeLinear has blocks from opset 21 on.
static LogicalResult setOpset(MatmulOp op) {
  static constexpr int64_t kOpset = 21;
  static constexpr llvm::StringLiteral kName = "torch.onnx_meta.opset_version";
  auto function = op->getParentOfType<FunctionOpInterface>();
  auto known = function->getAttrOfType<IntegerAttr>(kName);
  if (!known) {
    auto type = IntegerType::get(op.getContext(), 64, IntegerType::Signed);
    function->setAttr(kName, IntegerAttr::get(type, kOpset));
    return success();
  }
  int64_t version = known.getValue().getSExtValue();
  if (version >= kOpset)
    return success();
  return op.emitOpError() << "of layer '" << op.getLayer()
                          << "' is in a function of ONNX opset " << version
                          << "; expected " << kOpset
                          << " or later: convert the model first";
}

static LogicalResult replaceByOnnx(MatmulOp op,
                                   numerics::QuantizedWeight &weight) {
  if (op.getXScheme())
    return op.emitOpError() << "of layer '" << op.getLayer()
                            << "' has a quantised input, which MatMulNBits has "
                               "no form for; quant-llm-to-linalg has one";
  if (weight.scheme.isFloat())
    return op.emitOpError() << "of layer '" << op.getLayer()
                            << "' has codes of e4m3, which MatMulNBits has no "
                               "form for; quant-llm-to-linalg has one";
  makeUnsigned(weight);
  int limit = (1 << weight.scheme.bits()) - 1;
  for (int16_t zero : weight.zeroPoints)
    if (zero < 0 || zero > limit)
      return op.emitOpError()
             << "of layer '" << op.getLayer() << "' has a zero point of "
             << zero << "; ONNX has 0 to " << limit;
  if (failed(setOpset(op)))
    return failure();
  OpBuilder builder(op);
  FailureOr<Value> y = OnnxLayer(op, weight, builder).create();
  if (failed(y))
    return failure();
  TensorProgram program(op.getLoc(), builder);
  Value result = program.castTo(addBias(op, program, *y), op.getY().getType());
  op.getY().replaceAllUsesWith(result);
  op.erase();
  return success();
}

namespace {

struct QuantLLMToOperators
    : public qk::impl::QuantLLMToOperatorsBase<QuantLLMToOperators> {
  using QuantLLMToOperatorsBase::QuantLLMToOperatorsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (form != "torch" && form != "onnx") {
      emitError(module.getLoc()) << "expected form to be torch or onnx, got '"
                                 << form.getValue() << "'";
      return signalPassFailure();
    }
    SmallVector<MatmulOp> matmuls;
    module.walk([&](MatmulOp op) { matmuls.push_back(op); });
    for (MatmulOp op : matmuls) {
      FailureOr<numerics::QuantizedWeight> weight =
          readQuantizedWeight(op, op.getScheme(), op.getCodes(), op.getScales(),
                              op.getZeroPoints(), op.getPermutation());
      if (failed(weight) ||
          failed(form == "torch" ? replaceByTorch(op, *weight)
                                 : replaceByOnnx(op, *weight)))
        return signalPassFailure();
    }
    // What only they read.
    module.walk([](ParameterOp op) {
      if (op->use_empty())
        op.erase();
    });
  }
};

} // namespace
