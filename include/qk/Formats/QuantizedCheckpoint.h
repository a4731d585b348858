//===- QuantizedCheckpoint.h - Weights that others quantised ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Reads layers of checkpoints in the formats of GPTQ (v1, v2), AWQ (gemm,
/// gemv), compressed-tensors (pack-quantized, int-quantized, float-quantized)
/// and fp8 (one scale a tensor or block). What they are is in `config.json`
/// ("quantization_config"), `quantize_config.json` or `quant_config.json`
/// beside the weights. All files are taken as hostile.
///
//===----------------------------------------------------------------------===//

#ifndef QK_FORMATS_QUANTIZEDCHECKPOINT_H
#define QK_FORMATS_QUANTIZEDCHECKPOINT_H

#include "qk/Numerics/Scheme.h"
#include "qk/Storage/Checkpoint.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qk::formats {

enum class Format {
  Gptq,
  AwqGemm,
  AwqGemv,
  /// compressed-tensors, sub-byte codes in words.
  PackQuantized,
  /// compressed-tensors, int8.
  IntQuantized,
  /// compressed-tensors and fp8, floats of one byte (e4m3).
  FloatQuantized
};

/// How some layers are quantised.
struct LayerConfig {
  int bits = 4;
  /// -1: the whole row.
  int64_t groupSize = -1;
  /// Rows that share the scales of their groups; -1: all.
  int64_t scaleRows = 1;
  bool symmetric = true;
  /// Which layers: a name, "re:" and an llvm::Regex, or "Linear" for all.
  /// Empty: all.
  std::vector<std::string> targets;
  /// These are in float.
  bool skipped = false;
  /// The model's own kernels quantise activations too.
  bool activations = false;
  /// To e4m3, with a scale for each token found as it runs.
  bool floatActivationsPerToken = false;
};

struct QuantizationConfig {
  Format format = Format::Gptq;
  /// GPTQ: zero points are stored as they are; v1 stores them less one.
  bool storesTrueZeros = false;
  /// In order; the first whose target matches counts.
  std::vector<LayerConfig> layers;

  const LayerConfig *find(llvm::StringRef layer) const;

  /// Reads what lies beside `mainFile` (Checkpoint::mainFile); nothing where no
  /// config says that weights are quantised. Errors start with the file: JSON
  /// that is none, methods, formats, bits and groups that can't be read, each
  /// with expected and got.
  static llvm::Expected<std::optional<QuantizationConfig>>
  read(llvm::StringRef mainFile);
  /// The same of text; `name` stands for the file. `embedded`: as in
  /// config.json, within "quantization_config".
  static llvm::Expected<std::optional<QuantizationConfig>>
  parse(llvm::StringRef text, llvm::StringRef name, bool embedded);
};

class QuantizedCheckpoint {
public:
  /// A checkpoint whose config is known.
  QuantizedCheckpoint(std::shared_ptr<const storage::Checkpoint> checkpoint,
                      QuantizationConfig config)
      : source(std::move(checkpoint)), settings(std::move(config)) {}

  /// Nothing where the checkpoint isn't quantised. Errors: those of
  /// QuantizationConfig::read, packed tensors without a config.
  static llvm::Expected<std::optional<QuantizedCheckpoint>>
  open(std::shared_ptr<const storage::Checkpoint> checkpoint);

  /// Whether tensor LAYER.weight is stored quantised.
  bool contains(llvm::StringRef layer) const;
  /// All such layers, in the order of the file.
  std::vector<std::string> layers() const;
  const QuantizationConfig &config() const { return settings; }
  const storage::Checkpoint &checkpoint() const { return *source; }

  /// The layer of `n` channels and `k` inputs. Codes and scales are as stored,
  /// zero points the true ones (none where all are the scheme's default), a
  /// group index that is not k / group becomes a permutation. Errors name file,
  /// tensor, expected and got: tensors that are missing, of other types or
  /// shapes than bits, group and the model's layer say, group indices that make
  /// groups of other sizes, scales that are not finite.
  llvm::Expected<numerics::QuantizedWeight> read(llvm::StringRef layer,
                                                 int64_t n, int64_t k) const;

  /// For layers read so far: the label said one version of GPTQ, the zero
  /// points the other.
  bool labelLied() const { return lied; }

private:
  std::shared_ptr<const storage::Checkpoint> source;
  QuantizationConfig settings;
  mutable bool lied = false;
};

} // namespace qk::formats

#endif // QK_FORMATS_QUANTIZEDCHECKPOINT_H
