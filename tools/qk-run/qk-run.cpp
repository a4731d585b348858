//===- qk-run.cpp - Compile a module in memory and run it -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Program.h"
#include "qk/Execution/Compare.h"
#include "qk/Execution/Loss.h"
#include "qk/Execution/SampleFile.h"
#include "qk/Runtime/Runtime.h"
#include "qk/Storage/Npy.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include <chrono>
#include <cmath>

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
cl::opt<bool> profile("profile",
                      cl::desc("print the time of a forward and of its "
                               "contractions"),
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
             "divergence to what this module predicts"),
    cl::value_desc("module"), cl::cat(category));
cl::opt<unsigned> optimization("O", cl::Prefix,
                               cl::desc("optimisation level, 0 to 3 (3)"),
                               cl::init(3), cl::cat(category));
} // namespace

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

//===----------------------------------------------------------------------===//
// Inputs and results
//===----------------------------------------------------------------------===//

static Expected<Tensor> readNpy(StringRef path) {
  auto opened = storage::NpyFile::open(path);
  if (!opened)
    return opened.takeError();
  return Tensor::view((*opened)->tensor(), *opened);
}

/// The tensors of an .npy or safetensors file, by name; .npy is "out0".
static Expected<std::vector<std::pair<std::string, Tensor>>>
readResults(StringRef path) {
  std::vector<std::pair<std::string, Tensor>> results;
  if (path.ends_with(".npy")) {
    Expected<Tensor> tensor = readNpy(path);
    if (!tensor)
      return tensor.takeError();
    results.emplace_back("out0", std::move(*tensor));
    return results;
  }
  auto opened = storage::SafetensorsFile::open(path);
  if (!opened)
    return opened.takeError();
  for (const storage::TensorView &view : (*opened)->tensors())
    results.emplace_back(view.name.str(), Tensor::view(view, *opened));
  return results;
}

using Results = std::vector<std::pair<std::string, Tensor>>;

/// Joins each output's samples to one tensor where their shapes agree, else
/// names them out0.0, out0.1, ...
static Results join(const std::vector<std::vector<Tensor>> &samples,
                    bool isBatch) {
  Results results;
  for (size_t out = 0; out < samples.front().size(); ++out) {
    std::string name = "out" + llvm::utostr(out);
    if (!isBatch) {
      results.emplace_back(name, samples.front()[out]);
      continue;
    }
    bool same = llvm::all_of(samples, [&](const std::vector<Tensor> &sample) {
      return sample[out].shape == samples.front()[out].shape;
    });
    if (!same) {
      for (size_t s = 0; s < samples.size(); ++s)
        results.emplace_back(name + "." + llvm::utostr(s), samples[s][out]);
      continue;
    }
    std::vector<int64_t> shape = samples.front()[out].shape;
    shape.insert(shape.begin(), samples.size());
    Tensor all = Tensor::allocate(samples.front()[out].type, shape);
    auto *to = const_cast<uint8_t *>(all.data);
    for (const std::vector<Tensor> &sample : samples)
      to = std::copy_n(sample[out].data, sample[out].bytes().size(), to);
    results.emplace_back(name, std::move(all));
  }
  return results;
}

static Error writeResults(StringRef path, const Results &results) {
  if (path.ends_with(".npy")) {
    if (results.size() != 1)
      return makeError(Twine(path) + ": an .npy file holds one tensor, got " +
                       Twine(results.size()) +
                       "; name a .safetensors file instead");
    const Tensor &tensor = results.front().second;
    return storage::writeNpy(path, tensor.type, tensor.shape, tensor.bytes());
  }
  if (!path.ends_with(".safetensors"))
    return makeError(Twine(path) + ": expected a name that ends in .npy or "
                                   ".safetensors");
  storage::SafetensorsWriter writer(path);
  for (const auto &[name, tensor] : results)
    if (Error error = writer.declare(name, tensor.type, tensor.shape))
      return error;
  for (const auto &[name, tensor] : results)
    if (Error error = writer.write(name, tensor.bytes()))
      return error;
  return writer.commit();
}

