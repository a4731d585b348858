//===- DeviceLoop.cpp - A linalg operation as a GPU kernel ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceLoop.h"

#include "DeviceCalls.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Transforms/RegionUtils.h"

#include <variant>

using namespace mlir;

namespace qk::nvvm {
namespace {

/// The value whose memory `buffer` shows a part of.
Value rootOf(Value buffer) {
  while (Operation *op = buffer.getDefiningOp()) {
    auto view = dyn_cast<ViewLikeOpInterface>(op);
    if (!view || !isa<BaseMemRefType>(view.getViewSource().getType()))
      break;
    buffer = view.getViewSource();
  }
  return buffer;
}

bool isWritten(linalg::LinalgOp op, Value root) {
  return llvm::any_of(op.getDpsInits(), [&](Value init) {
    return isa<MemRefType>(init.getType()) && rootOf(init) == root;
  });
}

class LoopKernelBuilder {
public:
  LoopKernelBuilder(linalg::LinalgOp op, gpu::GPUModuleOp module,
                    StringRef name, SmallVectorImpl<std::string> &assertions)
      : op(op), module(module), name(name), assertions(assertions),
        host(op.getLoc(), op), b(op.getLoc(), op.getContext()),
        kinds(op.getIteratorTypesArray()) {}

  FailureOr<DeviceLoop> build();

private:
  /// How the kernel finds an element of a memref.
  struct View {
    unsigned buffer;
    /// Constants or kernel values, in elements.
    Value offset;
    SmallVector<Value> strides;
  };

  LogicalResult check();
  void collectInterface();
  unsigned bufferOf(Value memref);
  void addView(Value memref);
  unsigned addScalar(Value hostValue);
  unsigned addExtent(OpFoldResult extent);
  void createFunction();
  Value readScalar(unsigned index);
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }

  SmallVector<Value> emitReductions(unsigned next, SmallVector<Value> carried);
  SmallVector<Value> emitBody(ArrayRef<Value> carried);
  SmallVector<Value> emitFrom(Block::iterator it, IRMapping &mapping);
  SmallVector<Value> emitAssertion(cf::AssertOp assertion, Block::iterator rest,
                                   IRMapping &mapping);
  void rewriteNested(Operation *copy);
  Value address(Value memref, ValueRange indices);
  Value load(Value memref, ValueRange indices);
  SmallVector<Value> indicesOf(OpOperand &operand);
  void store(ArrayRef<Value> results);

  linalg::LinalgOp op;
  gpu::GPUModuleOp module;
  StringRef name;
  SmallVectorImpl<std::string> &assertions;
  ImplicitLocOpBuilder host, b;
  SmallVector<utils::IteratorType> kinds;

  DeviceLoop loop;
  /// By memref: its view. Offsets and strides as host values until the kernel
  /// has its parameters.
  struct HostView {
    unsigned buffer;
    std::variant<int64_t, unsigned> offset;
    SmallVector<std::variant<int64_t, unsigned>> strides;
  };
  llvm::MapVector<Value, HostView> hostViews;
  DenseMap<Value, View> views;
  SmallVector<std::variant<int64_t, unsigned>> extents;
  /// Scalars of the host that the body uses, by their parameter.
  llvm::MapVector<Value, unsigned> captured;
  IRMapping captures;
  std::optional<unsigned> errorCell;
  SmallVector<Value> ivs;
};

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
            scf::YieldOp, scf::ForOp, affine::AffineApplyOp>(inner) ||
        (isa<cf::AssertOp>(inner) && !nested) || isMemoryEffectFree(inner))
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
IntegerType parameterType(Type type) {
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

//===----------------------------------------------------------------------===//
// What it computes
//===----------------------------------------------------------------------===//

Value LoopKernelBuilder::address(Value memref, ValueRange indices) {
  const View &view = views[memref];
  Value element = view.offset;
  for (auto [i, stride] : llvm::zip_equal(indices, view.strides))
    element =
        arith::AddIOp::create(b, element, arith::MulIOp::create(b, i, stride));
  Type type = cast<MemRefType>(memref.getType()).getElementType();
  Value bytes = arith::IndexCastOp::create(
      b, b.getI64Type(),
      arith::MulIOp::create(b, element, index(elementBytes(type))));
  Value pointer = loop.kernel.getBody().getArgument(view.buffer);
  return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

/// i1 and narrower integers take a byte, index eight of them.
Type storedType(Type type) {
  if (type.isIndex())
    return IntegerType::get(type.getContext(), 64);
  if (type.isInteger() && type.getIntOrFloatBitWidth() < 8)
    return IntegerType::get(type.getContext(), 8);
  return type;
}

Value LoopKernelBuilder::load(Value memref, ValueRange indices) {
  Type type = cast<MemRefType>(memref.getType()).getElementType();
  Value value = LLVM::LoadOp::create(
      b, storedType(type), address(memref, indices), elementBytes(type));
  if (type.isIndex())
    return arith::IndexCastOp::create(b, type, value);
  if (value.getType() != type)
    return arith::TruncIOp::create(b, type, value);
  return value;
}

SmallVector<Value> LoopKernelBuilder::indicesOf(OpOperand &operand) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  return llvm::map_to_vector(map.getResults(), [&](AffineExpr expr) {
    return affine::expandAffineExpr(b, op.getLoc(), expr, ivs, {});
  });
}

void LoopKernelBuilder::store(ArrayRef<Value> results) {
  for (auto [init, result] :
       llvm::zip_equal(op.getDpsInitsMutable(), results)) {
    Type type = result.getType(), stored = storedType(type);
    Value value = result;
    if (type.isIndex())
      value = arith::IndexCastOp::create(b, stored, value);
    else if (type != stored)
      value = arith::ExtUIOp::create(b, stored, value);
    LLVM::StoreOp::create(b, value, address(init.get(), indicesOf(init)),
                          elementBytes(type));
  }
}

SmallVector<Value>
LoopKernelBuilder::emitReductions(unsigned next, SmallVector<Value> carried) {
  while (next < kinds.size() && kinds[next] != utils::IteratorType::reduction)
    ++next;
  if (next == kinds.size())
    return emitBody(carried);
  Value extent = std::holds_alternative<int64_t>(extents[next])
                     ? index(std::get<int64_t>(extents[next]))
                     : readScalar(std::get<unsigned>(extents[next]));
  auto each = scf::ForOp::create(b, index(0), extent, index(1), carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(each.getBody());
  ivs[next] = each.getInductionVar();
  SmallVector<Value> results =
      emitReductions(next + 1, SmallVector<Value>(each.getRegionIterArgs()));
  scf::YieldOp::create(b, results);
  return each.getResults();
}

/// One iteration of all loops; takes and gives the values of the results.
SmallVector<Value> LoopKernelBuilder::emitBody(ArrayRef<Value> carried) {
  IRMapping mapping = captures;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!op.payloadUsesValueFromOperand(input))
      continue;
    Value value = isa<MemRefType>(input->get().getType())
                      ? load(input->get(), indicesOf(*input))
                      : mapping.lookup(input->get());
    mapping.map(op.getMatchingBlockArgument(input), value);
  }
  for (auto [init, value] : llvm::zip_equal(op.getDpsInitsMutable(), carried))
    if (value)
      mapping.map(op.getMatchingBlockArgument(&init), value);
  return emitFrom(op.getBlock()->begin(), mapping);
}

