//===- Profile.h - Time beside the operations it was for --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_PROFILE_H
#define QK_LIB_CALIBRATION_PROFILE_H

namespace qk::calibration {

/// Counts the contractions since qk_profile_start() as work
/// (qk/Numerics/Work.h).
void countForward();

/// What a quantisation took beside what it can't do without.
class WorkProfile {
public:
  WorkProfile();
  /// On standard error: operations since this object was made, by kind, the
  /// rate of sgemm in this process now, CPU seconds, and how many times longer
  /// that is than the operations alone at that rate. Nothing where none was
  /// counted.
  void print() const;

private:
  double seconds;
  double work[7] = {};
};

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_PROFILE_H
