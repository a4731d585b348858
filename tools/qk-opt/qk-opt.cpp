//===- qk-opt.cpp - Runs qk's passes and pipelines ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Calibration/Passes.h"
#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"
#include "qk/Input/ModuleInput.h"
#include "qk/Pipelines/Pipelines.h"
#include "qk/Pipelines/Register.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

static llvm::cl::opt<std::string> weights(
    "weights",
    llvm::cl::desc("Checkpoint that the model's constants are looked up in: a "
                   "safetensors file, an index of shards, or a folder with "
                   "either, float or quantised (quant-llm-bind-quantized "
                   "before all other passes)"),
    llvm::cl::value_desc("path"));

static llvm::cl::opt<std::string> weightNames(
    "weight-names",
    llvm::cl::desc("JSON file that says which tensors of the checkpoint the "
                   "handles and arguments of the model are"),
    llvm::cl::value_desc("file"));

static llvm::cl::opt<bool>
    resume("resume",
           llvm::cl::desc("Keep what is quantised in the folder "
                          "<output-weights>.partial, and go on from what an "
                          "interrupted run with the same options left there"));

namespace {
/// Has the evaluate that follows, in whichever pipeline, resume.
struct ResumeEvaluate
    : public PassWrapper<ResumeEvaluate, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ResumeEvaluate)

  void runOnOperation() override {
    StringRef name = qk::quant_llm::QuantLLMDialect::kEvaluateAttr;
    NamedAttrList entries;
    if (auto old = getOperation()->getAttrOfType<DictionaryAttr>(name))
      entries.append(old.getValue());
    entries.set("resume", UnitAttr::get(&getContext()));
    getOperation()->setAttr(name, entries.getDictionary(&getContext()));
  }
};

/// The evaluate that follows a method, unless its options said `recipe-only`.
struct EvaluateUnlessRecipeOnly
    : public PassWrapper<EvaluateUnlessRecipeOnly, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(EvaluateUnlessRecipeOnly)

  void runOnOperation() override {
    if (getOperation()->hasAttr(
            qk::quant_llm::QuantLLMDialect::kRecipeOnlyAttr))
      return;
    OpPassManager evaluate(ModuleOp::getOperationName());
    evaluate.addPass(qk::calibration::createEvaluatePass());
    if (failed(runPipeline(evaluate, getOperation())))
      signalPassFailure();
  }
};

/// Paths in a module are relative to its file: they change with its folder.
struct MakePathsAbsolute
    : public PassWrapper<MakePathsAbsolute, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(MakePathsAbsolute)

  void runOnOperation() override {
    qk::quant_llm::makePathsAbsolute(getOperation());
  }
};
/// Bytecode before version 5 has no properties: those of ops whose dialect is
/// not linked would be dropped in silence.
struct CheckPropertiesFitBytecode
    : public PassWrapper<CheckPropertiesFitBytecode, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CheckPropertiesFitBytecode)

  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      if (op->isRegistered() || !op->getPropertiesAsAttribute())
        return WalkResult::advance();
      op->emitError() << "bytecode before version 5 can't hold the properties "
                         "of '"
                      << op->getName()
                      << "', whose dialect is not linked; leave out "
                         "--emit-bytecode-version or write text";
      signalPassFailure();
      return WalkResult::interrupt();
    });
  }
};
} // namespace

/// Whether both files lie in one folder, which standard input and output do not
/// say of themselves.
static bool inSameFolder(StringRef input, StringRef output) {
  return input != "-" && output != "-" &&
         llvm::sys::path::parent_path(input) ==
             llvm::sys::path::parent_path(output);
}

/// What the user typed, between binding `--weights` and evaluating.
static LogicalResult setUpPipeline(PassManager &manager,
                                   const MlirOptMainConfig &typed,
                                   bool sameFolder) {
  if (!weights.empty()) {
    // Of a checkpoint that isn't quantised this binds parameters.
    qk::quant_llm::BindQuantizedPassOptions bind;
    bind.weights = weights;
    bind.weightNames = weightNames;
    manager.addPass(qk::quant_llm::createBindQuantizedPass(bind));
  } else if (!weightNames.empty()) {
    qk::quant_llm::BindParametersPassOptions bind;
    bind.weightNames = weightNames;
    manager.addPass(qk::quant_llm::createBindParametersPass(bind));
  }
  if (resume)
    manager.addPass(std::make_unique<ResumeEvaluate>());
  if (failed(typed.setupPassPipeline(manager)))
    return failure();
  bool methodAsked = llvm::any_of(manager.getPasses(), [](Pass &pass) {
    return pass.getArgument().starts_with("quant-llm-apply-");
  });
  if (methodAsked)
    manager.addPass(std::make_unique<EvaluateUnlessRecipeOnly>());
  if (!sameFolder)
    manager.addPass(std::make_unique<MakePathsAbsolute>());
  if (typed.shouldEmitBytecode() &&
      typed.bytecodeVersionToEmit().value_or(5) < 5)
    manager.addPass(std::make_unique<CheckPropertiesFitBytecode>());
  return success();
}

static LogicalResult run(int argc, char **argv) {
  registerAllPasses();
  qk::registerPasses();
  qk::registerMethodPipelines(/*shortNames=*/true);
  qk::registerLoweringPipelines(/*shortNames=*/true);
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  qk::registerDialects(registry);

  std::string help = registerCLIOptions(
      "qk: quantises language models and compiles them\n", registry);
  // A message about a layer need not print the layer, let alone the model.
  auto *printOp = static_cast<llvm::cl::opt<bool> *>(
      llvm::cl::getRegisteredOptions().lookup("mlir-print-op-on-diagnostic"));
  if (printOp)
    printOp->setInitialValue(false);
  auto [inputName, outputName] = parseCLIOptions(argc, argv, help);
  MlirOptMainConfig typed = MlirOptMainConfig::createFromCLOptions();
  if (typed.shouldShowDialects() || typed.shouldListPasses())
    return MlirOptMain(argc, argv, inputName, outputName, registry);
  MlirOptMainConfig config = typed;
  config.setPassPipelineSetupFn(
      [&typed,
       sameFolder = inSameFolder(inputName, outputName)](PassManager &manager) {
        return setUpPipeline(manager, typed, sameFolder);
      });

  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> input =
      openInputFile(inputName, &message);
  if (!input) {
    llvm::errs() << message << "\n";
    return failure();
  }
  input = qk::prepareModuleInput(std::move(input), registry);
  if (!input)
    return failure();
  std::unique_ptr<llvm::ToolOutputFile> output =
      openOutputFile(outputName, &message);
  if (!output) {
    llvm::errs() << message << "\n";
    return failure();
  }
  if (failed(MlirOptMain(output->os(), std::move(input), registry, config)))
    return failure();
  output->keep();
  return success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM initialise(argc, argv);
  return asMainReturnCode(run(argc, argv));
}
