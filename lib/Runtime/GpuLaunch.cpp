//===- GpuLaunch.cpp - Kernels and their launches -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <limits>

using namespace qk::runtime;

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
