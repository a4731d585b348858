//===- CudaTools.cpp - Finding and running ptxas, fatbinary -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/KernelTable.h"
#include "qk/Target/NVVM/Serialize.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <deque>

using namespace mlir;
namespace sys = llvm::sys;

namespace qk::nvvm {

//===----------------------------------------------------------------------===//
// Finding
//===----------------------------------------------------------------------===//

/// `tool` in a wheel below `library`, a folder that has python3.*/site-packages
/// in it.
static std::optional<std::string> findInWheels(StringRef library,
                                               StringRef tool) {
  std::error_code error;
  for (sys::fs::directory_iterator it(library, error), end; !error && it != end;
       it.increment(error)) {
    if (!sys::path::filename(it->path()).starts_with("python3"))
      continue;
    for (StringRef packages : {"site-packages", "dist-packages"})
      // nvidia-cuda-nvcc-cu12, and nvidia-cuda-nvcc from CUDA 13 on.
      for (StringRef wheel : {"cuda_nvcc", "cu13"}) {
        SmallString<256> path(it->path());
        sys::path::append(path, packages, "nvidia", wheel, "bin");
        sys::path::append(path, tool);
        if (sys::fs::can_execute(path))
          return path.str().str();
      }
  }
  return std::nullopt;
}

std::optional<std::string> findCudaTool(StringRef name) {
  if (std::optional<std::string> only = sys::Process::GetEnv("QK_CUDA_BIN")) {
    SmallString<256> path(*only);
    sys::path::append(path, name);
    if (sys::fs::can_execute(path))
      return path.str().str();
    return std::nullopt;
  }
  if (llvm::ErrorOr<std::string> found = sys::findProgramByName(name))
    return *found;
  for (StringRef variable : {"CUDA_HOME", "CUDA_PATH"})
    if (std::optional<std::string> home = sys::Process::GetEnv(variable)) {
      SmallString<256> path(*home);
      sys::path::append(path, "bin", name);
      if (sys::fs::can_execute(path))
        return path.str().str();
    }
  // A toolkit, and where utils/install-deps unpacks the wheel.
  for (StringRef folder : {"/usr/local/cuda/bin", "/opt/qk/nvidia/cu13/bin",
                           QK_DEPS_DIR "/nvidia/cu13/bin"}) {
    SmallString<256> path(folder);
    sys::path::append(path, name);
    if (sys::fs::can_execute(path))
      return path.str().str();
  }
  SmallVector<std::string> libraries;
  if (std::optional<std::string> env = sys::Process::GetEnv("VIRTUAL_ENV"))
    libraries.push_back(*env + "/lib");
  if (std::optional<std::string> home = sys::Process::GetEnv("HOME"))
    libraries.push_back(*home + "/.local/lib");
  libraries.append({"/usr/local/lib", "/usr/lib"});
  for (const std::string &library : libraries)
    if (std::optional<std::string> found = findInWheels(library, name))
      return found;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

namespace {
/// A temporary file that goes when this does.
struct TemporaryFile {
  SmallString<128> path;
  TemporaryFile() = default;
  TemporaryFile(const TemporaryFile &) = delete;
  ~TemporaryFile() {
    if (!path.empty())
      sys::fs::remove(path);
  }
  LogicalResult create(Location loc, StringRef suffix) {
    if (std::error_code error =
            sys::fs::createTemporaryFile("qk", suffix, path))
      return emitError(loc)
             << "can't create a temporary file: " << error.message();
    return success();
  }
};
} // namespace

static FailureOr<std::string> readFile(Location loc, StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return emitError(loc) << "can't read '" << path
                          << "': " << buffer.getError().message();
  return (*buffer)->getBuffer().str();
}

/// Runs `tool` with `arguments`; its output becomes the error's text.
static LogicalResult runTool(Location loc, StringRef tool,
                             ArrayRef<std::string> arguments) {
  std::optional<std::string> program = findCudaTool(tool);
  if (!program)
    return emitError(loc)
           << "no '" << tool
           << "' found on PATH, in CUDA_HOME, in /usr/local/cuda or in a "
              "Python environment (or where QK_CUDA_BIN says); install the "
              "CUDA toolkit or PyPI's "
              "nvidia-cuda-nvcc, or use format=isa, which needs neither";
  TemporaryFile output;
  if (failed(output.create(loc, "log")))
    return failure();
  SmallVector<StringRef> words{*program};
  words.append(arguments.begin(), arguments.end());
  StringRef log = output.path;
  std::optional<StringRef> redirects[] = {std::nullopt, log, log};
  std::string message;
  int code =
      sys::ExecuteAndWait(*program, words, std::nullopt, redirects,
                          /*SecondsToWait=*/0, /*MemoryLimit=*/0, &message);
  if (code == 0)
    return success();
  FailureOr<std::string> text = readFile(loc, output.path);
  InFlightDiagnostic error = emitError(loc) << "'" << *program << "' failed ("
                                            << code << "): " << message;
  if (succeeded(text))
    error << StringRef(*text).trim();
  return error;
}

/// The chips that machine code for `chip` is made for: what its PTX runs on, so
/// that the driver has a cubin for each and compiles nothing.
static SmallVector<std::string> machinesFor(StringRef chip,
                                            BinaryFormat format) {
  SmallVector<std::string> machines{chip.str()};
  const Chip *oldest = findChip({chip.data(), chip.size()});
  if (format != BinaryFormat::Fatbin || !oldest ||
      oldest->isArchitectureSpecific)
    return machines;
  for (const Chip &later : allChips())
    if (!later.isArchitectureSpecific && later.capability > oldest->capability)
      machines.emplace_back(later.name);
  return machines;
}

FailureOr<std::string> assemble(Location loc, const std::string &ptx,
                                StringRef chip, BinaryFormat format) {
  if (format == BinaryFormat::Isa)
    return ptx;
  TemporaryFile input;
  if (failed(input.create(loc, "ptx")))
    return failure();
  {
    std::error_code error;
    llvm::raw_fd_ostream stream(input.path, error);
    stream << ptx;
    stream.close();
    if (error || stream.has_error()) {
      stream.clear_error();
      return emitError(loc) << "can't write '" << input.path << "'";
    }
  }
  // Cubins of the PTX: for `chip`, in a fatbin for later ones, too.
  std::deque<TemporaryFile> cubins;
  SmallVector<std::string> arguments{"--64"};
  for (const std::string &each : machinesFor(chip, format)) {
    TemporaryFile &cubin = cubins.emplace_back();
    if (failed(cubin.create(loc, "cubin")) ||
        failed(runTool(loc, "ptxas",
                       {"-arch=" + each, "-O3", "-o", cubin.path.str().str(),
                        input.path.str().str()})))
      return failure();
    arguments.push_back("--image3=kind=elf,sm=" + each.substr(3) +
                        ",file=" + cubin.path.str().str());
  }
  if (format == BinaryFormat::Bin)
    return readFile(loc, cubins.front().path);
  // PTX for chips that are not known yet; an `a` target's runs on no other
  // chip, so that it would be dead weight.
  if (!chip.ends_with("a"))
    arguments.push_back("--image3=kind=ptx,sm=" + chip.drop_front(3).str() +
                        ",file=" + input.path.str().str());
  TemporaryFile fatbin;
  if (failed(fatbin.create(loc, "fatbin")))
    return failure();
  arguments.push_back("--create=" + fatbin.path.str().str());
  if (failed(runTool(loc, "fatbinary", arguments)))
    return failure();
  return readFile(loc, fatbin.path);
}

} // namespace qk::nvvm
