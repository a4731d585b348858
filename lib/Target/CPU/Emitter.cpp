//===- Emitter.cpp - Short spellings for the kernel builders ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "qk/Dialect/Kernel/Kernel.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace qk::cpu {

namespace {
constexpr auto kNoWrap =
    arith::IntegerOverflowFlags::nsw | arith::IntegerOverflowFlags::nuw;

std::optional<int64_t> constant(Value value) {
  APInt result;
  if (matchPattern(value, m_ConstantInt(&result)))
    return result.getSExtValue();
  return std::nullopt;
}
} // namespace

Value Emitter::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value Emitter::add(Value lhs, Value rhs) {
  if (auto value = constant(rhs))
    return add(lhs, *value);
  return arith::AddIOp::create(b, loc, lhs, rhs, kNoWrap);
}

Value Emitter::add(Value lhs, int64_t rhs) {
  if (rhs == 0)
    return lhs;
  if (auto value = constant(lhs))
    return index(*value + rhs);
  return arith::AddIOp::create(b, loc, lhs, index(rhs), kNoWrap);
}

Value Emitter::mul(Value lhs, int64_t rhs) {
  if (rhs == 1)
    return lhs;
  if (auto value = constant(lhs))
    return index(*value * rhs);
  return arith::MulIOp::create(b, loc, lhs, index(rhs), kNoWrap);
}

Value Emitter::mul(Value lhs, Value rhs) {
  return arith::MulIOp::create(b, loc, lhs, rhs, kNoWrap);
}

Value Emitter::sub(Value lhs, Value rhs) {
  return arith::SubIOp::create(b, loc, lhs, rhs);
}

Value Emitter::ceilDiv(Value lhs, int64_t rhs) {
  // Sizes are not negative.
  return arith::DivUIOp::create(b, loc, add(lhs, rhs - 1), index(rhs));
}

Value Emitter::min(Value lhs, Value rhs) {
  return arith::MinSIOp::create(b, loc, lhs, rhs);
}

Value Emitter::splat(VectorType type, int64_t value) {
  return arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(type,
                             b.getIntegerAttr(type.getElementType(), value)));
}

Value Emitter::splat(VectorType type, double value) {
  return arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(type,
                             b.getFloatAttr(type.getElementType(), value)));
}

Value Emitter::zero(Type type) {
  return arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
}

Value Emitter::load(Value memref, ValueRange at, int64_t lanes) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  return vector::LoadOp::create(b, loc, vec(lanes, element), memref, at);
}

Value Emitter::broadcast(Value scalar, int64_t lanes) {
  return vector::BroadcastOp::create(b, loc, vec(lanes, scalar.getType()),
                                     scalar);
}

Value Emitter::bitcast(Value vector, int64_t lanes, Type element) {
  return vector::BitCastOp::create(b, loc, vec(lanes, element), vector);
}

Value Emitter::fma(Value a, Value x, Value c) {
  if (!portable)
    return vector::FMAOp::create(b, loc, a, x, c);
  auto contract = arith::FastMathFlags::contract;
  Value product = arith::MulFOp::create(b, loc, a, x, contract);
  return arith::AddFOp::create(b, loc, product, c, contract);
}

Value Emitter::toFloat(Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  if (element.isF32())
    return value;
  auto vector = dyn_cast<VectorType>(value.getType());
  auto as = [&](Type type) -> Type {
    return vector ? Type(vector.cloneWith(std::nullopt, type)) : type;
  };
  if (element.isF16())
    return arith::ExtFOp::create(b, loc, as(f32()), value);
  Value bits = arith::ExtUIOp::create(b, loc, as(i32()), value);
  Value shift = vector ? splat(cast<VectorType>(bits.getType()), int64_t(16))
                       : Value(arith::ConstantIntOp::create(b, loc, 16, 32));
  bits = arith::ShLIOp::create(b, loc, bits, shift);
  return arith::BitcastOp::create(b, loc, as(f32()), bits);
}

Value Emitter::fromFloat(Value value, Element element) {
  if (element == Element::F32)
    return value;
  auto floats = cast<VectorType>(value.getType());
  if (element == Element::F16)
    return arith::TruncFOp::create(
        b, loc, floats.cloneWith(std::nullopt, b.getF16Type()), value);
  // bits + 0x7fff + (lowest bit that stays), upper half; NaN stays NaN.
  auto words = floats.cloneWith(std::nullopt, i32());
  Value sixteen = splat(words, int64_t(16));
  Value bits = arith::BitcastOp::create(b, loc, words, value);
  Value upper = arith::ShRUIOp::create(b, loc, bits, sixteen);
  Value odd = arith::AndIOp::create(b, loc, upper, splat(words, int64_t(1)));
  Value rounded =
      arith::AddIOp::create(b, loc, arith::AddIOp::create(b, loc, bits, odd),
                            splat(words, int64_t(0x7fff)));
  rounded = arith::ShRUIOp::create(b, loc, rounded, sixteen);
  Value isNaN =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
  rounded = arith::SelectOp::create(b, loc, isNaN,
                                    splat(words, int64_t(0x7fc0)), rounded);
  return arith::TruncIOp::create(
      b, loc, floats.cloneWith(std::nullopt, b.getI16Type()), rounded);
}

Value Emitter::asStored(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.getElementType().isBF16())
    return memref;
  // Both become the same LLVM type, and the cast goes.
  return UnrealizedConversionCastOp::create(b, loc, rowsType(b.getI16Type()),
                                            memref)
      .getResult(0);
}

