//===- GpuMemory.cpp - What lies on a GPU ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <algorithm>

using namespace qk::runtime;

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
