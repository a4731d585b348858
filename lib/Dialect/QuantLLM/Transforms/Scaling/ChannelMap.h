//===- ChannelMap.h - Where a layer's channels are in a tensor --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The channels k = 0 … K-1 of a layer's input, followed backwards through
/// reshapes, transposes and broadcasts: k is a number of mixed radix whose
/// digits lie on the dimensions of a tensor. The input itself has one digit of
/// size K on its last dimension. Before heads are joined there are two (head,
/// element of a head), and where value heads are repeated for several query
/// heads a digit is on no dimension at all: such channels share one element.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_CHANNELMAP_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_CHANNELMAP_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace qk::quant_llm {

/// Indices 0 … size-1 of a part of a dimension, each counting for `stride`
/// channels; stride 0: nothing to do with channels. Where a slice of the
/// dimension is read, index `first` is the digit's 0, and there are `count`
/// (0: all of the dimension); elements of other indices are no channels.
struct ChannelDigit {
  int64_t size;
  int64_t stride;
  int64_t first = 0;
  int64_t count = 0;

  bool isPartial() const { return count != 0; }
  /// Nothing to do with channels, and read as a whole.
  bool isFree() const { return stride == 0 && !isPartial(); }

  friend bool operator==(const ChannelDigit &, const ChannelDigit &) = default;
};

/// The digits of one dimension, most significant first; empty for a dimension
/// that has nothing to do with channels.
using DimDigits = llvm::SmallVector<ChannelDigit, 2>;

/// The digits of a dimension of size `from`, of which a slice with the digits
/// `slice`, of `size` elements from `offset` on, was read. nullopt where the
/// slice's ends cut a digit.
std::optional<DimDigits> digitsOfSliced(const DimDigits &slice, int64_t size,
                                        int64_t offset, int64_t from);

/// The digits of each dimension of a tensor (or loop of an op).
using ChannelMap = llvm::SmallVector<DimDigits, 4>;

/// Channel k at index k of the last of `rank` dimensions.
ChannelMap channelsOfLastDim(int64_t rank, int64_t channels);

/// Whether only the last dimension has digits.
bool isOnLastDim(const ChannelMap &map);

/// The map of a tensor of shape `to` with the same elements in row-major order
/// as one of shape `from` with map `map`. Dynamic sizes may be on dimensions
/// without channels. nullopt where the digits do not fall apart that way.
std::optional<ChannelMap> reshapeChannels(const ChannelMap &map,
                                          llvm::ArrayRef<int64_t> from,
                                          llvm::ArrayRef<int64_t> to);

/// Digits per loop of an op whose result is indexed by `map`.
std::optional<ChannelMap> channelsOfLoops(const ChannelMap &result,
                                          mlir::AffineMap map);

/// The map of an operand indexed by `map`. Digits of loops that it does not
/// have are added to `shared`.
std::optional<ChannelMap>
channelsOfOperand(const ChannelMap &loops, mlir::AffineMap map,
                  llvm::SmallVectorImpl<ChannelDigit> &shared);

/// An operand that has the elements of its op's result, and its map.
struct LayoutSource {
  mlir::OpOperand *operand;
  ChannelMap map;
};

/// For a tensor op that only casts, reshapes or transposes (`tensor.cast`,
/// `expand_shape`, `collapse_shape`, `reshape`, and such ops of TOSA and of
/// dialects that are not linked): its source.
std::optional<LayoutSource> getReshapeSource(mlir::Value value,
                                             const ChannelMap &map);

/// The constant (Constants.h) or recipe of constants that `use` reads, seen
/// through its layout, with the map there; nullopt for what is none.
struct ConstantChannels {
  mlir::Value root;
  ChannelMap map;
  /// From `use` down to the constant's.
  llvm::SmallVector<mlir::OpOperand *> path;
};
std::optional<ConstantChannels> getConstantChannels(mlir::OpOperand &use,
                                                    const ChannelMap &map);

/// The tensor and the loops that an element comes from: an input of `op`'s
/// body, or `tensor.extract` with loop indices.
struct ElementAccess {
  mlir::OpOperand *tensor;
  ChannelMap map;
  llvm::SmallVector<ChannelDigit> shared;
};
std::optional<ElementAccess> getAccess(mlir::linalg::LinalgOp op,
                                       mlir::Value scalar,
                                       const ChannelMap &loops);

/// As getReshapeSource, and also through linalg ops that transpose, copy,
/// broadcast along dimensions without channels, or convert between float types.
std::optional<LayoutSource> getLayoutSource(mlir::Value value,
                                            const ChannelMap &map);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_CHANNELMAP_H
