//===- BuffersToDevice.cpp - A function's memory on the GPU -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceCalls.h"

#include "qk/Conversion/NVVM/Passes.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

namespace qk {
#define GEN_PASS_DEF_BUFFERSTODEVICE
#include "qk/Conversion/NVVM/Passes.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;
using namespace qk::nvvm;

namespace {

struct BuffersToDevice : qk::impl::BuffersToDeviceBase<BuffersToDevice> {
  using BuffersToDeviceBase::BuffersToDeviceBase;

  void runOnOperation() override {
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (!function.isExternal() && failed(convert(function)))
        return signalPassFailure();
  }

private:
  LogicalResult convert(func::FuncOp function);
  LogicalResult checkCalls(func::FuncOp function);
  Value makeBuffer(ImplicitLocOpBuilder &b, Value address, MemRefType type,
                   ValueRange sizes);
  void convertReshape(memref::ReshapeOp op);
  void convertAlloc(memref::AllocOp op);
  void convertGlobal(memref::GetGlobalOp op);
  void convertDealloc(memref::DeallocOp op);
  LogicalResult convertLoad(memref::LoadOp op);
  LogicalResult convertStore(memref::StoreOp op);
  Value elementAddress(ImplicitLocOpBuilder &b, DeviceCalls &runtime,
                       Value buffer, ValueRange indices);
  LogicalResult uploadArguments(func::FuncOp function,
                                SmallVectorImpl<Value> &uploaded);
  LogicalResult downloadResults(func::ReturnOp op, ArrayRef<Value> uploaded);
};

/// Of memory that no kernel sees the host keeps what it reads and writes.
bool isForHostOnly(Operation *op) {
  return llvm::all_of(op->getUses(), [](OpOperand &use) {
    if (auto store = dyn_cast<memref::StoreOp>(use.getOwner()))
      return &use == &store.getMemrefMutable();
    return isa<memref::LoadOp, memref::DeallocOp>(use.getOwner());
  });
}

/// What `isForHostOnly` left where it was.
bool isOnHost(Value buffer) {
  return isa_and_present<memref::AllocOp, memref::GetGlobalOp>(
      buffer.getDefiningOp());
}

/// Elements in order, without gaps.
bool isContiguous(MemRefType type) { return type.getLayout().isIdentity(); }

/// The memref of `type` whose allocation begins at `address`.
Value BuffersToDevice::makeBuffer(ImplicitLocOpBuilder &b, Value address,
                                  MemRefType type, ValueRange sizes) {
  LLVMTypeConverter converter(&getContext());
  Type index = converter.getIndexType();
  Location loc = b.getLoc();
  auto descriptor =
      MemRefDescriptor::poison(b, loc, converter.convertType(type));
  descriptor.setAllocatedPtr(b, loc, address);
  descriptor.setAlignedPtr(b, loc, address);
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(b, index, b.getIntegerAttr(index, value));
  };
  descriptor.setOffset(b, loc, constant(0));
  Value stride = constant(1);
  size_t nextSize = sizes.size();
  for (int64_t dim = type.getRank(); dim-- > 0;) {
    Value size =
        type.isDynamicDim(dim)
            ? UnrealizedConversionCastOp::create(b, index, sizes[--nextSize])
                  .getResult(0)
            : constant(type.getDimSize(dim));
    descriptor.setSize(b, loc, dim, size);
    descriptor.setStride(b, loc, dim, stride);
    if (dim)
      stride = LLVM::MulOp::create(b, stride, size);
  }
  return UnrealizedConversionCastOp::create(b, type, Value(descriptor))
      .getResult(0);
}

/// Sizes that lie in memory become values: the host needs them, and would read
/// them where the GPU's memory is.
void BuffersToDevice::convertReshape(memref::ReshapeOp op) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  auto type = cast<MemRefType>(op.getType());
  SmallVector<OpFoldResult> sizes(type.getRank()), strides(type.getRank());
  OpFoldResult stride = b.getIndexAttr(1);
  for (int64_t dim = type.getRank(); dim-- > 0;) {
    sizes[dim] = b.getIndexAttr(type.getDimSize(dim));
    if (type.isDynamicDim(dim)) {
      Value size = memref::LoadOp::create(
          b, op.getShape(), ValueRange{arith::ConstantIndexOp::create(b, dim)});
      if (!size.getType().isIndex())
        size = arith::IndexCastOp::create(b, b.getIndexType(), size);
      sizes[dim] = size;
    }
    strides[dim] = stride;
    std::optional<int64_t> known = getConstantIntValue(stride);
    if (known && !type.isDynamicDim(dim))
      stride = b.getIndexAttr(*known * type.getDimSize(dim));
    else if (dim)
      stride = b.createOrFold<arith::MulIOp>(
          getValueOrCreateConstantIndexOp(b, op.getLoc(), sizes[dim]),
          getValueOrCreateConstantIndexOp(b, op.getLoc(), stride));
  }
  Value view = memref::ReinterpretCastOp::create(
      b, type, op.getSource(), OpFoldResult(b.getIndexAttr(0)), sizes, strides);
  op.replaceAllUsesWith(view);
  op.erase();
}

