//===- Work.cpp - Operations that the algorithms consist of ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Work.h"

#include "Blas.h"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <vector>

namespace qk::numerics {

static std::atomic<double> done[kWorkKinds];

void addWork(Work kind, double operations) {
  done[static_cast<int>(kind)].fetch_add(operations, std::memory_order_relaxed);
}

double getWork(Work kind) { return done[static_cast<int>(kind)]; }

/// CPU seconds of the calling thread.
static double threadSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

double measureGemmRate() {
  constexpr int64_t size = 1024, rounds = 5;
  std::vector<float> a(size * size, 1.0f), c(size * size);
  double times[rounds];
  for (double &time : times) {
    double start = threadSeconds();
    blas::sgemm(blas::NoTrans, blas::NoTrans, size, size, size, 1.0f, a.data(),
                size, a.data(), size, 0.0f, c.data(), size);
    time = threadSeconds() - start;
  }
  std::sort(times, times + rounds);
  return 2.0 * size * size * size / times[rounds / 2];
}

} // namespace qk::numerics
