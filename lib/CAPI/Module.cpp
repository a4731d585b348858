//===- Module.cpp - Modules and executables of the C API ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "State.h"

#include "qk/Calibration/Sources.h"
#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Input/ModuleInput.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace qk;

QK_EXPORT QkModule *qkModuleParse(QkContext *context, const char *bytes,
                                  size_t size, const char *name) {
  llvm::raw_string_ostream errors(context->messages);
  auto input = prepareModuleInput(
      llvm::MemoryBuffer::getMemBufferCopy(StringRef(bytes, size),
                                           name && *name ? name : "<memory>"),
      context->registry, errors);
  if (!input)
    return nullptr;
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(input), llvm::SMLoc());
  std::unique_ptr<MLIRContext> own = context->makeContext();
  auto module = parseSourceFile<ModuleOp>(sources, ParserConfig(own.get()));
  if (!module)
    return nullptr;
  auto *result = new QkModule();
  result->context = context;
  result->mlir = std::move(own);
  result->module = std::move(module);
  return result;
}

QK_EXPORT void qkModuleDestroy(QkModule *module) { delete module; }

QK_EXPORT char *qkModulePrint(QkModule *module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  module->module->print(out);
  out << "\n";
  return capi::copyOut(text);
}

/// As between the brackets of `builtin.module(…)`, or with them: inside a
/// module they would stand for modules in it, and do nothing where there are
/// none.
static LogicalResult parsePipeline(StringRef text, PassManager &passes,
                                   llvm::raw_ostream &errors) {
  if (!text.ltrim().starts_with("builtin.module("))
    return parsePassPipeline(text, passes, errors);
  FailureOr<OpPassManager> whole = parsePassPipeline(text, errors);
  if (failed(whole))
    return failure();
  static_cast<OpPassManager &>(passes) = std::move(*whole);
  return success();
}

static LogicalResult runPipeline(QkModule *module, StringRef pipeline) {
  PassManager passes(module->mlir.get());
  // What is wrong with the text is a message too.
  std::string errors;
  llvm::raw_string_ostream out(errors);
  if (failed(parsePipeline(pipeline, passes, out))) {
    StringRef message = StringRef(errors).trim();
    // MLIR says which pipeline has an option that is wrong, behind what our
    // pipelines say of it; LLVM prints a value that is none itself.
    constexpr StringLiteral kWhich = "failed to add";
    if (size_t at = message.find(kWhich); at && at != StringRef::npos)
      message = message.take_front(at).trim();
    module->context->addError(
        "pipeline '" + pipeline + "': " + message +
        (message.starts_with(kWhich)
             ? "; standard error says which value is wrong, docs/Options.md "
               "what it takes"
             : ""));
    return failure();
  }
  return passes.run(*module->module);
}

QK_EXPORT int qkModuleRun(QkModule *module, const char *pipeline) {
  return failed(runPipeline(module, pipeline));
}

/// The part of a tensor that `op` is, if it isn't all of one.
static quant_llm::PartAttr getPart(Operation *op) {
  auto parameter = dyn_cast<quant_llm::ParameterOp>(op);
  return parameter ? parameter.getPartAttr() : quant_llm::PartAttr();
}

