//===- Observe.cpp - Inputs of layers while the model runs ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Runtime.h"

#include <cstring>
#include <vector>

namespace {
qk_observer installed = nullptr;
void *installedContext = nullptr;

/// A memref descriptor: two pointers, offset, sizes, strides.
struct Descriptor {
  const char *allocated, *aligned;
  int64_t offset;
  int64_t extents[];
};

int64_t width(int32_t element) { return element == QK_F32 ? 4 : 2; }

/// Calls the observer for each stretch of rows with one stride.
void observe(const qk_unranked_memref *x, int64_t site, int32_t element) {
  if (!installed || x->rank == 0)
    return;
  const auto *descriptor = static_cast<const Descriptor *>(x->descriptor);
  const int64_t rank = x->rank, *size = descriptor->extents,
                *stride = size + rank, bytes = width(element);
  const char *data = descriptor->aligned + descriptor->offset * bytes;
  const int64_t k = size[rank - 1];
  int64_t outer = 1;
  for (int64_t dim = 0; dim < rank - 1; ++dim)
    outer *= size[dim];
  if (outer == 0)
    return;
  // Leading dimensions that run on into each other are one.
  int64_t tokens = 1, step = k, merged = rank - 1;
  if (rank > 1) {
    merged = rank - 2;
    tokens = size[merged];
    step = stride[merged];
    while (merged > 0 &&
           (size[merged - 1] == 1 || stride[merged - 1] == tokens * step)) {
      --merged;
      tokens *= size[merged];
    }
  }
  std::vector<int64_t> index(static_cast<size_t>(merged), 0);
  std::vector<char> packed;
  for (int64_t block = 0; block < outer / tokens; ++block) {
    const char *start = data;
    for (int64_t dim = 0; dim < merged; ++dim)
      start += index[static_cast<size_t>(dim)] * stride[dim] * bytes;
    int64_t rowStride = step;
    if (k > 1 && stride[rank - 1] != 1) {
      packed.resize(static_cast<size_t>(tokens * k * bytes));
      for (int64_t t = 0; t < tokens; ++t)
        for (int64_t c = 0; c < k; ++c)
          std::memcpy(packed.data() + (t * k + c) * bytes,
                      start + (t * step + c * stride[rank - 1]) * bytes,
                      static_cast<size_t>(bytes));
      start = packed.data();
      rowStride = k;
    }
    qk_observe(site, element, tokens, k, start, rowStride);
    for (int64_t dim = merged - 1; dim >= 0; --dim) {
      if (++index[static_cast<size_t>(dim)] < size[dim])
        break;
      index[static_cast<size_t>(dim)] = 0;
    }
  }
}
} // namespace

void qk_set_observer(qk_observer observer, void *context) {
  installed = observer;
  installedContext = context;
}

void qk_observe(int64_t site, int32_t element, int64_t tokens, int64_t k,
                const void *x, int64_t row_stride) {
  if (!installed)
    return;
  double begin = qk_profile_begin();
  installed(installedContext, site, element, tokens, k, x, row_stride);
  qk_profile_end(QK_PROFILE_OBSERVE, begin,
                 static_cast<double>(tokens) * static_cast<double>(k));
}

void _mlir_ciface_qk_observe_f32(qk_unranked_memref *x, int64_t site) {
  observe(x, site, QK_F32);
}
void _mlir_ciface_qk_observe_f16(qk_unranked_memref *x, int64_t site) {
  observe(x, site, QK_F16);
}
void _mlir_ciface_qk_observe_bf16(qk_unranked_memref *x, int64_t site) {
  observe(x, site, QK_BF16);
}