/// Prints the largest difference of each result; says whether all are within
/// the tolerance.
static Expected<bool> compareResults(const Results &results) {
  auto wanted = readResults(expected);
  if (!wanted)
    return wanted.takeError();
  if (wanted->size() != results.size())
    return makeError(expected + ": expected " + Twine(results.size()) +
                     " tensors, one for each result, got " +
                     Twine(wanted->size()));
  bool good = true;
  for (const auto &[name, tensor] : results) {
    auto found = llvm::find_if(*wanted, [&name = name](const auto &each) {
      return each.first == name;
    });
    if (found == wanted->end())
      return makeError(expected + ": no tensor '" + name + "'");
    auto difference =
        compare(tensor, found->second, relativeTolerance, absoluteTolerance);
    if (!difference)
      return makeError(expected + ": " + name + ": " +
                       toString(difference.takeError()));
    llvm::outs() << name << ": largest difference "
                 << llvm::format("%.3g", difference->largest);
    if (difference->largest > 0) {
      llvm::outs() << " at [";
      llvm::interleaveComma(difference->where, llvm::outs());
      llvm::outs() << llvm::format("] (got %.9g, expected %.9g)",
                                   difference->got, difference->expected);
    }
    llvm::outs() << llvm::format(", relative error %.3g", difference->relative);
    if (difference->beyond) {
      llvm::outs() << ": " << difference->beyond << " of "
                   << tensor.numElements()
                   << llvm::format(" elements beyond atol %g + rtol %g",
                                   double(absoluteTolerance),
                                   double(relativeTolerance));
      good = false;
    }
    llvm::outs() << "\n";
  }
  return good;
}

static void describeResults(const Results &results) {
  for (const auto &[name, tensor] : results) {
    double smallest = INFINITY, largest = -INFINITY, sum = 0;
    for (double value : tensor.toDoubles()) {
      smallest = std::min(smallest, value);
      largest = std::max(largest, value);
      sum += value;
    }
    llvm::outs() << name << ": " << tensor.describe();
    if (tensor.numElements())
      llvm::outs() << llvm::format(", from %.6g to %.6g, mean %.6g", smallest,
                                   largest, sum / tensor.numElements());
    llvm::outs() << "\n";
  }
}

//===----------------------------------------------------------------------===//
// Modes
//===----------------------------------------------------------------------===//

/// The best of several forwards, after one to warm up, and its contractions.
static Error runProfile(Program &program, const std::vector<Tensor> &inputs) {
  if (auto warm = program.executable->call(*program.entry, inputs); !warm)
    return warm.takeError();
  double best = INFINITY, contractions = 0, flops = 0;
  int64_t calls = 0;
  // At least five, and a second's worth: other programs disturb.
  double end = now() + 1;
  for (int run = 0; run < 5 || now() < end; ++run) {
    qk_profile_start();
    double begin = now();
    auto results = program.executable->call(*program.entry, inputs);
    double seconds = now() - begin;
    if (!results)
      return results.takeError();
    if (seconds < best) {
      best = seconds;
      qk_profile_read(QK_PROFILE_CONTRACTION, &calls, &contractions, &flops);
    }
  }
  llvm::outs() << llvm::format("forward: %.3f ms\n", best * 1e3)
               << llvm::format("contractions: %.3f ms in %lld calls",
                               contractions * 1e3, (long long)calls);
  if (contractions > 0)
    llvm::outs() << llvm::format(
        ", %.1f GFLOP/s; a forward takes %.2fx the time of its contractions",
        flops / contractions * 1e-9, best / contractions);
  llvm::outs() << "\n";
  return Error::success();
}

static Expected<Program> loadReference() {
  ProgramOptions options{entryName, weights, optimization, false};
  return loadProgram(reference, options);
}

/// Adds one sequence's loss, running the program and the reference on it.
static Error addSequence(LossSums &sums, Program &program, Program *other,
                         const std::vector<Tensor> &inputs,
                         llvm::ArrayRef<uint8_t> mask) {
  auto results = program.executable->call(*program.entry, inputs);
  if (!results)
    return results.takeError();
  if (results->size() != 1)
    return makeError("function '" + program.entry->name +
                     "': expected one result, logits, got " +
                     Twine(results->size()));
  std::optional<Tensor> logits;
  if (other) {
    auto references = other->executable->call(*other->entry, inputs);
    if (!references)
      return makeError("reference: " + toString(references.takeError()));
    if (references->size() != 1)
      return makeError("reference: expected one result, got " +
                       Twine(references->size()));
    logits = references->front();
  }
  return addLoss(sums, results->front(), inputs.front(),
                 logits ? &*logits : nullptr, mask);
}

static bool holdsTokens(const Entry &entry) {
  return !entry.arguments.empty() &&
         (entry.arguments[0].type == storage::DataType::I64 ||
          entry.arguments[0].type == storage::DataType::I32);
}

