//===- Profile.cpp - Time beside the operations it was for ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Profile.h"

#include "qk/Numerics/Work.h"
#include "qk/Runtime/Runtime.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <ctime>

using namespace qk;
using namespace qk::calibration;
using numerics::Work;

void qk::calibration::countForward() {
  int64_t calls;
  double seconds, work;
  qk_profile_read(QK_PROFILE_CONTRACTION, &calls, &seconds, &work);
  numerics::addWork(Work::Forward, work);
}

/// CPU seconds of all threads of this process.
static double processSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

static_assert(numerics::kWorkKinds == 7, "the array in Profile.h");

WorkProfile::WorkProfile() : seconds(processSeconds()) {
  for (int kind = 0; kind < numerics::kWorkKinds; ++kind)
    work[kind] = numerics::getWork(static_cast<Work>(kind));
}

void WorkProfile::print() const {
  double taken = processSeconds() - seconds, all = 0;
  auto since = [&](Work kind) {
    double operations = numerics::getWork(kind) - work[static_cast<int>(kind)];
    all += operations;
    return operations / 1e9;
  };
  double forward = since(Work::Forward), hessian = since(Work::Hessian),
         cross = since(Work::CrossMoment), factor = since(Work::Factor),
         solve = since(Work::Solve), retarget = since(Work::Retarget),
         refine = since(Work::Refine);
  if (all == 0)
    return;
  double rate = numerics::measureGemmRate();
  llvm::errs() << llvm::format(
      "own work in GFLOP: forward %.4g, Hessians %.4g, cross moments %.4g, "
      "factors %.4g, rounding %.4g, retarget %.4g, sweeps %.4g; sgemm %.1f "
      "GF/s "
      "a CPU second: %.1f s; taken %.1f CPU s (ratio %.2f)\n",
      forward, hessian, cross, factor, solve, retarget, refine, rate / 1e9,
      all / rate, taken, taken / (all / rate));
}
