//===- Measuring.cpp - What qk-gpu-run needs of an emulated driver --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Streams, whose work is done at once, so that qk-gpu-run checks kernels on
/// the emulator. There is nothing to time: graphs are not supported.
///
//===----------------------------------------------------------------------===//

#include <cstddef>
#include <cstdint>
#include <cstring>

#define DRIVER extern "C" __attribute__((visibility("default")))

DRIVER int cuMemcpyHtoD_v2(uint64_t, const void *, size_t);

// GPU addresses are host addresses plus this (EmulatedCudaDriver.cpp).
static constexpr uint64_t kOffset = uint64_t(1) << 56;
static constexpr int kNotSupported = 801;

DRIVER int cuStreamCreate(void **stream, unsigned) {
  static int one;
  *stream = &one;
  return 0;
}
DRIVER int cuStreamSynchronize(void *) { return 0; }
DRIVER int cuStreamIsCapturing(void *, int *status) {
  *status = 0;
  return 0;
}
DRIVER int cuEventCreate(void **event, unsigned) {
  return cuStreamCreate(event, 0);
}
DRIVER int cuEventRecord(void *, void *) { return 0; }
DRIVER int cuEventSynchronize(void *) { return 0; }
DRIVER int cuEventElapsedTime(float *milliseconds, void *, void *) {
  *milliseconds = 1;
  return 0;
}
DRIVER int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes,
                                void *) {
  return cuMemcpyHtoD_v2(to, reinterpret_cast<void *>(from - kOffset), bytes);
}
DRIVER int cuFuncGetAttribute(int *value, int, void *) {
  *value = 0;
  return 0;
}
DRIVER int cuStreamBeginCapture_v2(void *, int) { return kNotSupported; }
DRIVER int cuStreamEndCapture(void *, void **) { return kNotSupported; }
DRIVER int cuGraphInstantiateWithFlags(void **, void *, unsigned long long) {
  return kNotSupported;
}
DRIVER int cuGraphLaunch(void *, void *) { return kNotSupported; }
DRIVER int cuGraphExecDestroy(void *) { return kNotSupported; }
DRIVER int cuGraphDestroy(void *) { return kNotSupported; }