static void printLoss(const LossSums &sums, bool withReference) {
  llvm::outs() << llvm::format("loss: %.5f\n", sums.meanLoss());
  if (withReference)
    llvm::outs() << llvm::format("kl: %.5g\n", sums.meanDivergence());
  llvm::outs() << "predictions: " << sums.predictions << "\n";
}

static Error runLoss(Program &program, const execution::SampleFile &samples) {
  std::optional<Program> other;
  if (!reference.empty()) {
    Expected<Program> loaded = loadReference();
    if (!loaded)
      return loaded.takeError();
    other.emplace(std::move(*loaded));
  }
  LossSums sums;
  for (size_t s = 0; s < samples.size(); ++s)
    if (Error error = addSequence(sums, program, other ? &*other : nullptr,
                                  tensorsOf(samples[s]), samples[s].mask))
      return makeError("sample " + Twine(s) + ": " +
                       toString(std::move(error)));
  if (!sums.predictions)
    return makeError("nothing to predict: every sample has fewer than two "
                     "tokens that count");
  printLoss(sums, other.has_value());
  return Error::success();
}

/// One window's arguments: the tokens, and ones for every further integer
/// argument (attention masks).
static Expected<std::vector<Tensor>>
windowInputs(const Entry &entry, llvm::ArrayRef<int64_t> tokens) {
  std::vector<Tensor> inputs;
  for (const TensorSpec &spec : entry.arguments) {
    bool wide = spec.type == storage::DataType::I64;
    if (!wide && spec.type != storage::DataType::I32)
      return makeError("function '" + entry.name +
                       "': --perplexity needs integer arguments only (tokens "
                       "and masks), got " +
                       spec.describe());
    std::vector<int64_t> shape(spec.shape.size(), 1);
    if (!shape.empty())
      shape.back() = tokens.size();
    Tensor tensor = Tensor::allocate(spec.type, shape);
    for (int64_t i = 0; i < tensor.numElements(); ++i) {
      int64_t value = inputs.empty() ? tokens[i] : 1;
      if (wide)
        const_cast<int64_t *>(tensor.as<int64_t>().data())[i] = value;
      else
        const_cast<int32_t *>(tensor.as<int32_t>().data())[i] = value;
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

static Error runPerplexity(Program &program) {
  Expected<Tensor> text = readNpy(perplexity);
  if (!text)
    return text.takeError();
  if (text->type != storage::DataType::I64 || text->shape.size() != 1)
    return makeError(perplexity + ": expected tokens as I64[n], got " +
                     text->describe());
  if (window < 2 || windows < 1)
    return makeError("expected --window of at least 2 and --windows of at "
                     "least 1, got " +
                     Twine(window) + " and " + Twine(windows));
  int64_t available = text->shape[0] / window;
  if (available == 0)
    return makeError(perplexity + ": expected at least one window of " +
                     Twine(window) + " tokens, got " + Twine(text->shape[0]));
  std::optional<Program> other;
  if (!reference.empty()) {
    Expected<Program> loaded = loadReference();
    if (!loaded)
      return loaded.takeError();
    other.emplace(std::move(*loaded));
  }
  LossSums sums;
  for (int64_t w = 0, end = std::min<int64_t>(available, windows); w < end;
       ++w) {
    auto inputs = windowInputs(*program.entry,
                               text->as<int64_t>().slice(w * window, window));
    if (!inputs)
      return inputs.takeError();
    if (Error error =
            addSequence(sums, program, other ? &*other : nullptr, *inputs, {}))
      return makeError("window " + Twine(w) + ": " +
                       toString(std::move(error)));
  }
  llvm::outs() << llvm::format("perplexity: %.4f\n", std::exp(sums.meanLoss()));
  printLoss(sums, other.has_value());
  return Error::success();
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
  ProgramOptions options{entryName, weights, optimization, reference.empty()};
  Expected<Program> program = loadProgram(file, options);
  if (!program)
    return program.takeError();
  const Entry &entry = *program->entry;
  if ((loss || !perplexity.empty()) && !holdsTokens(entry))
    return makeError("function '" + entry.name +
                     "': expected token ids (I64 or I32) as first argument");
  if (!perplexity.empty()) {
    if (Error error = runPerplexity(*program))
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
      if (Error error = runLoss(*program, *samples))
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
  Results results = join(outputs, !samplesFile.empty() && inputs.size() > 1);
  if (!output.empty())
    if (Error error = writeResults(output, results))
      return std::move(error);
  if (profile)
    if (Error error = runProfile(*program, inputs.front()))
      return std::move(error);
  if (!expected.empty()) {
    Expected<bool> good = compareResults(results);
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
