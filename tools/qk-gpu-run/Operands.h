//===- Operands.h - Random operands, made again where needed -----*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The operands of a case are a function of its seed and of their position, so
/// that a reference needs no copy of them and all cores can make them.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKGPURUN_OPERANDS_H
#define QK_TOOLS_QKGPURUN_OPERANDS_H

#include "Plan.h"

namespace qk::gpurun {

using Bytes = std::vector<uint8_t>;

// Floats as bits; half to even, beyond the range infinite.
uint16_t toHalf(float value);
float fromHalf(uint16_t bits);
uint16_t toBFloat(float value);
float fromBFloat(uint16_t bits);

/// Element `i` of values of `type`, as a float.
float elementAt(const uint8_t *data, nvvm::ElementType type, int64_t i);
/// Half a unit in the last place of `type`, relative.
double halfUlp(nvvm::ElementType type);
/// Half a step of its numbers next to 0.
double halfStep(nvvm::ElementType type);

class Operands {
public:
  explicit Operands(const Case &of);

  // What the kernel reads.
  /// The weight in its kernel's layout. Empty, or what the packer says.
  std::string packWeight(Bytes &packed) const;
  /// [M,K] of the problem's type, or i8.
  Bytes x() const;
  /// [K] i32, [N], [M] f32; empty where the problem has none.
  Bytes permutation() const;
  Bytes bias() const;
  Bytes xScales() const;

  // What that means.
  /// The channel's weights times scale, [K].
  void weightRow(int64_t n, double *values) const;
  /// Token m as the row of codes meets it, [K].
  void xRow(const Bytes &x, int64_t m, double *values) const;
  double biasAt(int64_t n) const;
  double xScaleAt(int64_t m) const;

private:
  uint8_t code(int64_t n, int64_t k) const;
  float scale(int64_t n, int64_t group) const;
  int16_t zero(int64_t n, int64_t group) const;
  /// Rows n0 … n0+rows-1.
  numerics::QuantizedWeight slice(int64_t n0, int64_t rows) const;

  const Case &of;
  const nvvm::MatmulProblem &problem;
  std::vector<int32_t> order;
};

} // namespace qk::gpurun

#endif // QK_TOOLS_QKGPURUN_OPERANDS_H
