//===- PackLayer.h - Quantised layers as others store them ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The tensors that GPTQ, AWQ and compressed-tensors store for a layer, and
/// what each of them can hold: the inverse of QuantizedCheckpoint. "Dense along
/// a dimension" means that value i of b bits is in bits [b*i, b*i+b) of the
/// little-endian 32-bit words along it.
///
///   gptq       qweight I32 [K*b/32, N] dense along K, qzeros I32 [G, N*b/32]
///              dense along N (v1: less one), scales F16 [G, N], g_idx I32 [K]
///   awq        qweight I32 [K, N/8], qzeros I32 [G, N/8], nibble i of a word
///   is
///              channel {0,2,4,6,1,3,5,7}[i] of its eight; scales F16 [G, N]
///   pack-quantized  weight_packed I32 [N, ceil(K*b/32)] dense along K,
///              weight_scale [N, G], weight_zero_point I32 [ceil(N*b/32), G]
///              dense along N, weight_shape I64 [2], weight_g_idx I32 [K]
///   int-quantized   weight I8 [N, K], weight_scale [N, G], weight_zero_point
///              I8 [N, G], input_scale F32 [1] where activations have one scale
///              that is known
///   float-quantized  weight F8_E4M3 [N, K], weight_scale [N, G], input_scale
///
/// The readers of 2026 (gptqmodel 7, autoawq 0.2, compressed-tensors 0.20) read
/// them so; `utils/check-clients` has them do it.
///
//===----------------------------------------------------------------------===//

#ifndef QK_FORMATS_PACKLAYER_H
#define QK_FORMATS_PACKLAYER_H

#include "qk/Formats/QuantizedCheckpoint.h"

#include <string>
#include <vector>

namespace qk::formats {

/// What a checkpoint is written as.
struct TargetFormat {
  Format format = Format::Gptq;
  /// GPTQ: v2.
  bool storesTrueZeros = false;
};

/// What of a layer's input shares a scale; always 8 bits and symmetric.
enum class ActivationScale { None, Token, TokenGroup, Tensor, StaticTensor };

/// A quantised layer but for its values.
struct LayerShape {
  std::string name;
  int64_t n = 0, k = 0;
  numerics::Scheme scheme;
  bool zeroPoints = false, permutation = false;
  ActivationScale activations = ActivationScale::None;
  /// The 8 bits are e4m3, not integers.
  bool floatActivations = false;
  /// TokenGroup: elements that share a scale.
  int64_t activationGroup = -1;

  /// The group size as configs have it: -1 where the row is one group.
  int64_t groupSize() const {
    return scheme.groups(k) == 1 ? -1 : scheme.groupSize;
  }
};

/// A tensor of a layer; its name is that of the layer and `suffix`.
struct PackedTensor {
  llvm::StringRef suffix;
  storage::DataType type;
  std::vector<int64_t> shape;
};

/// The name that users say: gptq, gptq_v2, awq, pack-quantized, int-quantized,
/// float-quantized.
llvm::StringRef spelling(TargetFormat target);

/// Whether `target` can hold the layer, but for values. Errors name the layer,
/// what the format needs and what the layer has, and what to do.
llvm::Error checkLayer(TargetFormat target, const LayerShape &layer);

/// The tensors of a layer that checkLayer let pass. `writeZeroPoints`: also
/// where the layer has none, for formats that can leave them out.
std::vector<PackedTensor> packedTensors(TargetFormat target,
                                        const LayerShape &layer,
                                        bool writeZeroPoints);

/// Their bytes, in the same order; `inputScale` is that of StaticTensor.
/// Errors name the layer: zero points that the format can't hold (of pack-
/// quantized and GPTQ outside the codes' range; of GPTQ v1 also 0, which
/// readers that add one to whole words take for a carry).
llvm::Expected<std::vector<std::vector<uint8_t>>>
packLayer(TargetFormat target, const LayerShape &layer, bool writeZeroPoints,
          const numerics::QuantizedWeight &weight, float inputScale);

/// What a config says of the layers: the object "quantization_config", sorted
/// by key. `inFloat`: matrices that stay in float, by layer name.
std::string writeQuantizationConfig(TargetFormat target,
                                    llvm::ArrayRef<LayerShape> layers,
                                    llvm::ArrayRef<std::string> inFloat,
                                    llvm::StringRef indent);

} // namespace qk::formats

#endif // QK_FORMATS_PACKLAYER_H
