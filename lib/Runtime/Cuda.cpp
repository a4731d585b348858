//===- Cuda.cpp - Launching kernels on an NVIDIA GPU ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Cuda.h"

#include "CudaDriver.h"
#include "qk/Runtime/Runtime.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

using namespace qk::runtime;

namespace {

//===----------------------------------------------------------------------===//
// The launch that a thread is putting together
//===----------------------------------------------------------------------===//

struct Parameter {
  /// Device: an address on the GPU, in `value`.
  enum Kind { Input, Constant, Output, Workspace, Device, I32, I64 } kind;
  char *data;
  int64_t rows, rowBytes, rowStride;
  int64_t value;

  int64_t bytes() const { return rows * rowBytes; }
  bool isScalar() const { return kind == I32 || kind == I64; }
  /// Copied to the GPU or from it with each launch.
  bool isCopied() const { return kind == Input || kind == Output; }
  /// An array of the host's address space `data` that is the GPU's.
  bool onDevice = false;
};

// Plain data: an error leaves through longjmp and destroys nothing.
constexpr int kMaxParameters = 64;
struct Launch {
  const void *image;
  const char *kernel;
  Parameter parameters[kMaxParameters];
  int count;
  CUstream stream;
  int64_t sharedBytes;
  /// Blocks along z that are a cluster.
  int64_t cluster;
  /// A size that i32 does not hold, or 0.
  int64_t wrongIndex;
};
thread_local Launch launch;
/// What qk_cuda_set_stream set.
thread_local CUstream currentStream;
thread_local char message[4096];

void add(const Parameter &parameter) {
  if (launch.count < kMaxParameters)
    launch.parameters[launch.count] = parameter;
  ++launch.count;
}

//===----------------------------------------------------------------------===//
// What is on the GPU
//===----------------------------------------------------------------------===//

/// Memory on the GPU.
struct DeviceMemory {
  CUdeviceptr address = 0;
  int64_t bytes = 0;
};

/// One GPU, its modules and its memory; all launches go through it in turn.
class Gpu {
public:
  std::string run(Launch &launch, const int64_t (&grid)[3],
                  const int64_t (&block)[3]);
  void reset();

  // Each gives an error, or nothing.
  std::string start();
  std::string allocate(int64_t bytes, CUdeviceptr &address);
  std::string release(CUdeviceptr address);
  std::string copyIn(CUdeviceptr to, const void *from, int64_t bytes);
  std::string copyOut(void *to, CUdeviceptr from, int64_t bytes);
  std::string constant(const void *data, int64_t bytes, CUdeviceptr &address);
  std::string errorCell(CUdeviceptr &address);

private:
  CUresult launchCluster(const Launch &launch, CUfunction function,
                         const int64_t (&grid)[3], const int64_t (&block)[3],
                         void **parameters);
  std::string findFunction(const Launch &launch, CUfunction &function);
  std::string resize(DeviceMemory &memory, int64_t bytes);
  std::string growWorkspace(DeviceMemory &workspace, int64_t bytes);
  void findOnDevice(Launch &launch);
  std::string whyNotCaptured(const Launch &launch) const;
  std::string place(const Launch &launch, int index);
  std::string copyRows(const Parameter &parameter, CUdeviceptr address);
  std::string failed(const char *what, CUresult result) {
    return driver.gpu + ": " + what + ": " + driver.describe(result);
  }

