//===- ObjectFile.cpp - LLVM dialect to object code -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Execution/ObjectFile.h"

#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace qk::execution;

llvm::Expected<llvm::SmallVector<char, 0>>
qk::execution::compileToObject(mlir::ModuleOp module, const std::string &triple,
                               ObjectKind kind) {
  llvm::InitializeAllTargetInfos();
  llvm::InitializeAllTargets();
  llvm::InitializeAllTargetMCs();
  llvm::InitializeAllAsmPrinters();

  llvm::Triple target(llvm::Triple::normalize(
      triple.empty() ? llvm::sys::getDefaultTargetTriple() : triple));
  std::string message;
  const llvm::Target *known =
      llvm::TargetRegistry::lookupTarget(target, message);
  if (!known)
    return llvm::createStringError("unknown target '" + target.str() +
                                   "': " + message);
  std::unique_ptr<llvm::TargetMachine> machine(known->createTargetMachine(
      target, target.isX86() ? "x86-64" : "generic", /*Features=*/"",
      llvm::TargetOptions(), llvm::Reloc::PIC_, std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return llvm::createStringError("LLVM has no code generator for '" +
                                   target.str() + "'");

  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code =
      mlir::translateModuleToLLVMIR(module, context);
  if (!code)
    return llvm::createStringError("the module does not translate to LLVM IR");
  code->setTargetTriple(target);
  code->setDataLayout(machine->createDataLayout());
  if (llvm::Error error =
          mlir::makeOptimizingTransformer(3, 0, machine.get())(code.get()))
    return std::move(error);

  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream out(bytes);
  if (kind == ObjectKind::LLVM) {
    code->print(out, nullptr);
    return std::move(bytes);
  }
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, out, nullptr,
                                   kind == ObjectKind::Object
                                       ? llvm::CodeGenFileType::ObjectFile
                                       : llvm::CodeGenFileType::AssemblyFile))
    return llvm::createStringError("LLVM cannot write such a file for '" +
                                   target.str() + "'");
  passes.run(*code);
  return std::move(bytes);
}
