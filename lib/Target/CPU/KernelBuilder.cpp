//===- KernelBuilder.cpp - CPU kernels as MLIR ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace qk::cpu {

namespace {

/// Multiply-adds below which a second thread costs more than it brings: an
/// OpenMP region is about a microsecond.
constexpr int64_t kSerialWork = 1 << 18;

/// The same for elements of x that are quantised or packed.
constexpr int64_t kSerialElements = 1 << 14;

/// Row tiles that one task takes: the granularity of threads over M.
constexpr int64_t kTaskRowTiles = 8;

/// Runs `body` over [0, outer) x [0, inner), with threads if `parallel`.
void forEachTask(Emitter &e, Value outer, Value inner, Value parallel,
                 llvm::function_ref<void(Value, Value)> body) {
  auto choose = scf::IfOp::create(e.b, e.loc, parallel,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(e.b);
  Value zero, one;
  e.b.setInsertionPoint(choose);
  zero = e.index(0);
  one = e.index(1);
  e.b.setInsertionPoint(choose.thenBlock()->getTerminator());
  auto loop =
      scf::ParallelOp::create(e.b, e.loc, ValueRange{zero, zero},
                              ValueRange{outer, inner}, ValueRange{one, one});
  e.b.setInsertionPoint(loop.getBody()->getTerminator());
  body(loop.getInductionVars()[0], loop.getInductionVars()[1]);
  e.b.setInsertionPoint(choose.elseBlock()->getTerminator());
  e.forEach(zero, outer, 1, [&](Value i) {
    e.forEach(zero, inner, 1, [&](Value j) { body(i, j); });
  });
}

func::FuncOp buildKernelLevel(func::FuncOp declaration, const KernelSpec &spec,
                              Level level) {
  func::FuncOp tile = buildTileFunction(declaration, spec, level);
  func::FuncOp function =
      createLevelFunction(declaration, "." + std::string(name(level)),
                          declaration.getFunctionType(), level);
  Block &entry = function.getBody().front();
  Emitter e(OpBuilder::atBlockEnd(&entry), declaration.getLoc(), level);
  KernelChoice choice = chooseKernel(spec, level);
  auto arguments = entry.getArguments();
  Value workspace;
  if (arguments.size() > kernelType(e.b.getContext(), spec).getNumInputs()) {
    workspace = arguments.back();
    arguments = arguments.drop_back();
  }
  Value x = e.asStored(arguments.front()), y = e.asStored(arguments.back());
  Value m = e.dim(y, 0), n = e.dim(y, 1);
  PackedActivations packed = allocateActivations(e, spec, choice, m, workspace);
  int64_t taskRows = kTaskRowTiles * choice.tiles.front().rows;
  Value rowTasks = e.ceilDiv(m, taskRows);
  auto rowsOf = [&](Value task) {
    Value first = e.mul(task, taskRows);
    return std::pair(first, e.min(e.add(first, taskRows), m));
  };
  auto exceeds = [&](Value work, int64_t bound) -> Value {
    return arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::sgt, work,
                                 e.index(bound));
  };
  forEachTask(e, rowTasks, e.index(1),
              exceeds(m, std::max(taskRows, kSerialElements / spec.k)),
              [&](Value task, Value) {
                auto [first, last] = rowsOf(task);
                packActivations(e, spec, choice, x, packed, first, last);
              });
  // The tile function's arguments: packed activations, ours but x, the task.
  Values operands = packed.planes;
  if (packed.sums)
    operands.push_back(packed.sums);
  llvm::append_range(operands, arguments.drop_front().drop_back());
  operands.push_back(y);
  forEachTask(e, e.ceilDiv(n, kTileChannels), rowTasks,
              exceeds(e.mul(m, n), kSerialWork / spec.k),
              [&](Value t, Value task) {
                auto [first, last] = rowsOf(task);
                Values all = operands;
                all.append({t, first, last});
                func::CallOp::create(e.b, e.loc, tile, all);
              });
  if (!workspace) {
    for (Value buffer : packed.planes)
      memref::DeallocOp::create(e.b, e.loc, buffer);
    if (packed.sums)
      memref::DeallocOp::create(e.b, e.loc, packed.sums);
  }
  func::ReturnOp::create(e.b, e.loc);
  return function;
}

//===----------------------------------------------------------------------===//
// Activation quantisation
//===----------------------------------------------------------------------===//

/// Quantises `length` elements of row m from k on; the scale goes to
/// scales[m, group].
void quantizeGroup(Emitter &e, const QuantizerSpec &spec, int64_t lanes,
                   Value x, Value codes, Value scales, Value m, Value k,
                   Value group, int64_t length) {
  Type code = codeType(e.b, spec.activation);
  auto floats = e.vec(lanes, e.f32());
  const int64_t whole = length / lanes * lanes;
  const double limit = activationMax(spec.activation);
  auto scalarAt = [&](Value i) {
    return e.toFloat(
        memref::LoadOp::create(e.b, e.loc, x, ValueRange{m, e.add(k, i)}));
  };
  auto vectorAt = [&](Value i) {
    return e.toFloat(e.load(x, {m, e.add(k, i)}, lanes));
  };
  Value most = e.zero(e.f32());
  if (whole) {
    Value values = e.forEach(
        e.index(0), e.index(whole), lanes, ValueRange{e.zero(floats)},
        [&](Value i, ValueRange carried) -> Values {
          Value magnitude = math::AbsFOp::create(e.b, e.loc, vectorAt(i));
          return {arith::MaximumFOp::create(e.b, e.loc, carried[0], magnitude)};
        })[0];
    most = vector::ReductionOp::create(e.b, e.loc,
                                       vector::CombiningKind::MAXIMUMF, values);
  }
  if (whole != length)
    most = e.forEach(
        e.index(whole), e.index(length), 1, ValueRange{most},
        [&](Value i, ValueRange carried) -> Values {
          Value magnitude = math::AbsFOp::create(e.b, e.loc, scalarAt(i));
          return {arith::MaximumFOp::create(e.b, e.loc, carried[0], magnitude)};
        })[0];
  auto constant = [&](double value) -> Value {
    return arith::ConstantOp::create(e.b, e.loc, e.b.getF32FloatAttr(value));
  };
  Value zero = constant(0), limitValue = constant(limit);
  Value scale = arith::DivFOp::create(e.b, e.loc, most, limitValue);
  // All zeros, or so small that the scale is: any scale will do.
  Value none =
      arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::OEQ, scale, zero);
  scale = arith::SelectOp::create(e.b, e.loc, none, constant(1), scale);
  memref::StoreOp::create(e.b, e.loc, scale, scales, ValueRange{m, group});

