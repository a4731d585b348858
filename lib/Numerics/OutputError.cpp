//===- OutputError.cpp - What a changed weight does to the output ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/OutputError.h"

#include "Blas.h"
#include "Panel.h"
#include "qk/Numerics/Parallel.h"

#include <limits>
#include <vector>

namespace qk::numerics {

static constexpr int64_t kColumns = 256;

/// Σ a[i]·b[i] in f64, in a fixed order.
static double dot(const float *a, const float *b, int64_t count) {
  double parts[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int64_t j = 0; j < 8; ++j)
      parts[j] += static_cast<double>(a[i + j]) * b[i + j];
  for (; i < count; ++i)
    parts[0] += static_cast<double>(a[i]) * b[i];
  double sum = 0;
  for (double part : parts)
    sum += part;
  return sum;
}

double outputEnergy(const float *a, int64_t n, int64_t k,
                    const float *hessian) {
  // Many rows, for H is read once for each item; but enough items.
  const int64_t rowsOfItem = n > 1024 ? 256 : 64;
  int64_t items = (n + rowsOfItem - 1) / rowsOfItem;
  std::vector<double> sums(items);
  parallelFor(items, [&](int64_t item) {
    int64_t rows = std::min(rowsOfItem, n - item * rowsOfItem);
    const float *block = a + item * rowsOfItem * k;
    auto product = uninitialized<float>(rowsOfItem * kColumns);
    auto upper = uninitialized<float>(kColumns * kColumns);
    for (int64_t j = 0; j < k; j += kColumns) {
      int64_t width = std::min(kColumns, k - j);
      // H is symmetric: what lies above its diagonal counts twice.
      if (j)
        blas::sgemm(blas::NoTrans, blas::NoTrans, rows, width, j, 2.0f, block,
                    k, hessian + j, k, 0.0f, product.get(), kColumns);
      for (int64_t r = 0; r < width; ++r) {
        const float *source = hessian + (j + r) * k + j;
        float *target = upper.get() + r * kColumns;
        std::fill_n(target, r, 0.0f);
        target[r] = source[r];
        for (int64_t c = r + 1; c < width; ++c)
          target[c] = 2.0f * source[c];
      }
      blas::sgemm(blas::NoTrans, blas::NoTrans, rows, width, width, 1.0f,
                  block + j, k, upper.get(), kColumns, j ? 1.0f : 0.0f,
                  product.get(), kColumns);
      for (int64_t r = 0; r < rows; ++r)
        sums[item] +=
            dot(product.get() + r * kColumns, block + r * k + j, width);
    }
  });
  double total = 0;
  for (double sum : sums)
    total += sum;
  return total;
}

OutputError outputError(const float *w, const float *changed, int64_t n,
                        int64_t k, const float *hessian) {
  auto difference = uninitialized<float>(n * k);
  parallelFor(n, [&](int64_t row) {
    for (int64_t i = row * k; i < (row + 1) * k; ++i)
      difference[i] = changed[i] - w[i];
  });
  OutputError error;
  error.loss = outputEnergy(difference.get(), n, k, hessian);
  if (error.loss == 0)
    return error;
  double output = outputEnergy(w, n, k, hessian);
  error.relative = output > 0 ? error.loss / output
                              : std::numeric_limits<double>::infinity();
  return error;
}

} // namespace qk::numerics
