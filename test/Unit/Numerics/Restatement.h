//===- Restatement.h - The algorithms in f64, as the papers write them ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What the library is compared with: textbook loops in double precision that
/// share no code with it. Slow and short on purpose.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TEST_UNIT_NUMERICS_RESTATEMENT_H
#define QK_TEST_UNIT_NUMERICS_RESTATEMENT_H

#include "qk/Numerics/Gptq.h"
#include "qk/Numerics/Quantizer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

namespace restatement {

/// A dense row-major matrix.
struct Matrix {
  int64_t rows = 0, cols = 0;
  std::vector<double> data;
  Matrix() = default;
  Matrix(int64_t rows, int64_t cols)
      : rows(rows), cols(cols), data(rows * cols) {}
  template <typename T>
  Matrix(const std::vector<T> &values, int64_t rows, int64_t cols)
      : rows(rows), cols(cols), data(values.begin(), values.end()) {}
  double &operator()(int64_t i, int64_t j) { return data[i * cols + j]; }
  double operator()(int64_t i, int64_t j) const { return data[i * cols + j]; }
};

/// Scale and zero point of a group.
struct Parameters {
  double scale = 1, zero = 0;
};

/// The nearest number with `bits` significant bits, half to even, and steps no
/// finer than 2^smallestExponent.
inline double roundToBits(double x, int bits, int smallestExponent) {
  if (x == 0)
    return 0;
  int exponent = std::ilogb(x) - bits + 1;
  double step = std::ldexp(1.0, std::max(exponent, smallestExponent));
  return std::nearbyint(x / step) * step;
}

inline double stored(double scale, qk::numerics::ScaleType type) {
  using qk::numerics::ScaleType;
  if (scale == 0)
    return 1;
  switch (type) {
  case ScaleType::F16:
    return std::max(std::min(roundToBits(scale, 11, -24), 65504.0), 0x1p-24);
  case ScaleType::BF16:
    return std::max(roundToBits(scale, 8, -133), 0x1p-126);
  case ScaleType::F32:
    return std::max(roundToBits(scale, 24, -149), 0x1p-126);
  }
  return 0;
}

/// The value of a byte of float8_e4m3fn: sign, four bits of exponent with bias
/// 7, three of mantissa, no infinity (arXiv 2209.05433, table 1).
inline double e4m3(uint8_t byte) {
  int exponent = byte >> 3 & 15, mantissa = byte & 7;
  double value = exponent ? std::ldexp(8 + mantissa, exponent - 10)
                          : std::ldexp(mantissa, -9);
  if (exponent == 15 && mantissa == 7)
    return NAN;
  return byte & 0x80 ? -value : value;
}

/// What a stored code stands for, before the zero point.
inline double codeValue(const qk::numerics::Scheme &scheme, uint8_t byte) {
  if (scheme.codeType == qk::numerics::CodeType::E4M3)
    return e4m3(byte);
  return scheme.codeType == qk::numerics::CodeType::S8
             ? static_cast<int8_t>(byte)
             : byte;
}

/// The quantiser of algorithms.md (IST-DASLab/gptq quant.py) with scales
/// rounded first.
struct Quantizer {
  qk::numerics::QuantizerOptions options;

  Parameters fromRange(double lo, double hi) const {
    const auto &scheme = options.scheme;
    double maxq = scheme.codeMax() - scheme.codeMin();
    Parameters p;
    p.scale = stored((hi - lo) / maxq, scheme.scaleType);
    p.zero = scheme.defaultZeroPoint();
    if (!options.symmetric && lo != hi)
      p.zero = std::min(std::nearbyint(-lo / p.scale), maxq) + scheme.codeMin();
    return p;
  }

  double code(double x, Parameters p) const {
    double c = options.scheme.codeType == qk::numerics::CodeType::E4M3
                   ? roundToBits(x / p.scale, 4, -9)
                   : std::nearbyint(x / p.scale) + p.zero;
    return std::min<double>(std::max<double>(c, options.scheme.codeMin()),
                            options.scheme.codeMax());
  }
  double value(double x, Parameters p) const {
    return p.scale * (code(x, p) - p.zero);
  }

