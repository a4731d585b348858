//===- qk-kernel.cpp - A kernel for one shape and one chip ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Writes one quantised matrix product as an object and the C header that goes
// with it: for programs that want the kernel and not the compiler.
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/CPU/Passes.h"
#include "qk/Execution/ObjectFile.h"
#include "qk/Target/CPU/KernelBuilder.h"
#include "qk/Target/CPU/StandaloneKernel.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace qk;
using namespace qk::cpu;
using namespace qk::execution;
namespace cl = llvm::cl;

namespace {
/// Made after LLVM's own options were dropped.
struct Options {
  cl::opt<std::string> codes{"codes", cl::desc("Codes: u2, u3, u4, u8 or s8"),
                             cl::init("u4")};
  cl::opt<int64_t> k{"k", cl::desc("Inputs of a channel (K); needed"),
                     cl::init(0)};
  cl::opt<int64_t> group{"group", cl::desc("Group size; -1: the whole row"),
                         cl::init(128)};
  cl::opt<std::string> scale{"scale-type", cl::desc("Scales: f16, bf16 or f32"),
                             cl::init("f16")};
  cl::opt<bool> zeros{"zero-points", cl::desc("With zero points")};
  cl::opt<bool> bias{"bias", cl::desc("With a bias")};
  cl::opt<std::string> activations{
      "activations", cl::desc("What x is multiplied as: int16, int8 or float"),
      cl::init("int16")};
  cl::opt<std::string> sharing{
      "activation-scales",
      cl::desc("What shares a scale of x: group (of a row, as long as the "
               "weight's), token or tensor"),
      cl::init("group")};
  cl::opt<bool> quantized{
      "quantized-input", cl::desc("x comes as codes and scales, not as float")};
  cl::opt<std::string> element{"element",
                               cl::desc("Type of x and y: f32, f16 or bf16"),
                               cl::init("f32")};
  cl::list<std::string> isa{
      "isa",
      cl::desc(
          "ISA levels in the object: avx512-vnni, avx-vnni, avx2; neon-i8mm, "
          "neon-dotprod; portable "
          "(default: all of the target's, chosen when it runs)"),
      cl::CommaSeparated};
  cl::opt<std::string> target{
      "target", cl::desc("Target triple (default: this machine's)")};
  cl::opt<bool> sequential{
      "sequential", cl::desc("Run on the calling thread, without OpenMP")};
  cl::opt<std::string> symbol{"name", cl::desc("The C function's name"),
                              cl::init("qk_matmul")};
  cl::opt<std::string> emit{"emit", cl::desc("obj, asm, llvm or mlir"),
                            cl::init("obj")};
  cl::opt<std::string> output{
      "o", cl::desc("Output file; the header lies beside it, with .h"),
      cl::value_desc("file")};
  cl::opt<std::string> header{"header", cl::desc("The header's file instead")};
};
} // namespace

static Options *options;

[[noreturn]] static void fail(const llvm::Twine &message) {
  llvm::WithColor::error(llvm::errs(), "qk-kernel") << message << "\n";
  std::exit(1);
}

/// `parsed`, or an error that says what was expected.
template <typename T>
static T expect(std::optional<T> parsed, llvm::StringRef option,
                llvm::StringRef got, llvm::StringRef expected) {
  if (!parsed)
    fail("--" + option + ": expected " + expected + ", got '" + got + "'");
  return *parsed;
}

static KernelSpec parseSpec() {
  KernelSpec spec;
  spec.scheme.codeType =
      expect(parseCodeType(options->codes.getValue()), "codes", options->codes,
             "u2, u3, u4, u8 or s8");
  spec.scheme.scaleType =
      expect(parseScaleType(options->scale.getValue()), "scale-type",
             options->scale, "f16, bf16 or f32");
  spec.activation =
      expect(parseActivation(options->activations.getValue()), "activations",
             options->activations, "int16, int8 or float");
  spec.sharing =
      expect(parseSharing(options->sharing.getValue()), "activation-scales",
             options->sharing, "group, token or tensor");
  spec.element = expect(parseElement(options->element.getValue()), "element",
                        options->element, "f32, f16 or bf16");
  // Packed activations and their sums are counted in 32 bits by no one, but a
  // K like this is a mistake.
  constexpr int64_t most = int64_t(1) << 30;
  if (options->k < 1 || options->k > most)
    fail("--k: expected 1 to " + llvm::Twine(most) + ", got " +
         llvm::Twine(options->k));
  if (options->group != -1 && options->group < 1)
    fail("--group: expected -1 or at least 1, got " +
         llvm::Twine(options->group));
  spec.k = options->k;
  spec.scheme.groupSize = options->group;
  spec.zeroPoints = options->zeros;
  spec.bias = options->bias;
  // One scale a row either way.
  if (spec.sharing == Sharing::TokenGroup &&
      spec.scheme.groupLength(spec.k) == spec.k)
    spec.sharing = Sharing::Token;
  return spec;
}

