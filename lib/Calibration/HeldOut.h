//===- HeldOut.h - Samples that are left for the report ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_HELDOUT_H
#define QK_LIB_CALIBRATION_HELDOUT_H

#include "qk/Numerics/Statistics.h"
#include "qk/Storage/MappedFile.h"

#include "llvm/Support/Error.h"

#include <cmath>
#include <vector>

namespace qk::calibration {

/// The number of the first sample that is held out, where `share` of them are:
/// the last ones, rounded up. Errors: none is left.
inline llvm::Expected<size_t> findHeldOut(size_t samples, double share) {
  auto count =
      static_cast<size_t>(std::ceil(share * static_cast<double>(samples)));
  if (count > 0 && count >= samples)
    return storage::makeError("expected held-out to leave a sample to "
                              "calibrate on, got " +
                              llvm::Twine(count) + " of " +
                              llvm::Twine(samples) + " held out");
  return samples - count;
}

/// Only what errors are measured on.
inline numerics::StatisticsOptions heldOutOptions() {
  numerics::StatisticsOptions options;
  options.absmax = options.absmean = false;
  return options;
}

/// The Hessian; empty where no token was held out.
inline std::vector<float>
takeHeldOut(numerics::StatisticsAccumulator &accumulator) {
  if (accumulator.tokens() == 0)
    return {};
  return accumulator.finish().hessian;
}

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_HELDOUT_H
