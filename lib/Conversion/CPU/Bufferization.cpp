//===- Bufferization.cpp - Packed matmuls as calls of kernels ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/CPU/Passes.h"
#include "qk/Dialect/Kernel/Kernel.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Target/CPU/KernelBuilder.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace qk;
using namespace qk::quant_llm;

namespace {

/// `buffer` as a kernel's argument type, whose innermost stride is one; a copy
/// where the buffer's is not known to be.
FailureOr<Value> castOrCopy(RewriterBase &b, Location loc, Value buffer,
                            MemRefType wanted,
                            const BufferizationOptions &options) {
  auto type = cast<MemRefType>(buffer.getType());
  if (type == wanted)
    return buffer;
  if (memref::CastOp::areCastCompatible(type, wanted)) {
    SmallVector<int64_t> strides;
    int64_t offset;
    // areCastCompatible lets a dynamic stride become 1, checked by nobody.
    if (succeeded(type.getStridesAndOffset(strides, offset)) &&
        strides.back() == 1)
      return Value(memref::CastOp::create(b, loc, wanted, buffer));
  }
  SmallVector<Value> sizes;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      sizes.push_back(memref::DimOp::create(b, loc, buffer, i));
  FailureOr<Value> copy = options.createAlloc(
      b, loc, MemRefType::get(type.getShape(), type.getElementType()), sizes);
  if (failed(copy) || failed(options.createMemCpy(b, loc, buffer, *copy)))
    return failure();
  return Value(memref::CastOp::create(b, loc, wanted, *copy));
}

/// A new buffer for a result of type `tensor`, whose rows are `rows`.
FailureOr<Value> allocate(RewriterBase &b, Location loc, Value tensor,
                          Value rows, const BufferizationOptions &options) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> sizes;
  if (type.isDynamicDim(0))
    sizes.push_back(rows);
  return options.createAlloc(
      b, loc, MemRefType::get(type.getShape(), type.getElementType()), sizes);
}

/// Whether the packing of a target declared it: an attribute says which.
bool isDeclaredKernel(func::FuncOp kernel) {
  return kernel && llvm::any_of(kernel->getDiscardableAttrs(), [](auto entry) {
           return entry.getName().strref().starts_with("qk_kernel.");
         });
}

/// Reads all operands, writes none, and gives new buffers.
template <typename Model, typename Op>
struct KernelCallModel : BufferizableOpInterface::ExternalModel<Model, Op> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return true;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }
  bool bufferizesToAllocation(Operation *, Value) const { return true; }

  FailureOr<BufferLikeType> getBufferType(Operation *, Value value,
                                          const BufferizationOptions &,
                                          const BufferizationState &,
                                          SmallVector<Value> &) const {
    auto type = cast<RankedTensorType>(value.getType());
    return cast<BufferLikeType>(
        MemRefType::get(type.getShape(), type.getElementType()));
  }
};

struct PackedMatmulModel : KernelCallModel<PackedMatmulModel, PackedMatmulOp> {
  LogicalResult bufferize(Operation *operation, RewriterBase &b,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto op = cast<PackedMatmulOp>(operation);
    Location loc = op.getLoc();
    auto kernel = op.getKernelAttr()
                      ? SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
                            op, op.getKernelAttr())
                      : func::FuncOp();
    if (!isDeclaredKernel(kernel))
      return op.emitError("layer '")
             << op.getLayer()
             << "': expected a kernel that quant-llm-pack declared, got "
             << (op.getKernel() ? "@" + op.getKernel()->str() : "none");
    SmallVector<Value> operands = {op.getX()};
    if (op.getXScales())
      operands.push_back(op.getXScales());
    operands.push_back(op.getBytes());
    if (op.getPermutation())
      operands.push_back(op.getPermutation());
    if (op.getBias())
      operands.push_back(op.getBias());
    ArrayRef<Type> types = kernel.getArgumentTypes();
    if (types.size() != operands.size() + 1)
      return op.emitError("layer '")
             << op.getLayer() << "': kernel @" << kernel.getSymName()
             << " takes " << types.size() << " arguments, got "
             << operands.size() + 1;
    SmallVector<Value> arguments;
    Value x;
    for (auto [operand, type] : llvm::zip(operands, types)) {
      FailureOr<Value> buffer = getBuffer(b, operand, options, state);
      if (failed(buffer))
        return failure();
      if (!x)
        x = *buffer;
      FailureOr<Value> argument =
          castOrCopy(b, loc, *buffer, cast<MemRefType>(type), options);
      if (failed(argument))
        return failure();
      arguments.push_back(*argument);
    }
    Value rows = memref::DimOp::create(b, loc, x, 0);
    FailureOr<Value> y = allocate(b, loc, op.getY(), rows, options);
    if (failed(y))
      return failure();
    arguments.push_back(memref::CastOp::create(b, loc, types.back(), *y));
    func::CallOp::create(b, loc, kernel, arguments);
    replaceOpWithBufferizedValues(b, op, *y);
    return success();
  }
};

struct QuantizeModel : KernelCallModel<QuantizeModel, QuantizeOp> {
  LogicalResult bufferize(Operation *operation, RewriterBase &b,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto op = cast<QuantizeOp>(operation);
    Location loc = op.getLoc();
    auto symbol =
        op->getAttrOfType<FlatSymbolRefAttr>(QuantLLMDialect::kKernelAttr);
    auto kernel =
        symbol ? SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, symbol)
               : func::FuncOp();
    if (!isDeclaredKernel(kernel))
      return op.emitError("expected a quantiser that quant-llm-pack declared, "
                          "got ")
             << (symbol ? "@" + symbol.getValue().str() : "none")
             << "; lower other quantize ops with quant-llm-to-reference";
    SmallVector<Value> operands = {op.getX()};
    if (op.getFactors())
      operands.push_back(op.getFactors());
    ArrayRef<Type> types = kernel.getArgumentTypes();
    if (types.size() != operands.size() + 2)
      return op.emitError("quantiser @")
             << kernel.getSymName() << " takes " << types.size()
             << " arguments, got " << operands.size() + 2;
    SmallVector<Value> arguments;
    Value rows;
    for (auto [operand, type] : llvm::zip(operands, types)) {
      FailureOr<Value> buffer = getBuffer(b, operand, options, state);
      if (failed(buffer))
        return failure();
      if (!rows)
        rows = memref::DimOp::create(b, loc, *buffer, 0);
      FailureOr<Value> argument =
          castOrCopy(b, loc, *buffer, cast<MemRefType>(type), options);
      if (failed(argument))
        return failure();
      arguments.push_back(*argument);
    }
    FailureOr<Value> codes = allocate(b, loc, op.getCodes(), rows, options);
    FailureOr<Value> scales = allocate(b, loc, op.getScales(), rows, options);
    if (failed(codes) || failed(scales))
      return failure();
    for (Value result : {*codes, *scales})
      arguments.push_back(
          memref::CastOp::create(b, loc, types[arguments.size()], result));
    func::CallOp::create(b, loc, kernel, arguments);
    replaceOpWithBufferizedValues(b, op, {*codes, *scales});
    return success();
  }
};

} // namespace

void qk::registerCPUConversionExtensions(DialectRegistry &registry) {
  cpu::registerKernelDialects(registry);
  registry.insert<QuantLLMDialect>();
  registry.addExtension(+[](MLIRContext *context, QuantLLMDialect *) {
    context->loadDialect<func::FuncDialect, memref::MemRefDialect>();
    PackedMatmulOp::attachInterface<PackedMatmulModel>(*context);
    QuantizeOp::attachInterface<QuantizeModel>(*context);
  });
}