QK_EXPORT int qkModuleBindParameter(QkModule *module, const char *name,
                                    const QkTensor *tensor) {
  storage::DataType given = static_cast<storage::DataType>(tensor->type);
  ArrayRef<int64_t> shape(tensor->shape, tensor->rank);
  std::optional<int64_t> size = storage::byteSize(given, shape);
  if (!size || (!tensor->data && *size)) {
    module->context->addError("tensor '" + Twine(name) +
                              "': expected a shape of no negative sizes and "
                              "its data");
    return 1;
  }
  // Ops that take the data, by form.
  SmallVector<Operation *> users;
  module->module->walk([&](Operation *op) {
    if (auto parameter = dyn_cast<quant_llm::ParameterOp>(op)) {
      if (!parameter.getValueAttr() && parameter.getName() == name)
        users.push_back(op);
    } else if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue());
      if (resource && !resource.getRawHandle().getBlob() &&
          resource.getRawHandle().getKey() == name)
        users.push_back(op);
    }
  });
  if (users.empty()) {
    module->context->addError(
        "no parameter and no resource '" + Twine(name) +
        "' without data in the module; quant_llm.parameter and "
        "dense_resource say what there is");
    return 1;
  }
  for (Operation *op : users) {
    auto type = quant_llm::ParameterOp::getStorageType(
        cast<RankedTensorType>(op->getResult(0).getType()));
    std::optional<storage::DataType> own =
        quant_llm::getDataType(type.getElementType());
    bool bytes = own == storage::DataType::U8 && given == storage::DataType::I8;
    quant_llm::PartAttr part = getPart(op);
    bool fits = part ? part.getLast() < ShapedType::getNumElements(shape)
                     : type.getShape() == shape;
    if ((own != given && !bytes) || !fits) {
      InFlightDiagnostic error = op->emitError();
      error << "expected tensor '" << name << "' to be ";
      if (part)
        error << type.getElementType() << " with at least "
              << part.getLast() + 1 << " elements";
      else
        error << type;
      error << ", got " << storage::describe(given, shape);
      return 1;
    }
  }
  for (Operation *op : users) {
    OpBuilder builder(op);
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    auto data = ArrayRef(static_cast<const char *>(tensor->data), *size);
    RankedTensorType stored = quant_llm::ParameterOp::getStorageType(type);
    quant_llm::PartAttr part = getPart(op);
    if (part)
      stored = RankedTensorType::get(shape, stored.getElementType());
    ElementsAttr value = DenseResourceElementsAttr::get(
        stored, name, UnmanagedAsmResourceBlob::allocateInferAlign(data));
    if (part) {
      FailureOr<ElementsAttr> taken = quant_llm::takePart(
          value, part, type, [&] { return op->emitError(); });
      if (failed(taken))
        return 1;
      value = *taken;
    }
    auto parameter = quant_llm::ParameterOp::create(builder, op->getLoc(), type,
                                                    "model", name, value);
    op->getResult(0).replaceAllUsesWith(parameter);
    op->erase();
  }
  return 0;
}

QK_EXPORT int qkModuleSetStatistics(QkModule *module, const char *layer,
                                    int64_t k, int64_t tokens,
                                    const float *hessian, const float *absmax,
                                    const float *absmean) {
  if (k < 1 || tokens < 1) {
    module->context->addError("statistics of layer '" + Twine(layer) +
                              "': expected K and tokens of at least 1, got " +
                              Twine(k) + " and " + Twine(tokens));
    return 1;
  }
  quant_llm::LayerStatistics statistics;
  statistics.k = k;
  statistics.tokens = tokens;
  auto array = [](const float *values, size_t count) {
    return values ? ArrayRef(values, count) : ArrayRef<float>();
  };
  statistics.hessian = array(hessian, k * k);
  statistics.absmax = array(absmax, k);
  statistics.absmean = array(absmean, k);
  module->statistics.insert_or_assign(layer, statistics);
  return 0;
}

namespace {
/// What qkModuleSetStatistics was given.
class MemoryStatistics : public quant_llm::StatisticsSource {
public:
  explicit MemoryStatistics(QkModule &module) : module(module) {}

  LogicalResult prepare(ModuleOp op, ArrayRef<std::string> layers) override {
    for (const std::string &layer : layers)
      if (!module.statistics.count(layer))
        return emitError(op.getLoc())
               << "no statistics were set for layer '" << layer << "', one of "
               << layers.size() << "; set those of "
               << "all layers that are quantised, or of none";
    return success();
  }

  FailureOr<const quant_llm::LayerStatistics *> get(StringRef layer) override {
    return &module.statistics.find(layer.str())->second;
  }

private:
  QkModule &module;
};
} // namespace

