//===- FakeCudaDriver.cpp - A CUDA driver without a GPU -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What the runtime needs of libcuda.so.1, on the host's memory. GPU addresses
/// are host addresses plus an offset, so that mixing them up crashes. It knows
/// one kernel, `add_rows`: y[m,n] = x[m,n] + w[n] in f32.
///
//===----------------------------------------------------------------------===//

#include "../../lib/CudaLaunch.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {
constexpr uint64_t kOffset = uint64_t(1) << 56;
char *host(uint64_t address) {
  return reinterpret_cast<char *>(address - kOffset);
}
int alive = 0, modules = 0;
char kernelName[64];
} // namespace

#define FAKE extern "C" __attribute__((visibility("default")))

// What a test reads.
FAKE int fake_uploads = 0;
FAKE int fake_loads = 0;
FAKE int fake_alive() { return alive + modules; }
FAKE unsigned fake_grid[3] = {};
FAKE unsigned fake_block[3] = {};
/// Dynamic shared memory: what a launch may ask for, and did.
FAKE int fake_shared_limit = 48 << 10;
FAKE int fake_shared = 0;
/// Blocks of a cluster of the last launch.
FAKE unsigned fake_cluster[3] = {};
/// The workspace, where the kernel has one: after n.
FAKE bool fake_takes_workspace = false;
FAKE int32_t *fake_workspace = nullptr;

FAKE int cuInit(unsigned) { return std::getenv("FAKE_CUDA_BROKEN") ? 999 : 0; }
FAKE int cuGetErrorString(int code, const char **text) {
  *text = code == 999 ? "broken for the test" : "no such thing";
  return 0;
}
FAKE int cuDeviceGetCount(int *count) {
  *count = std::getenv("FAKE_CUDA_NO_GPU") ? 0 : 1;
  return 0;
}
FAKE int cuDeviceGet(int *device, int) {
  *device = 0;
  return 0;
}
FAKE int cuDeviceGetName(char *name, int size, int) {
  std::snprintf(name, size, "Fake GPU");
  return 0;
}
FAKE int cuDeviceGetAttribute(int *value, int attribute, int) {
  *value = attribute == 75 ? 9 : 0;
  return 0;
}
FAKE int cuDevicePrimaryCtxRetain(void **context, int) {
  *context = &alive;
  return 0;
}
FAKE int cuCtxSetCurrent(void *) { return 0; }
FAKE int fake_waits = 0;
FAKE int cuCtxSynchronize() {
  ++fake_waits;
  return 0;
}
FAKE int cuModuleLoadDataEx(void **module, const void *image, unsigned,
                            const int *, void **values) {
  ++fake_loads;
  if (std::strcmp(static_cast<const char *>(image), "bad") == 0) {
    std::strcpy(static_cast<char *>(values[0]), "line 1: not PTX");
    return 218;
  }
  *module = &modules;
  ++modules;
  return 0;
}
FAKE int cuModuleUnload(void *) {
  --modules;
  return 0;
}
FAKE int cuModuleGetFunction(void **function, void *, const char *name) {
  if (std::strcmp(name, "add_rows") != 0)
    return 500;
  std::snprintf(kernelName, sizeof(kernelName), "%s", name);
  *function = kernelName;
  return 0;
}
FAKE int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  if (bytes > (size_t(1) << 40))
    return 2;
  *address = reinterpret_cast<uint64_t>(std::malloc(bytes)) + kOffset;
  ++alive;
  return 0;
}
FAKE int cuMemFree_v2(uint64_t address) {
  std::free(host(address));
  --alive;
  return 0;
}
FAKE int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
  ++fake_uploads;
  std::memcpy(host(to), from, bytes);
  return 0;
}
FAKE int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) {
  std::memcpy(to, host(from), bytes);
  return 0;
}
FAKE int cuMemsetD8_v2(uint64_t address, unsigned char value, size_t bytes) {
  std::memset(host(address), value, bytes);
  return 0;
}
FAKE int cuFuncSetAttribute(void *, int attribute, int value) {
  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
  if (attribute != 8 || value > 232448)
    return 1;
  fake_shared_limit = value;
  return 0;
}
FAKE int cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes) {
  std::memcpy(host(to), host(from), bytes);
  return 0;
}
/// Streams: which one was launched on and waited for, and whether it is being
/// captured.
FAKE void *fake_stream = nullptr;
FAKE int fake_stream_waits = 0;
FAKE int fake_capturing = 0;
FAKE int cuStreamSynchronize(void *) {
  ++fake_stream_waits;
  return fake_capturing ? 900 : 0;
}
FAKE int cuStreamIsCapturing(void *, int *status) {
  *status = fake_capturing;
  return 0;
}
FAKE int cuLaunchKernel(void *, unsigned gx, unsigned gy, unsigned gz,
                        unsigned bx, unsigned by, unsigned bz, unsigned shared,
                        void *stream, void **parameters, void **) {
  fake_stream = stream;
  fake_cluster[0] = fake_cluster[1] = fake_cluster[2] = 1;
  if (int(shared) > fake_shared_limit)
    return 1;
  fake_shared = int(shared);
  fake_grid[0] = gx, fake_grid[1] = gy, fake_grid[2] = gz;
  fake_block[0] = bx, fake_block[1] = by, fake_block[2] = bz;
  auto array = [&](int i) {
    return reinterpret_cast<float *>(
        host(*static_cast<uint64_t *>(parameters[i])));
  };
  const float *x = array(0), *w = array(1);
  float *y = array(2);
  int32_t m = *static_cast<int32_t *>(parameters[3]);
  int32_t n = *static_cast<int32_t *>(parameters[4]);
  if (fake_takes_workspace)
    fake_workspace = reinterpret_cast<int32_t *>(array(5));
  for (int32_t i = 0; i < m; ++i)
    for (int32_t j = 0; j < n; ++j)
      y[i * n + j] = x[i * n + j] + w[j];
  return 0;
}
FAKE int cuLaunchKernelEx(const void *given, void *function, void **parameters,
                          void **) {
  const auto *config = static_cast<const qk::test::LaunchConfig *>(given);
  const unsigned *g = config->grid, *b = config->block;
  if (config->count != 1 ||
      config->attributes->id != qk::test::kClusterDimension)
    return 1;
  int result =
      cuLaunchKernel(function, g[0], g[1], g[2], b[0], b[1], b[2],
                     config->sharedBytes, config->stream, parameters, nullptr);
  for (int i = 0; i < 3; ++i)
    fake_cluster[i] = config->attributes->cluster[i];
  return result;
}