static std::vector<Level> parseLevels(const llvm::Triple &target) {
  std::vector<Level> levels;
  const Architecture of = architectureOf(target);
  const std::vector<Level> all = standaloneLevels(target);
  std::string theirs;
  for (Level level : all)
    theirs += (level == all.front()  ? ""
               : level == all.back() ? " or "
                                     : ", ") +
              std::string(name(level));
  for (const std::string &text : options->isa) {
    Level level = expect(parseLevel(text), "isa", text, levelNames());
    if (level != Level::Portable && architecture(level) != of)
      fail(
          "--isa: " + text + " is a level of " +
          (architecture(level) == Architecture::X86_64 ? "x86-64" : "AArch64") +
          ", the target is '" + target.str() + "'; expected " + theirs);
    if (!llvm::is_contained(all, level))
      fail("--isa: " + text + " on '" + target.str() +
           "': what the processor has can be found out on Linux only; "
           "expected " +
           theirs);
    if (!llvm::is_contained(levels, level))
      levels.push_back(level);
  }
  return levels.empty() ? all : levels;
}

static StandaloneKernel parseKernel(const llvm::Triple &target) {
  StandaloneKernel kernel;
  kernel.spec = parseSpec();
  kernel.levels = parseLevels(target);
  kernel.name = options->symbol;
  kernel.quantizedInput = options->quantized;
  kernel.threads = !options->sequential;
  if (kernel.name.empty() || llvm::isDigit(kernel.name.front()) ||
      !llvm::all_of(kernel.name,
                    [](char c) { return llvm::isAlnum(c) || c == '_'; }))
    fail("--name: expected a C identifier, got '" + kernel.name + "'");
  if (kernel.quantizedInput && kernel.spec.activation == Activation::Float)
    fail("--quantized-input: expected activations of int16 or int8, got float");
  if (!kernel.quantizedInput && kernel.spec.sharing == Sharing::Tensor &&
      kernel.spec.activation != Activation::Float)
    fail("--activation-scales=tensor: the scale is known before the kernel "
         "runs; quantise x with it and give --quantized-input");
  return kernel;
}

static void write(const std::string &path, llvm::StringRef bytes) {
  // Under another name first.
  if (llvm::Error error =
          llvm::writeToOutput(path, [&](llvm::raw_ostream &out) {
            out << bytes;
            return llvm::Error::success();
          }))
    fail("cannot write '" + path + "': " + llvm::toString(std::move(error)));
}

int main(int argc, char **argv) {
  llvm::InitLLVM initialise(argc, argv);
  cl::ResetCommandLineParser();
  Options parsed;
  options = &parsed;
  cl::ParseCommandLineOptions(
      argc, argv,
      "qk: a quantised matrix product as an object and a C header\n\n"
      "  qk-kernel --k=4096 --group=128 --zero-points -o matmul.o\n");

  const llvm::Triple target(llvm::Triple::normalize(
      options->target.empty() ? llvm::sys::getDefaultTargetTriple()
                              : options->target.getValue()));
  if (target.getArch() == llvm::Triple::UnknownArch)
    fail("--target: expected a target triple, got '" + options->target + "'");
  if (!target.isArch64Bit() || !target.isLittleEndian())
    fail("--target: expected a little-endian target of 64 bits, got '" +
         target.str() + "'");
  const StandaloneKernel kernel = parseKernel(target);
  const std::string kind = options->emit;
  if (kind != "obj" && kind != "asm" && kind != "llvm" && kind != "mlir")
    fail("--emit: expected obj, asm, llvm or mlir, got '" + kind + "'");
  if (options->output.empty())
    fail("-o: expected the name of the output file");

  mlir::DialectRegistry registry;
  registerKernelDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllToLLVMIRTranslations(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      buildStandaloneKernel(&context, kernel);
  std::string bytes;
  llvm::SmallVector<std::string> isa;
  for (Level level : kernel.levels)
    isa.emplace_back(name(level));
  mlir::PassManager passes(&context);
  if (kind == "mlir") {
    // The kernel as vector and qk_kernel ops would show it, less the lowering.
    mlir::OpPassManager &nested = passes;
    EmitCPUKernelsOptions emit;
    emit.isa.assign(isa.begin(), isa.end());
    nested.addPass(createEmitCPUKernels(emit));
  } else {
    buildKernelsToLLVMPipeline(passes, isa, kernel.threads);
  }
  if (failed(passes.run(*module)))
    fail("kernel '" + kernel.spec.symbol() + "' does not lower");
  if (kind == "mlir") {
    llvm::raw_string_ostream(bytes) << *module << "\n";
  } else {
    auto object = compileToObject(*module, target.str(),
                                  kind == "obj"   ? ObjectKind::Object
                                  : kind == "asm" ? ObjectKind::Assembly
                                                  : ObjectKind::LLVM);
    if (!object)
      fail(llvm::toString(object.takeError()));
    bytes.assign(object->begin(), object->end());
  }
  std::string header = options->header;
  if (header.empty() && options->output != "-") {
    llvm::SmallString<128> path(options->output);
    llvm::sys::path::replace_extension(path, "h");
    header = std::string(path);
  }
  if (header == options->output && header != "-")
    fail("-o: '" + header + "' would be object and header; give --header");
  if (!header.empty())
    write(header, writeKernelHeader(kernel));
  write(options->output, bytes);
  return 0;
}
