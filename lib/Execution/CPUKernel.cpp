//===- CPUKernel.cpp - A generated CPU kernel, compiled ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Execution/CPUKernel.h"

#include "qk/Conversion/CPU/Passes.h"
#include "qk/Runtime/CPULevel.h"
#include "qk/Target/CPU/KernelBuilder.h"

#include "mlir/ExecutionEngine/CRunnerUtils.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Support/TargetSelect.h"

using namespace mlir;

namespace qk::cpu {

CPUKernel::CPUKernel() = default;
CPUKernel::~CPUKernel() = default;

llvm::Expected<std::unique_ptr<CPUKernel>>
CPUKernel::compile(const KernelSpec &spec, ArrayRef<Level> levels,
                   const CPUKernelOptions &how) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();

  DialectRegistry registry;
  registerKernelDialects(registry);
  registerAllExtensions(registry);
  registerAllToLLVMIRTranslations(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));

  auto cInterface = UnitAttr::get(&context);
  declareKernel(*module, spec)->setAttr("llvm.emit_c_interface", cInterface);
  std::optional<QuantizerSpec> quantizer;
  if (spec.activation != Activation::Float && spec.sharing != Sharing::Tensor) {
    quantizer = {spec.k,
                 spec.sharing == Sharing::Token
                     ? spec.k
                     : spec.scheme.groupLength(spec.k),
                 spec.activation, spec.element};
    declareQuantizer(*module, *quantizer)
        ->setAttr("llvm.emit_c_interface", cInterface);
  }
  PassManager passes(&context);
  SmallVector<std::string> isa;
  for (Level level : levels)
    isa.emplace_back(name(level));
  buildKernelsToLLVMPipeline(passes, isa);
  if (failed(passes.run(*module)))
    return llvm::createStringError("kernel '" + spec.symbol() +
                                   "' does not lower to LLVM");

  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  builder->setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  auto optimize = makeOptimizingTransformer(3, 0, machine->get());
  ExecutionEngineOptions options;
  auto transform = [&](llvm::Module *module) {
    if (how.rewrite)
      how.rewrite(*module);
    return optimize(module);
  };
  options.transformer = transform;
  options.jitCodeGenOptLevel = llvm::CodeGenOptLevel::Aggressive;
  options.enableObjectDump = !how.dumpObject.empty();
  auto engine = ExecutionEngine::create(*module, options);
  if (!engine)
    return engine.takeError();

  std::unique_ptr<CPUKernel> kernel(new CPUKernel);
  kernel->spec = spec;
  kernel->engine = std::move(*engine);
  auto *choose = how.chooseLevel ? how.chooseLevel : &qk_choose_cpu_level;
  kernel->engine->registerSymbols([&](llvm::orc::MangleAndInterner intern) {
    llvm::orc::SymbolMap symbols;
    symbols[intern("qk_choose_cpu_level")] = {
        llvm::orc::ExecutorAddr::fromPtr(choose),
        llvm::JITSymbolFlags::Exported};
    return symbols;
  });
  auto find = [&](const std::string &symbol) {
    return kernel->engine->lookup("_mlir_ciface_" + symbol);
  };
  auto entry = find(spec.symbol());
  if (!entry)
    return entry.takeError();
  kernel->matmulEntry = *entry;
  if (quantizer) {
    auto entry = find(quantizer->symbol());
    if (!entry)
      return entry.takeError();
    kernel->quantizeEntry = *entry;
  }
  if (!how.dumpObject.empty())
    kernel->engine->dumpToObjectFile(how.dumpObject);
  return kernel;
}

namespace {

/// Descriptors are the same for every element type.
using Rows = StridedMemRefType<char, 2>;
using Vector = StridedMemRefType<char, 1>;

Rows rows(const void *data, int64_t rows, int64_t columns) {
  char *bytes = static_cast<char *>(const_cast<void *>(data));
  return {bytes, bytes, 0, {rows, columns}, {columns, 1}};
}

Vector vector(const void *data, int64_t size) {
  char *bytes = static_cast<char *>(const_cast<void *>(data));
  return {bytes, bytes, 0, {size}, {1}};
}

} // namespace

void CPUKernel::matmul(const MatmulArguments &a) const {
  const bool integer = spec.activation != Activation::Float;
  const int64_t groups =
      spec.sharing == Sharing::TokenGroup ? spec.layout().groups() : 1;
  Rows x = rows(a.x, a.m, spec.k);
  Rows scales =
      rows(a.xScales, spec.sharing == Sharing::Tensor ? 1 : a.m, groups);
  Vector weights = vector(a.weights, spec.layout().packedBytes(a.n));
  Vector bias = vector(a.bias, a.n);
  Rows y = rows(a.y, a.m, a.n);
  using R = Rows *;
  using V = Vector *;
  if (integer && spec.bias)
    reinterpret_cast<void (*)(R, R, V, V, R)>(matmulEntry)(&x, &scales,
                                                           &weights, &bias, &y);
  else if (integer)
    reinterpret_cast<void (*)(R, R, V, R)>(matmulEntry)(&x, &scales, &weights,
                                                        &y);
  else if (spec.bias)
    reinterpret_cast<void (*)(R, V, V, R)>(matmulEntry)(&x, &weights, &bias,
                                                        &y);
  else
    reinterpret_cast<void (*)(R, V, R)>(matmulEntry)(&x, &weights, &y);
}

void CPUKernel::quantize(int64_t m, const void *source, void *target,
                         float *scaleData) const {
  const int64_t groups =
      spec.sharing == Sharing::TokenGroup ? spec.layout().groups() : 1;
  Rows x = rows(source, m, spec.k), codes = rows(target, m, spec.k),
       scales = rows(scaleData, m, groups);
  reinterpret_cast<void (*)(Rows *, Rows *, Rows *)>(quantizeEntry)(&x, &codes,
                                                                    &scales);
}

} // namespace qk::cpu
