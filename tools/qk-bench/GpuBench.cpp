//===- GpuBench.cpp - GPU kernels against the card's limits -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The half that has a compiler: kernels become cubins and a list of launches,
// which qk-gpu-run takes to the card, here or on another machine.
//
//===----------------------------------------------------------------------===//

#include "GpuBench.h"

#include "GpuCard.h"
#include "GpuCases.h"
#include "GpuCompile.h"
#include "GpuPlan.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <optional>

using namespace qk;
using namespace qk::bench;
using namespace qk::nvvm;
namespace cl = llvm::cl;

namespace {
struct Options {
  cl::opt<bool> gpu{"gpu", cl::desc("GPU kernels"), cl::Hidden};
  cl::opt<std::string> chip{"chip",
                            cl::desc("GPU to compile for; default: sm_90a, or "
                                     "this machine's where it is measured")};
  cl::opt<bool> list{"list",
                     cl::desc("Print which kernel each shape gets, why, "
                              "and what it costs; needs no GPU")};
  cl::opt<std::string> emit{
      "emit", cl::desc("Write kernels and cases.json to this folder, for "
                       "qk-gpu-run; needs no GPU")};
  cl::opt<std::string> format{"format", cl::init("bin"),
                              cl::desc("Of the kernels: bin, isa (PTX) or mlir "
                                       "(for the emulator)")};
  cl::opt<std::string> only{"only",
                            cl::desc("Timed cases whose name contains this")};
  cl::list<std::string> variants{
      "variant", cl::desc("A kernel with other parameters, beside the table's: "
                          "FAMILY[@M[+M...]]:KEY=VALUE[,KEY=VALUE...]")};
  cl::opt<bool> table{"table", cl::init(true),
                      cl::desc("Time the kernels that the table gives, too")};
  cl::opt<int> sweep{"sweep", cl::init(100),
                     cl::desc("Odd shapes to check, of all schemes")};
  cl::opt<uint64_t> seed{"seed", cl::desc("Of these shapes"), cl::init(1)};
  cl::opt<int> rounds{"rounds", cl::desc("Replays of a CUDA graph"),
                      cl::init(20)};
  cl::opt<std::string> peers{
      "peers", cl::desc("What utils/gpu-peers wrote, to stand beside ours")};
  cl::opt<std::string> json{"json", cl::desc("Write all figures to this file")};
  cl::opt<std::string> svg{"svg", cl::desc("Draw a roofline to this file")};
};

class GpuBench {
public:
  GpuBench(const Options &options, llvm::StringRef program)
      : options(options), program(program) {}
  int run();

private:
  [[noreturn]] static void fail(const llvm::Twine &message) {
    llvm::WithColor::error(llvm::errs(), "qk-bench") << message << "\n";
    std::exit(1);
  }
  static void warn(const llvm::Twine &message) {
    llvm::WithColor::warning(llvm::errs(), "qk-bench") << message << "\n";
  }
  const Chip &findTarget();
  std::vector<GpuCase> makeCases(const Chip &chip);
  void list(const Chip &chip);
  void emit(const Chip &chip, llvm::StringRef folder);
  int measure(const Chip &chip);
  std::string runner() const;
  std::pair<const char *, llvm::StringRef>
  fileOf(const CompiledKernel &kernel) const;
  static void write(const llvm::Twine &path, llvm::StringRef bytes);

  const Options &options;
  llvm::StringRef program;
};
} // namespace

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Beside this program, where both are built and installed.
std::string GpuBench::runner() const {
  std::string self =
      llvm::sys::fs::getMainExecutable(program.str().c_str(), (void *)benchGpu);
  llvm::SmallString<256> path(llvm::sys::path::parent_path(self));
  llvm::sys::path::append(path, "qk-gpu-run");
  if (!llvm::sys::fs::can_execute(path))
    fail("no '" + path + "', which runs kernels; build the target qk-gpu-run");
  return path.str().str();
}

const Chip &GpuBench::findTarget() {
  std::string name = options.chip;
  if (name.empty() && (options.list || !options.emit.empty()))
    name = "sm_90a";
  if (!name.empty()) {
    const Chip *chip = findChip(name);
    if (!chip)
      fail("unknown chip '" + name + "', expected " + knownChips());
    return *chip;
  }
  // This machine's.
  llvm::SmallString<128> path;
  if (llvm::sys::fs::createTemporaryFile("qk-bench", "chip", path))
    fail("can't create a temporary file");
  llvm::scope_exit remove([&] { llvm::sys::fs::remove(path); });
  std::optional<llvm::StringRef> redirects[] = {
      std::nullopt, llvm::StringRef(path), std::nullopt};
  std::string tool = runner();
  if (llvm::sys::ExecuteAndWait(tool, {tool, "--capability"}, std::nullopt,
                                redirects))
    fail("no GPU to measure on; --list and --emit need none");
  auto text = llvm::MemoryBuffer::getFile(path);
  int capability = 0;
  if (!text || (*text)->getBuffer().trim().getAsInteger(10, capability))
    fail("qk-gpu-run --capability gave no number");
  const Chip *best = nullptr;
  for (const Chip &chip : allChips())
    if (chip.isArchitectureSpecific ? chip.capability == capability
                                    : chip.capability <= capability)
      best = &chip;
  if (!best)
    fail("this GPU's compute capability is " + llvm::Twine(capability) +
         ", expected 75 or more");
  return *best;
}

