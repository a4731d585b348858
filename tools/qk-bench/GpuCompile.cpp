//===- GpuCompile.cpp - Kernels to cubins, and what is known ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuCompile.h"

#include "../../lib/Conversion/NVVM/Artifacts.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Target/NVVM/KernelBuilder.h"
#include "qk/Target/NVVM/Serialize.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace qk::bench {

using namespace nvvm;

GpuCompiler::GpuCompiler(const Chip &chip) : chip(chip) {
  DialectRegistry registry;
  registerAllExtensions(registry);
  registerSerialization(registry);
  context =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  context->loadDialect<
      arith::ArithDialect, cf::ControlFlowDialect, gpu::GPUDialect,
      LLVM::LLVMDialect, memref::MemRefDialect, NVVM::NVVMDialect,
      quant_llm::QuantLLMDialect, scf::SCFDialect, vector::VectorDialect>();
}

GpuCompiler::~GpuCompiler() = default;

//===----------------------------------------------------------------------===//
// NVIDIA's tools
//===----------------------------------------------------------------------===//

namespace {
/// A temporary file that goes when this does.
struct Scratch {
  SmallString<128> path;
  explicit Scratch(StringRef suffix) {
    if (llvm::sys::fs::createTemporaryFile("qk-bench", suffix, path))
      path.clear();
  }
  ~Scratch() { llvm::sys::fs::remove(path); }
  std::string read() const {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    return buffer ? (*buffer)->getBuffer().str() : std::string();
  }
  void write(StringRef text) const {
    std::error_code error;
    llvm::raw_fd_ostream stream(path, error);
    stream << text;
  }
};
} // namespace

/// Runs `tool`; what it printed is in `output`. False: it failed.
static bool runTool(StringRef tool, ArrayRef<std::string> arguments,
                    std::string &output) {
  std::optional<std::string> program = findCudaTool(tool);
  if (!program) {
    output = "no '" + tool.str() + "' found; utils/install-deps brings ptxas";
    return false;
  }
  Scratch log("log");
  SmallVector<StringRef> words{*program};
  words.append(arguments.begin(), arguments.end());
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(log.path),
                                          StringRef(log.path)};
  int code =
      llvm::sys::ExecuteAndWait(*program, words, std::nullopt, redirects);
  output = log.read();
  return code == 0;
}

/// What of it are errors.
static std::string errorsOf(StringRef log) {
  std::string errors;
  for (StringRef line : llvm::split(log, '\n'))
    if (line.contains("error") || line.contains("fatal"))
      errors += (errors.empty() ? "" : "; ") + line.trim().str();
  return errors.empty() ? log.trim().str() : errors;
}

