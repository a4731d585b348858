//===- LowerAsserts.cpp - cf.assert to the runtime's hook -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "qk/Conversion/HostToLLVM/Passes.h"

namespace qk {
#define GEN_PASS_DEF_LOWERASSERTS
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

static constexpr llvm::StringLiteral hookName = "qk_assert_fail";
static constexpr llvm::StringLiteral compareHookName = "qk_assert_compare_fail";

/// The message, and where the assertion stands if the module knows.
static std::string messageOf(cf::AssertOp op) {
  std::string text = op.getMsg().str();
  if (auto where = op.getLoc()->findInstanceOf<FileLineColLoc>()) {
    llvm::raw_string_ostream os(text);
    os << " (" << where.getFilename().getValue() << ":" << where.getLine()
       << ":" << where.getColumn() << ")";
  }
  return text;
}

namespace {
struct LowerAsserts : qk::impl::LowerAssertsBase<LowerAsserts> {
  void runOnOperation() override {
    texts.clear();
    SmallVector<cf::AssertOp> asserts;
    getOperation().walk([&](cf::AssertOp op) { asserts.push_back(op); });
    if (asserts.empty())
      return;
    OpBuilder builder(&getContext());
    auto pointer = LLVM::LLVMPointerType::get(&getContext());
    Type i64 = builder.getI64Type(), i32 = builder.getI32Type();
    for (cf::AssertOp op : asserts) {
      Location loc = op.getLoc();
      std::string message = messageOf(op);
      LLVM::GlobalOp text = textOf(message);
      builder.setInsertionPoint(op);
      Value one = arith::ConstantIntOp::create(builder, loc, 1, 1);
      Value failed = arith::XOrIOp::create(builder, loc, op.getArg(), one);
      auto branch = scf::IfOp::create(builder, loc, failed,
                                      /*withElseRegion=*/false);
      builder.setInsertionPointToStart(branch.thenBlock());
      Value address = LLVM::AddressOfOp::create(builder, loc, text);
      Value size =
          arith::ConstantIntOp::create(builder, loc, message.size(), 64);
      auto compare = op.getArg().getDefiningOp<arith::CmpIOp>();
      // "expected 3 != 3" would say nothing.
      if (compare && compare.getLhs().getType().isIntOrIndex() &&
          !compare.getLhs().getType().isInteger(1) &&
          compare.getPredicate() != arith::CmpIPredicate::ne) {
        bool isSigned = compare.getPredicate() < arith::CmpIPredicate::ult;
        declare(compareHookName, {pointer, i64, i64, i32, i64});
        auto predicate = static_cast<int64_t>(compare.getPredicate());
        func::CallOp::create(
            builder, loc, compareHookName, TypeRange(),
            ValueRange{
                address, size, toI64(builder, compare.getLhs(), isSigned),
                arith::ConstantIntOp::create(builder, loc, predicate, 32),
                toI64(builder, compare.getRhs(), isSigned)});
      } else {
        declare(hookName, {pointer, i64});
        func::CallOp::create(builder, loc, hookName, TypeRange(),
                             ValueRange{address, size});
      }
      op.erase();
    }
  }

private:
  void declare(StringRef name, ArrayRef<Type> arguments) {
    if (getOperation().lookupSymbol(name))
      return;
    OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
    func::FuncOp::create(builder, getOperation().getLoc(), name,
                         builder.getFunctionType(arguments, {}))
        .setPrivate();
  }

  static Value toI64(OpBuilder &builder, Value value, bool isSigned) {
    Type i64 = builder.getI64Type();
    Location loc = value.getLoc();
    if (value.getType().isIndex())
      return arith::IndexCastOp::create(builder, loc, i64, value);
    unsigned width = value.getType().getIntOrFloatBitWidth();
    if (width == 64)
      return value;
    if (width > 64)
      return arith::TruncIOp::create(builder, loc, i64, value);
    if (!isSigned)
      return arith::ExtUIOp::create(builder, loc, i64, value);
    return arith::ExtSIOp::create(builder, loc, i64, value);
  }

  /// One constant per distinct message.
  LLVM::GlobalOp textOf(StringRef message) {
    LLVM::GlobalOp &global = texts[message];
    if (!global) {
      OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
      auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), message.size());
      global = LLVM::GlobalOp::create(
          builder, getOperation().getLoc(), type, /*isConstant=*/true,
          LLVM::Linkage::Private,
          ("qk_assert_message_" + Twine(texts.size() - 1)).str(),
          builder.getStringAttr(message));
    }
    return global;
  }

  llvm::StringMap<LLVM::GlobalOp> texts;
};
} // namespace
