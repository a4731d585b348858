//===- Program.cpp - A module from a file, ready to run -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Program.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Verifier.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/Passes.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"
#include "qk/Input/ModuleInput.h"
#include "qk/Pipelines/Register.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace qk;
using storage::makeError;

/// Whether arguments have names: as JAX gives weights that are arguments.
static bool hasNamedArguments(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>())
    if (function.isPublic() && !function.isExternal() &&
        llvm::any_of(function.getArguments(), [](BlockArgument argument) {
          return isa<NameLoc>(argument.getLoc());
        }))
      return true;
  return false;
}

/// Which of two stages a module is at.
namespace {
struct Stage {
  bool tensors = false;
  bool recipes = false;
};
} // namespace

static Stage stageOf(ModuleOp module) {
  Stage stage;
  module.walk([&](Operation *op) {
    if (op == module)
      return;
    Dialect *dialect = op->getDialect();
    stage.recipes |= isa_and_nonnull<quant_llm::QuantLLMDialect>(dialect);
    stage.tensors |=
        !isa_and_nonnull<LLVM::LLVMDialect, omp::OpenMPDialect>(dialect);
  });
  return stage;
}

llvm::Expected<Program> qk::loadProgram(StringRef path,
                                        const ProgramOptions &options) {
  Program program;
  program.path = path.str();
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerDialects(registry);
  Executable::registerTranslations(registry);
  program.context = std::make_unique<MLIRContext>(registry);
  program.context->loadAllAvailableDialects();
  program.context->printOpOnDiagnostic(false);
  // Lowering says what is wrong with each op of another compiler.
  program.context->allowUnregisteredDialects();

  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> input = openInputFile(path, &message);
  if (!input)
    return makeError(message);
  input = prepareModuleInput(std::move(input), registry);
  if (!input)
    return makeError(Twine(path) + ": can't be read");
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(input), SMLoc());
  SourceMgrDiagnosticHandler diagnostics(*sources, program.context.get());
  program.module =
      parseSourceFile<ModuleOp>(sources, ParserConfig(program.context.get()));
  if (!program.module)
    return makeError(Twine(path) + ": is not a valid module");

  Stage stage = stageOf(*program.module);
  if (stage.tensors || stage.recipes) {
    PassManager passes(program.context.get());
    HostToLLVMOptions lowering;
    for (const std::string &file : options.weights)
      lowering.weights.push_back(file);
    bool binds =
        !options.weightNames.empty() ||
        (options.weights.size() == 1 && hasNamedArguments(*program.module));
    if (binds) {
      quant_llm::BindParametersPassOptions bind;
      bind.weights = options.weights.front();
      bind.weightNames = options.weightNames;
      passes.addPass(quant_llm::createBindParametersPass(bind));
    }
    // A model in float that only binding brought ops of quant_llm to goes to
    // BLAS.
    if (stage.recipes || binds)
      passes.addPass(createQuantLLMToReference({/*plain=*/stage.recipes}));
    // What the user gave was verified when it was read, and what is translated
    // is; after each of sixty passes it would be a quarter of their time.
    passes.enableVerifier(false);
    buildHostToLLVMPipeline(passes, lowering);
    if (failed(passes.run(*program.module)) || failed(verify(*program.module)))
      return makeError(Twine(path) + ": cannot be lowered to the LLVM dialect");
  } else if (!options.weights.empty() && options.warnOfUnusedWeights) {
    llvm::errs() << "warning: " << path
                 << ": is lowered and names its weights itself; --weights is "
                    "not used\n";
  }
  ExecutableOptions compile;
  compile.optimization = options.optimization;
  compile.profile = options.profile;
  compile.moduleFile = stage.tensors || path == "-" ? "" : path.str();
  auto executable = Executable::compile(*program.module, compile);
  if (!executable)
    return makeError(Twine(path) + ": " + toString(executable.takeError()));
  program.executable = std::move(*executable);
  auto entry = program.executable->entry(options.entry);
  if (!entry)
    return makeError(Twine(path) + ": " + toString(entry.takeError()));
  program.entry = *entry;
  return std::move(program);
}
