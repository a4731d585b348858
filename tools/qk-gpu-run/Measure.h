//===- Measure.h - Cases and limits on the GPU -------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKGPURUN_MEASURE_H
#define QK_TOOLS_QKGPURUN_MEASURE_H

#include "Device.h"
#include "Reference.h"
#include "Worker.h"

#include <map>
#include <memory>

namespace qk::gpurun {

/// Everything that is measured on one card in one process.
class Measure {
public:
  Measure(Device &device, const Plan &plan, const RunOptions &options)
      : device(device), plan(plan), options(options) {}

  Json describeDevice();
  /// Bandwidth of a copy (bytes read and written) and of reading.
  Json copyLimit();
  Json readLimit();
  /// Checks and times one case.
  Json run(const Case &of);

private:
  /// A weight on the GPU, as often as it takes to be out of the cache.
  struct Weights {
    std::string key;
    Bytes packed;
    std::vector<DeviceArray> copies;
  };
  /// x and what y must be.
  struct Inputs {
    std::string key;
    Bytes x;
    DeviceArray onDevice, permutation, bias, xScales;
    std::unique_ptr<Reference> reference;
  };

  Weights &weightsOf(const Case &of, const Operands &operands, int64_t copies);
  Inputs &inputsOf(const Case &of, const Operands &operands);
  int64_t copiesFor(int64_t bytes) const;
  std::vector<double> timeReads(int64_t bytes);
  std::vector<double> perLaunch(const std::function<void(int)> &enqueue,
                                int64_t copies, int &launches);

  Device &device;
  const Plan &plan;
  const RunOptions &options;
  Weights weights;
  Inputs inputs;
  std::map<int64_t, double> readSeconds;
  CUfunction readKernel = nullptr;
};

} // namespace qk::gpurun

#endif // QK_TOOLS_QKGPURUN_MEASURE_H
