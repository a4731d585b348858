//===- Device.cpp - The GPU that is measured ---------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"

#include <dlfcn.h>
#include <type_traits>
#include <utility>

namespace qk::gpurun {

using namespace runtime;

// Numbers of cuda.h.
constexpr int kMultiprocessorCount = 16, kClockRate = 13, kL2CacheSize = 38;
constexpr int kFunctionSharedBytes = 1, kFunctionLocalBytes = 3,
              kFunctionRegisters = 4, kFunctionMaxDynamicShared = 8;
constexpr int kCaptureThreadLocal = 1;
constexpr int kAttributeClusterDimension = 4;

namespace {
struct LaunchAttribute {
  int id;
  char pad[4];
  union {
    char size[64];
    unsigned cluster[3];
  };
};
struct LaunchConfig {
  unsigned grid[3], block[3], sharedBytes;
  CUstream stream;
  LaunchAttribute *attributes;
  unsigned count;
};
} // namespace

/// What only measuring needs of the driver.
struct Device::Extra {
  CUresult (*cuDeviceGetAttribute)(int *, int, CUdevice);
  CUresult (*cuStreamCreate)(CUstream *, unsigned);
  CUresult (*cuStreamSynchronize)(CUstream);
  CUresult (*cuStreamBeginCapture)(CUstream, int);
  CUresult (*cuStreamEndCapture)(CUstream, void **);
  CUresult (*cuGraphInstantiate)(void **, void *, unsigned long long);
  CUresult (*cuGraphLaunch)(void *, CUstream);
  CUresult (*cuGraphExecDestroy)(void *);
  CUresult (*cuGraphDestroy)(void *);
  CUresult (*cuEventCreate)(void **, unsigned);
  CUresult (*cuEventRecord)(void *, CUstream);
  CUresult (*cuEventSynchronize)(void *);
  CUresult (*cuEventElapsedTime)(float *, void *, void *);
  CUresult (*cuMemsetD8)(CUdeviceptr, unsigned char, size_t);
  CUresult (*cuMemcpyDtoDAsync)(CUdeviceptr, CUdeviceptr, size_t, CUstream);
  CUresult (*cuFuncSetAttribute)(CUfunction, int, int);
  CUresult (*cuFuncGetAttribute)(int *, int, CUfunction);
  /// The first is a LaunchConfig.
  CUresult (*cuLaunchKernelEx)(const void *, CUfunction, void **, void **);
  void *begin = nullptr, *end = nullptr;
};

void Device::check(int result, const std::string &what) {
  if (result)
    throw Failure(driver.gpu + ": " + what + ": " + driver.describe(result));
}

Device::Device() : extra(new Extra()) {
  if (std::string error = driver.open(); !error.empty())
    throw Failure(error);
  auto load = [&](auto &function, const char *symbol) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
        dlsym(driver.library, symbol));
    if (!function)
      throw Failure(std::string("the NVIDIA driver has no ") + symbol +
                    "; update it");
  };
  load(extra->cuStreamCreate, "cuStreamCreate");
  load(extra->cuStreamSynchronize, "cuStreamSynchronize");
  load(extra->cuStreamBeginCapture, "cuStreamBeginCapture_v2");
  load(extra->cuStreamEndCapture, "cuStreamEndCapture");
  load(extra->cuGraphInstantiate, "cuGraphInstantiateWithFlags");
  load(extra->cuGraphLaunch, "cuGraphLaunch");
  load(extra->cuGraphExecDestroy, "cuGraphExecDestroy");
  load(extra->cuGraphDestroy, "cuGraphDestroy");
  load(extra->cuEventCreate, "cuEventCreate");
  load(extra->cuEventRecord, "cuEventRecord");
  load(extra->cuEventSynchronize, "cuEventSynchronize");
  load(extra->cuEventElapsedTime, "cuEventElapsedTime");
  load(extra->cuMemsetD8, "cuMemsetD8_v2");
  load(extra->cuMemcpyDtoDAsync, "cuMemcpyDtoDAsync_v2");
  load(extra->cuFuncSetAttribute, "cuFuncSetAttribute");
  load(extra->cuFuncGetAttribute, "cuFuncGetAttribute");
  load(extra->cuLaunchKernelEx, "cuLaunchKernelEx");

  check(driver.cuCtxSetCurrent(driver.context), "no context");
  check(extra->cuStreamCreate(&stream, /*non-blocking=*/1), "no stream");
  check(extra->cuEventCreate(&extra->begin, 0), "no event");
  check(extra->cuEventCreate(&extra->end, 0), "no event");
  auto attribute = [&](int which) {
    int value = 0;
    driver.cuDeviceGetAttribute(&value, which, 0);
    return value;
  };
  multiprocessors = attribute(kMultiprocessorCount);
  clockKHz = attribute(kClockRate);
  l2Bytes = attribute(kL2CacheSize);
  capability = attribute(kComputeCapabilityMajor) * 10 +
               attribute(kComputeCapabilityMinor);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

DeviceArray &DeviceArray::operator=(DeviceArray &&other) noexcept {
  std::swap(address, other.address);
  std::swap(bytes, other.bytes);
  std::swap(device, other.device);
  return *this;
}

