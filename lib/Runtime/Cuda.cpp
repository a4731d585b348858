//===- Cuda.cpp - Launching kernels on an NVIDIA GPU ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Cuda.h"

#include "Gpu.h"
#include "qk/Runtime/Runtime.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <mutex>
#include <string>

using namespace qk::runtime;

namespace {

thread_local Launch launch;
/// What qk_cuda_set_stream set.
thread_local CUstream currentStream;
thread_local char message[4096];

void add(const Parameter &parameter) {
  if (launch.count < kMaxParameters)
    launch.parameters[launch.count] = parameter;
  ++launch.count;
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
