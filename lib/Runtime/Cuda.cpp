//===- Cuda.cpp - Launching kernels on an NVIDIA GPU ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Cuda.h"

#include "CudaDriver.h"
#include "qk/Runtime/Runtime.h"

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
  enum Kind { Input, Constant, Output, I32 } kind;
  char *data;
  int64_t rows, rowBytes, rowStride;
  int32_t value;

  int64_t bytes() const { return rows * rowBytes; }
};

// Plain data: an error leaves through longjmp and destroys nothing.
constexpr int kMaxParameters = 16;
struct Launch {
  const void *image;
  const char *kernel;
  Parameter parameters[kMaxParameters];
  int count;
};
thread_local Launch launch;
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
  std::string run(const Launch &launch, const int64_t (&grid)[3],
                  const int64_t (&block)[3]);
  void reset();

private:
  std::string start();
  std::string findFunction(const Launch &launch, CUfunction &function);
  std::string resize(DeviceMemory &memory, int64_t bytes);
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

/// Between the host's rows, which may lie apart, and contiguous memory.
std::string Gpu::copyRows(const Parameter &parameter, CUdeviceptr address) {
  auto copy = [&](char *host, CUdeviceptr device, int64_t bytes) {
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

/// Memory for parameter `index`, filled with what the kernel reads.
std::string Gpu::place(const Launch &launch, int index) {
  const Parameter &parameter = launch.parameters[index];
  if (parameter.kind != Parameter::Constant) {
    std::string error = resize(scratch[index], parameter.bytes());
    if (error.empty() && parameter.kind == Parameter::Input)
      error = copyRows(parameter, scratch[index].address);
    return error;
  }
  auto [entry, isNew] = constants.try_emplace(parameter.data, DeviceMemory());
  if (!isNew && entry->second.bytes == parameter.bytes())
    return "";
  std::string error = resize(entry->second, parameter.bytes());
  if (error.empty())
    error = copyRows(parameter, entry->second.address);
  if (error.empty())
    entry->second.bytes = parameter.bytes();
  else
    entry->second.bytes = -1; // not there: copied again next time
  return error;
}

std::string Gpu::run(const Launch &launch, const int64_t (&grid)[3],
                     const int64_t (&block)[3]) {
  if (grid[0] <= 0 || grid[1] <= 0 || grid[2] <= 0)
    return "";
  if (grid[0] > std::numeric_limits<int32_t>::max() || grid[1] > 65535 ||
      grid[2] > 65535)
    return std::string("kernel '") + launch.kernel + "' needs a grid of " +
           std::to_string(grid[0]) + "x" + std::to_string(grid[1]) + "x" +
           std::to_string(grid[2]) + ", a GPU has 2147483647x65535x65535";
  std::string error = start();
  CUfunction function = nullptr;
  if (error.empty())
    error = findFunction(launch, function);
  for (int i = 0; i < launch.count && error.empty(); ++i)
    if (launch.parameters[i].kind != Parameter::I32)
      error = place(launch, i);
  if (!error.empty())
    return error;

  CUdeviceptr addresses[kMaxParameters];
  int32_t values[kMaxParameters];
  void *parameters[kMaxParameters];
  for (int i = 0; i < launch.count; ++i) {
    const Parameter &parameter = launch.parameters[i];
    values[i] = parameter.value;
    addresses[i] = parameter.kind == Parameter::Constant
                       ? constants[parameter.data].address
                       : scratch[i].address;
    parameters[i] = parameter.kind == Parameter::I32
                        ? static_cast<void *>(&values[i])
                        : &addresses[i];
  }
  if (CUresult result = driver.cuLaunchKernel(
          function, unsigned(grid[0]), unsigned(grid[1]), unsigned(grid[2]),
          unsigned(block[0]), unsigned(block[1]), unsigned(block[2]),
          /*sharedMemBytes=*/0, /*stream=*/nullptr, parameters, nullptr))
    return failed((std::string("can't launch '") + launch.kernel + "'").c_str(),
                  result);
  if (CUresult result = driver.cuCtxSynchronize())
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
  for (DeviceMemory &memory : scratch) {
    if (memory.address)
      driver.cuMemFree(memory.address);
    memory = DeviceMemory();
  }
  for (auto &[image, module] : modules)
    driver.cuModuleUnload(module);
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
bool tryLaunch(const int64_t (&grid)[3], const int64_t (&block)[3]) {
  std::string error;
  if (launch.count > kMaxParameters) {
    error = "a kernel takes at most " + std::to_string(kMaxParameters) +
            " parameters, got " + std::to_string(launch.count);
  } else {
    std::lock_guard<std::mutex> lock(mutex());
    error = gpu().run(launch, grid, block);
  }
  if (error.empty())
    return true;
  error = "can't run GPU kernels: " + error;
  size_t length = std::min(error.size(), sizeof(message) - 1);
  std::memcpy(message, error.data(), length);
  message[length] = '\0';
  return false;
}

} // namespace

//===----------------------------------------------------------------------===//
// The C ABI
//===----------------------------------------------------------------------===//

void qk_cuda_begin(const void *image, const char *kernel) {
  launch.image = image;
  launch.kernel = kernel;
  launch.count = 0;
}

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

void qk_cuda_i32(int32_t value) {
  add({Parameter::I32, nullptr, 0, 0, 0, value});
}

void qk_cuda_launch(int64_t grid_x, int64_t grid_y, int64_t grid_z,
                    int64_t block_x, int64_t block_y, int64_t block_z) {
  const int64_t grid[3] = {grid_x, grid_y, grid_z};
  const int64_t block[3] = {block_x, block_y, block_z};
  if (!tryLaunch(grid, block))
    qk_fail(message, int64_t(std::strlen(message)));
}

void qk_cuda_reset(void) {
  std::lock_guard<std::mutex> lock(mutex());
  gpu().reset();
}
