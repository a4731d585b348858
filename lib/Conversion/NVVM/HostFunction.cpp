//===- HostFunction.cpp - What launches kernels -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostFunction.h"

#include "qk/Conversion/NVVM/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

namespace qk::nvvm {
namespace {

class LauncherBuilder {
public:
  LauncherBuilder(func::FuncOp function, ArrayRef<KernelChoice> choices)
      : function(function), module(function->getParentOfType<ModuleOp>()),
        choices(choices), problem(choices.front().problem),
        b(function.getLoc(), function.getContext()),
        pointer(LLVM::LLVMPointerType::get(b.getContext())),
        i32(b.getI32Type()), i64(b.getI64Type()) {}

  void build();

private:
  Value constant(int64_t value) {
    return arith::ConstantIntOp::create(b, value, 64);
  }
  Value asI64(Value index) { return arith::IndexCastOp::create(b, i64, index); }
  Value pick(Value m, function_ref<Value(const KernelChoice &)> value);
  Value symbolName(StringRef text);
  Value image();
  void call(StringRef name, ArrayRef<Value> arguments);
  void passMatrix(StringRef name, Value matrix, int64_t elementBytes);
  void passVector(StringRef name, Value vector, int64_t elementBytes);
  Value address(Value aligned, Value offset, int64_t elementBytes);

  func::FuncOp function;
  ModuleOp module;
  ArrayRef<KernelChoice> choices;
  const MatmulProblem &problem;
  ImplicitLocOpBuilder b;
  Type pointer, i32, i64;
};

/// What `value` gives for the choice whose range of M holds `m`.
Value LauncherBuilder::pick(Value m,
                            function_ref<Value(const KernelChoice &)> value) {
  Value result = value(choices.back());
  for (const KernelChoice &choice : llvm::reverse(choices.drop_back())) {
    Value inRange = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, m,
                                          constant(choice.mTo));
    result = arith::SelectOp::create(b, inRange, value(choice), result);
  }
  return result;
}

void LauncherBuilder::call(StringRef name, ArrayRef<Value> arguments) {
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    auto types = llvm::to_vector(ValueRange(arguments).getTypes());
    func::FuncOp::create(b, name, b.getFunctionType(types, {})).setPrivate();
  }
  func::CallOp::create(b, name, TypeRange(), arguments);
}

/// The address of `text` and a NUL, as a constant of the module.
Value LauncherBuilder::symbolName(StringRef text) {
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

/// The compiled kernels; until they are compiled, a declaration.
Value LauncherBuilder::image() {
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

Value LauncherBuilder::address(Value aligned, Value offset,
                               int64_t elementBytes) {
  Value base =
      asI64(memref::ExtractAlignedPointerAsIndexOp::create(b, aligned));
  Value bytes = arith::MulIOp::create(b, asI64(offset), constant(elementBytes));
  Value sum = arith::AddIOp::create(b, base, bytes);
  return LLVM::IntToPtrOp::create(b, pointer, ValueRange{sum});
}

void LauncherBuilder::passMatrix(StringRef name, Value matrix,
                                 int64_t elementBytes) {
  auto parts = memref::ExtractStridedMetadataOp::create(b, matrix);
  auto bytes = [&](Value elements) -> Value {
    return arith::MulIOp::create(b, asI64(elements), constant(elementBytes));
  };
  call(name, {address(parts.getBaseBuffer(), parts.getOffset(), elementBytes),
              asI64(parts.getSizes()[0]), bytes(parts.getSizes()[1]),
              bytes(parts.getStrides()[0])});
}

void LauncherBuilder::passVector(StringRef name, Value vector,
                                 int64_t elementBytes) {
  auto parts = memref::ExtractStridedMetadataOp::create(b, vector);
  Value bytes = arith::MulIOp::create(b, asI64(parts.getSizes()[0]),
                                      constant(elementBytes));
  Value data = address(parts.getBaseBuffer(), parts.getOffset(), elementBytes);
  if (name == "qk_cuda_constant")
    return call(name, {data, bytes});
  call(name, {data, constant(1), bytes, bytes});
}

void LauncherBuilder::build() {
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  auto arguments = entry->getArguments();
  Value x = arguments.front(), y = arguments.back();
  auto sizeOf = [&](Value matrix, int64_t dim) {
    return asI64(memref::DimOp::create(b, matrix, dim));
  };
  Value m = sizeOf(y, 0), n = sizeOf(y, 1);

  Value name =
      pick(m, [&](const KernelChoice &c) { return symbolName(c.name()); });
  call("qk_cuda_begin", {image(), name});
  int64_t elementBytes = elementTypeBytes(problem.type);
  passMatrix("qk_cuda_input", x, problem.int8Activations ? 1 : elementBytes);
  // The kernel has x_scales later than the op.
  size_t next = problem.int8Activations ? 2 : 1;
  passVector("qk_cuda_constant", arguments[next++], 1);
  if (problem.hasPermutation)
    passVector("qk_cuda_constant", arguments[next++], 4);
  if (problem.bias)
    passVector("qk_cuda_input", arguments[next++],
               elementTypeBytes(*problem.bias));
  if (problem.int8Activations)
    passMatrix("qk_cuda_input", arguments[1], 4);
  passMatrix("qk_cuda_output", y, elementBytes);
  auto number = [&](int64_t (KernelChoice::*of)() const) {
    return pick(m, [&](const KernelChoice &c) { return constant((c.*of)()); });
  };
  if (choices.front().hasWorkspace())
    call("qk_cuda_workspace", {number(&KernelChoice::workspaceBytes)});
  for (Value size : {m, n})
    call("qk_cuda_i32", {arith::TruncIOp::create(b, i32, size)});

  // launchShape(), on values.
  if (choices.front().usesMma())
    call("qk_cuda_shared", {number(&KernelChoice::dynamicSharedBytes)});
  Value one = constant(1);
  Value gridX =
      arith::CeilDivUIOp::create(b, m, number(&KernelChoice::blockTokens));
  Value gridY =
      arith::CeilDivUIOp::create(b, n, number(&KernelChoice::blockChannels));
  Value z = one;
  if (llvm::any_of(choices,
                   [](const KernelChoice &c) { return c.maxSplit() > 1; })) {
    Value tiles =
        arith::MaxUIOp::create(b, arith::MulIOp::create(b, gridX, gridY), one);
    Value fit =
        arith::DivUIOp::create(b, number(&KernelChoice::splitWave), tiles);
    z = arith::MaxUIOp::create(
        b, arith::MinUIOp::create(b, fit, number(&KernelChoice::maxSplit)),
        one);
  }
  call("qk_cuda_launch",
       {gridX, gridY, z, number(&KernelChoice::threads), one, one});
  func::ReturnOp::create(b);
}

} // namespace

void buildLauncher(func::FuncOp declaration, ArrayRef<KernelChoice> choices) {
  LauncherBuilder(declaration, choices).build();
}

} // namespace qk::nvvm
