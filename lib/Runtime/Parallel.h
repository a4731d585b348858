//===- Parallel.h - Loops over work items in the runtime --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_RUNTIME_PARALLEL_H
#define QK_LIB_RUNTIME_PARALLEL_H

#include <cstdint>
#include <omp.h>

namespace qk::runtime {

/// Whether `work` (flops, or bytes that stream) is worth waking threads for:
/// about twenty microseconds on one core.
inline bool worthThreads(int64_t items, int64_t work) {
  return items > 1 && work >= 2'000'000 && omp_get_max_threads() > 1 &&
         !omp_in_parallel();
}

/// Calls item(0) … item(items-1), on all threads where the work is worth it.
template <typename Item> void forEach(int64_t items, int64_t work, Item item) {
  if (!worthThreads(items, work)) {
    for (int64_t index = 0; index < items; ++index)
      item(index);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t index = 0; index < items; ++index)
    item(index);
}

} // namespace qk::runtime

#endif // QK_LIB_RUNTIME_PARALLEL_H