QK_EXPORT int qkModuleQuantize(QkModule *module, const char *method,
                               const char *options) {
  StringRef given = method;
  if (!llvm::is_contained({"rtn", "gptq", "awq", "smoothquant"}, given)) {
    module->context->addError(
        "expected a method of rtn, gptq, awq, smoothquant, got '" + given +
        "'; qkModuleRun runs other pipelines");
    return 1;
  }
  std::string pipeline = ("quant-llm-" + given).str();
  if (options && *options)
    pipeline += "{" + std::string(options) + "}";
  if (failed(runPipeline(module, pipeline)))
    return 1;
  ModuleOp op = *module->module;
  if (op->hasAttr(quant_llm::QuantLLMDialect::kRecipeOnlyAttr) ||
      !quant_llm::hasRecipe(op))
    return 0;
  std::unique_ptr<quant_llm::StatisticsSource> source;
  if (!module->statistics.empty()) {
    source = std::make_unique<MemoryStatistics>(*module);
  } else {
    auto recorded = calibration::createStatisticsSource(op);
    if (failed(recorded))
      return 1;
    source = std::move(*recorded);
  }
  return failed(quant_llm::evaluateRecipes(
      op, source.get(), quant_llm::EvaluateOptions::fromModule(op)));
}

/// Whether only LLVM's (and OpenMP's) ops are left.
static bool isLowered(ModuleOp module) {
  return !module
              .walk([&](Operation *op) {
                return op == module ||
                               isa_and_nonnull<LLVM::LLVMDialect>(
                                   op->getDialect()) ||
                               op->getName().getDialectNamespace() == "omp"
                           ? WalkResult::advance()
                           : WalkResult::interrupt();
              })
              .wasInterrupted();
}

QK_EXPORT QkExecutable *qkModuleCompile(QkModule *module, const char *options) {
  StringRef given = options ? options : "";
  if (!isLowered(*module->module)) {
    std::string pipeline = "quant-llm-lower-to-cpu";
    if (!given.empty())
      pipeline += ("{" + given + "}").str();
    if (failed(runPipeline(module, pipeline)))
      return nullptr;
  } else if (!given.empty()) {
    module->context->addError("the module is lowered already: expected no "
                              "options for that, got '" +
                              given + "'; start from the module before it");
    return nullptr;
  }
  ExecutableOptions compile;
  if (auto file = (*module->module)->getLoc()->findInstanceOf<FileLineColLoc>())
    compile.moduleFile = file.getFilename().str();
  auto executable = Executable::compile(*module->module, compile);
  if (!executable) {
    module->context->addError(llvm::toString(executable.takeError()));
    return nullptr;
  }
  auto *result = new QkExecutable();
  result->context = module->context;
  result->executable = std::move(*executable);
  return result;
}

QK_EXPORT void qkExecutableDestroy(QkExecutable *executable) {
  delete executable;
}

QK_EXPORT int qkExecutableCall(QkExecutable *executable, const char *entry,
                               const QkTensor *arguments, size_t numArguments,
                               QkTensor *results, size_t *numResults) {
  auto fail = [&](llvm::Error error) {
    executable->context->addError(llvm::toString(std::move(error)));
    return 1;
  };
  auto found = executable->executable->entry(entry ? entry : "");
  if (!found)
    return fail(found.takeError());
  std::vector<Tensor> inputs;
  for (const QkTensor &argument : ArrayRef(arguments, numArguments)) {
    Tensor &input = inputs.emplace_back();
    input.type = static_cast<storage::DataType>(argument.type);
    input.shape.assign(argument.shape, argument.shape + argument.rank);
    input.data = static_cast<const uint8_t *>(argument.data);
  }
  auto outputs = executable->executable->call(**found, inputs);
  if (!outputs)
    return fail(outputs.takeError());
  executable->results = std::move(*outputs);
  size_t room = *numResults;
  *numResults = executable->results.size();
  if (room < *numResults)
    return fail(storage::makeError("expected room for " + Twine(*numResults) +
                                   " results, got " + Twine(room)));
  for (auto [i, output] : llvm::enumerate(executable->results))
    results[i] = {static_cast<QkType>(output.type), output.shape.size(),
                  output.shape.data(), output.data};
  return 0;
}
