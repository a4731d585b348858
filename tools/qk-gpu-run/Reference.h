//===- Reference.h - What a kernel must give, in f64 -------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKGPURUN_REFERENCE_H
#define QK_TOOLS_QKGPURUN_REFERENCE_H

#include "Operands.h"

namespace qk::gpurun {

/// What was compared, and the first difference (empty: none).
struct Comparison {
  int64_t elements = 0;
  /// ‖y - reference‖ / ‖reference‖ over these.
  double relativeError = 0;
  /// Largest |y - reference| over what is allowed.
  double worst = 0;
  std::string difference;
};

/// Expected values of a case: of small ones all, of large ones some whole
/// tokens and some whole channels, the first and the last among them.
class Reference {
public:
  Reference(const Case &of, const Operands &operands, const Bytes &x);

  /// `y` [M,N] as the kernel left it. It was filled with 0xff, which is NaN,
  /// before: every element is looked at for that.
  Comparison compare(const Bytes &y) const;

private:
  struct Value {
    int64_t m, n;
    double expected, allowed;
  };
  const Case &of;
  std::vector<Value> values;
};

} // namespace qk::gpurun

#endif // QK_TOOLS_QKGPURUN_REFERENCE_H