  bool started = false;
  CudaDriver driver{};
  std::map<const void *, CUmodule> modules;
  std::map<const void *, DeviceMemory> constants;
  /// Inputs and outputs by position, kept for the next launch.
  DeviceMemory scratch[kMaxParameters];
  /// In which the blocks of a launch meet: one for each stream, as launches of
  /// several may run at the same time.
  std::map<CUstream, DeviceMemory> workspaces;
  /// What qk_cuda_allocate gave, by address, and what was released, by size.
  std::map<CUdeviceptr, int64_t> allocations;
  /// Constants by their addresses on the GPU.
  std::map<CUdeviceptr, int64_t> placedConstants;
  std::multimap<int64_t, CUdeviceptr> released;
  CUdeviceptr errors = 0;
  /// Memory was written to by the driver, for which a stream of the caller's
  /// does not wait.
  bool unsettled = false;
};

std::string Gpu::start() {
  if (!started) {
    std::string error = driver.open();
    if (!error.empty()) {
      driver.close();
      return error;
    }
    started = true;
  }
  // Any thread may be the caller.
  if (CUresult result = driver.cuCtxSetCurrent(driver.context))
    return failed("can't be used from this thread", result);
  return "";
}

std::string Gpu::findFunction(const Launch &launch, CUfunction &function) {
  auto [entry, isNew] = modules.try_emplace(launch.image, nullptr);
  if (isNew) {
    char log[2048] = "";
    int options[] = {kJitErrorLogBuffer, kJitErrorLogBufferSizeBytes};
    void *values[] = {log, reinterpret_cast<void *>(sizeof(log))};
    if (CUresult result = driver.cuModuleLoadDataEx(
            &entry->second, launch.image, 2, options, values)) {
      modules.erase(entry);
      std::string error = failed("can't load the kernels", result);
      if (*log)
        error += std::string(": ") + log;
      return error + "; lower the model with this GPU's chip=";
    }
  }
  if (CUresult result =
          driver.cuModuleGetFunction(&function, entry->second, launch.kernel))
    return failed((std::string("no kernel '") + launch.kernel + "'").c_str(),
                  result);
  return "";
}

std::string Gpu::resize(DeviceMemory &memory, int64_t bytes) {
  if (memory.address && memory.bytes >= bytes)
    return "";
  if (memory.address)
    driver.cuMemFree(memory.address);
  memory = DeviceMemory();
  // An empty array needs an address, too.
  if (CUresult result =
          driver.cuMemAlloc(&memory.address, bytes > 0 ? bytes : 1))
    return failed(("no memory for " + std::to_string(bytes) + " bytes").c_str(),
                  result);
  memory.bytes = bytes;
  return "";
}

/// Between the model's rows, which may lie apart, and contiguous memory.
std::string Gpu::copyRows(const Parameter &parameter, CUdeviceptr address) {
  auto copy = [&](char *host, CUdeviceptr device, int64_t bytes) {
    if (parameter.onDevice) {
      auto there = CUdeviceptr(reinterpret_cast<uintptr_t>(host));
      return parameter.kind == Parameter::Output
                 ? driver.cuMemcpyDtoD(there, device, size_t(bytes))
                 : driver.cuMemcpyDtoD(device, there, size_t(bytes));
    }
    return parameter.kind == Parameter::Output
               ? driver.cuMemcpyDtoH(host, device, bytes)
               : driver.cuMemcpyHtoD(device, host, bytes);
  };
  if (parameter.bytes() == 0)
    return "";
  CUresult result = 0;
  if (parameter.rowStride == parameter.rowBytes || parameter.rows == 1)
    result = copy(parameter.data, address, parameter.bytes());
  else
    for (int64_t row = 0; row < parameter.rows && !result; ++row)
      result = copy(parameter.data + row * parameter.rowStride,
                    address + row * parameter.rowBytes, parameter.rowBytes);
  return result ? failed("can't copy", result) : "";
}

/// At least `bytes` bytes, 0 when they are new.
std::string Gpu::growWorkspace(DeviceMemory &workspace, int64_t bytes) {
  if (workspace.address && workspace.bytes >= bytes)
    return "";
  std::string error = resize(workspace, bytes);
  if (!error.empty())
    return error;
  unsettled = true;
  CUresult result = driver.cuMemsetD8(workspace.address, 0, size_t(bytes));
  return result ? failed("can't clear memory", result) : "";
}

/// Whether one of `ranges`, sizes by address, has `address` in it.
static bool holds(const std::map<CUdeviceptr, int64_t> &ranges,
                  CUdeviceptr address) {
  auto after = ranges.upper_bound(address);
  if (after == ranges.begin())
    return false;
  auto [begin, bytes] = *std::prev(after);
  return address < begin + CUdeviceptr(bytes);
}

/// An array of a model whose buffers are on the GPU stays where it is, unless
/// its rows lie apart or it begins where kernels can't load 16 bytes.
void Gpu::findOnDevice(Launch &launch) {
  for (int i = 0; i < launch.count; ++i) {
    Parameter &parameter = launch.parameters[i];
    if (parameter.isScalar() || parameter.kind == Parameter::Device)
      continue;
    auto address = CUdeviceptr(reinterpret_cast<uintptr_t>(parameter.data));
    if (!holds(allocations, address) && !holds(placedConstants, address))
      continue;
    parameter.onDevice = true;
    if (address % 16 == 0 &&
        (parameter.rows <= 1 || parameter.rowStride == parameter.rowBytes)) {
      parameter.kind = Parameter::Device;
      parameter.value = int64_t(address);
    }
  }
}

/// Memory for parameter `index`, filled with what the kernel reads.
std::string Gpu::place(const Launch &launch, int index) {
  const Parameter &parameter = launch.parameters[index];
  if (parameter.kind == Parameter::Workspace)
    return growWorkspace(workspaces[launch.stream], parameter.bytes());
  if (parameter.kind != Parameter::Constant) {
    std::string error = resize(scratch[index], parameter.bytes());
    if (error.empty() && parameter.kind == Parameter::Input)
      error = copyRows(parameter, scratch[index].address);
    return error;
  }
  CUdeviceptr address;
  return constant(parameter.data, parameter.bytes(), address);
}

std::string Gpu::constant(const void *data, int64_t bytes,
                          CUdeviceptr &address) {
  auto [entry, isNew] = constants.try_emplace(data, DeviceMemory());
  address = entry->second.address;
  if (!isNew && entry->second.bytes == bytes)
    return "";
  placedConstants.erase(entry->second.address);
  std::string error = resize(entry->second, bytes);
  address = entry->second.address;
  if (error.empty())
    error = copyIn(address, data, bytes);
  entry->second.bytes =
      error.empty() ? bytes : -1; // not there: copied again next time
  if (error.empty())
    placedConstants[address] = std::max<int64_t>(bytes, 1);
  return error;
}

//===----------------------------------------------------------------------===//
// Buffers of a model
//===----------------------------------------------------------------------===//

std::string Gpu::allocate(int64_t bytes, CUdeviceptr &address) {
  if (std::string error = start(); !error.empty())
    return error;
  // An empty array needs an address, too.
  bytes = (std::max<int64_t>(bytes, 1) + 255) / 256 * 256;
  if (auto kept = released.find(bytes); kept != released.end()) {
    address = kept->second;
    released.erase(kept);
  } else if (CUresult result = driver.cuMemAlloc(&address, size_t(bytes))) {
    return failed(("no memory for " + std::to_string(bytes) + " bytes").c_str(),
                  result);
  }
  allocations[address] = bytes;
  return "";
}

/// What no allocation is is left alone: a result may be an argument, too.
std::string Gpu::release(CUdeviceptr address) {
  auto entry = allocations.find(address);
  if (entry == allocations.end())
    return "";
  released.emplace(entry->second, address);
  allocations.erase(entry);
  return "";
}

std::string Gpu::copyIn(CUdeviceptr to, const void *from, int64_t bytes) {
  unsettled = true;
  CUresult result = bytes ? driver.cuMemcpyHtoD(to, from, size_t(bytes)) : 0;
  return result ? failed("can't copy to the GPU", result) : "";
}

/// Also where an error of a launch before shows.
std::string Gpu::copyOut(void *to, CUdeviceptr from, int64_t bytes) {
  if (std::string error = start(); !error.empty())
    return error;
  CUresult result = driver.cuCtxSynchronize();
  if (result)
    return failed("a kernel failed", result);
  result = bytes ? driver.cuMemcpyDtoH(to, from, size_t(bytes)) : 0;
  return result ? failed("can't copy from the GPU", result) : "";
}

std::string Gpu::errorCell(CUdeviceptr &address) {
  if (!errors) {
    std::string error = allocate(sizeof(int32_t), errors);
    const int32_t none = 0;
    if (error.empty())
      error = copyIn(errors, &none, sizeof(none));
    if (!error.empty())
      return error;
  }
  address = errors;
  return "";
}

/// What a captured launch would have to do besides being launched; empty:
/// nothing.
std::string Gpu::whyNotCaptured(const Launch &launch) const {
  std::string why;
  if (!modules.count(launch.image))
    why = "its kernels are not loaded";
  else if (unsettled)
    why = "memory was copied to the GPU since the last launch on it";
  for (int i = 0; i < launch.count && why.empty(); ++i) {
    const Parameter &parameter = launch.parameters[i];
    if (parameter.isCopied()) {
      why = "parameter " + std::to_string(i) +
            (parameter.onDevice ? " has rows apart or is not 16-byte aligned"
                                : " is on the host");
    } else if (parameter.kind == Parameter::Constant) {
      auto placed = constants.find(parameter.data);
      if (placed == constants.end() ||
          placed->second.bytes != parameter.bytes())
        why = "constant " + std::to_string(i) + " is not on the GPU";
    } else if (parameter.kind == Parameter::Workspace) {
      auto there = workspaces.find(launch.stream);
      if (there == workspaces.end() || there->second.bytes < parameter.bytes())
        why = "the stream has no workspace of " +
              std::to_string(parameter.bytes()) + " bytes";
    }
  }
  if (why.empty())
    return "";
  return std::string("kernel '") + launch.kernel +
         "' is launched while its stream is captured, but " + why +
         "; launch it once on this stream before, with x and y on the GPU";
}

/// Blocks that follow each other along z are a cluster.
CUresult Gpu::launchCluster(const Launch &launch, CUfunction function,
                            const int64_t (&grid)[3], const int64_t (&block)[3],
                            void **parameters) {
  LaunchAttribute cluster;
  cluster.cluster[2] = unsigned(launch.cluster);
  LaunchConfig config = {};
  for (int i = 0; i < 3; ++i) {
    config.grid[i] = unsigned(grid[i]);
    config.block[i] = unsigned(block[i]);
  }
  config.sharedBytes = unsigned(launch.sharedBytes);
  config.stream = launch.stream;
  config.attributes = &cluster;
  config.count = 1;
  return driver.cuLaunchKernelEx(&config, function, parameters, nullptr);
}

std::string Gpu::run(Launch &launch, const int64_t (&grid)[3],
                     const int64_t (&block)[3]) {
  if (grid[0] <= 0 || grid[1] <= 0 || grid[2] <= 0)
    return "";
  if (grid[0] > std::numeric_limits<int32_t>::max() || grid[1] > 65535 ||
      grid[2] > 65535)
    return std::string("kernel '") + launch.kernel + "' needs a grid of " +
           std::to_string(grid[0]) + "x" + std::to_string(grid[1]) + "x" +
           std::to_string(grid[2]) + ", a GPU has 2147483647x65535x65535";
  std::string error = start();
  if (!error.empty())
    return error;
  findOnDevice(launch);
  int captures = 0;
  if (launch.stream)
    if (CUresult result = driver.cuStreamIsCapturing(launch.stream, &captures))
      return failed("the stream can't be used", result);
  if (captures)
    error = whyNotCaptured(launch);
  CUfunction function = nullptr;
  if (error.empty())
    error = findFunction(launch, function);
  for (int i = 0; i < launch.count && error.empty(); ++i)
    if (!launch.parameters[i].isScalar() &&
        launch.parameters[i].kind != Parameter::Device)
      error = place(launch, i);
  if (!error.empty())
    return error;

  CUdeviceptr addresses[kMaxParameters];
  int64_t values[kMaxParameters];
  bool hasResults = false, copies = false;
  void *parameters[kMaxParameters];
  for (int i = 0; i < launch.count; ++i) {
    const Parameter &parameter = launch.parameters[i];
    // An i32 is the first four of its eight bytes.
    values[i] = parameter.value;
    addresses[i] = parameter.kind == Parameter::Constant
                       ? constants[parameter.data].address
                   : parameter.kind == Parameter::Workspace
                       ? workspaces[launch.stream].address
                   : parameter.kind == Parameter::Device
                       ? CUdeviceptr(parameter.value)
                       : scratch[i].address;
    parameters[i] =
        parameter.isScalar() ? static_cast<void *>(&values[i]) : &addresses[i];
    hasResults |= parameter.kind == Parameter::Output && !parameter.onDevice;
    copies |= parameter.isCopied();
  }
  bool waits = launch.stream && copies;
  if (waits || (launch.stream && unsettled)) {
    if (CUresult result = driver.cuCtxSynchronize())
      return failed("can't copy", result);
    unsettled = false;
  }
  if (launch.cluster > 1 && !driver.cuLaunchKernelEx)
    return std::string("kernel '") + launch.kernel +
           "' runs in clusters of blocks, but the NVIDIA driver has no "
           "cuLaunchKernelEx; update it";
  if (launch.sharedBytes > kSharedWithoutAsking)
    if (CUresult result = driver.cuFuncSetAttribute(
            function, kMaxDynamicSharedSize, int(launch.sharedBytes)))
      return failed((std::string("kernel '") + launch.kernel + "' needs " +
                     std::to_string(launch.sharedBytes) +
                     " bytes of shared memory")
                        .c_str(),
                    result);
  if (CUresult result =
          launch.cluster > 1
              ? launchCluster(launch, function, grid, block, parameters)
              : driver.cuLaunchKernel(
                    function, unsigned(grid[0]), unsigned(grid[1]),
                    unsigned(grid[2]), unsigned(block[0]), unsigned(block[1]),
                    unsigned(block[2]), unsigned(launch.sharedBytes),
                    launch.stream, parameters, nullptr))
    return failed((std::string("can't launch '") + launch.kernel + "'").c_str(),
                  result);
  // Without results for the host nobody waits.
  CUresult result = waits        ? driver.cuStreamSynchronize(launch.stream)
                    : hasResults ? driver.cuCtxSynchronize()
                                 : 0;
  if (result)
    return failed(
        (std::string("kernel '") + launch.kernel + "' failed").c_str(), result);
  for (int i = 0; i < launch.count && error.empty(); ++i)
    if (launch.parameters[i].kind == Parameter::Output)
      error = copyRows(launch.parameters[i], scratch[i].address);
  return error;
}

void Gpu::reset() {
  if (!started)
    return;
  driver.cuCtxSetCurrent(driver.context);
  for (auto &[host, memory] : constants)
    if (memory.address)
      driver.cuMemFree(memory.address);
  for (auto &[stream, memory] : workspaces)
    if (memory.address)
      driver.cuMemFree(memory.address);
  workspaces.clear();
  for (DeviceMemory &memory : scratch) {
    if (memory.address)
      driver.cuMemFree(memory.address);
    memory = DeviceMemory();
  }
  for (auto &[address, bytes] : allocations)
    driver.cuMemFree(address);
  for (auto &[bytes, address] : released)
    driver.cuMemFree(address);
  for (auto &[image, module] : modules)
    driver.cuModuleUnload(module);
  allocations.clear();
  released.clear();
  placedConstants.clear();
  errors = 0;
  constants.clear();
  modules.clear();
  driver.close();
  started = false;
}

std::mutex &mutex() {
  static std::mutex instance;
  return instance;
}
// Never destroyed: the driver may be gone by then.
Gpu &gpu() {
  static Gpu *instance = new Gpu;
  return *instance;
}

/// False: `message` says why. All locals are gone when this returns.
template <typename Work> bool attempt(Work work) {
  std::string error;
  {
    std::lock_guard<std::mutex> lock(mutex());
    error = work();
  }
  if (error.empty())
    return true;
  error = "can't run GPU kernels: " + error;
  size_t length = std::min(error.size(), sizeof(message) - 1);
  std::memcpy(message, error.data(), length);
  message[length] = '\0';
  return false;
}

/// Where it fails, the model ends here.
template <typename Work> void attemptOrFail(Work work) {
  if (!attempt(work))
    qk_fail(message, int64_t(std::strlen(message)));
}

std::string tryLaunch(const int64_t (&grid)[3], const int64_t (&block)[3]) {
  if (launch.wrongIndex)
    return std::string("kernel '") + launch.kernel +
           "': expected sizes and offsets below 2147483648 elements, got " +
           std::to_string(launch.wrongIndex);
  if (launch.count > kMaxParameters)
    return "a kernel takes at most " + std::to_string(kMaxParameters) +
           " parameters, got " + std::to_string(launch.count);
  return gpu().run(launch, grid, block);
}

CUdeviceptr asAddress(const void *pointer) {
  return CUdeviceptr(reinterpret_cast<uintptr_t>(pointer));
}
void *asPointer(CUdeviceptr address) {
  return reinterpret_cast<void *>(uintptr_t(address));
}

} // namespace