std::vector<GpuCase> GpuBench::makeCases(const Chip &chip) {
  std::vector<GpuVariant> variants;
  for (const std::string &text : options.variants) {
    GpuVariant variant;
    if (std::string error = parseVariant(text, variant); !error.empty())
      fail(error);
    variants.push_back(variant);
  }
  std::vector<GpuCase> cases;
  std::vector<bool> used(variants.size());
  for (const GpuCase &each : timedCases(chip)) {
    if (each.name.find(options.only) == std::string::npos)
      continue;
    if (options.table)
      cases.push_back(each);
    for (size_t i = 0; i < variants.size(); ++i) {
      std::optional<GpuCase> changed;
      std::string error = applyVariant(chip, each, variants[i], changed);
      if (!error.empty())
        warn(error);
      if (changed) {
        cases.push_back(*changed);
        used[i] = true;
      }
    }
  }
  for (size_t i = 0; i < variants.size(); ++i)
    if (!used[i])
      warn("variant '" + variants[i].text + "' is for none of the cases");
  return cases;
}

//===----------------------------------------------------------------------===//
// --list
//===----------------------------------------------------------------------===//

void GpuBench::list(const Chip &chip) {
  const Card *card = nullptr;
  for (const Card &each : kCards)
    if (chip.name == each.chip)
      card = &each;
  llvm::outs() << std::string(chip.name) << ", limits of "
               << (card ? card->name : "no known card") << ":";
  if (card)
    llvm::outs() << llvm::format(" %.2f TB/s, %.0f dense TFLOP/s of 16 bits, "
                                 "%.1f T thread instructions/s",
                                 card->terabytes, card->teraflops,
                                 card->multiprocessors * 4 * 32 *
                                     card->gigahertz * 1e-3);
  llvm::outs() << " (data sheets)\n";
  GpuCompiler compiler(chip);
  std::map<std::string, CompiledKernel> compiled;
  for (const GpuCase &each : makeCases(chip)) {
    const KernelChoice &choice = each.choice;
    std::string key = choice.name() + " " + each.variant;
    if (!compiled.count(key)) {
      auto kernel = compiler.compile(choice);
      if (!kernel) {
        warn(llvm::toString(kernel.takeError()));
        continue;
      }
      compiled[key] = std::move(*kernel);
    }
    const CompiledKernel &kernel = compiled[key];
    const MatmulProblem &problem = choice.problem;
    double weights = double(each.n) * double(problem.k);
    double bytes = double(problem.packedBytes(each.n)) / weights;
    double least =
        problem.scheme.bits() / 8.0 +
        (problem.scheme.scaleType == numerics::ScaleType::F32 ? 4 : 2) /
            double(problem.scheme.groupLength(problem.k));
    llvm::outs()
        << each.name << (each.variant.empty() ? "" : " ") << each.variant
        << ": " << choice.name() << "\n  " << choice.reason << "\n  layout "
        << std::string(layoutName(problem.packing)) << ", " << kernel.registers
        << " registers, "
        << kernel.description.getInteger("static_shared_bytes").value_or(0) +
               kernel.description.getInteger("dynamic_shared_bytes").value_or(0)
        << " bytes of shared memory, " << kernel.spillBytes << " spilled; "
        << llvm::format("%.4f bytes a weight (codes and scales: %.4f)", bytes,
                        least);
    if (kernel.instructionsPerWeight > 0)
      llvm::outs() << llvm::format(", %.3f %s instructions a weight",
                                   kernel.instructionsPerWeight,
                                   kernel.countedInPtx ? "PTX" : "machine");
    LaunchShape shape = choice.launchShape(each.m, each.n);
    llvm::outs() << ", grid " << shape.grid[0] << "x" << shape.grid[1] << "x"
                 << shape.grid[2] << " of " << shape.block[0] << " threads\n";
    if (!card)
      continue;
    // Every block of tokens reads and unpacks all weights.
    double passes = double(ceilDiv(each.m, choice.blockTokens()));
    double memory = bytes * weights / (card->terabytes * 1e12);
    double tensor = 2 * double(each.m) * weights / (card->teraflops * 1e12) /
                    (problem.int8Activations ? 2 : 1);
    double issue = kernel.instructionsPerWeight * weights * passes /
                   (card->multiprocessors * 4 * 32 * card->gigahertz * 1e9);
    llvm::outs() << llvm::format("  limits: weights from memory %.2f us, "
                                 "products %.2f us, instructions %.2f us\n",
                                 memory * 1e6, tensor * 1e6, issue * 1e6);
  }
}

//===----------------------------------------------------------------------===//
// --emit
//===----------------------------------------------------------------------===//

