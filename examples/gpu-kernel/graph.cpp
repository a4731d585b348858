//===- graph.cpp - Launches of qk's runtime in a CUDA graph ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Host code that qk generates launches kernels by qk's runtime
// (qk/Runtime/Cuda.h). A program that captures CUDA graphs names its stream,
// runs once, which loads the kernels, and captures the next run.
//
//   c++ -std=c++20 graph.cpp -lqk_runtime -ldl -o graph
//   ./graph
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Cuda.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <string>
#include <vector>

/// y += x, in place of a generated kernel.
static const char kernels[] = R"(.version 7.0
.target sm_75
.address_size 64
.visible .entry add(.param .u64 px, .param .u64 py, .param .u64 workspace,
                    .param .u32 pn)
{
  .reg .pred %p;
  .reg .b32 %r<5>;
  .reg .b64 %d<5>;
  .reg .f32 %f<3>;
  ld.param.u64 %d0, [px];
  ld.param.u64 %d1, [py];
  ld.param.u32 %r0, [pn];
  mov.u32 %r1, %tid.x;
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mad.lo.s32 %r4, %r2, %r3, %r1;
  setp.ge.s32 %p, %r4, %r0;
  @%p ret;
  mul.wide.s32 %d2, %r4, 4;
  add.s64 %d3, %d0, %d2;
  add.s64 %d4, %d1, %d2;
  ld.global.f32 %f0, [%d3];
  ld.global.f32 %f1, [%d4];
  add.f32 %f2, %f0, %f1;
  st.global.f32 [%d4], %f2;
  ret;
}
)";

[[noreturn]] static void fail(const char *what) {
  std::fprintf(stderr, "graph: %s\n", what);
  std::exit(1);
}

/// Of cuda.h, what capturing needs.
struct Driver {
  int (*cuStreamCreate)(void **, unsigned);
  int (*cuStreamBeginCapture)(void *, int);
  int (*cuStreamEndCapture)(void *, void **);
  int (*cuGraphInstantiate)(void **, void *, unsigned long long);
  int (*cuGraphLaunch)(void *, void *);

  template <typename Function> void load(Function &function, const char *name) {
    const char *path = std::getenv("QK_CUDA_DRIVER");
    static void *library = dlopen(path ? path : "libcuda.so.1", RTLD_NOW);
    if (!library) {
      std::fprintf(stderr, "graph: no NVIDIA driver: %s\n", dlerror());
      std::exit(1);
    }
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (!function)
      fail((std::string("the driver has no ") + name).c_str());
  }
  Driver() {
    load(cuStreamCreate, "cuStreamCreate");
    load(cuStreamBeginCapture, "cuStreamBeginCapture_v2");
    load(cuStreamEndCapture, "cuStreamEndCapture");
    load(cuGraphInstantiate, "cuGraphInstantiateWithFlags");
    load(cuGraphLaunch, "cuGraphLaunch");
  }
};

int main() {
  Driver driver;
  auto check = [](int result, const char *what) {
    if (result != 0)
      fail(what);
  };
  const int n = 1000, launches = 3, replays = 5;
  std::vector<float> x(n), y(n);
  for (int i = 0; i < n; ++i)
    x[i] = static_cast<float>(i % 37);
  const int64_t bytes = n * sizeof(float);
  void *onGpu = qk_cuda_upload(x.data(), bytes);
  void *sums = qk_cuda_upload(y.data(), bytes);

  // 1: a stream that is not tied to the default one (CU_STREAM_NON_BLOCKING).
  void *stream = nullptr, *graph = nullptr, *executable = nullptr;
  check(driver.cuStreamCreate(&stream, 1), "no stream");
  qk_cuda_set_stream(stream);
  auto launch = [&] {
    qk_cuda_begin(kernels, "add");
    qk_cuda_input(onGpu, 1, bytes, bytes);
    qk_cuda_output(sums, 1, bytes, bytes);
    qk_cuda_workspace(4096);
    qk_cuda_i32(n);
    qk_cuda_launch((n + 127) / 128, 1, 1, 128, 1, 1);
  };
  launch();
  // 1: what other threads do meanwhile does not matter.
  check(driver.cuStreamBeginCapture(stream, 1), "can't capture");
  for (int i = 0; i < launches; ++i)
    launch();
  check(driver.cuStreamEndCapture(stream, &graph), "nothing was captured");
  check(driver.cuGraphInstantiate(&executable, graph, 0), "no graph");
  for (int i = 0; i < replays; ++i)
    check(driver.cuGraphLaunch(executable, stream), "can't launch the graph");

  qk_cuda_download(y.data(), sums, bytes);
  int wrong = 0;
  for (int i = 0; i < n; ++i)
    wrong += y[i] != (1 + launches * replays) * x[i];
  std::printf("1 launch and %d replays of a graph of %d: %d of %d wrong\n",
              replays, launches, wrong, n);
  return wrong != 0;
}