void BuffersToDevice::convertAlloc(memref::AllocOp op) {
  if (isForHostOnly(op))
    return;
  ImplicitLocOpBuilder b(op.getLoc(), op);
  DeviceCalls runtime(getOperation(), b);
  MemRefType type = op.getType();
  Value bytes = runtime.i64(elementBytes(type.getElementType()));
  size_t next = 0;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    bytes = arith::MulIOp::create(
        b, bytes,
        type.isDynamicDim(dim) ? runtime.asI64(op.getDynamicSizes()[next++])
                               : runtime.i64(type.getDimSize(dim)));
  Value address =
      runtime.call("qk_cuda_allocate", bytes, runtime.pointerType());
  op.replaceAllUsesWith(makeBuffer(b, address, type, op.getDynamicSizes()));
  op.erase();
}

void BuffersToDevice::convertGlobal(memref::GetGlobalOp op) {
  if (isForHostOnly(op))
    return;
  ImplicitLocOpBuilder b(op.getLoc(), op->getBlock(),
                         std::next(op->getIterator()));
  DeviceCalls runtime(getOperation(), b);
  Value bytes = runtime.byteSize(op);
  Value from = runtime.base(op);
  Value address = runtime.call("qk_cuda_constant_address", {from, bytes},
                               runtime.pointerType());
  Value buffer = makeBuffer(b, address, op.getType(), {});
  op.getResult().replaceUsesWithIf(buffer, [&](OpOperand &use) {
    return use.getOwner()->getBlock() != b.getBlock() ||
           !use.getOwner()->isBeforeInBlock(buffer.getDefiningOp());
  });
}

void BuffersToDevice::convertDealloc(memref::DeallocOp op) {
  if (isOnHost(op.getMemref()))
    return;
  ImplicitLocOpBuilder b(op.getLoc(), op);
  DeviceCalls runtime(getOperation(), b);
  runtime.call("qk_cuda_release", runtime.base(op.getMemref()));
  op.erase();
}

Value BuffersToDevice::elementAddress(ImplicitLocOpBuilder &b,
                                      DeviceCalls &runtime, Value buffer,
                                      ValueRange indices) {
  auto parts = memref::ExtractStridedMetadataOp::create(b, buffer);
  Value element = parts.getOffset();
  for (auto [i, stride] : llvm::zip_equal(indices, parts.getStrides()))
    element =
        arith::AddIOp::create(b, element, arith::MulIOp::create(b, i, stride));
  Type type = cast<MemRefType>(buffer.getType()).getElementType();
  Value bytes = arith::MulIOp::create(b, runtime.asI64(element),
                                      runtime.i64(elementBytes(type)));
  Value base = runtime.base(buffer);
  return LLVM::GEPOp::create(b, base.getType(), b.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

/// A size or a condition that the host needs: the bits come from the GPU.
LogicalResult BuffersToDevice::convertLoad(memref::LoadOp op) {
  if (isOnHost(op.getMemRef()))
    return success();
  Type type = op.getType();
  if (!elementBytes(type) || elementBytes(type) > 8)
    return op.emitError("the host can't read an element of ")
           << type << " from the GPU (model=device)";
  ImplicitLocOpBuilder b(op.getLoc(), op);
  DeviceCalls runtime(getOperation(), b);
  Value address = elementAddress(b, runtime, op.getMemRef(), op.getIndices());
  Value bits =
      runtime.call("qk_cuda_read", {address, runtime.i64(elementBytes(type))},
                   b.getI64Type());
  Value value;
  if (type.isIndex()) {
    value = arith::IndexCastOp::create(b, type, bits);
  } else {
    Type narrow = b.getIntegerType(type.getIntOrFloatBitWidth());
    value = narrow == bits.getType()
                ? bits
                : Value(arith::TruncIOp::create(b, narrow, bits));
    if (value.getType() != type)
      value = arith::BitcastOp::create(b, type, value);
  }
  op.replaceAllUsesWith(value);
  op.erase();
  return success();
}

LogicalResult BuffersToDevice::convertStore(memref::StoreOp op) {
  if (isOnHost(op.getMemRef()))
    return success();
  Value value = op.getValueToStore();
  Type type = value.getType();
  if (!elementBytes(type) || elementBytes(type) > 8)
    return op.emitError("the host can't write an element of ")
           << type << " to the GPU (model=device)";
  ImplicitLocOpBuilder b(op.getLoc(), op);
  DeviceCalls runtime(getOperation(), b);
  Value address = elementAddress(b, runtime, op.getMemRef(), op.getIndices());
  if (type.isIndex()) {
    value = runtime.asI64(value);
  } else {
    Type bits = b.getIntegerType(type.getIntOrFloatBitWidth());
    if (type != bits)
      value = arith::BitcastOp::create(b, bits, value);
    if (!value.getType().isInteger(64))
      value = arith::ExtUIOp::create(b, b.getI64Type(), value);
  }
  runtime.call("qk_cuda_write",
               {address, runtime.i64(elementBytes(type)), value});
  op.erase();
  return success();
}

LogicalResult
BuffersToDevice::uploadArguments(func::FuncOp function,
                                 SmallVectorImpl<Value> &uploaded) {
  ImplicitLocOpBuilder b(function.getLoc(), function.getContext());
  b.setInsertionPointToStart(&function.getBody().front());
  DeviceCalls runtime(getOperation(), b);
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type || argument.use_empty())
      continue;
    if (!isContiguous(type))
      return function.emitError("argument ")
             << argument.getArgNumber() << ": expected contiguous memory, got "
             << type;
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : argument.getUses())
      // Sizes are the same.
      if (!isa<memref::DimOp>(use.getOwner()))
        uses.push_back(&use);
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes.push_back(memref::DimOp::create(b, argument, dim));
    Value address = runtime.call(
        "qk_cuda_upload", {runtime.base(argument), runtime.byteSize(argument)},
        runtime.pointerType());
    uploaded.push_back(address);
    Value buffer = makeBuffer(b, address, type, sizes);
    for (OpOperand *use : uses)
      use->set(buffer);
  }
  return success();
}

