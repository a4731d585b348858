//===- Parallel.cpp - Loops over fixed work items ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Parallel.h"

#include <algorithm>
#include <omp.h>

namespace qk::numerics {

int numThreads() { return omp_get_max_threads(); }

void setNumThreads(int count) { omp_set_num_threads(std::max(count, 1)); }

void detail::parallelFor(int64_t count, void (*item)(void *, int64_t),
                         void *context) {
  if (count <= 1 || omp_get_max_threads() == 1 || omp_in_parallel()) {
    for (int64_t index = 0; index < count; ++index)
      item(context, index);
    return;
  }
  // One item at a time: items are large, and seldom of equal cost.
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t index = 0; index < count; ++index)
    item(context, index);
}

} // namespace qk::numerics
