//===- Panel.h - Rows of a weight, transposed -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Between a row-major weight and the transposed panels [K][rows] that the
/// inner loops use. A panel's stride is a multiple of the lanes; rows beyond
/// the weight's last are zeros.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_NUMERICS_PANEL_H
#define QK_LIB_NUMERICS_PANEL_H

#include "Lanes.h"

#include <algorithm>
#include <memory>

namespace qk::numerics {

/// Memory that is written before it is read.
template <typename T> std::unique_ptr<T[]> uninitialized(int64_t count) {
  return std::make_unique_for_overwrite<T[]>(static_cast<size_t>(count));
}

inline int64_t roundUpToLanes(int64_t rows) {
  return (rows + kLanes - 1) / kLanes * kLanes;
}

/// panel[t*stride + r] = To(w[r*k + order[t]]), t < k, r < rows; 0 up to
/// `stride`. Without an order: the columns as they are.
template <typename From, typename To>
void gatherPanel(const From *w, int64_t k, int64_t rows, const int32_t *order,
                 To *panel, int64_t stride) {
  // Sixteen rows at a time, so that a panel's cache line is written whole.
  for (int64_t first = 0; first < stride; first += kLanes) {
    int64_t present = std::clamp<int64_t>(rows - first, 0, kLanes);
    for (int64_t t = 0; t < k; ++t) {
      const From *source = w + first * k + (order ? order[t] : t);
      To *target = panel + t * stride + first;
      for (int64_t r = 0; r < present; ++r)
        target[r] = static_cast<To>(source[r * k]);
      for (int64_t r = present; r < kLanes; ++r)
        target[r] = To(0);
    }
  }
}

/// target[r*k + order[t]] = T(panel[t*stride + r]), t < k, r < rows.
template <typename T, typename From>
void scatterPanel(const From *panel, int64_t stride, int64_t k, int64_t rows,
                  const int32_t *order, T *target) {
  for (int64_t first = 0; first < rows; first += kLanes) {
    int64_t present = std::min(rows - first, kLanes);
    for (int64_t t = 0; t < k; ++t) {
      const From *source = panel + t * stride + first;
      T *column = target + first * k + (order ? order[t] : t);
      for (int64_t r = 0; r < present; ++r)
        column[r * k] = static_cast<T>(source[r]);
    }
  }
}

} // namespace qk::numerics

#endif // QK_LIB_NUMERICS_PANEL_H
