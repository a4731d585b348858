//===- CudaTest.cpp - The launch runtime on a driver without a GPU --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Cuda.h"
#include "qk/Runtime/Runtime.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <dlfcn.h>
#include <functional>
#include <string>
#include <vector>

namespace {

/// The error that `body` ends with, or nothing.
std::string errorOf(std::function<void()> body) {
  char message[4096] = "";
  int32_t status =
      qk_protect([](void *f) { (*static_cast<std::function<void()> *>(f))(); },
                 &body, message, sizeof(message));
  // Not a failed assertion of the model.
  EXPECT_EQ(status, *message ? 2 : 0);
  return message;
}

class Cuda : public testing::Test {
protected:
  void SetUp() override {
    setenv("QK_CUDA_DRIVER", FAKE_DRIVER, 1);
    fake = dlopen(FAKE_DRIVER, RTLD_NOW);
    ASSERT_NE(fake, nullptr) << dlerror();
    qk_cuda_reset();
    get<int>("fake_uploads") = 0;
    get<int>("fake_loads") = 0;
    get<int>("fake_stream_waits") = 0;
  }
  void TearDown() override {
    qk_cuda_reset();
    EXPECT_EQ(reinterpret_cast<int (*)()>(dlsym(fake, "fake_alive"))(), 0)
        << "memory or modules left on the GPU";
    unsetenv("FAKE_CUDA_BROKEN");
    unsetenv("FAKE_CUDA_NO_GPU");
  }
  template <typename T> T &get(const char *name) {
    return *static_cast<T *>(dlsym(fake, name));
  }

  /// y = x + w for 2x3 matrices with room between rows.
  void addRows(const char *image = "ptx", const char *kernel = "add_rows") {
    qk_cuda_begin(image, kernel);
    qk_cuda_input(x.data(), 2, 12, 16);
    qk_cuda_constant(w.data(), 12);
    qk_cuda_output(y.data(), 2, 12, 20);
    qk_cuda_i32(2);
    qk_cuda_i32(3);
    qk_cuda_launch(5, 6, 7, 32, 2, 1);
  }

  /// The same for arrays on the GPU without room, with what a captured launch
  /// may have.
  void addOnGpu(void *from, void *to, const float *weight = nullptr,
                int64_t workspaceBytes = 0) {
    qk_cuda_begin("ptx", "add_rows");
    qk_cuda_input(from, 2, 12, 12);
    qk_cuda_constant(weight ? weight : w.data(), 12);
    qk_cuda_output(to, 2, 12, 12);
    qk_cuda_i32(2);
    qk_cuda_i32(3);
    if (workspaceBytes)
      qk_cuda_workspace(workspaceBytes);
    qk_cuda_launch(1, 1, 1, 32, 1, 1);
  }

