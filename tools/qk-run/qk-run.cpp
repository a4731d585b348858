//===- qk-run.cpp - Compile a module in memory and run it -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Measure.h"
#include "Program.h"
#include "Results.h"
#include "qk/Execution/SampleFile.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

using namespace qk;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using storage::makeError;
namespace cl = llvm::cl;

namespace {
cl::OptionCategory category("qk-run options");

cl::opt<std::string> file(cl::Positional, cl::desc("<module, or - for stdin>"),
                          cl::init("-"), cl::cat(category));
cl::opt<std::string> entryName("entry",
                               cl::desc("function to run (default: the only "
                                        "public one)"),
                               cl::value_desc("name"), cl::cat(category));
cl::list<std::string>
    inputFiles("input",
               cl::desc("next argument, an .npy file (numpy has no bf16: "
                        "f32 is rounded where the argument is)"),
               cl::value_desc("file.npy"), cl::cat(category));
cl::opt<std::string> samplesFile(
    "inputs",
    cl::desc("all arguments as arg0, arg1, ...; one more leading dimension "
             "counts samples"),
    cl::value_desc("file.safetensors"), cl::cat(category));
cl::opt<std::string> output("output",
                            cl::desc("where results go: .npy for a single "
                                     "result, or .safetensors (out0, ...)"),
                            cl::value_desc("file"), cl::cat(category));
cl::opt<std::string> expected("expect",
                              cl::desc("compare the results with this file; "
                                       "exit status 1 beyond the tolerance"),
                              cl::value_desc("file"), cl::cat(category));
cl::opt<double>
    relativeTolerance("rtol", cl::desc("relative tolerance of --expect (1e-5)"),
                      cl::init(1e-5), cl::cat(category));
cl::opt<double>
    absoluteTolerance("atol", cl::desc("absolute tolerance of --expect (1e-5)"),
                      cl::init(1e-5), cl::cat(category));
cl::list<std::string>
    weights("weights",
            cl::desc("safetensors file with the data of named resources"),
            cl::value_desc("file"), cl::cat(category));
cl::opt<std::string> weightNames(
    "weight-names",
    cl::desc("JSON file that says which tensor of --weights each handle or "
             "argument is"),
    cl::value_desc("file"), cl::cat(category));
cl::opt<bool> profile("profile",
                      cl::desc("print the time of a forward: quantised "
                               "kernels, products in float, other operations "
                               "by kind, overhead"),
                      cl::cat(category));
cl::opt<bool> loss("loss",
                   cl::desc("print the mean cross-entropy of predicting each "
                            "next token of arg0 of --inputs"),
                   cl::cat(category));
cl::opt<std::string> perplexity("perplexity",
                                cl::desc("print the perplexity of this text, "
                                         "i64 token ids in an .npy file"),
                                cl::value_desc("tokens.npy"),
                                cl::cat(category));
cl::opt<int64_t> window("window",
                        cl::desc("tokens of a window of --perplexity (1024)"),
                        cl::init(1024), cl::cat(category));
cl::opt<int64_t> windows("windows",
                         cl::desc("windows of --perplexity, disjoint, from the "
                                  "start (16)"),
                         cl::init(16), cl::cat(category));
cl::opt<std::string> reference(
    "reference",
    cl::desc("with --loss or --perplexity: also the mean Kullback-Leibler "
             "divergence to what this module predicts, or to the logits in an "
             ".npy file that it wrote (--inputs, --output)"),
    cl::value_desc("module"), cl::cat(category));
cl::opt<unsigned> optimization("O", cl::Prefix,
                               cl::desc("optimisation level, 0 to 3 (3)"),
                               cl::init(3), cl::cat(category));
} // namespace

/// What --reference names, or nothing.
static Expected<std::optional<Reference>> loadReference() {
  if (reference.empty())
    return std::nullopt;
  Reference result;
  if (StringRef(reference).ends_with(".npy")) {
    Expected<Tensor> logits = readNpy(reference);
    if (!logits)
      return logits.takeError();
    result.logits = std::move(*logits);
    return std::move(result);
  }
  ProgramOptions options{entryName,    weights, weightNames,
                         optimization, false,   false};
  Expected<Program> loaded = loadProgram(reference, options);
  if (!loaded)
    return loaded.takeError();
  result.program = std::move(*loaded);
  return std::move(result);
}

