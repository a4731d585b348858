//===- launch.cpp - A generated GPU kernel in a program of one's own ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Launches a kernel of `--lower-to-nvvm="host=keep artifacts=FOLDER"` by the
// CUDA driver's API, which is opened at run time, so that this builds without
// CUDA. The weight is packed and the kernel chosen by libQKNVVMLayout, plain
// C++; kernels.json says the same to other languages (launch.py).
//
//   qk-opt model.mlir --rtn="group-size=64 symmetric=true" \
//     --lower-to-nvvm="host=keep chip=sm_80 artifacts=out" -o host.mlir
//   c++ -std=c++20 launch.cpp -lQKNVVMLayout -ldl -o launch
//   ./launch out/kernels.ptx sm_80
//
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/KernelTable.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <iterator>
#include <random>

using namespace qk::nvvm;
using namespace qk::numerics;

[[noreturn]] static void fail(const std::string &message) {
  std::fprintf(stderr, "launch: %s\n", message.c_str());
  std::exit(1);
}

//===----------------------------------------------------------------------===//
// The driver: of cuda.h, what this needs
//===----------------------------------------------------------------------===//

/// cuda.h's CUlaunchAttribute, the one that makes clusters of blocks, and
/// CUlaunchConfig.
struct LaunchAttribute {
  int id = 4;
  char padding[4] = {};
  unsigned cluster[3] = {1, 1, 1};
  char rest[52] = {};
};
struct LaunchConfig {
  unsigned grid[3], block[3], sharedBytes;
  void *stream;
  const LaunchAttribute *attributes;
  unsigned count;
};

struct Driver {
  void *library = nullptr;
  int (*cuInit)(unsigned);
  int (*cuGetErrorString)(int, const char **);
  int (*cuDeviceGet)(int *, int);
  int (*cuDevicePrimaryCtxRetain)(void **, int);
  int (*cuCtxSetCurrent)(void *);
  int (*cuCtxSynchronize)();
  int (*cuModuleLoadDataEx)(void **, const void *, unsigned, int *, void **);
  int (*cuModuleGetFunction)(void **, void *, const char *);
  int (*cuMemAlloc)(uint64_t *, size_t);
  int (*cuMemcpyHtoD)(uint64_t, const void *, size_t);
  int (*cuMemcpyDtoH)(void *, uint64_t, size_t);
  int (*cuFuncSetAttribute)(void *, int, int);
  int (*cuLaunchKernel)(void *, unsigned, unsigned, unsigned, unsigned,
                        unsigned, unsigned, unsigned, void *, void **, void **);
  int (*cuLaunchKernelEx)(const LaunchConfig *, void *, void **, void **);

  template <typename Function> void load(Function &function, const char *name) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (!function)
      fail(std::string("the driver has no ") + name);
  }
  void check(int result, const char *what) const {
    const char *text = "unknown error";
    if (result && cuGetErrorString)
      cuGetErrorString(result, &text);
    if (result)
      fail(std::string(what) + ": " + text);
  }

  Driver() {
    const char *name = std::getenv("QK_CUDA_DRIVER");
    library = dlopen(name && *name ? name : "libcuda.so.1", RTLD_NOW);
    if (!library)
      fail(std::string("no NVIDIA driver: ") + dlerror());
    load(cuInit, "cuInit");
    load(cuGetErrorString, "cuGetErrorString");
    load(cuDeviceGet, "cuDeviceGet");
    load(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
    load(cuCtxSetCurrent, "cuCtxSetCurrent");
    load(cuCtxSynchronize, "cuCtxSynchronize");
    load(cuModuleLoadDataEx, "cuModuleLoadDataEx");
    load(cuModuleGetFunction, "cuModuleGetFunction");
    load(cuMemAlloc, "cuMemAlloc_v2");
    load(cuMemcpyHtoD, "cuMemcpyHtoD_v2");
    load(cuMemcpyDtoH, "cuMemcpyDtoH_v2");
    load(cuLaunchKernel, "cuLaunchKernel");
    int device = 0;
    void *context = nullptr;
    check(cuInit(0), "cuInit");
    check(cuDeviceGet(&device, 0), "cuDeviceGet");
    check(cuDevicePrimaryCtxRetain(&context, device), "no context");
    check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
  }

  /// Memory on the GPU that holds `bytes`.
  uint64_t upload(const void *bytes, size_t count) {
    uint64_t address = 0;
    check(cuMemAlloc(&address, count ? count : 1), "cuMemAlloc");
    check(cuMemcpyHtoD(address, bytes, count), "cuMemcpyHtoD");
    return address;
  }
};

//===----------------------------------------------------------------------===//
// y = x Wᵀ
//===----------------------------------------------------------------------===//

