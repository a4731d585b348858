//===- DeviceCalls.cpp - Host code that calls the CUDA runtime --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceCalls.h"

#include "qk/Conversion/NVVM/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace qk::nvvm {

Value DeviceCalls::call(StringRef name, ValueRange arguments, Type result) {
  TypeRange results = result ? TypeRange(result) : TypeRange();
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    auto types = llvm::to_vector(arguments.getTypes());
    func::FuncOp::create(b, name, b.getFunctionType(types, results))
        .setPrivate();
  }
  auto op = func::CallOp::create(b, name, results, arguments);
  return result ? op.getResult(0) : Value();
}

Value DeviceCalls::i64(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 64);
}

Value DeviceCalls::asI64(Value index) {
  return arith::IndexCastOp::create(b, b.getI64Type(), index);
}

Value DeviceCalls::text(StringRef text) {
  std::string symbol = (text + ".name").str();
  auto global = module.lookupSymbol<LLVM::GlobalOp>(symbol);
  if (!global) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    std::string bytes = text.str() + '\0';
    global = LLVM::GlobalOp::create(
        b, LLVM::LLVMArrayType::get(b.getI8Type(), bytes.size()),
        /*isConstant=*/true, LLVM::Linkage::Private, symbol,
        b.getStringAttr(bytes));
  }
  return LLVM::AddressOfOp::create(b, global);
}

Value DeviceCalls::image() {
  auto global = module.lookupSymbol<LLVM::GlobalOp>(kImageName);
  if (!global) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    global = LLVM::GlobalOp::create(
        b, LLVM::LLVMArrayType::get(b.getI8Type(), 0), /*isConstant=*/true,
        LLVM::Linkage::External, kImageName, Attribute());
  }
  return LLVM::AddressOfOp::create(b, global);
}

Value DeviceCalls::base(Value buffer) {
  Value index = memref::ExtractAlignedPointerAsIndexOp::create(b, buffer);
  return LLVM::IntToPtrOp::create(b, pointerType(), ValueRange{asI64(index)});
}

Value DeviceCalls::byteSize(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  Value size = i64(elementBytes(type.getElementType()));
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    size = arith::MulIOp::create(
        b, size, asI64(b.createOrFold<memref::DimOp>(buffer, dim)));
  return size;
}

int64_t elementBytes(Type type) {
  if (type.isIndex())
    return 8;
  return type.isIntOrFloat() ? llvm::divideCeil(type.getIntOrFloatBitWidth(), 8)
                             : 0;
}

} // namespace qk::nvvm