/// Exit status.
static Expected<int> run() {
  if (!inputFiles.empty() && !samplesFile.empty())
    return makeError("--input and --inputs exclude each other");
  if (loss && samplesFile.empty())
    return makeError("--loss needs --inputs");
  if (!reference.empty() && !loss && perplexity.empty())
    return makeError("--reference needs --loss or --perplexity");
  if (optimization > 3)
    return makeError("expected an optimisation level from 0 to 3, got " +
                     Twine(optimization));
  if (!weightNames.empty() && weights.size() != 1)
    return makeError("--weight-names needs one --weights, got " +
                     Twine(weights.size()));
  ProgramOptions options{entryName,    weights,           weightNames,
                         optimization, reference.empty(), profile};
  Expected<Program> program = loadProgram(file, options);
  if (!program)
    return program.takeError();
  const Entry &entry = *program->entry;
  if ((loss || !perplexity.empty()) && !holdsTokens(entry))
    return makeError("function '" + entry.name +
                     "': expected token ids (I64 or I32) as first argument");
  Expected<std::optional<Reference>> other = loadReference();
  if (!other)
    return other.takeError();
  Reference *compared = *other ? &**other : nullptr;
  if (!perplexity.empty()) {
    if (Error error =
            runPerplexity(*program, compared, perplexity, window, windows))
      return std::move(error);
    return 0;
  }

  std::optional<execution::SampleFile> opened;
  std::vector<std::vector<Tensor>> inputs;
  if (!samplesFile.empty()) {
    Expected<execution::SampleFile> samples =
        execution::SampleFile::open(samplesFile, entry.sampleArguments());
    if (!samples)
      return samples.takeError();
    if (loss) {
      if (Error error = runLoss(*program, compared, *samples))
        return std::move(error);
      return 0;
    }
    opened.emplace(std::move(*samples));
    for (size_t s = 0; s < opened->size(); ++s)
      inputs.push_back(tensorsOf((*opened)[s]));
  } else {
    std::vector<Tensor> &only = inputs.emplace_back();
    for (const std::string &path : inputFiles) {
      Expected<Tensor> tensor = readNpy(path);
      if (!tensor)
        return tensor.takeError();
      if (only.size() < entry.arguments.size()) {
        if (entry.arguments[only.size()].type == storage::DataType::BF16 &&
            tensor->type == storage::DataType::F32)
          *tensor = tensor->toBF16();
        if (Error error =
                checkArgument(entry.arguments[only.size()], *tensor,
                              path + ": argument " + Twine(only.size()) +
                                  " of '" + entry.name + "'"))
          return std::move(error);
      }
      only.push_back(std::move(*tensor));
    }
  }
  std::vector<std::vector<Tensor>> outputs;
  for (const std::vector<Tensor> &sample : inputs) {
    auto results = program->executable->call(entry, sample);
    if (!results)
      return results.takeError();
    outputs.push_back(std::move(*results));
  }
  Results results = joinSamples(std::move(outputs),
                                !samplesFile.empty() && inputs.size() > 1);
  if (!output.empty())
    if (Error error = writeResults(output, results))
      return std::move(error);
  if (profile)
    if (Error error = runProfile(*program, inputs.front()))
      return std::move(error);
  if (!expected.empty()) {
    Expected<bool> good =
        compareResults(results, expected, relativeTolerance, absoluteTolerance);
    if (!good)
      return good.takeError();
    return *good ? 0 : 1;
  }
  if (output.empty() && !profile)
    describeResults(results);
  return 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(
      argc, argv,
      "compiles a module for this machine and runs it\n\n"
      "The module is in the LLVM dialect (from qk-opt --lower-to-cpu) or on "
      "tensors.\n");
  Expected<int> status = run();
  if (status)
    return *status;
  llvm::errs() << "error: " << toString(status.takeError()) << "\n";
  return 2;
}
