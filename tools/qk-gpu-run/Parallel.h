//===- Parallel.h - Loops over the CPU's cores -------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKGPURUN_PARALLEL_H
#define QK_TOOLS_QKGPURUN_PARALLEL_H

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace qk::gpurun {

/// body(i) for i in 0 … count-1, in any order.
template <typename Body> void parallelFor(int64_t count, Body body) {
  int64_t threads = std::max(1u, std::thread::hardware_concurrency());
  if (threads > count)
    threads = count;
  std::atomic<int64_t> next{0};
  auto work = [&] {
    for (int64_t i = next++; i < count; i = next++)
      body(i);
  };
  std::vector<std::thread> others;
  for (int64_t t = 1; t < threads; ++t)
    others.emplace_back(work);
  work();
  for (std::thread &other : others)
    other.join();
}

} // namespace qk::gpurun

#endif // QK_TOOLS_QKGPURUN_PARALLEL_H