  /// `weight(i)` is read by the weighted search alone.
  Parameters parameters(const std::vector<double> &x,
                        std::function<double(size_t)> weight = {}) const {
    double lo = 0, hi = 0;
    for (double value : x) {
      lo = std::min(lo, value);
      hi = std::max(hi, value);
    }
    if (options.symmetric) {
      hi = std::max(-lo, hi);
      lo = -hi;
    }
    Parameters best = fromRange(lo, hi);
    if (options.scaleSearch == qk::numerics::ScaleSearch::None)
      return best;
    double least = INFINITY;
    for (int i = 0; i < 80; ++i) {
      double shrink = 1 - i / 100.0;
      Parameters p = fromRange(lo * shrink, hi * shrink);
      double error = 0;
      for (size_t j = 0; j < x.size(); ++j) {
        double e = std::fabs(value(x[j], p) - x[j]);
        error += options.scaleSearch == qk::numerics::ScaleSearch::Mse
                     ? std::pow(e, 2.4)
                     : weight(j) * e * e;
      }
      if (error < least) {
        least = error;
        best = p;
      }
    }
    return best;
  }
};

/// tr(A·H·Aᵀ).
inline double trace(const Matrix &a, const Matrix &h) {
  double sum = 0;
  for (int64_t n = 0; n < a.rows; ++n)
    for (int64_t i = 0; i < a.cols; ++i) {
      double dot = 0;
      for (int64_t j = 0; j < a.cols; ++j)
        dot += h(i, j) * a(n, j);
      sum += a(n, i) * dot;
    }
  return sum;
}

inline Matrix minus(const Matrix &a, const Matrix &b) {
  Matrix c = a;
  for (size_t i = 0; i < c.data.size(); ++i)
    c.data[i] -= b.data[i];
  return c;
}

/// A = L·Lᵀ; false where A is not positive definite.
inline bool cholesky(Matrix &a) {
  for (int64_t j = 0; j < a.rows; ++j) {
    for (int64_t k = 0; k < j; ++k)
      for (int64_t i = j; i < a.rows; ++i)
        a(i, j) -= a(i, k) * a(j, k);
    if (!(a(j, j) > 0))
      return false;
    double pivot = std::sqrt(a(j, j));
    for (int64_t i = j; i < a.rows; ++i)
      a(i, j) /= pivot;
    for (int64_t i = 0; i < j; ++i)
      a(i, j) = 0;
  }
  return true;
}

/// L⁻¹ of a lower triangular L.
inline Matrix inverseOfLower(const Matrix &l) {
  Matrix x(l.rows, l.rows);
  for (int64_t j = 0; j < l.rows; ++j)
    for (int64_t i = j; i < l.rows; ++i) {
      double sum = i == j;
      for (int64_t k = j; k < i; ++k)
        sum -= l(i, k) * x(k, j);
      x(i, j) = sum / l(i, i);
    }
  return x;
}

/// The result of gptq() below.
struct GptqResult {
  /// By step; `order` says which column a step rounds.
  Matrix codes;
  /// [N,G]
  std::vector<Parameters> groups;
  std::vector<int32_t> order;
  /// Dequantised, in the original order.
  Matrix values;
  double lossDamped = 0;
};

/// The loop of the paper and of IST-DASLab/gptq gptq.py, column by column and
/// without blocks: Cholesky, inverse, Cholesky, then err ⊗ U[i,:] subtracted
/// from all later columns. Damping is relative to the mean diagonal of the
/// columns that are not dead, and the group parameters of a group that is not
/// static are taken when it is reached, all updates done. With `rescales` a row
/// is done again, its static groups' parameters taken from what its columns
/// were before they were rounded the last time, and kept if its loss is less.
inline GptqResult gptq(Matrix w, Matrix h, double damping,
                       qk::numerics::ColumnOrder order, bool staticGroups,
                       const Quantizer &quantizer, int64_t rescales = 0) {
  using qk::numerics::ColumnOrder;
  int64_t k = w.cols, length = quantizer.options.scheme.groupLength(k),
          groups = quantizer.options.scheme.groups(k);
  GptqResult result{w, std::vector<Parameters>(w.rows * groups), {}, w, 0};
  double mean = 0;
  int64_t live = 0;
  for (int64_t i = 0; i < k; ++i)
    if (h(i, i) != 0) {
      mean += h(i, i);
      ++live;
    }
  mean = live ? mean / live : 1;
  for (int64_t i = 0; i < k; ++i) {
    result.order.push_back(i);
    if (h(i, i) == 0)
      for (int64_t n = 0; n < w.rows; ++n)
        w(n, i) = 0;
  }
  // Group by group (GAR): a column's key is its group's largest diagonal.
  auto key = [&](int j) {
    double largest = 0;
    for (int64_t i = j / length * length;
         i < std::min(k, (j / length + 1) * length); ++i)
      largest = std::max(largest, h(i, i));
    return largest;
  };
  if (order != ColumnOrder::None)
    std::sort(result.order.begin(), result.order.end(), [&](int a, int b) {
      if (order == ColumnOrder::GroupAware && a / length != b / length)
        return key(a) != key(b) ? key(a) > key(b) : a < b;
      return h(a, a) != h(b, b) ? h(a, a) > h(b, b) : a < b;
    });
  bool permuted = order == ColumnOrder::Activation && !staticGroups;
  Matrix a(k, k);
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < k; ++j)
      a(i, j) = h(result.order[i], result.order[j]);
  for (int64_t i = 0; i < k; ++i)
    a(i, i) = (a(i, i) == 0 ? mean : a(i, i)) + damping * mean;
  // H⁻¹ = L⁻ᵀ·L⁻¹, then its lower Cholesky factor Uᵀ.
  cholesky(a);
  Matrix inverse = inverseOfLower(a), u(k, k);
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < k; ++j)
      for (int64_t m = std::max(i, j); m < k; ++m)
        u(i, j) += inverse(m, i) * inverse(m, j);
  cholesky(u);

  auto solveRow = [&](int64_t n, std::vector<double> &source,
                      GptqResult &result) {
    double loss = 0;
    std::vector<double> row(k);
    for (int64_t t = 0; t < k; ++t)
      row[t] = w(n, result.order[t]);
    auto choose = [&](int64_t g, auto valueAt, auto pivotAt) {
      std::vector<double> x;
      for (int64_t i = g * length; i < std::min(k, (g + 1) * length); ++i)
        x.push_back(valueAt(i));
      result.groups[n * groups + g] = quantizer.parameters(x, [&](size_t i) {
        double pivot = pivotAt(g * length + i);
        return 1 / (pivot * pivot);
      });
    };
    if (staticGroups) {
      std::vector<int64_t> step(k);
      for (int64_t t = 0; t < k; ++t)
        step[result.order[t]] = t;
      for (int64_t g = 0; g < groups; ++g)
        choose(
            g, [&](int64_t i) { return source[i]; },
            [&](int64_t i) { return u(step[i], step[i]); });
    }
    for (int64_t t = 0; t < k; ++t) {
      int64_t g = (permuted ? t : result.order[t]) / length;
      // The first column of a group: all of them follow.
      bool first =
          t == 0 || g != (permuted ? t - 1 : result.order[t - 1]) / length;
      if (!staticGroups && first)
        choose(
            g, [&](int64_t i) { return row[i - g * length + t]; },
            [&](int64_t i) {
              return u(i - g * length + t, i - g * length + t);
            });
      Parameters p = result.groups[n * groups + g];
      result.codes(n, t) = quantizer.code(row[t], p);
      double q = quantizer.value(row[t], p), err = (row[t] - q) / u(t, t);
      result.values(n, result.order[t]) = q;
      source[result.order[t]] = row[t];
      loss += err * err;
      for (int64_t j = t; j < k; ++j)
        row[j] -= err * u(j, t); // the lower factor is Uᵀ
    }
    return loss;
  };
  for (int64_t n = 0; n < w.rows; ++n) {
    std::vector<double> source(k);
    for (int64_t i = 0; i < k; ++i)
      source[i] = w(n, i);
    double least = solveRow(n, source, result);
    for (int64_t pass = 0; pass < rescales; ++pass) {
      GptqResult again = result;
      double loss = solveRow(n, source, again);
      if (loss < least) {
        least = loss;
        result = again;
      }
    }
    result.lossDamped += least;
  }
  return result;
}

/// Coordinate descent on tr((w-q)·(h + lambda·I)·(w-q)ᵀ), one code at a time,
/// the whole gradient computed anew for each. `values` are the dequantised
/// codes, [N,K]; the parameters of a column's group come from `groupOf`.
template <typename GroupOf>
void descend(const Matrix &w, const Matrix &h, double lambda, int64_t sweeps,
             const Quantizer &quantizer, GroupOf groupOf, Matrix &values) {
  for (int64_t n = 0; n < w.rows; ++n)
    for (int64_t sweep = 0; sweep < sweeps; ++sweep)
      for (int64_t j = 0; j < w.cols; ++j) {
        if (h(j, j) == 0)
          continue;
        double gradient = lambda * (w(n, j) - values(n, j));
        for (int64_t i = 0; i < w.cols; ++i)
          gradient += (w(n, i) - values(n, i)) * h(i, j);
        values(n, j) = quantizer.value(
            values(n, j) + gradient / (h(j, j) + lambda), groupOf(n, j));
      }
}

} // namespace restatement

#endif // QK_TEST_UNIT_NUMERICS_RESTATEMENT_H
