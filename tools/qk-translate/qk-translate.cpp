//===- qk-translate.cpp - Quantised modules as checkpoints ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Input/ModuleInput.h"
#include "qk/Pipelines/Register.h"
#include "qk/Target/Checkpoint/ModuleToCheckpoint.h"

#include "mlir/IR/OwningOpRef.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
namespace cl = llvm::cl;

static cl::OptionCategory category("Options");

static cl::opt<std::string> inputName(cl::Positional, cl::init("-"),
                                      cl::cat(category),
                                      cl::desc("<quantised module>"));

static cl::opt<std::string>
    format("to", cl::Required, cl::cat(category), cl::value_desc("format"),
           cl::desc("gptq, gptq_v2, awq, compressed-tensors (pack-quantized, "
                    "or int-quantized where all codes are signed bytes), "
                    "pack-quantized, int-quantized, float-quantized"));

static cl::opt<std::string>
    from("from", cl::cat(category), cl::value_desc("path"),
         cl::desc("The checkpoint that the model was made from: a folder, an "
                  "index or a safetensors file; default: what the module names "
                  "for its weights"));

static cl::opt<std::string> outputName("o", cl::Required, cl::cat(category),
                                       cl::value_desc("folder"),
                                       cl::desc("The folder to make"));

int main(int argc, char **argv) {
  llvm::InitLLVM initialise(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(
      argc, argv,
      "qk-translate: writes a quantised module as a checkpoint for other "
      "tools\n");

  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  qk::registerDialects(registry);
  MLIRContext context(registry);
  context.printOpOnDiagnostic(false);
  context.allowUnregisteredDialects();

  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> input =
      openInputFile(inputName, &message);
  if (!input) {
    llvm::errs() << message << "\n";
    return 1;
  }
  input = qk::prepareModuleInput(std::move(input), registry);
  if (!input)
    return 1;
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(input), llvm::SMLoc());
  SourceMgrDiagnosticHandler diagnostics(*sources, &context);
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
  if (!module)
    return 1;
  return failed(qk::writeCheckpoint(*module, {format, from, outputName}));
}
