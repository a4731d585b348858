//===- EmulatedCudaDriver.cpp - A CUDA driver that emulates kernels -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What the runtime needs of libcuda.so.1, with kernels run by the emulator:
/// whole models lowered with `host=launch` run on a machine without a GPU.
///
///   QK_CUDA_DRIVER=…/libEmulatedCudaDriver.so
///   QK_EMULATED_KERNELS=kernels.mlir    a module with `gpu.module
///   @qk_kernels`,
///                                       as quant-llm-emit-nvvm-kernels makes
///                                       it
///   QK_EMULATOR_SEED=1                  order of threads
///   QK_EMULATED_LAUNCHES=launches.txt   gets the name of each kernel launched
///
/// PTX itself is not read: a kernel is found by its name in that module. An
/// image that is not PTX is such a module's text itself.
///
//===----------------------------------------------------------------------===//

#include "../CudaLaunch.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Target/NVVM/Emulator.h"
#include "qk/Target/NVVM/KernelBuilder.h"
#include "qk/Target/NVVM/Serialize.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

using namespace mlir;
using namespace qk::nvvm;

namespace {

/// The module's kernels, compiled.
struct Kernels {
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<Emulator> emulator;
  /// By kernel: for each parameter, is it a pointer, is it written to, and is
  /// it an i64?
  struct Parameter {
    bool isPointer, isWritable, isWide;
  };
  std::map<std::string, std::vector<Parameter>> parameters;

  static DialectRegistry registry() {
    DialectRegistry registry;
    registerAllDialects(registry);
    registerAllExtensions(registry);
    registerSerialization(registry);
    registry.insert<qk::quant_llm::QuantLLMDialect>();
    return registry;
  }
  Kernels() : context(registry(), MLIRContext::Threading::DISABLED) {}

  /// From a file's or a module's text.
  bool load(const char *path, const char *text);
};

bool Kernels::load(const char *path, const char *text) {
  if (text)
    module = parseSourceString<ModuleOp>(text, &context);
  else if (path)
    module = parseSourceFile<ModuleOp>(path, &context);
  if (!module)
    return false;
  gpu::GPUModuleOp kernels;
  module->walk([&](gpu::GPUModuleOp op) { kernels = op; });
  if (!kernels)
    return false;
  // The ABI is what kernels.json says.
  for (Attribute kernel :
       kernels->getAttrOfType<ArrayAttr>("qk_kernel.kernels")) {
    auto description = cast<DictionaryAttr>(kernel);
    auto &list =
        parameters[description.getAs<StringAttr>("name").getValue().str()];
    for (Attribute parameter : description.getAs<ArrayAttr>("parameters")) {
      StringRef type =
          cast<DictionaryAttr>(parameter).getAs<StringAttr>("type").getValue();
      list.push_back(
          {type.ends_with("*"), !type.starts_with("const "), type == "i64"});
    }
  }
  kernels->remove();
  OwningOpRef<ModuleOp> alone = ModuleOp::create(kernels.getLoc());
  alone->push_back(kernels);
  module = std::move(alone);
  PassManager pm(&context);
  buildKernelLoweringPipeline(pm.nest<gpu::GPUModuleOp>());
  if (failed(pm.run(*module)))
    return false;
  auto made = Emulator::create(kernels);
  if (!made) {
    llvm::errs() << llvm::toString(made.takeError()) << "\n";
    return false;
  }
  emulator = std::move(*made);
  return true;
}

/// GPU addresses are host addresses plus this: mixing them up crashes.
constexpr uint64_t kOffset = uint64_t(1) << 56;
char *host(uint64_t address) {
  return reinterpret_cast<char *>(address - kOffset);
}
/// The host's pointer is kept as it is, so that the leak checker finds it.
struct Allocation {
  void *memory;
  size_t bytes;
};
// Never destroyed: memory lives until the process ends.
auto &allocations = *new std::map<uint64_t, Allocation>;
Kernels *kernels = nullptr;
std::string lastError;

} // namespace

#define DRIVER extern "C" __attribute__((visibility("default")))