int main(int argc, char **argv) {
  if (argc < 3)
    fail("expected a file of kernels and its chip: launch out/kernels.ptx "
         "sm_80 [M]");
  const Chip *chip = findChip(argv[2]);
  if (!chip)
    fail("unknown chip '" + std::string(argv[2]) + "', expected " +
         knownChips());
  const int64_t m = argc > 3 ? std::atoll(argv[3]) : 5, n = 200;

  // What model.mlir was quantised to.
  MatmulProblem problem;
  problem.scheme = {CodeType::U4, /*groupSize=*/64, ScaleType::F16};
  problem.k = 512;
  problem.type = ElementType::F16;
  problem.packing = preferredLayout(*chip, problem);
  const KernelChoice kernel = chooseKernel(*chip, problem, m, n);
  std::printf("%s: %s\n", kernel.name().c_str(), kernel.reason.c_str());

  // A random weight and random x.
  std::mt19937 random(1);
  QuantizedWeight weight{problem.scheme, n, problem.k, {}, {}, {}, {}};
  for (int64_t i = 0; i < n * problem.k; ++i)
    weight.codes.push_back(uint8_t(random() % 16));
  for (int64_t i = 0; i < n * problem.scheme.groups(problem.k); ++i)
    weight.scales.push_back(float(1 + random() % 64) / 1024);
  std::vector<uint8_t> packed(size_t(problem.packedBytes(n)));
  if (std::string error = pack(weight, problem.packing, packed.data());
      !error.empty())
    fail(error);
  std::vector<_Float16> x;
  for (int64_t i = 0; i < m * problem.k; ++i)
    x.push_back(_Float16(float(random() % 512) / 256 - 1));

  std::ifstream stream(argv[1], std::ios::binary);
  std::string image((std::istreambuf_iterator<char>(stream)), {});
  if (image.empty())
    fail("can't read '" + std::string(argv[1]) + "'");

  Driver driver;
  void *module = nullptr, *function = nullptr;
  driver.check(
      driver.cuModuleLoadDataEx(&module, image.c_str(), 0, nullptr, nullptr),
      "cuModuleLoadDataEx");
  driver.check(
      driver.cuModuleGetFunction(&function, module, kernel.name().c_str()),
      "cuModuleGetFunction");

  // (x, weight, y, workspace, m, n): KernelBuilder.h.
  std::vector<_Float16> y(size_t(m * n));
  std::vector<uint8_t> zeros(size_t(kernel.workspaceBytes()));
  uint64_t xOnGpu = driver.upload(x.data(), 2 * x.size());
  uint64_t weightOnGpu = driver.upload(packed.data(), packed.size());
  uint64_t yOnGpu = driver.upload(y.data(), 2 * y.size());
  uint64_t workspace = driver.upload(zeros.data(), zeros.size());
  int32_t rows = int32_t(m), channels = int32_t(n);
  std::vector<void *> parameters{&xOnGpu, &weightOnGpu, &yOnGpu};
  if (kernel.hasWorkspace())
    parameters.push_back(&workspace);
  parameters.push_back(&rows);
  parameters.push_back(&channels);

  const LaunchShape shape = kernel.launchShape(m, n);
  auto size = [](int64_t value) { return unsigned(value); };
  constexpr int kMaxDynamicShared = 8;
  if (shape.sharedBytes > 48 << 10) {
    driver.load(driver.cuFuncSetAttribute, "cuFuncSetAttribute");
    driver.check(driver.cuFuncSetAttribute(function, kMaxDynamicShared,
                                           int(shape.sharedBytes)),
                 "cuFuncSetAttribute");
  }
  if (shape.cluster > 1) {
    LaunchAttribute cluster;
    cluster.cluster[2] = size(shape.cluster);
    LaunchConfig config{
        {size(shape.grid[0]), size(shape.grid[1]), size(shape.grid[2])},
        {size(shape.block[0]), size(shape.block[1]), size(shape.block[2])},
        size(shape.sharedBytes),
        /*stream=*/nullptr,
        &cluster,
        1};
    driver.load(driver.cuLaunchKernelEx, "cuLaunchKernelEx");
    driver.check(
        driver.cuLaunchKernelEx(&config, function, parameters.data(), nullptr),
        "cuLaunchKernelEx");
  } else {
    driver.check(
        driver.cuLaunchKernel(function, size(shape.grid[0]),
                              size(shape.grid[1]), size(shape.grid[2]),
                              size(shape.block[0]), size(shape.block[1]),
                              size(shape.block[2]), size(shape.sharedBytes),
                              /*stream=*/nullptr, parameters.data(), nullptr),
        "cuLaunchKernel");
  }
  driver.check(driver.cuCtxSynchronize(), "the kernel");
  driver.check(driver.cuMemcpyDtoH(y.data(), yOnGpu, 2 * y.size()),
               "cuMemcpyDtoH");

  double wrong = 0, all = 0;
  for (int64_t row = 0; row < m; ++row)
    for (int64_t c = 0; c < n; ++c) {
      double sum = 0;
      for (int64_t k = 0; k < problem.k; ++k) {
        int64_t group = c * problem.scheme.groups(problem.k) + k / 64;
        sum += double(x[size_t(row * problem.k + k)]) * weight.scales[group] *
               (weight.codes[c * problem.k + k] - 8);
      }
      wrong += std::pow(double(y[size_t(row * n + c)]) - sum, 2);
      all += sum * sum;
    }
  const double error = std::sqrt(wrong / all);
  std::printf("relative error %.1e\n", error);
  return error < 1e-3 ? 0 : 1;
}