//===----------------------------------------------------------------------===//
// The C ABI
//===----------------------------------------------------------------------===//

void qk_cuda_begin(const void *image, const char *kernel) {
  launch.image = image;
  launch.kernel = kernel;
  launch.count = 0;
  launch.stream = currentStream;
  launch.sharedBytes = 0;
  launch.cluster = 1;
  launch.wrongIndex = 0;
}

void qk_cuda_set_stream(void *stream) { currentStream = stream; }

void qk_cuda_input(const void *data, int64_t rows, int64_t row_bytes,
                   int64_t row_stride) {
  add({Parameter::Input, static_cast<char *>(const_cast<void *>(data)), rows,
       row_bytes, row_stride, 0});
}

void qk_cuda_constant(const void *data, int64_t bytes) {
  add({Parameter::Constant, static_cast<char *>(const_cast<void *>(data)), 1,
       bytes, bytes, 0});
}

void qk_cuda_output(void *data, int64_t rows, int64_t row_bytes,
                    int64_t row_stride) {
  add({Parameter::Output, static_cast<char *>(data), rows, row_bytes,
       row_stride, 0});
}

void qk_cuda_workspace(int64_t bytes) {
  add({Parameter::Workspace, nullptr, 1, bytes, bytes, 0});
}

void qk_cuda_shared(int64_t bytes) { launch.sharedBytes = bytes; }

