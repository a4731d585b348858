//===- CudaDriver.cpp - libcuda.so.1, opened at run time --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaDriver.h"

#include <cstdlib>
#include <dlfcn.h>
#include <type_traits>

namespace qk::runtime {

static constexpr const char *kInstead =
    "; run this on a machine with an NVIDIA GPU, or lower the model with "
    "--lower-to-cpu";

const char *CudaDriver::describe(CUresult result) const {
  const char *text = nullptr;
  if (cuGetErrorString && cuGetErrorString(result, &text) == 0 && text)
    return text;
  return "unknown error";
}

std::string CudaDriver::open() {
  const char *name = std::getenv("QK_CUDA_DRIVER");
  if (!name || !*name)
    name = "libcuda.so.1";
  library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return std::string("no NVIDIA driver: ") + dlerror() + kInstead;

  const char *missing = nullptr;
  auto load = [&](auto &function, const char *symbol) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
        dlsym(library, symbol));
    if (!function)
      missing = symbol;
  };
  load(cuInit, "cuInit");
  load(cuGetErrorString, "cuGetErrorString");
  load(cuDeviceGetCount, "cuDeviceGetCount");
  load(cuDeviceGet, "cuDeviceGet");
  load(cuDeviceGetName, "cuDeviceGetName");
  load(cuDeviceGetAttribute, "cuDeviceGetAttribute");
  load(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
  load(cuCtxSetCurrent, "cuCtxSetCurrent");
  load(cuCtxSynchronize, "cuCtxSynchronize");
  load(cuModuleLoadDataEx, "cuModuleLoadDataEx");
  load(cuModuleUnload, "cuModuleUnload");
  load(cuModuleGetFunction, "cuModuleGetFunction");
  load(cuMemAlloc, "cuMemAlloc_v2");
  load(cuMemFree, "cuMemFree_v2");
  load(cuMemcpyHtoD, "cuMemcpyHtoD_v2");
  load(cuMemcpyDtoH, "cuMemcpyDtoH_v2");
  load(cuMemsetD8, "cuMemsetD8_v2");
  load(cuFuncSetAttribute, "cuFuncSetAttribute");
  load(cuMemcpyDtoD, "cuMemcpyDtoD_v2");
  load(cuStreamSynchronize, "cuStreamSynchronize");
  load(cuStreamIsCapturing, "cuStreamIsCapturing");
  load(cuLaunchKernel, "cuLaunchKernel");
  if (missing == nullptr) {
    load(cuLaunchKernelEx, "cuLaunchKernelEx");
    missing = nullptr;
  }
  if (missing)
    return std::string("the NVIDIA driver '") + name + "' has no " + missing +
           "; update it";

  auto failed = [&](const char *what, CUresult result) {
    return std::string("the NVIDIA driver is there, but ") + what + ": " +
           describe(result) + kInstead;
  };
  if (CUresult result = cuInit(0))
    return failed("does not start", result);
  int count = 0;
  if (CUresult result = cuDeviceGetCount(&count))
    return failed("counts no GPUs", result);
  if (count == 0)
    return std::string("the NVIDIA driver is there, but no GPU") + kInstead;
  CUdevice device = 0;
  if (CUresult result = cuDeviceGet(&device, 0))
    return failed("has no GPU 0", result);
  if (CUresult result = cuDevicePrimaryCtxRetain(&context, device))
    return failed("gives no context", result);
  char text[256] = "GPU";
  int major = 0, minor = 0;
  cuDeviceGetName(text, sizeof(text), device);
  cuDeviceGetAttribute(&major, kComputeCapabilityMajor, device);
  cuDeviceGetAttribute(&minor, kComputeCapabilityMinor, device);
  gpu = std::string(text) + " (sm_" + std::to_string(major * 10 + minor) + ")";
  return "";
}

void CudaDriver::close() {
  if (library)
    dlclose(library);
  *this = CudaDriver();
}

} // namespace qk::runtime