void GpuBench::write(const llvm::Twine &path, llvm::StringRef bytes) {
  llvm::SmallString<256> name;
  if (llvm::Error error = llvm::writeToOutput(
          path.toStringRef(name), [&](llvm::raw_ostream &os) -> llvm::Error {
            os << bytes;
            return llvm::Error::success();
          }))
    fail("can't write '" + path + "': " + llvm::toString(std::move(error)));
}

/// Suffix and bytes of a kernel's file.
std::pair<const char *, llvm::StringRef>
GpuBench::fileOf(const CompiledKernel &kernel) const {
  if (options.format == "isa")
    return {".ptx", kernel.ptx};
  if (options.format == "mlir")
    return {".mlir", kernel.module};
  return {".cubin", kernel.cubin};
}

void GpuBench::emit(const Chip &chip, llvm::StringRef folder) {
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    fail("can't make '" + folder + "': " + error.message());
  std::vector<GpuCase> cases = makeCases(chip);
  for (GpuCase &each : sweepCases(chip, options.sweep, options.seed))
    cases.insert(cases.begin(), std::move(each));
  GpuCompiler compiler(chip);
  struct Written {
    std::string file;
    CompiledKernel kernel;
  };
  std::map<std::string, Written> written;
  llvm::json::Array list;
  int failed = 0;
  for (const GpuCase &each : cases) {
    std::string key = each.choice.name() + " " + each.variant;
    auto [entry, isNew] = written.try_emplace(key);
    if (isNew) {
      auto kernel = compiler.compile(each.choice);
      if (!kernel) {
        warn(llvm::toString(kernel.takeError()));
        ++failed;
        continue;
      }
      if (kernel->spillBytes)
        warn(each.choice.name() + " " + each.variant + ": " +
             llvm::Twine(kernel->spillBytes) + " bytes spilled");
      entry->second.kernel = std::move(*kernel);
      auto [suffix, bytes] = fileOf(entry->second.kernel);
      entry->second.file = ("k" + llvm::Twine(written.size()) + suffix).str();
      write(folder + "/" + entry->second.file, bytes);
    }
    if (!entry->second.file.empty())
      list.push_back(
          describeCase(each, entry->second.kernel, entry->second.file));
  }
  // The list last: where it is, what it names is there.
  size_t count = list.size();
  llvm::json::Object plan{{"version", 1},
                          {"chip", std::string(chip.name)},
                          {"cases", std::move(list)}};
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::formatv("{0:2}", llvm::json::Value(std::move(plan))) << "\n";
  write(folder + "/cases.json", text);
  llvm::outs() << count << " cases, " << written.size() - failed
               << " kernels for " << std::string(chip.name) << " in " << folder
               << "\n";
  if (failed)
    fail(llvm::Twine(failed) + " kernels could not be compiled");
}

//===----------------------------------------------------------------------===//
// Here
//===----------------------------------------------------------------------===//

int GpuBench::measure(const Chip &chip) {
  llvm::SmallString<128> folder;
  if (std::error_code error =
          llvm::sys::fs::createUniqueDirectory("qk-bench-gpu", folder))
    fail("can't make a temporary folder: " + error.message());
  llvm::scope_exit remove([&] { llvm::sys::fs::remove_directories(folder); });
  emit(chip, folder);
  std::string tool = runner();
  std::vector<std::string> words{tool, folder.str().str(),
                                 "--rounds=" + std::to_string(options.rounds)};
  auto pass = [&](const char *name, const std::string &value) {
    if (!value.empty())
      words.push_back(std::string(name) + value);
  };
  pass("--peers=", options.peers);
  pass("--json=", options.json);
  pass("--svg=", options.svg);
  llvm::SmallVector<llvm::StringRef> arguments(words.begin(), words.end());
  llvm::outs().flush();
  std::string message;
  int code = llvm::sys::ExecuteAndWait(tool, arguments, std::nullopt, {}, 0, 0,
                                       &message);
  if (code < 0)
    fail("'" + tool + "': " + message);
  return code;
}

int GpuBench::run() {
  if (options.sweep < 0 || options.rounds < 1)
    fail("expected a sweep of at least 0 and rounds of at least 1");
  if (options.format != "bin" && options.format != "isa" &&
      options.format != "mlir")
    fail("unknown format '" + options.format + "', expected bin, isa or mlir");
  const Chip &chip = findTarget();
  if (options.list) {
    list(chip);
    return 0;
  }
  if (options.emit.empty())
    return measure(chip);
  emit(chip, options.emit);
  return 0;
}

int benchGpu(int argc, char **argv) {
  cl::ResetCommandLineParser();
  Options options;
  cl::ParseCommandLineOptions(
      argc, argv,
      "qk: GPU kernels against the card's limits\n\n"
      "  qk-bench --gpu          compiles, checks and times on this machine's "
      "GPU\n"
      "  qk-bench --gpu --list   which kernel for which shape, and why\n"
      "  qk-bench --gpu --emit=FOLDER   for qk-gpu-run on another machine\n");
  return GpuBench(options, argv[0]).run();
}
