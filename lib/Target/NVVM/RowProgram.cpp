//===- RowProgram.cpp - What computes a row, in a kernel --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowProgram.h"

#include "Kernels.h"

#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace qk::nvvm {

std::string_view rowSourceName(RowSource source) {
  switch (source) {
  case RowSource::Row:
    return "row";
  case RowSource::Column:
    return "column";
  case RowSource::Token:
    return "token";
  case RowSource::Scalar:
    return "scalar";
  }
  llvm_unreachable("no such source");
}

static std::optional<RowSource> sourceByName(StringRef name) {
  return llvm::StringSwitch<std::optional<RowSource>>(name)
      .Case("row", RowSource::Row)
      .Case("column", RowSource::Column)
      .Case("token", RowSource::Token)
      .Case("scalar", RowSource::Scalar)
      .Default(std::nullopt);
}

static std::optional<ElementType> elementOf(Type type) {
  if (type.isF32())
    return ElementType::F32;
  if (type.isF16())
    return ElementType::F16;
  if (type.isBF16())
    return ElementType::BF16;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// What a program may be
//===----------------------------------------------------------------------===//

static bool isCombinable(vector::CombiningKind kind) {
  switch (kind) {
  case vector::CombiningKind::ADD:
  case vector::CombiningKind::MUL:
  case vector::CombiningKind::MAXIMUMF:
  case vector::CombiningKind::MINIMUMF:
    return true;
  default:
    return false;
  }
}

static bool isStep(Operation &op, int64_t k) {
  if (op.getNumResults() != 1)
    return false;
  for (Type type : op.getResultTypes())
    if (auto vector = dyn_cast<VectorType>(type);
        vector && vector.getShape() != ArrayRef<int64_t>{k})
      return false;
  if (auto reduction = dyn_cast<vector::ReductionOp>(op))
    return reduction.getAcc() && isCombinable(reduction.getKind()) &&
           elementOf(reduction.getDest().getType());
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return !isa<VectorType>(constant.getType()) ||
           isa<SplatElementsAttr>(constant.getValue());
  if (auto broadcast = dyn_cast<vector::BroadcastOp>(op))
    return !isa<VectorType>(broadcast.getSource().getType());
  return OpTrait::hasElementwiseMappableTraits(&op) && isMemoryEffectFree(&op);
}

std::optional<RowProgramInfo> rowProgramInfo(func::FuncOp function, int64_t k,
                                             ElementType type) {
  if (!function || function.isExternal() || !function.getBody().hasOneBlock())
    return std::nullopt;
  RowProgramInfo info;
  info.name = function.getSymName().str();
  for (auto [i, argument] : llvm::enumerate(function.getArgumentTypes())) {
    auto name = function.getArgAttrOfType<StringAttr>(i, kRowSourceAttr);
    std::optional<RowSource> where =
        name ? sourceByName(name.getValue()) : std::nullopt;
    std::optional<ElementType> element =
        elementOf(getElementTypeOrSelf(argument));
    if (!where || !element)
      return std::nullopt;
    bool hasColumns = *where == RowSource::Row || *where == RowSource::Column;
    Type expected = getElementTypeOrSelf(argument);
    if (hasColumns)
      expected = VectorType::get({k}, expected);
    if (argument != expected)
      return std::nullopt;
    info.sources.push_back({*where, *element});
  }
  auto result = VectorType::get({k}, mlirType(function.getContext(), type));
  if (function.getNumResults() != 1 || function.getResultTypes()[0] != result ||
      info.sources.empty())
    return std::nullopt;
  for (Operation &op : function.getBody().front().without_terminator()) {
    if (!isStep(op, k))
      return std::nullopt;
    info.reductions += isa<vector::ReductionOp>(op);
  }
  return info;
}

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

SmallVector<Value> loadVector(Emitter &e, Type type, Value pointer, Value index,
                              int64_t vector) {
  int64_t bytes = type.getIntOrFloatBitWidth() / 8;
  Value from = e.at(pointer, e.mul(index, e.i64(bytes)));
  // Arrays are 16-byte aligned, vectors count from their beginning.
  int64_t alignment = std::min<int64_t>(vector * bytes, 16);
  if (vector == 1)
    return {e.loadConst(type, from, alignment)};
  Value loaded = e.loadConst(VectorType::get({vector}, type), from, alignment);
  SmallVector<Value> elements;
  for (int64_t i = 0; i < vector; ++i)
    elements.push_back(vector::ExtractOp::create(e, loaded, i));
  return elements;
}

Value asWord(Emitter &e, Value value) {
  if (value.getType().isF32())
    return value;
  Value bits = e.bitcast(e.getI16Type(), value);
  return e.bitcast(e.getF32Type(),
                   arith::ExtUIOp::create(e, e.getI32Type(), bits));
}

Value fromWord(Emitter &e, Type type, Value word) {
  if (type.isF32())
    return word;
  Value bits = e.bitcast(e.getI32Type(), word);
  return e.bitcast(type, arith::TruncIOp::create(e, e.getI16Type(), bits));
}

//===----------------------------------------------------------------------===//
// RowProgram
//===----------------------------------------------------------------------===//

RowProgram::RowProgram(Emitter &e, func::FuncOp function,
                       const RowProgramInfo &info, ValueRange pointers,
                       int64_t k, int64_t vector)
    : e(e), function(function), info(info), pointers(pointers), k(k),
      vector(vector) {
  for (Operation &op : function.getBody().front().without_terminator()) {
    unsigned pass = 0;
    for (Value operand : op.getOperands())
      pass = std::max(pass, passOf(operand));
    if (auto reduction = dyn_cast<vector::ReductionOp>(op)) {
      if (reductions.size() <= pass)
        reductions.resize(pass + 1);
      reductions[pass++].push_back(reduction);
    }
    for (Value result : op.getResults())
      known[result] = pass;
  }
}

void RowProgram::start(Value block) {
  row = block;
  for (auto [argument, source, pointer] :
       llvm::zip_equal(function.getArguments(), info.sources, pointers)) {
    if (isa<VectorType>(argument.getType()))
      continue;
    Value index = source.where == RowSource::Token ? e.wide(row) : e.i64(0);
    scalars.map(argument,
                loadVector(e, argument.getType(), pointer, index, 1).front());
  }
  emitScalars(0);
}

/// The scalars that `pass` passes are enough for.
void RowProgram::emitScalars(unsigned pass) {
  for (Operation &op : function.getBody().front().without_terminator())
    if (!isa<vector::ReductionOp>(op) && passOf(op.getResult(0)) == pass &&
        !isa<VectorType>(op.getResult(0).getType()))
      e.clone(op, scalars);
}

static Value combine(Emitter &e, vector::CombiningKind kind, Value a, Value b) {
  switch (kind) {
  case vector::CombiningKind::ADD:
    return arith::AddFOp::create(e, a, b);
  case vector::CombiningKind::MUL:
    return arith::MulFOp::create(e, a, b);
  case vector::CombiningKind::MAXIMUMF:
    return arith::MaximumFOp::create(e, a, b);
  default:
    return arith::MinimumFOp::create(e, a, b);
  }
}

SmallVector<Combine> RowProgram::combiners(unsigned pass) {
  return llvm::map_to_vector(
      reductions[pass], [&](vector::ReductionOp op) -> Combine {
        return [this, kind = op.getKind()](Value a, Value b) {
          return combine(e, kind, a, b);
        };
      });
}

SmallVector<Value> RowProgram::neutral(unsigned pass) {
  return llvm::map_to_vector(
      reductions[pass], [&](vector::ReductionOp op) -> Value {
        auto type = cast<FloatType>(op.getDest().getType());
        const llvm::fltSemantics &semantics = type.getFloatSemantics();
        APFloat value = APFloat::getZero(semantics);
        if (op.getKind() == vector::CombiningKind::MUL)
          value = APFloat(semantics, 1);
        if (op.getKind() == vector::CombiningKind::MAXIMUMF)
          value = APFloat::getInf(semantics, /*Negative=*/true);
        if (op.getKind() == vector::CombiningKind::MINIMUMF)
          value = APFloat::getInf(semantics);
        return arith::ConstantFloatOp::create(e, type, value);
      });
}

SmallVector<SmallVector<Value>> RowProgram::terms(unsigned pass, Value column) {
  return evaluate(llvm::map_to_vector(reductions[pass],
                                      [](vector::ReductionOp op) -> Value {
                                        return op.getVector();
                                      }),
                  column);
}

void RowProgram::finish(unsigned pass, ArrayRef<Value> sums) {
  for (auto [op, sum] : llvm::zip_equal(reductions[pass], sums))
    scalars.map(op.getDest(),
                combine(e, op.getKind(), scalars.lookup(op.getAcc()), sum));
  emitScalars(pass + 1);
}

SmallVector<Value> RowProgram::result(Value column) {
  Operation *terminator = function.getBody().front().getTerminator();
  return evaluate(terminator->getOperand(0), column).front();
}

RowProgram::Columns RowProgram::load(BlockArgument argument, Value column) {
  unsigned number = argument.getArgNumber();
  Value index = column;
  if (info.sources[number].where == RowSource::Row)
    index = e.add(e.mul(e.wide(row), e.i64(k)), column);
  return loadVector(e, getElementTypeOrSelf(argument.getType()),
                    pointers[number], index, vector);
}

/// One of the program's ops on vectors, column by column.
RowProgram::Columns
RowProgram::emitColumns(Operation *op,
                        const DenseMap<Value, Columns> &columns) {
  Type type = getElementTypeOrSelf(op->getResult(0).getType());
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto value = cast<SplatElementsAttr>(constant.getValue());
    return Columns(
        vector, arith::ConstantOp::create(e, value.getSplatValue<TypedAttr>()));
  }
  if (auto broadcast = dyn_cast<vector::BroadcastOp>(op))
    return Columns(vector, scalars.lookup(broadcast.getSource()));
  Columns results;
  for (int64_t i = 0; i < vector; ++i) {
    SmallVector<Value> operands =
        llvm::map_to_vector(op->getOperands(), [&](Value operand) {
          return isa<VectorType>(operand.getType()) ? columns.at(operand)[i]
                                                    : scalars.lookup(operand);
        });
    results.push_back(mlir::clone(e, op, type, operands)->getResult(0));
  }
  return results;
}

SmallVector<RowProgram::Columns> RowProgram::evaluate(ArrayRef<Value> wanted,
                                                      Value column) {
  // What `wanted` needs; uses come after what they use.
  llvm::DenseSet<Value> needed(wanted.begin(), wanted.end());
  Block &block = function.getBody().front();
  for (Operation &op : llvm::reverse(block.without_terminator()))
    if (op.getNumResults() == 1 && needed.contains(op.getResult(0)))
      for (Value operand : op.getOperands())
        if (isa<VectorType>(operand.getType()))
          needed.insert(operand);

  DenseMap<Value, Columns> columns;
  for (BlockArgument argument : block.getArguments())
    if (needed.contains(argument))
      columns[argument] = load(argument, column);
  for (Operation &op : block.without_terminator())
    if (op.getNumResults() == 1 && needed.contains(op.getResult(0)) &&
        isa<VectorType>(op.getResult(0).getType()))
      columns[op.getResult(0)] = emitColumns(&op, columns);
  return llvm::map_to_vector(wanted,
                             [&](Value value) { return columns.at(value); });
}

} // namespace qk::nvvm