SmallVector<Value> LoopKernelBuilder::emitFrom(Block::iterator it,
                                               IRMapping &mapping) {
  for (; !it->hasTrait<OpTrait::IsTerminator>(); ++it) {
    if (auto position = dyn_cast<linalg::IndexOp>(*it)) {
      mapping.map(position.getResult(), ivs[position.getDim()]);
      continue;
    }
    if (auto read = dyn_cast<memref::LoadOp>(*it)) {
      SmallVector<Value> indices =
          llvm::map_to_vector(read.getIndices(), [&](Value index) {
            return mapping.lookup(index);
          });
      mapping.map(read.getResult(), load(read.getMemRef(), indices));
      continue;
    }
    if (auto assertion = dyn_cast<cf::AssertOp>(*it))
      return emitAssertion(assertion, std::next(it), mapping);
    rewriteNested(b.clone(*it, mapping));
  }
  return llvm::map_to_vector(it->getOperands(), [&](Value yielded) {
    return mapping.lookup(yielded);
  });
}

/// Where the condition fails, the rest is not done: it would read what the
/// condition guards.
SmallVector<Value> LoopKernelBuilder::emitAssertion(cf::AssertOp assertion,
                                                    Block::iterator rest,
                                                    IRMapping &mapping) {
  std::string message = assertion.getMsg().str();
  auto *known = llvm::find(assertions, message);
  if (known == assertions.end()) {
    assertions.push_back(message);
    known = std::prev(assertions.end());
  }
  int64_t number = std::distance(assertions.begin(), known) + 1;
  TypeRange types = op.getBlock()->getTerminator()->getOperandTypes();
  auto branch = scf::IfOp::create(b, types, mapping.lookup(assertion.getArg()),
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, emitFrom(rest, mapping));
  b.setInsertionPointToStart(branch.elseBlock());
  LLVM::StoreOp::create(b, arith::ConstantIntOp::create(b, number, 32),
                        loop.kernel.getBody().getArgument(*errorCell), 4);
  SmallVector<Value> zeros = llvm::map_to_vector(types, [&](Type type) {
    return Value(
        arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type))));
  });
  scf::YieldOp::create(b, zeros);
  return branch.getResults();
}

/// Indices and loads in the regions of a copied operation.
void LoopKernelBuilder::rewriteNested(Operation *copy) {
  SmallVector<Operation *> nested;
  copy->walk([&](Operation *inner) {
    if (isa<linalg::IndexOp, memref::LoadOp>(inner))
      nested.push_back(inner);
  });
  for (Operation *inner : nested) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(inner);
    Value value;
    if (auto position = dyn_cast<linalg::IndexOp>(inner)) {
      value = ivs[position.getDim()];
    } else {
      auto read = cast<memref::LoadOp>(inner);
      value = load(read.getMemRef(), read.getIndices());
    }
    inner->getResult(0).replaceAllUsesWith(value);
    inner->erase();
  }
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

} // namespace

FailureOr<DeviceLoop>
buildDeviceLoop(linalg::LinalgOp op, gpu::GPUModuleOp module, StringRef name,
                SmallVectorImpl<std::string> &assertions) {
  return LoopKernelBuilder(op, module, name, assertions).build();
}

} // namespace qk::nvvm
