//===- Stopwatch.h - Wall seconds -------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_STOPWATCH_H
#define QK_LIB_CALIBRATION_STOPWATCH_H

#include <chrono>

namespace qk::calibration {

/// Wall seconds since it was made.
class Stopwatch {
public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         start)
        .count();
  }

private:
  std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
};

/// Adds the time until it goes out of scope to `sum`.
class Timed {
public:
  explicit Timed(double &sum) : sum(sum) {}
  ~Timed() { sum += watch.seconds(); }
  Timed(const Timed &) = delete;
  Timed &operator=(const Timed &) = delete;

private:
  double &sum;
  Stopwatch watch;
};

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_STOPWATCH_H
