//===- RowProgramWriter.cpp - Ops that compute rows, as one program -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The bodies of linalg operations, element by element, become operations on
/// vectors of a row; what does not depend on the column stays a scalar.
///
//===----------------------------------------------------------------------===//

#include "RowFusion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qk::nvvm {
namespace {

class ProgramWriter {
public:
  ProgramWriter(ImplicitLocOpBuilder &b, int64_t k) : b(b), k(k) {}

  void map(Value from, Value to) { mapping.map(from, to); }
  void writeLoop(linalg::LinalgOp op, RowSource kind);
  Value valueOf(Value tensor);
  /// As a vector of the row.
  Value columnsOf(Value value);

private:
  Value write(Operation *op, IRMapping &body);

  ImplicitLocOpBuilder &b;
  int64_t k;
  IRMapping mapping;
};

Value ProgramWriter::columnsOf(Value value) {
  if (isa<VectorType>(value.getType()))
    return value;
  return b.createOrFold<vector::BroadcastOp>(
      VectorType::get({k}, value.getType()), value);
}

/// What stands for a value of the function around: that of a source or of an
/// operation before, or a constant's.
Value ProgramWriter::valueOf(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Attribute attribute;
  matchPattern(value, m_Constant(&attribute));
  if (auto splat = dyn_cast<SplatElementsAttr>(attribute))
    attribute = splat.getSplatValue<Attribute>();
  Value constant = arith::ConstantOp::create(b, cast<TypedAttr>(attribute));
  mapping.map(value, constant);
  return constant;
}

/// One operation of a body.
Value ProgramWriter::write(Operation *op, IRMapping &body) {
  SmallVector<Value> operands =
      llvm::map_to_vector(op->getOperands(), [&](Value operand) {
        Value known = body.lookupOrNull(operand);
        return known ? known : valueOf(operand);
      });
  Type type = op->getResult(0).getType();
  if (llvm::any_of(operands, [](Value operand) {
        return isa<VectorType>(operand.getType());
      })) {
    for (Value &operand : operands)
      operand = columnsOf(operand);
    type = VectorType::get({k}, type);
  }
  return mlir::clone(b, op, type, operands)->getResult(0);
}

static vector::CombiningKind combiningKind(Operation *combiner) {
  return TypeSwitch<Operation *, vector::CombiningKind>(combiner)
      .Case([](arith::AddFOp) { return vector::CombiningKind::ADD; })
      .Case([](arith::MulFOp) { return vector::CombiningKind::MUL; })
      .Case([](arith::MaximumFOp) { return vector::CombiningKind::MAXIMUMF; })
      .Case([](arith::MinimumFOp) { return vector::CombiningKind::MINIMUMF; });
}

void ProgramWriter::writeLoop(linalg::LinalgOp op, RowSource kind) {
  b.setLoc(op.getLoc());
  Block *block = op.getBlock();
  IRMapping body;
  for (OpOperand &operand : op->getOpOperands())
    if (op.payloadUsesValueFromOperand(&operand))
      body.map(op.getMatchingBlockArgument(&operand), valueOf(operand.get()));
  Value yielded = block->getTerminator()->getOperand(0);
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  bool reduces = false;
  for (auto [extent, iterator] :
       llvm::zip_equal(extents, op.getIteratorTypesArray()))
    reduces |= extent != 1 && iterator == utils::IteratorType::reduction;
  Operation *combiner = reduces ? yielded.getDefiningOp() : nullptr;
  for (Operation &inner : block->without_terminator())
    if (&inner != combiner)
      body.map(inner.getResult(0), write(&inner, body));

  auto get = [&](Value value) {
    Value known = body.lookupOrNull(value);
    return known ? known : valueOf(value);
  };
  Value result;
  if (combiner) {
    Value sum = block->getArguments().back();
    Value term = combiner->getOperand(combiner->getOperand(0) == sum ? 1 : 0);
    result = vector::ReductionOp::create(b, combiningKind(combiner),
                                         columnsOf(get(term)), get(sum),
                                         arith::FastMathFlags::reassoc);
  } else {
    result = get(yielded);
    if (kind == RowSource::Row || kind == RowSource::Column)
      result = columnsOf(result);
  }
  mapping.map(op->getResult(0), result);
}

} // namespace

func::FuncOp RowFusion::buildProgram(ModuleOp module, StringRef name) const {
  ImplicitLocOpBuilder b(consumer->getLoc(), module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  auto hasColumns = [](RowSource where) {
    return where == RowSource::Row || where == RowSource::Column;
  };
  SmallVector<Type> inputs;
  for (const Source &source : reads) {
    Type element = getElementTypeOrSelf(source.value.getType());
    inputs.push_back(hasColumns(source.where) ? VectorType::get({k}, element)
                                              : element);
  }
  Type result = VectorType::get({k}, getElementTypeOrSelf(x.getType()));
  auto function =
      func::FuncOp::create(b, name, b.getFunctionType(inputs, result));
  function.setPrivate();
  b.setInsertionPointToStart(function.addEntryBlock());
  ProgramWriter writer(b, k);
  for (auto [i, source] : llvm::enumerate(reads)) {
    std::string_view where = rowSourceName(source.where);
    function.setArgAttr(i, kRowSourceAttr,
                        b.getStringAttr(StringRef(where.data(), where.size())));
    writer.map(source.value, function.getArgument(i));
  }
  for (Operation *op : members) {
    if (auto loop = dyn_cast<linalg::LinalgOp>(op))
      writer.writeLoop(loop, kinds.at(op->getResult(0)));
    else
      writer.map(op->getResult(0), writer.valueOf(op->getOperand(0)));
  }
  b.setLoc(consumer->getLoc());
  func::ReturnOp::create(b, writer.columnsOf(writer.valueOf(x)));
  return function;
}

} // namespace qk::nvvm