void qk_cuda_cluster(int64_t blocks) { launch.cluster = blocks; }

void qk_cuda_i32(int32_t value) {
  add({Parameter::I32, nullptr, 0, 0, 0, value});
}

void qk_cuda_launch(int64_t grid_x, int64_t grid_y, int64_t grid_z,
                    int64_t block_x, int64_t block_y, int64_t block_z) {
  const int64_t grid[3] = {grid_x, grid_y, grid_z};
  const int64_t block[3] = {block_x, block_y, block_z};
  attemptOrFail([&] { return tryLaunch(grid, block); });
}

void qk_cuda_device(const void *address) {
  add({Parameter::Device, nullptr, 0, 0, 0, int64_t(asAddress(address))});
}

void qk_cuda_i64(int64_t value) {
  add({Parameter::I64, nullptr, 0, 0, 0, value});
}

void qk_cuda_index(int64_t value) {
  if (value < 0 || value > std::numeric_limits<int32_t>::max())
    launch.wrongIndex = value;
  add({Parameter::I32, nullptr, 0, 0, 0, value});
}

void *qk_cuda_allocate(int64_t bytes) {
  CUdeviceptr address = 0;
  attemptOrFail([&] { return gpu().allocate(bytes, address); });
  return asPointer(address);
}

void qk_cuda_release(void *address) {
  attemptOrFail([&] { return gpu().release(asAddress(address)); });
}