  // round(x / scale), half to even, by a true division as in the op's formula:
  // a product with the reciprocal would differ at halves.
  auto quantize = [&](Value value, Type type) -> Value {
    Value divisor = scale, low = constant(-limit), high = limitValue;
    if (auto vector = dyn_cast<VectorType>(value.getType())) {
      divisor = e.broadcast(scale, lanes);
      low = e.splat(vector, -limit);
      high = e.splat(vector, limit);
    }
    Value quotient = arith::DivFOp::create(e.b, e.loc, value, divisor);
    Value rounded = math::RoundEvenOp::create(e.b, e.loc, quotient);
    rounded = arith::MaxNumFOp::create(e.b, e.loc, rounded, low);
    rounded = arith::MinNumFOp::create(e.b, e.loc, rounded, high);
    Type wide = e.i32();
    if (auto vector = dyn_cast<VectorType>(type))
      wide = vector.cloneWith(std::nullopt, wide);
    Value integer = arith::FPToSIOp::create(e.b, e.loc, wide, rounded);
    return arith::TruncIOp::create(e.b, e.loc, type, integer);
  };
  e.forEach(e.index(0), e.index(whole), lanes, [&](Value i) {
    Value value = quantize(vectorAt(i), e.vec(lanes, code));
    vector::StoreOp::create(e.b, e.loc, value, codes,
                            ValueRange{m, e.add(k, i)});
  });
  e.forEach(e.index(whole), e.index(length), 1, [&](Value i) {
    memref::StoreOp::create(e.b, e.loc, quantize(scalarAt(i), code), codes,
                            ValueRange{m, e.add(k, i)});
  });
}

func::FuncOp buildQuantizerLevel(func::FuncOp declaration,
                                 const QuantizerSpec &spec, Level level) {
  func::FuncOp function =
      createLevelFunction(declaration, "." + std::string(name(level)),
                          declaration.getFunctionType(), level);
  Block &entry = function.getBody().front();
  Emitter e(OpBuilder::atBlockEnd(&entry), declaration.getLoc(), level);
  // At 128 bits several vectors at once: the bytes of four fill one.
  const bool wide = level == Level::AVX512VNNI ||
                    architecture(level) == Architecture::AArch64;
  const int64_t lanes = wide ? 16 : 8;
  Value x = e.asStored(entry.getArgument(0)), codes = entry.getArgument(1),
        scales = entry.getArgument(2);
  Value rows = e.dim(x, 0);
  Value parallel =
      arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::sgt, rows,
                            e.index(kSerialElements / spec.k));
  forEachTask(e, rows, e.index(1), parallel, [&](Value m, Value) {
    const int64_t full = spec.k / spec.groupLength;
    e.forEach(e.index(0), e.index(full), 1, [&](Value g) {
      quantizeGroup(e, spec, lanes, x, codes, scales, m,
                    e.mul(g, spec.groupLength), g, spec.groupLength);
    });
    if (int64_t tail = spec.k % spec.groupLength)
      quantizeGroup(e, spec, lanes, x, codes, scales, m,
                    e.index(full * spec.groupLength), e.index(full), tail);
  });
  func::ReturnOp::create(e.b, e.loc);
  return function;
}

} // namespace

void buildKernel(func::FuncOp declaration, const KernelSpec &spec,
                 ArrayRef<Level> levels) {
  SmallVector<func::FuncOp> functions;
  for (Level level : levels)
    functions.push_back(buildKernelLevel(declaration, spec, level));
  buildDispatch(declaration, levels, functions);
}

void buildQuantizer(func::FuncOp declaration, const QuantizerSpec &spec,
                    ArrayRef<Level> levels) {
  SmallVector<func::FuncOp> functions;
  for (Level level : levels)
    functions.push_back(buildQuantizerLevel(declaration, spec, level));
  buildDispatch(declaration, levels, functions);
}

} // namespace qk::cpu