/// Results are the caller's, who releases them as host memory.
LogicalResult BuffersToDevice::downloadResults(func::ReturnOp op,
                                               ArrayRef<Value> uploaded) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  DeviceCalls runtime(getOperation(), b);
  SmallVector<Value> owned;
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type)
      continue;
    if (!isContiguous(type))
      return op.emitError("result ")
             << operand.getOperandNumber()
             << ": expected contiguous memory, got " << type;
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes.push_back(memref::DimOp::create(b, operand.get(), dim));
    Value result = memref::AllocOp::create(b, type, sizes);
    Value from = runtime.base(operand.get());
    runtime.call("qk_cuda_download",
                 {runtime.base(result), from, runtime.byteSize(operand.get())});
    owned.push_back(from);
    operand.set(result);
  }
  // Released twice is released once: a result may be an argument.
  llvm::append_range(owned, uploaded);
  for (Value address : owned)
    runtime.call("qk_cuda_release", address);
  return success();
}

LogicalResult BuffersToDevice::checkCalls(func::FuncOp function) {
  if (!function.isPublic())
    return success();
  if (auto uses = SymbolTable::getSymbolUses(function, getOperation());
      uses && !uses->empty())
    return uses->begin()->getUser()->emitError("calls '")
           << function.getName()
           << "', which callers outside the module call too: its memory can't "
              "be the host's and the GPU's (model=device); call a private "
              "function";
  return success();
}

LogicalResult BuffersToDevice::convert(func::FuncOp function) {
  if (failed(checkCalls(function)))
    return failure();
  WalkResult result = function.walk([&](Operation *op) {
    if (isa<memref::AllocaOp, memref::ReallocOp, memref::CopyOp,
            memref::AtomicRMWOp>(op)) {
      op->emitError("'") << op->getName()
                         << "' has no form on the GPU (model=device)";
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  function.walk([&](memref::ReshapeOp op) { convertReshape(op); });
  result = function.walk([&](Operation *op) {
    return TypeSwitch<Operation *, WalkResult>(op)
        .Case([&](memref::AllocOp alloc) {
          return convertAlloc(alloc), WalkResult::advance();
        })
        .Case([&](memref::GetGlobalOp global) {
          return convertGlobal(global), WalkResult::advance();
        })
        .Case([&](memref::DeallocOp dealloc) {
          return convertDealloc(dealloc), WalkResult::advance();
        })
        .Case(
            [&](memref::LoadOp load) { return WalkResult(convertLoad(load)); })
        .Case([&](memref::StoreOp store) {
          return WalkResult(convertStore(store));
        })
        .Default([](Operation *) { return WalkResult::advance(); });
  });
  if (result.wasInterrupted())
    return failure();
  if (!function.isPublic())
    return success();
  SmallVector<Value> uploaded;
  if (failed(uploadArguments(function, uploaded)))
    return failure();
  SmallVector<func::ReturnOp> returns;
  function.walk([&](func::ReturnOp op) { returns.push_back(op); });
  for (func::ReturnOp op : returns)
    if (failed(downloadResults(op, uploaded)))
      return failure();
  return success();
}

} // namespace