DeviceArray::~DeviceArray() {
  if (address)
    device->driver.cuMemFree(address);
}

DeviceArray Device::allocate(size_t bytes) {
  DeviceArray array;
  array.device = this;
  check(driver.cuMemAlloc(&array.address, bytes ? bytes : 1),
        "no memory for " + std::to_string(bytes) + " bytes");
  array.bytes = bytes;
  return array;
}

DeviceArray Device::upload(const void *data, size_t bytes) {
  DeviceArray array = allocate(bytes);
  if (bytes)
    check(driver.cuMemcpyHtoD(array.address, data, bytes), "can't copy");
  return array;
}

void Device::download(void *data, const DeviceArray &from) {
  check(driver.cuMemcpyDtoH(data, from.address, from.bytes), "can't copy");
}

void Device::fill(const DeviceArray &array, uint8_t value) {
  if (array.bytes)
    check(extra->cuMemsetD8(array.address, value, array.bytes), "can't fill");
  // The legacy stream and ours do not wait for each other.
  check(driver.cuCtxSynchronize(), "can't fill");
}

void Device::copy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  check(extra->cuMemcpyDtoDAsync(to, from, bytes, stream), "can't copy");
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

CUfunction Device::load(const std::string &image, const char *name) {
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  char log[2048] = "";
  int options[] = {kJitErrorLogBuffer, kJitErrorLogBufferSizeBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log))};
  int result =
      driver.cuModuleLoadDataEx(&module, image.c_str(), 2, options, values);
  check(result, std::string("can't load '") + name + "'" +
                    (*log ? std::string(" (") + log + ")" : ""));
  modules.push_back(module);
  check(driver.cuModuleGetFunction(&function, module, name),
        std::string("no kernel '") + name + "'");
  return function;
}

FunctionFacts Device::facts(CUfunction function) {
  FunctionFacts facts;
  extra->cuFuncGetAttribute(&facts.registers, kFunctionRegisters, function);
  extra->cuFuncGetAttribute(&facts.sharedBytes, kFunctionSharedBytes, function);
  extra->cuFuncGetAttribute(&facts.localBytes, kFunctionLocalBytes, function);
  return facts;
}

void Device::unloadAll() {
  for (void *module : modules)
    driver.cuModuleUnload(module);
  modules.clear();
}

void Device::launch(const Launch &launch) {
  constexpr int64_t withoutAsking = 48 << 10;
  if (launch.sharedBytes > withoutAsking)
    check(extra->cuFuncSetAttribute(launch.function, kFunctionMaxDynamicShared,
                                    int(launch.sharedBytes)),
          "no " + std::to_string(launch.sharedBytes) +
              " bytes of dynamic shared memory");
  LaunchAttribute attribute = {};
  attribute.id = kAttributeClusterDimension;
  LaunchConfig config = {};
  for (int i = 0; i < 3; ++i) {
    config.grid[i] = unsigned(launch.grid[i]);
    config.block[i] = unsigned(launch.block[i]);
    attribute.cluster[i] = unsigned(launch.cluster[i]);
    if (launch.cluster[i] > 1)
      config.count = 1;
  }
  config.sharedBytes = unsigned(launch.sharedBytes);
  config.stream = stream;
  config.attributes = &attribute;
  check(extra->cuLaunchKernelEx(&config, launch.function,
                                const_cast<void **>(launch.parameters.data()),
                                nullptr),
        "can't launch");
}

void Device::wait() {
  check(extra->cuStreamSynchronize(stream), "kernel failed");
}

//===----------------------------------------------------------------------===//
// Time
//===----------------------------------------------------------------------===//

double Device::timeOnce(const std::function<void()> &enqueue) {
  float milliseconds = 0;
  check(extra->cuEventRecord(extra->begin, stream), "no event");
  enqueue();
  check(extra->cuEventRecord(extra->end, stream), "no event");
  check(extra->cuEventSynchronize(extra->end), "kernel failed");
  check(extra->cuEventElapsedTime(&milliseconds, extra->begin, extra->end),
        "no time");
  return milliseconds * 1e-3;
}

std::vector<double> Device::timeGraph(const std::function<void()> &enqueue,
                                      int rounds) {
  void *graph = nullptr, *executable = nullptr;
  check(extra->cuStreamBeginCapture(stream, kCaptureThreadLocal),
        "can't capture");
  enqueue();
  check(extra->cuStreamEndCapture(stream, &graph), "can't capture");
  check(extra->cuGraphInstantiate(&executable, graph, 0), "no graph");
  auto replay = [&] {
    check(extra->cuGraphLaunch(executable, stream), "can't launch a graph");
  };
  for (int warm = 0; warm < 3; ++warm)
    timeOnce(replay);
  std::vector<double> seconds;
  for (int i = 0; i < rounds; ++i)
    seconds.push_back(timeOnce(replay));
  extra->cuGraphExecDestroy(executable);
  extra->cuGraphDestroy(graph);
  return seconds;
}

} // namespace qk::gpurun
