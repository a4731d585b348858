//===- ModuleFuzzer.cpp - Any bytes as a module ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What stands between a file and MLIR's parser takes any bytes. Text that it
// lets pass is parsed, so that our ops' and attributes' parsers and verifiers
// see it, and the bytes of parameters are asked for. Bytecode ends where MLIR's
// own reader begins, which is not instrumented and not ours.
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Input/ModuleInput.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registry.insert<qk::quant_llm::QuantLLMDialect, arith::ArithDialect,
                  func::FuncDialect, tensor::TensorDialect>();
  return registry;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const DialectRegistry registry = makeRegistry();
  llvm::StringRef bytes(reinterpret_cast<const char *>(data), size);
  auto input = qk::prepareModuleInput(
      llvm::MemoryBuffer::getMemBufferCopy(bytes, "input"), registry);
  if (!input || !input->getBufferSize() || bytes.starts_with("ML\xefR"))
    return 0;
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.allowUnregisteredDialects();
  ScopedDiagnosticHandler quiet(&context, [](Diagnostic &) {});
  auto module = parseSourceString<ModuleOp>(input->getBuffer(),
                                            ParserConfig(&context), "input");
  if (!module)
    return 0;
  module->walk([](qk::quant_llm::ParameterOp op) {
    (void)qk::quant_llm::getParameterData(op);
  });
  return 0;
}
