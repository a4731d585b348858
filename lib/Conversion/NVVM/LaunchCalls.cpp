//===- LaunchCalls.cpp - What a launch is given -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LaunchCalls.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace qk::nvvm {

static int64_t bytesOf(Value buffer) {
  return elementBytes(cast<MemRefType>(buffer.getType()).getElementType());
}

Value LaunchCalls::address(Value buffer, Value offset, int64_t bytes) {
  Value index = memref::ExtractAlignedPointerAsIndexOp::create(b, buffer);
  Value skipped = arith::MulIOp::create(b, asI64(offset), i64(bytes));
  Value sum = arith::AddIOp::create(b, asI64(index), skipped);
  return LLVM::IntToPtrOp::create(b, pointerType(), ValueRange{sum});
}

void LaunchCalls::passMatrix(StringRef direction, Value matrix) {
  int64_t size = bytesOf(matrix);
  auto parts = memref::ExtractStridedMetadataOp::create(b, matrix);
  auto bytes = [&](Value elements) -> Value {
    return arith::MulIOp::create(b, asI64(elements), i64(size));
  };
  call(direction, {address(parts.getBaseBuffer(), parts.getOffset(), size),
                   asI64(parts.getSizes()[0]), bytes(parts.getSizes()[1]),
                   bytes(parts.getStrides()[0])});
}

void LaunchCalls::passVector(StringRef direction, Value vector) {
  int64_t size = bytesOf(vector);
  auto parts = memref::ExtractStridedMetadataOp::create(b, vector);
  Value bytes = arith::MulIOp::create(b, asI64(parts.getSizes()[0]), i64(size));
  call(direction, {address(parts.getBaseBuffer(), parts.getOffset(), size),
                   i64(1), bytes, bytes});
}

void LaunchCalls::passConstant(Value vector) {
  int64_t size = bytesOf(vector);
  auto parts = memref::ExtractStridedMetadataOp::create(b, vector);
  call("qk_cuda_constant",
       {address(parts.getBaseBuffer(), parts.getOffset(), size),
        arith::MulIOp::create(b, asI64(parts.getSizes()[0]), i64(size))});
}

void LaunchCalls::passI32(Value value) {
  call("qk_cuda_i32", Value(arith::TruncIOp::create(b, b.getI32Type(), value)));
}

} // namespace qk::nvvm