DRIVER int cuInit(unsigned) { return 0; }
DRIVER int cuGetErrorString(int, const char **text) {
  *text = lastError.c_str();
  return 0;
}
DRIVER int cuDeviceGetCount(int *count) {
  *count = 1;
  return 0;
}
DRIVER int cuDeviceGet(int *device, int) {
  *device = 0;
  return 0;
}
DRIVER int cuDeviceGetName(char *name, int size, int) {
  std::strncpy(name, "emulator", size);
  return 0;
}
DRIVER int cuDeviceGetAttribute(int *value, int, int) {
  *value = 0;
  return 0;
}
DRIVER int cuDevicePrimaryCtxRetain(void **context, int) {
  *context = &kernels;
  return 0;
}
DRIVER int cuCtxSetCurrent(void *) { return 0; }
DRIVER int cuCtxSynchronize() { return 0; }
DRIVER int cuModuleLoadDataEx(void **module, const void *image, unsigned,
                              const int *, void **) {
  const char *path = std::getenv("QK_EMULATED_KERNELS");
  const char *text = static_cast<const char *>(image);
  bool isModule = std::strstr(text, "gpu.module");
  if (!isModule && !std::strstr(text, ".visible .entry")) {
    lastError = "the image is not PTX";
    return 1;
  }
  auto *loaded = new Kernels;
  if (!loaded->load(path, isModule ? text : nullptr)) {
    lastError = "QK_EMULATED_KERNELS names no module with kernels";
    return 1;
  }
  kernels = loaded;
  *module = loaded;
  return 0;
}
DRIVER int cuModuleUnload(void *module) {
  delete static_cast<Kernels *>(module);
  return 0;
}
DRIVER int cuModuleGetFunction(void **function, void *module,
                               const char *name) {
  auto &parameters = static_cast<Kernels *>(module)->parameters;
  auto found = parameters.find(name);
  if (found == parameters.end()) {
    lastError = "not found";
    return 1;
  }
  *function = &*found;
  return 0;
}
DRIVER int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  void *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  // What a kernel leaves out shows.
  std::memset(memory, 0xff, bytes);
  *address = reinterpret_cast<uint64_t>(memory) + kOffset;
  allocations[*address] = {memory, bytes};
  return 0;
}
DRIVER int cuMemFree_v2(uint64_t address) {
  allocations.erase(address);
  std::free(host(address));
  return 0;
}
DRIVER int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
  std::memcpy(host(to), from, bytes);
  return 0;
}
DRIVER int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) {
  std::memcpy(to, host(from), bytes);
  return 0;
}
DRIVER int cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes) {
  std::memcpy(host(to), host(from), bytes);
  return 0;
}
DRIVER int cuMemsetD8_v2(uint64_t address, unsigned char value, size_t bytes) {
  std::memset(host(address), value, bytes);
  return 0;
}
DRIVER int cuFuncSetAttribute(void *, int, int) { return 0; }
static int launch(void *function, const LaunchShape &shape, void **values) {
  using Entry = std::pair<const std::string, std::vector<Kernels::Parameter>>;
  auto &[name, parameters] = *static_cast<Entry *>(function);
  std::vector<EmulatorArgument> arguments;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].isPointer) {
      arguments.push_back(EmulatorArgument::scalar(
          parameters[i].isWide ? *static_cast<int64_t *>(values[i])
                               : *static_cast<int32_t *>(values[i])));
      continue;
    }
    uint64_t address = *static_cast<uint64_t *>(values[i]);
    // The allocation it lies in; outside of all of them: no bytes.
    auto after = allocations.upper_bound(address);
    size_t bytes = 0;
    if (after != allocations.begin()) {
      auto &[begin, allocation] = *std::prev(after);
      if (address - begin < allocation.bytes)
        bytes = allocation.bytes - (address - begin);
    }
    arguments.push_back(parameters[i].isWritable
                            ? EmulatorArgument::output(host(address), bytes)
                            : EmulatorArgument::input(host(address), bytes));
  }
  if (const char *path = std::getenv("QK_EMULATED_LAUNCHES"))
    std::ofstream(path, std::ios::app) << name << '\n';
  const char *seed = std::getenv("QK_EMULATOR_SEED");
  llvm::Error error = kernels->emulator->launch(name, shape, arguments,
                                                seed ? std::atoll(seed) : 0);
  if (!error)
    return 0;
  lastError = llvm::toString(std::move(error));
  return 1;
}
static LaunchShape launchShape(const unsigned (&grid)[3],
                               const unsigned (&block)[3],
                               unsigned sharedBytes) {
  LaunchShape shape;
  for (int i = 0; i < 3; ++i) {
    shape.grid[i] = grid[i];
    shape.block[i] = block[i];
  }
  shape.sharedBytes = sharedBytes;
  return shape;
}
DRIVER int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz,
                          unsigned bx, unsigned by, unsigned bz,
                          unsigned sharedBytes, void *, void **values,
                          void **) {
  return launch(function, launchShape({gx, gy, gz}, {bx, by, bz}, sharedBytes),
                values);
}
DRIVER int cuLaunchKernelEx(const void *given, void *function, void **values,
                            void **) {
  const auto *config = static_cast<const qk::test::LaunchConfig *>(given);
  LaunchShape shape =
      launchShape(config->grid, config->block, config->sharedBytes);
  for (unsigned i = 0; i < config->count; ++i)
    if (config->attributes[i].id == qk::test::kClusterDimension)
      shape.cluster = config->attributes[i].cluster[2];
  return launch(function, shape, values);
}
