//===- DeviceLoop.cpp - A linalg operation as a GPU kernel ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceLoop.h"

#include "DeviceCalls.h"
#include "LoopKernelBuilder.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace qk::nvvm {

/// The value whose memory `buffer` shows a part of.
static Value rootOf(Value buffer) {
  while (Operation *op = buffer.getDefiningOp()) {
    auto view = dyn_cast<ViewLikeOpInterface>(op);
    if (!view || !isa<BaseMemRefType>(view.getViewSource().getType()))
      break;
    buffer = view.getViewSource();
  }
  return buffer;
}

static bool isWritten(linalg::LinalgOp op, Value root) {
  return llvm::any_of(op.getDpsInits(), [&](Value init) {
    return isa<MemRefType>(init.getType()) && rootOf(init) == root;
  });
}

//===----------------------------------------------------------------------===//
// What the kernel is given
//===----------------------------------------------------------------------===//

LogicalResult LoopKernelBuilder::check() {
  for (Value operand : op->getOperands()) {
    Type type = operand.getType();
    if (isa<TensorType>(type))
      return op.emitError("expected buffers, got tensors: bufferize first");
    if (auto memref = dyn_cast<MemRefType>(type))
      type = memref.getElementType();
    if (!elementBytes(type))
      return op.emitError("a GPU kernel can't compute on elements of ")
             << type << " (model=device)";
  }
  WalkResult result = op->walk([&](Operation *inner) {
    if (inner == op)
      return WalkResult::advance();
    bool nested = inner->getBlock() != op.getBlock();
    if (isa<linalg::IndexOp, linalg::YieldOp, memref::LoadOp, scf::IfOp,
            scf::YieldOp, scf::ForOp, affine::AffineApplyOp,
            affine::AffineMinOp, affine::AffineMaxOp>(inner) ||
        (isa<cf::AssertOp>(inner) && !nested) ||
        isa<arith::ArithDialect, math::MathDialect>(inner->getDialect()))
      return WalkResult::advance();
    inner->emitError("a GPU kernel can't do '")
        << inner->getName() << "' (model=device); lower with model=host";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

unsigned LoopKernelBuilder::bufferOf(Value memref) {
  Value root = rootOf(memref);
  for (auto [i, buffer] : llvm::enumerate(loop.buffers))
    if (!buffer.isErrorCell && rootOf(buffer.view) == root)
      return i;
  loop.buffers.push_back({memref, isWritten(op, root)});
  return loop.buffers.size() - 1;
}

unsigned LoopKernelBuilder::addScalar(Value hostValue) {
  for (auto [i, present] : llvm::enumerate(loop.scalars))
    if (present == hostValue)
      return i;
  loop.scalars.push_back(hostValue);
  return loop.scalars.size() - 1;
}

void LoopKernelBuilder::addView(Value memref) {
  if (hostViews.contains(memref))
    return;
  auto type = cast<MemRefType>(memref.getType());
  auto [strides, offset] = type.getStridesAndOffset();
  HostView view{bufferOf(memref), offset, {}};
  memref::ExtractStridedMetadataOp parts;
  if (ShapedType::isDynamic(offset) || ShapedType::isDynamicShape(strides))
    parts = memref::ExtractStridedMetadataOp::create(host, memref);
  if (ShapedType::isDynamic(offset))
    view.offset = addScalar(parts.getOffset());
  for (auto [i, stride] : llvm::enumerate(strides)) {
    if (ShapedType::isDynamic(stride))
      view.strides.push_back(addScalar(parts.getStrides()[i]));
    else
      view.strides.push_back(stride);
  }
  hostViews.insert({memref, view});
}

void LoopKernelBuilder::collectInterface() {
  // Threads with work: the parallel loops' elements.
  SmallVector<OpFoldResult> sizes =
      llvm::map_to_vector(op.createLoopRanges(host, op.getLoc()),
                          [](const Range &range) { return range.size; });
  Value threads = arith::ConstantIndexOp::create(host, 1);
  for (auto [size, kind] : llvm::zip_equal(sizes, kinds))
    if (kind == utils::IteratorType::parallel)
      threads = arith::MulIOp::create(
          host, threads,
          getValueOrCreateConstantIndexOp(host, op.getLoc(), size));
  addScalar(threads);
  for (OpFoldResult size : sizes) {
    if (std::optional<int64_t> constant = getConstantIntValue(size))
      extents.push_back(*constant);
    else
      extents.push_back(addScalar(cast<Value>(size)));
  }
  for (Value operand : op->getOperands())
    if (isa<MemRefType>(operand.getType()))
      addView(operand);
    else
      captured.insert({operand, 0});
  llvm::SetVector<Value> above;
  getUsedValuesDefinedAbove(op->getRegions(), above);
  for (Value value : above)
    if (isa<MemRefType>(value.getType()))
      addView(value);
    else
      captured.insert({value, 0});
  captured.remove_if(
      [&](auto &entry) { return matchPattern(entry.first, m_Constant()); });
  for (auto &[value, parameter] : captured)
    parameter = addScalar(value);
  op->walk([&](cf::AssertOp) {
    if (errorCell)
      return;
    errorCell = loop.buffers.size();
    loop.buffers.push_back({Value(), /*written=*/true, /*isErrorCell=*/true});
  });
}

/// The integer type a scalar is passed as.
static IntegerType parameterType(Type type) {
  unsigned bits = type.isIndex() ? 32 : type.getIntOrFloatBitWidth();
  return IntegerType::get(type.getContext(), bits <= 32 ? 32 : 64);
}

void LoopKernelBuilder::createFunction() {
  SmallVector<Type> inputs(
      loop.buffers.size(),
      LLVM::LLVMPointerType::get(b.getContext(),
                                 unsigned(NVVM::NVVMMemorySpace::Global)));
  for (Value scalar : loop.scalars)
    inputs.push_back(parameterType(scalar.getType()));
  b.setInsertionPointToEnd(module.getBody());
  loop.kernel = gpu::GPUFuncOp::create(b, name, b.getFunctionType(inputs, {}));
  loop.kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                       b.getUnitAttr());
  loop.kernel.setKnownBlockSizeAttr(
      b.getDenseI32ArrayAttr({DeviceLoop::kBlock, 1, 1}));
  b.setInsertionPointToStart(&loop.kernel.getBody().front());
}

/// A scalar parameter as the type that it has on the host.
Value LoopKernelBuilder::readScalar(unsigned position) {
  Value parameter =
      loop.kernel.getBody().getArgument(loop.buffers.size() + position);
  Type type = loop.scalars[position].getType();
  if (type.isIndex())
    return arith::IndexCastOp::create(b, type, parameter);
  auto bits = IntegerType::get(b.getContext(), type.getIntOrFloatBitWidth());
  if (bits != parameter.getType())
    parameter = arith::TruncIOp::create(b, bits, parameter);
  return type == bits ? parameter
                      : Value(arith::BitcastOp::create(b, type, parameter));
}

FailureOr<DeviceLoop> LoopKernelBuilder::build() {
  if (failed(check()))
    return failure();
  collectInterface();
  createFunction();
  auto constantOr = [&](std::variant<int64_t, unsigned> what) {
    return std::holds_alternative<int64_t>(what)
               ? index(std::get<int64_t>(what))
               : readScalar(std::get<unsigned>(what));
  };

  Value thread = arith::AddIOp::create(
      b,
      arith::MulIOp::create(b, gpu::BlockIdOp::create(b, gpu::Dimension::x),
                            index(DeviceLoop::kBlock)),
      gpu::ThreadIdOp::create(b, gpu::Dimension::x));
  // In 32 bits: the runtime refuses more threads, and a division is slow.
  Value rest = arith::IndexCastOp::create(b, b.getI32Type(), thread);
  Value threads = loop.kernel.getBody().getArgument(loop.buffers.size());
  auto guard = scf::IfOp::create(
      b, arith::CmpIOp::create(b, arith::CmpIPredicate::ult, rest, threads),
      /*withElseRegion=*/false);
  gpu::ReturnOp::create(b);
  b.setInsertionPointToStart(guard.thenBlock());

  for (auto &[memref, hostView] : hostViews)
    views[memref] = {hostView.buffer, constantOr(hostView.offset),
                     llvm::map_to_vector(hostView.strides, constantOr)};
  for (auto &[value, parameter] : captured)
    captures.map(value, readScalar(parameter));
  llvm::SetVector<Value> above;
  getUsedValuesDefinedAbove(op->getRegions(), above);
  above.insert_range(op->getOperands());
  for (Value value : above)
    if (matchPattern(value, m_Constant()))
      captures.map(value, b.clone(*value.getDefiningOp())->getResult(0));

  // The last parallel loop runs along a warp.
  ivs.resize(kinds.size());
  for (unsigned dim = kinds.size(); dim-- > 0;) {
    if (kinds[dim] != utils::IteratorType::parallel)
      continue;
    Value extent =
        arith::IndexCastOp::create(b, b.getI32Type(), constantOr(extents[dim]));
    ivs[dim] = arith::IndexCastOp::create(
        b, b.getIndexType(), arith::RemUIOp::create(b, rest, extent));
    rest = arith::DivUIOp::create(b, rest, extent);
  }
  SmallVector<Value> carried;
  bool reduces = llvm::is_contained(kinds, utils::IteratorType::reduction);
  for (OpOperand &init : op.getDpsInitsMutable())
    carried.push_back(reduces || op.payloadUsesValueFromOperand(&init)
                          ? load(init.get(), indicesOf(init))
                          : Value());
  store(emitReductions(0, carried));
  return loop;
}

FailureOr<DeviceLoop>
buildDeviceLoop(linalg::LinalgOp op, gpu::GPUModuleOp module, StringRef name,
                SmallVectorImpl<DeviceAssertion> &assertions) {
  return LoopKernelBuilder(op, module, name, assertions).build();
}

} // namespace qk::nvvm