Values Emitter::forEach(Value lower, Value upper, int64_t step, ValueRange init,
                        llvm::function_ref<Values(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(b, loc, lower, upper, index(step), init);
  OpBuilder::InsertionGuard guard(b);
  if (init.empty())
    b.setInsertionPoint(loop.getBody()->getTerminator());
  else
    b.setInsertionPointToEnd(loop.getBody());
  Values results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!init.empty())
    scf::YieldOp::create(b, loc, results);
  return Values(loop.getResults());
}

void Emitter::forEach(Value lower, Value upper, int64_t step,
                      llvm::function_ref<void(Value)> body) {
  forEach(lower, upper, step, ValueRange(), [&](Value i, ValueRange) {
    body(i);
    return Values();
  });
}

Value Emitter::dim(Value memref, int64_t index) {
  return memref::DimOp::create(b, loc, memref, index);
}

Type elementType(OpBuilder &b, Element element) {
  switch (element) {
  case Element::F32:
    return b.getF32Type();
  case Element::F16:
    return b.getF16Type();
  case Element::BF16:
    return b.getBF16Type();
  }
  return {};
}

Type codeType(OpBuilder &b, Activation activation) {
  return b.getIntegerType(activation == Activation::Int16 ? 16 : 8);
}

Type storageType(OpBuilder &b, Element element) {
  return element == Element::BF16 ? b.getI16Type() : elementType(b, element);
}

MemRefType rowsType(Type element) {
  auto layout = StridedLayoutAttr::get(
      element.getContext(), ShapedType::kDynamic, {ShapedType::kDynamic, 1});
  return MemRefType::get({ShapedType::kDynamic, ShapedType::kDynamic}, element,
                         layout);
}

func::FuncOp createLevelFunction(func::FuncOp declaration, const Twine &suffix,
                                 FunctionType type, Level level) {
  OpBuilder b(declaration.getContext());
  b.setInsertionPointAfter(declaration);
  std::string symbol = (declaration.getSymName() + suffix).str();
  auto function = func::FuncOp::create(b, declaration.getLoc(), symbol, type);
  function.setPrivate();
  function->setAttr(kernel::kLevelAttr,
                    b.getStringAttr(StringRef(name(level))));
  function->setAttr(
      "llvm.linkage",
      LLVM::LinkageAttr::get(b.getContext(), LLVM::Linkage::Internal));
  if (level != Level::Portable) {
    if (std::string_view cpu = targetCPU(level); !cpu.empty())
      function->setAttr("target_cpu", b.getStringAttr(StringRef(cpu)));
    SmallVector<StringRef> features;
    for (std::string_view feature : targetFeatures(level))
      features.push_back(StringRef(feature));
    function->setAttr("target_features",
                      LLVM::TargetFeaturesAttr::get(b.getContext(), features));
  }
  if (level == Level::AVX512VNNI)
    function->setAttr(
        "passthrough",
        b.getArrayAttr({b.getStrArrayAttr({"prefer-vector-width", "512"})}));
  function.addEntryBlock();
  return function;
}

void buildDispatch(func::FuncOp declaration, ArrayRef<Level> levels,
                   ArrayRef<func::FuncOp> callees) {
  Block *entry = declaration.addEntryBlock();
  OpBuilder b = OpBuilder::atBlockEnd(entry);
  Location loc = declaration.getLoc();
  auto call = [&](func::FuncOp callee) {
    func::CallOp::create(b, loc, callee, entry->getArguments());
  };
  if (levels.size() == 1 && levels.front() == Level::Portable) {
    call(callees.front());
    func::ReturnOp::create(b, loc);
    return;
  }
  auto module = declaration->getParentOfType<ModuleOp>();
  constexpr StringLiteral query = "qk_choose_cpu_level";
  if (!module.lookupSymbol(query)) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(declaration);
    auto function = func::FuncOp::create(
        b, loc, query, b.getFunctionType(b.getI32Type(), b.getI32Type()));
    function.setPrivate();
  }
  // The best of the levels that the machine has; the call does not return where
  // it has none of them.
  int64_t mask = 0;
  for (Level level : levels)
    mask |= int64_t(1) << static_cast<int32_t>(level);
  Value known = arith::ConstantIntOp::create(b, loc, mask, 32);
  Value level =
      func::CallOp::create(b, loc, query, b.getI32Type(), known).getResult(0);
  for (auto [each, callee] : llvm::zip(levels.drop_back(), callees)) {
    Value value =
        arith::ConstantIntOp::create(b, loc, static_cast<int64_t>(each), 32);
    Value isIt =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, level, value);
    auto choose = scf::IfOp::create(b, loc, isIt, /*withElseRegion=*/true);
    b.setInsertionPoint(choose.thenBlock()->getTerminator());
    call(callee);
    b.setInsertionPoint(choose.elseBlock()->getTerminator());
  }
  call(callees.back());
  b.setInsertionPointToEnd(entry);
  func::ReturnOp::create(b, loc);
}

void forRowTiles(Emitter &e, const KernelChoice &choice, Value lower,
                 Value upper,
                 llvm::function_ref<void(const RegisterTile &, Value)> body) {
  for (const RegisterTile &tile : choice.tiles) {
    Value end = upper;
    if (tile.rows != 1) {
      Value rows = e.sub(upper, lower);
      Value left = arith::RemUIOp::create(e.b, e.loc, rows, e.index(tile.rows));
      end = e.sub(upper, left);
    }
    e.forEach(lower, end, tile.rows, [&](Value m) { body(tile, m); });
    lower = end;
  }
}

} // namespace qk::cpu