void *qk_cuda_upload(const void *data, int64_t bytes) {
  CUdeviceptr address = 0;
  attemptOrFail([&] {
    std::string error = gpu().allocate(bytes, address);
    return error.empty() ? gpu().copyIn(address, data, bytes) : error;
  });
  return asPointer(address);
}

void qk_cuda_download(void *data, const void *address, int64_t bytes) {
  attemptOrFail([&] { return gpu().copyOut(data, asAddress(address), bytes); });
}

void *qk_cuda_constant_address(const void *data, int64_t bytes) {
  CUdeviceptr address = 0;
  attemptOrFail([&] {
    std::string error = gpu().start();
    return error.empty() ? gpu().constant(data, bytes, address) : error;
  });
  return asPointer(address);
}

int64_t qk_cuda_read(const void *address, int64_t bytes) {
  int64_t bits = 0;
  attemptOrFail(
      [&] { return gpu().copyOut(&bits, asAddress(address), bytes); });
  return bits;
}

void qk_cuda_write(void *address, int64_t bytes, int64_t bits) {
  attemptOrFail([&] { return gpu().copyIn(asAddress(address), &bits, bytes); });
}

void *qk_cuda_error_cell(void) {
  CUdeviceptr address = 0;
  attemptOrFail([&] { return gpu().errorCell(address); });
  return asPointer(address);
}

int64_t qk_cuda_take_error(void) {
  int32_t number = 0;
  attemptOrFail([&] {
    CUdeviceptr address = 0;
    std::string error = gpu().errorCell(address);
    if (error.empty())
      error = gpu().copyOut(&number, address, sizeof(number));
    const int32_t none = 0;
    if (error.empty() && number)
      error = gpu().copyIn(address, &none, sizeof(none));
    return error;
  });
  return number;
}

void qk_cuda_reset(void) {
  std::lock_guard<std::mutex> lock(mutex());
  gpu().reset();
}