/// The number before `label` in what ptxas said, or 0.
static int numberBefore(StringRef text, StringRef label) {
  size_t at = text.find(label);
  if (at == StringRef::npos)
    return 0;
  StringRef before = text.take_front(at).rtrim();
  size_t start = before.find_last_not_of("0123456789");
  int value = 0;
  before.drop_front(start + 1).getAsInteger(10, value);
  return value;
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

namespace {
/// What a line of assembly is.
struct Line {
  enum Kind { Other, Label, Branch, Counted, Instruction } kind = Other;
  std::string label;
  /// Instructions, and those of them that are counted: more than one where
  /// inline assembly is one line.
  int instructions = 1, counted = 1;
};
} // namespace

static Line classify(StringRef line, bool isPtx, bool usesMma) {
  line = line.trim();
  Line result;
  if (isPtx) {
    if (line.consume_back(":")) {
      result.kind = Line::Label;
      result.label = line.str();
    } else if (usesMma && line.contains("wgmma.mma_async.")) {
      result.kind = Line::Counted;
      result.counted = int(line.count("wgmma.mma_async."));
      result.instructions = int(line.count(';'));
    } else if (usesMma && line.contains("mma.sync.")) {
      // Its operands are on lines of their own.
      result.kind = Line::Counted;
    } else if (line.ends_with(";")) {
      size_t bra = line.find("bra");
      if (bra != StringRef::npos && line.contains("$L")) {
        result.kind = Line::Branch;
        StringRef to = line.substr(line.rfind("$L")).drop_back();
        result.label = to.trim().str();
      } else if (!usesMma && (line.contains("ld.global.nc.v4") ||
                              line.contains("ld.global.v4"))) {
        result.kind = Line::Counted;
      } else if (!line.starts_with(".") && !line.starts_with("//") &&
                 !line.starts_with("{")) {
        result.kind = Line::Instruction;
      }
    }
    return result;
  }
  // nvdisasm: ".L_x_1:" and "/*0010*/  @P0 BRA `(.L_x_1) ;"
  if (line.starts_with(".L") && line.ends_with(":")) {
    result.kind = Line::Label;
    result.label = line.drop_back().str();
  } else if (line.starts_with("/*") && line.contains(";")) {
    result.kind = Line::Instruction;
    if (line.contains("BRA") && line.contains("`(")) {
      result.kind = Line::Branch;
      result.label = line.split("`(").second.split(")").first.str();
    } else if (usesMma ? line.contains("HMMA") || line.contains("IMMA") ||
                             line.contains("GMMA.")
                       : line.contains("LDG.E.128")) {
      result.kind = Line::Counted;
    }
  }
  return result;
}

/// Instructions of the smallest loop that has the most matrix products (or,
/// where a kernel has none, 16-byte loads from global memory), and how many of
/// these it has: the loop over K, with x's copies in it.
static std::pair<int, int> mainLoop(StringRef text, bool isPtx, bool usesMma) {
  std::vector<Line> lines;
  llvm::StringMap<size_t> labels;
  SmallVector<StringRef> parts;
  text.split(parts, '\n');
  for (StringRef part : parts) {
    Line line = classify(part, isPtx, usesMma);
    if (line.kind == Line::Label)
      labels[line.label] = lines.size();
    if (line.kind != Line::Other)
      lines.push_back(line);
  }
  std::pair<int, int> best = {0, 0};
  for (size_t at = 0; at < lines.size(); ++at) {
    auto from = lines[at].kind == Line::Branch ? labels.find(lines[at].label)
                                               : labels.end();
    if (from == labels.end() || from->second >= at)
      continue;
    int count = 0, loads = 0;
    for (size_t i = from->second; i <= at; ++i) {
      if (lines[i].kind == Line::Label)
        continue;
      count += lines[i].instructions;
      if (lines[i].kind == Line::Counted)
        loads += lines[i].counted;
    }
    if (loads > best.second || (loads == best.second && count < best.first))
      best = {count, loads};
  }
  return best;
}

static void countInstructions(const KernelChoice &choice,
                              CompiledKernel &kernel, StringRef cubinPath) {
  std::string text;
  kernel.countedInPtx = !findCudaTool("nvdisasm") ||
                        !runTool("nvdisasm", {"-c", cubinPath.str()}, text);
  bool mma = choice.usesMma();
  auto [count, found] = kernel.countedInPtx ? mainLoop(kernel.ptx, true, mma)
                                            : mainLoop(text, false, mma);
  if (!found)
    return;
  // Weights of one lane: of a product its share of 16 channels by 32 bytes of
  // x, which each column block of tokens multiplies again (of wgmma 64 channels
  // are shared by four times the lanes, and one has all tokens); or of a
  // vector.
  double weights = 0;
  if (mma) {
    bool wgmma = choice.usesWgmma();
    int64_t columns =
        wgmma ? 1 : std::max(1, choice.mma.tokens / 8 / choice.mma.warpsM);
    weights = double(choice.problem.mmaLayout().atomCodes()) / 2 * 16 / 32 /
              double(columns);
    // Sums of x are one product more beside those of a warp's tiles.
    bool fewBits = choice.problem.scheme.bits() < 8;
    if (choice.problem.int8Activations && choice.problem.hasZeroPoints &&
        (wgmma ? !fewBits : !choice.mma.subtractZeros)) {
      int tiles = wgmma ? choice.wgmma.rowTiles : choice.mma.rowTiles;
      weights *= double(tiles) / (tiles + 1);
    }
  } else {
    SimtLayout layout = choice.problem.layout();
    weights = double(layout.unitAtoms() * SimtLayout::kAtom) /
              double(layout.unitVectors());
  }
  kernel.instructionsPerWeight = double(count) / (double(found) * weights);
}

//===----------------------------------------------------------------------===//
// Compiling
//===----------------------------------------------------------------------===//

llvm::Expected<CompiledKernel>
GpuCompiler::compile(const KernelChoice &choice) {
  std::string said;
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    said += (said.empty() ? "" : "; ") + diagnostic.str();
    return success();
  });
  auto failed = [&](StringRef what) {
    return llvm::createStringError(choice.name() + ": " + what.str() +
                                   (said.empty() ? "" : ": " + said));
  };
  OpBuilder builder(context.get());
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  builder.setInsertionPointToStart(module->getBody());
  gpu::GPUModuleOp kernels =
      createKernelModule(builder, loc, "qk_kernels", chip);
  buildKernel(kernels, loc, choice);
  DictionaryAttr described = describeKernel(context.get(), choice);
  kernels->setAttr(kKernelsAttr, builder.getArrayAttr(described));
  CompiledKernel kernel;
  llvm::raw_string_ostream(kernel.module) << *module;
  PassManager pm(context.get());
  buildKernelLoweringPipeline(pm.nest<gpu::GPUModuleOp>());
  if (mlir::failed(pm.run(*module)))
    return failed("can't be lowered");
  FailureOr<std::string> ptx = generatePTX(kernels);
  if (mlir::failed(ptx))
    return failed("no PTX");

  kernel.ptx = *ptx;
  auto description = llvm::json::parse(toJSON(described));
  if (!description)
    return description.takeError();
  kernel.description = *description->getAsObject();
  Scratch text("ptx"), cubin("cubin");
  text.write(kernel.ptx);
  std::string log;
  if (!runTool("ptxas",
               {("-arch=" + StringRef(chip.name)).str(), "-O3", "-v", "-o",
                cubin.path.str().str(), text.path.str().str()},
               log))
    return failed(errorsOf(log));
  kernel.cubin = cubin.read();
  kernel.registers = numberBefore(log, " registers");
  kernel.sharedBytes = numberBefore(log, " bytes smem");
  kernel.spillBytes = numberBefore(log, " bytes spill stores");
  countInstructions(choice, kernel, cubin.path);
  return kernel;
}

} // namespace qk::bench
