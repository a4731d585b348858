//===- Device.h - The GPU that is measured -----------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKGPURUN_DEVICE_H
#define QK_TOOLS_QKGPURUN_DEVICE_H

#include "../../lib/Runtime/CudaDriver.h"

#include <functional>
#include <string>
#include <vector>

namespace qk::gpurun {

using runtime::CUdeviceptr;
using runtime::CUfunction;

/// Ends the process where the driver says no: `what` and its words are what
/// the parent process is told (Worker.h).
class Failure {
public:
  explicit Failure(std::string text) : text(std::move(text)) {}
  std::string text;
};

/// Memory on the GPU, freed with this.
class DeviceArray {
public:
  DeviceArray() = default;
  DeviceArray(const DeviceArray &) = delete;
  DeviceArray(DeviceArray &&other) noexcept { *this = std::move(other); }
  DeviceArray &operator=(DeviceArray &&other) noexcept;
  ~DeviceArray();

  CUdeviceptr address = 0;
  size_t bytes = 0;
  class Device *device = nullptr;
};

struct Launch {
  CUfunction function = nullptr;
  int64_t grid[3] = {1, 1, 1}, block[3] = {1, 1, 1}, cluster[3] = {1, 1, 1};
  int64_t sharedBytes = 0;
  /// Addresses of the parameters' values.
  std::vector<void *> parameters;
};

/// What a kernel was compiled to, as the driver tells.
struct FunctionFacts {
  int registers = 0, sharedBytes = 0, localBytes = 0;
};

/// Calls throw Failure.
class Device {
public:
  Device();

  DeviceArray allocate(size_t bytes);
  DeviceArray upload(const void *data, size_t bytes);
  void download(void *data, const DeviceArray &from);
  void fill(const DeviceArray &array, uint8_t value);
  void copy(CUdeviceptr to, CUdeviceptr from, size_t bytes);

  /// The kernel `name` of a cubin, fatbin or PTX (ending in NUL).
  CUfunction load(const std::string &image, const char *name);
  FunctionFacts facts(CUfunction function);
  void unloadAll();

  /// Starts a kernel on the stream; `wait` waits for all of it.
  void launch(const Launch &launch);
  void wait();

  /// Seconds of what `enqueue` puts on the stream, once.
  double timeOnce(const std::function<void()> &enqueue);
  /// The same as a CUDA graph, replayed `rounds` times after some that warm
  /// up: seconds of each replay.
  std::vector<double> timeGraph(const std::function<void()> &enqueue,
                                int rounds);

  int multiprocessors = 0, clockKHz = 0, capability = 0;
  int64_t l2Bytes = 0;
  runtime::CudaDriver driver{};

private:
  friend class DeviceArray;
  void check(int result, const std::string &what);

  void *stream = nullptr;
  std::vector<void *> modules;
  struct Extra;
  Extra *extra;
};

} // namespace qk::gpurun

#endif // QK_TOOLS_QKGPURUN_DEVICE_H
