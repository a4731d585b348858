//===- Parallel.h - Loops over fixed work items -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Threads for the numerical core. Work is cut into items whose size never
/// depends on the number of threads, and each item writes results of its own;
/// so every result has the same bytes for any number of threads.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_PARALLEL_H
#define QK_NUMERICS_PARALLEL_H

#include <cstdint>
#include <type_traits>

namespace qk::numerics {

/// Threads that a loop started on the calling thread will use.
int numThreads();

/// Sets it for the calling thread; at least 1. The default is OpenMP's
/// (OMP_NUM_THREADS, or all cores).
void setNumThreads(int count);

namespace detail {
void parallelFor(int64_t count, void (*item)(void *, int64_t), void *context);
} // namespace detail

/// Calls item(0) … item(count-1), in any order, on any thread. Inside another
/// parallel loop it runs serially.
template <typename Item> void parallelFor(int64_t count, Item &&item) {
  using Stored = std::remove_reference_t<Item>;
  detail::parallelFor(
      count,
      [](void *context, int64_t index) {
        (*static_cast<Stored *>(context))(index);
      },
      const_cast<void *>(static_cast<const void *>(&item)));
}

} // namespace qk::numerics

#endif // QK_NUMERICS_PARALLEL_H
