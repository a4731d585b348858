//===- CheckpointWriter.h - Folders that others' loaders take ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Writes a quantised model as a folder in the format of GPTQ, AWQ or
/// compressed-tensors: the source checkpoint with the weights of some layers
/// replaced by packed ones, in as many shards, its config.json with
/// "quantization_config", and what lies beside it (tokenizer, generation
/// config, …).
///
//===----------------------------------------------------------------------===//

#ifndef QK_FORMATS_CHECKPOINTWRITER_H
#define QK_FORMATS_CHECKPOINTWRITER_H

#include "qk/Formats/PackLayer.h"

#include <functional>
#include <string>
#include <vector>

namespace qk::formats {

/// A layer to write.
struct LayerToWrite {
  LayerShape shape;
  /// Called once, when the layer's turn has come.
  std::function<llvm::Expected<numerics::QuantizedWeight>()> read;
  /// Of ActivationScale::StaticTensor.
  float inputScale = 0;
};

/// A tensor that the model holds in float, by the checkpoint's name.
struct TensorToWrite {
  std::string name;
  storage::DataType type;
  std::vector<int64_t> shape;
  llvm::ArrayRef<uint8_t> bytes;
  /// The model made it from the checkpoint's; one that the checkpoint lacks is
  /// an error. Of others those that it lacks are not its own.
  bool made = false;
};

struct CheckpointToWrite {
  TargetFormat target;
  /// As Checkpoint::open takes it; read by the writer's own mapping.
  std::string source;
  /// A folder that does not exist yet, or is empty.
  std::string output;
  std::vector<LayerToWrite> layers;
  std::vector<TensorToWrite> tensors;
};

/// Writes `output` all at once: it appears when all is written, or not at all.
/// One layer at a time is in memory.
///
/// Layers are called as in the source, which must have LAYER.weight [N,K], in
/// float or (then in any format that QuantizedCheckpoint reads) quantised. A
/// tensor of `tensors` that differs from the source's is written as it is here:
/// scales were folded into it. One that is the source's rounded or widened to
/// another float type is the same. The rest of the source is copied bit for
/// bit. The bytes depend on the input alone.
///
/// Errors name layer or tensor, and both numbers: what the format can't hold
/// (checkLayer, packLayer), names and shapes that the source doesn't have, a
/// layer of the source that is quantised and not among `layers`, two layers of
/// one name, a weight that is needed in float too, an output that is there.
llvm::Error writeCheckpoint(const CheckpointToWrite &checkpoint);

} // namespace qk::formats

#endif // QK_FORMATS_CHECKPOINTWRITER_H