  void *fake = nullptr;
  std::vector<float> x = {1, 2, 3, -1, 4, 5, 6, -1};
  std::vector<float> w = {10, 20, 30};
  std::vector<float> y = std::vector<float>(10, -1.0f);
};

TEST_F(Cuda, LaunchesWithStridedRows) {
  EXPECT_EQ(errorOf([&] { addRows(); }), "");
  EXPECT_EQ(y, (std::vector<float>{11, 22, 33, -1, -1, 14, 25, 36, -1, -1}));
  EXPECT_EQ(get<unsigned[3]>("fake_grid")[0], 5u);
  EXPECT_EQ(get<unsigned[3]>("fake_grid")[1], 6u);
  EXPECT_EQ(get<unsigned[3]>("fake_grid")[2], 7u);
  EXPECT_EQ(get<unsigned[3]>("fake_block")[0], 32u);
  EXPECT_EQ(get<unsigned[3]>("fake_block")[1], 2u);
}

TEST_F(Cuda, UploadsConstantsAndImagesOnce) {
  addRows();
  int first = get<int>("fake_uploads");
  EXPECT_EQ(first, 3); // two rows of x, one weight
  x[0] = 100;
  addRows();
  EXPECT_EQ(get<int>("fake_uploads") - first, 2);
  EXPECT_EQ(get<int>("fake_loads"), 1);
  EXPECT_EQ(y[0], 110);
  // Until they are forgotten.
  qk_cuda_reset();
  w[0] = 1000;
  addRows();
  EXPECT_EQ(y[0], 1100);
}

// Clusters are an attribute of a launch, of that one only.
TEST_F(Cuda, LaunchesClusters) {
  auto launch = [&](int64_t blocks) {
    return errorOf([&] {
      qk_cuda_begin("ptx", "add_rows");
      qk_cuda_input(x.data(), 2, 12, 16);
      qk_cuda_constant(w.data(), 12);
      qk_cuda_output(y.data(), 2, 12, 20);
      qk_cuda_i32(2);
      qk_cuda_i32(3);
      if (blocks)
        qk_cuda_cluster(blocks);
      qk_cuda_launch(5, 6, 4, 32, 1, 1);
    });
  };
  EXPECT_EQ(launch(2), "");
  EXPECT_EQ(get<unsigned[3]>("fake_cluster")[1], 1u);
  EXPECT_EQ(get<unsigned[3]>("fake_cluster")[2], 2u);
  EXPECT_EQ(get<unsigned[3]>("fake_grid")[0], 5u);
  EXPECT_EQ(get<unsigned[3]>("fake_grid")[2], 4u);
  EXPECT_EQ(launch(0), "");
  EXPECT_EQ(get<unsigned[3]>("fake_cluster")[2], 1u);
}

// What a kernel needs besides its arrays: shared memory, for more than 48 KiB
// of which the driver is asked, and a workspace that starts as zeros, is kept
// from launch to launch, and zeros again where it has to grow.
TEST_F(Cuda, GivesSharedMemoryAndWorkspace) {
  int32_t *workspace = nullptr;
  auto launch = [&](int64_t sharedBytes, int64_t workspaceBytes) {
    return errorOf([&] {
      qk_cuda_begin("ptx", "add_rows");
      qk_cuda_input(x.data(), 2, 12, 16);
      qk_cuda_constant(w.data(), 12);
      qk_cuda_output(y.data(), 2, 12, 20);
      qk_cuda_i32(2);
      qk_cuda_i32(3);
      qk_cuda_workspace(workspaceBytes);
      qk_cuda_shared(sharedBytes);
      qk_cuda_launch(1, 1, 1, 32, 1, 1);
    });
  };
  get<bool>("fake_takes_workspace") = true;
  EXPECT_EQ(launch(100000, 16), "");
  EXPECT_EQ(get<int>("fake_shared"), 100000);
  workspace = get<int32_t *>("fake_workspace");
  EXPECT_EQ(workspace[3], 0);
  workspace[3] = 5;
  EXPECT_EQ(launch(0, 8), "");
  EXPECT_EQ(get<int>("fake_shared"), 0);
  EXPECT_EQ(get<int32_t *>("fake_workspace"), workspace);
  EXPECT_EQ(workspace[3], 5);
  EXPECT_EQ(launch(0, 4096), "");
  EXPECT_EQ(get<int32_t *>("fake_workspace")[3], 0);
  EXPECT_EQ(get<int32_t *>("fake_workspace")[1023], 0);
  EXPECT_NE(launch(300000, 0).find("kernel 'add_rows' needs 300000 bytes of "
                                   "shared memory"),
            std::string::npos);
  get<bool>("fake_takes_workspace") = false;
}

// On a stream of the caller's, a launch whose arrays are on the GPU is put
// there and nothing more; where they are on the host it is waited for.
TEST_F(Cuda, LaunchesOnAStream) {
  int stream = 0;
  qk_cuda_set_stream(&stream);
  EXPECT_EQ(errorOf([&] { addRows(); }), "");
  EXPECT_EQ(get<void *>("fake_stream"), &stream);
  EXPECT_EQ(get<int>("fake_stream_waits"), 1);
  EXPECT_EQ(y[0], 11);
  void *onGpu = qk_cuda_upload(x.data(), 24), *out = qk_cuda_allocate(24);
  int before = get<int>("fake_waits");
  // The upload is waited for, once.
  EXPECT_EQ(errorOf([&] { addOnGpu(onGpu, out); }), "");
  int waits = get<int>("fake_waits"), uploads = get<int>("fake_uploads");
  EXPECT_EQ(waits, before + 1);
  EXPECT_EQ(errorOf([&] { addOnGpu(onGpu, out); }), "");
  EXPECT_EQ(get<int>("fake_stream_waits"), 1);
  EXPECT_EQ(get<int>("fake_waits"), waits);
  EXPECT_EQ(get<int>("fake_uploads"), uploads);
  qk_cuda_set_stream(nullptr);
  EXPECT_EQ(errorOf([&] { addRows(); }), "");
  EXPECT_EQ(get<void *>("fake_stream"), nullptr);
}

// A captured launch does nothing but launch; what it would have to do besides
// is said, each by itself.
TEST_F(Cuda, LaunchesWhileCaptured) {
  int stream = 0, other = 0;
  void *onGpu = qk_cuda_upload(x.data(), 24), *out = qk_cuda_allocate(24);
  auto captured = [&](std::function<void()> body) {
    get<int>("fake_capturing") = 1;
    std::string error = errorOf(body);
    get<int>("fake_capturing") = 0;
    return error;
  };
  auto says = [](const std::string &error, const char *text) {
    return error.find(text) != std::string::npos;
  };
  qk_cuda_set_stream(&stream);
  EXPECT_TRUE(says(captured([&] { addOnGpu(onGpu, out); }),
                   "kernel 'add_rows' is launched while its stream is "
                   "captured, but its kernels are not loaded; launch it once "
                   "on this stream before, with x and y on the GPU"));
  EXPECT_EQ(errorOf([&] { addOnGpu(onGpu, out); }), "");
  int waits = get<int>("fake_waits"), uploads = get<int>("fake_uploads");
  EXPECT_EQ(captured([&] { addOnGpu(onGpu, out); }), "");
  EXPECT_EQ(get<int>("fake_waits"), waits);
  EXPECT_EQ(get<int>("fake_uploads"), uploads);
  EXPECT_TRUE(says(captured([&] { addRows(); }), "parameter 0 is on the host"));
  qk_cuda_release(qk_cuda_upload(x.data(), 4));
  EXPECT_TRUE(says(captured([&] { addOnGpu(onGpu, out); }),
                   "memory was copied to the GPU since the last launch on it"));
  EXPECT_EQ(errorOf([&] { addOnGpu(onGpu, out); }), "");
  std::vector<float> more = {1, 2, 3};
  EXPECT_TRUE(says(captured([&] { addOnGpu(onGpu, out, more.data()); }),
                   "constant 1 is not on the GPU"));
  // Each stream has a workspace of its own.
  get<bool>("fake_takes_workspace") = true;
  auto withWorkspace = [&] { addOnGpu(onGpu, out, w.data(), 64); };
  EXPECT_EQ(errorOf(withWorkspace), "");
  EXPECT_EQ(captured(withWorkspace), "");
  qk_cuda_set_stream(&other);
  EXPECT_TRUE(
      says(captured(withWorkspace), "the stream has no workspace of 64 bytes"));
  get<bool>("fake_takes_workspace") = false;
  qk_cuda_set_stream(nullptr);
}

TEST_F(Cuda, EmptyGridDoesNothing) {
  qk_cuda_begin("ptx", "add_rows");
  qk_cuda_output(y.data(), 0, 12, 12);
  EXPECT_EQ(errorOf([] { qk_cuda_launch(0, 1, 1, 32, 1, 1); }), "");
  EXPECT_EQ(y[0], -1);
}

TEST_F(Cuda, NoDriver) {
  setenv("QK_CUDA_DRIVER", "/nonexistent/libcuda.so.1", 1);
  std::string error = errorOf([&] { addRows(); });
  EXPECT_EQ(error.find("can't run GPU kernels: no NVIDIA driver: "
                       "/nonexistent/libcuda.so.1: "),
            0u)
      << error;
  EXPECT_NE(error.find("run this on a machine with an NVIDIA GPU, or lower the "
                       "model with --lower-to-cpu"),
            std::string::npos)
      << error;
}

TEST_F(Cuda, NoGpu) {
  setenv("FAKE_CUDA_NO_GPU", "1", 1);
  EXPECT_EQ(errorOf([&] { addRows(); })
                .find("can't run GPU kernels: the NVIDIA driver is there, but "
                      "no GPU; run this on"),
            0u);
}

TEST_F(Cuda, DriverDoesNotStart) {
  setenv("FAKE_CUDA_BROKEN", "1", 1);
  EXPECT_EQ(errorOf([&] { addRows(); })
                .find("can't run GPU kernels: the NVIDIA driver is there, but "
                      "does not start: broken for the test; run this on"),
            0u);
}

TEST_F(Cuda, NotADriver) {
  setenv("QK_CUDA_DRIVER", "libc.so.6", 1);
  EXPECT_EQ(errorOf([&] { addRows(); }),
            "can't run GPU kernels: the NVIDIA driver 'libc.so.6' has no "
            "cuLaunchKernel; update it");
}

TEST_F(Cuda, ImageOfAnotherChip) {
  EXPECT_EQ(errorOf([&] { addRows("bad"); }),
            "can't run GPU kernels: Fake GPU (sm_90): can't load the kernels: "
            "no such thing: line 1: not PTX; lower the model with this GPU's "
            "chip=");
  // Not remembered as loaded.
  EXPECT_NE(errorOf([&] { addRows("bad"); }), "");
}

TEST_F(Cuda, UnknownKernel) {
  EXPECT_EQ(errorOf([&] { addRows("ptx", "other"); }),
            "can't run GPU kernels: Fake GPU (sm_90): no kernel 'other': no "
            "such thing");
}

TEST_F(Cuda, GridTooLarge) {
  EXPECT_EQ(errorOf([] {
              qk_cuda_begin("ptx", "add_rows");
              qk_cuda_launch(1, 65536, 1, 32, 1, 1);
            }),
            "can't run GPU kernels: kernel 'add_rows' needs a grid of "
            "1x65536x1, a GPU has 2147483647x65535x65535");
}

TEST_F(Cuda, TooManyParameters) {
  EXPECT_EQ(errorOf([] {
              qk_cuda_begin("ptx", "add_rows");
              for (int i = 0; i < 65; ++i)
                qk_cuda_i32(i);
              qk_cuda_launch(1, 1, 1, 32, 1, 1);
            }),
            "can't run GPU kernels: a kernel takes at most 64 parameters, got "
            "65");
}

TEST_F(Cuda, LeavesBuffersOnTheGpu) {
  EXPECT_EQ(errorOf([&] {
              auto *in = static_cast<char *>(qk_cuda_upload(x.data(), 32));
              void *out = qk_cuda_allocate(24);
              void *weight = qk_cuda_constant_address(w.data(), 12);
              get<int>("fake_waits") = 0;
              qk_cuda_begin("ptx", "add_rows");
              // Rows with room between them are made contiguous there.
              qk_cuda_input(in, 2, 12, 16);
              qk_cuda_constant(weight, 12);
              qk_cuda_output(out, 2, 12, 12);
              qk_cuda_index(2);
              qk_cuda_index(3);
              qk_cuda_launch(1, 1, 1, 32, 1, 1);
              EXPECT_EQ(get<int>("fake_waits"), 0);
              qk_cuda_download(y.data(), out, 24);
              qk_cuda_release(out);
              qk_cuda_release(in);
            }),
            "");
  EXPECT_EQ(y, (std::vector<float>{11, 22, 33, 14, 25, 36, -1, -1, -1, -1}));
  // x and w; nothing twice.
  EXPECT_EQ(get<int>("fake_uploads"), 2);
}

TEST_F(Cuda, StoresRowsApartOnTheGpu) {
  EXPECT_EQ(errorOf([&] {
              void *out = qk_cuda_upload(y.data(), 40);
              qk_cuda_begin("ptx", "add_rows");
              qk_cuda_input(x.data(), 2, 12, 16);
              qk_cuda_constant(w.data(), 12);
              qk_cuda_output(out, 2, 12, 20);
              qk_cuda_i32(2);
              qk_cuda_i32(3);
              qk_cuda_launch(1, 1, 1, 32, 1, 1);
              qk_cuda_download(y.data(), out, 40);
            }),
            "");
  EXPECT_EQ(y, (std::vector<float>{11, 22, 33, -1, -1, 14, 25, 36, -1, -1}));
}

TEST_F(Cuda, KeepsReleasedMemory) {
  EXPECT_EQ(errorOf([&] {
              void *first = qk_cuda_allocate(100);
              qk_cuda_release(first);
              // Released once, however often it is said.
              qk_cuda_release(first);
              void *second = qk_cuda_allocate(200);
              EXPECT_EQ(first, second);
              EXPECT_NE(qk_cuda_allocate(200), second);
              EXPECT_NE(qk_cuda_allocate(300), nullptr);
            }),
            "");
}

TEST_F(Cuda, ReadsAndWritesElements) {
  EXPECT_EQ(errorOf([&] {
              auto *memory = static_cast<char *>(qk_cuda_upload(x.data(), 32));
              qk_cuda_write(memory + 4, 2, 0x1234);
              EXPECT_EQ(qk_cuda_read(memory + 4, 2), 0x1234);
              EXPECT_EQ(qk_cuda_read(memory + 5, 1), 0x12);
            }),
            "");
}

TEST_F(Cuda, TakesAnAssertionsNumberOnce) {
  EXPECT_EQ(errorOf([&] {
              EXPECT_EQ(qk_cuda_take_error(), 0);
              qk_cuda_write(qk_cuda_error_cell(), 4, 7);
              EXPECT_EQ(qk_cuda_take_error(), 7);
              EXPECT_EQ(qk_cuda_take_error(), 0);
            }),
            "");
}

TEST_F(Cuda, RefusesSizesBeyond32Bits) {
  EXPECT_EQ(errorOf([&] {
              qk_cuda_begin("ptx", "add_rows");
              qk_cuda_index(int64_t(1) << 31);
              qk_cuda_launch(1, 1, 1, 32, 1, 1);
            }),
            "can't run GPU kernels: kernel 'add_rows': expected sizes and "
            "offsets below 2147483648 elements, got 2147483648");
  EXPECT_EQ(errorOf([&] { qk_cuda_allocate(int64_t(1) << 41); }),
            "can't run GPU kernels: Fake GPU (sm_90): no memory for "
            "2199023255552 bytes: no such thing");
}

} // namespace
