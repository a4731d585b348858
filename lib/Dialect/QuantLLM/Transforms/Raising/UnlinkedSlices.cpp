//===- UnlinkedSlices.cpp - Parts of tensors in unlinked dialects ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Slices whose place is written in the module: weights of a stack over which a
/// loop was unrolled, and those of attention's projections that one tensor
/// holds (torch's MultiheadAttention across two sequences, Gemma's gates).
///
//===----------------------------------------------------------------------===//

#include "UnlinkedOps.h"
#include "UnlinkedViews.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace qk::quant_llm;

/// All of a tensor of `type`.
static UnlinkedSlice wholeOf(RankedTensorType type) {
  UnlinkedSlice slice;
  slice.starts.assign(type.getRank(), 0);
  llvm::append_range(slice.sizes, type.getShape());
  return slice;
}

static std::optional<int64_t> getOne(Value value) {
  std::optional<SmallVector<int64_t>> list = getIntegers(value);
  if (!list || list->size() != 1)
    return std::nullopt;
  return list->front();
}

static std::optional<UnlinkedSlice> getStableHLOSlice(Operation *op) {
  auto starts = getIntegers(op->getAttr("start_indices"));
  auto limits = getIntegers(op->getAttr("limit_indices"));
  auto strides = getIntegers(op->getAttr("strides"));
  if (!starts || !limits || !strides || starts->size() != limits->size() ||
      llvm::any_of(*strides, [](int64_t stride) { return stride != 1; }))
    return std::nullopt;
  UnlinkedSlice slice;
  slice.starts = *starts;
  for (auto [start, limit] : llvm::zip_equal(*starts, *limits))
    slice.sizes.push_back(limit - start);
  return slice;
}

/// A dimension of `type` as torch counts them, from the end where negative.
static std::optional<int64_t> getDim(Value value, RankedTensorType type) {
  std::optional<int64_t> dim = getOne(value);
  if (!dim)
    return std::nullopt;
  if (*dim < 0)
    *dim += type.getRank();
  if (*dim < 0 || *dim >= type.getRank() || type.isDynamicDim(*dim))
    return std::nullopt;
  return dim;
}

/// `aten.slice.Tensor(x, dim, start, end, step)`; ends are clamped.
static std::optional<UnlinkedSlice> getTorchSlice(Operation *op,
                                                  RankedTensorType type) {
  auto isNone = [](Value value) {
    Operation *none = value.getDefiningOp();
    return none && getUnlinkedName(none) == "torch.constant.none";
  };
  std::optional<int64_t> dim = getDim(op->getOperand(1), type);
  if (!dim || getOne(op->getOperand(4)) != 1)
    return std::nullopt;
  int64_t size = type.getDimSize(*dim);
  auto bound = [&](Value value, int64_t absent) -> std::optional<int64_t> {
    if (isNone(value))
      return absent;
    std::optional<int64_t> at = getOne(value);
    if (!at)
      return std::nullopt;
    if (*at < 0)
      *at += size;
    return std::clamp<int64_t>(*at, 0, size);
  };
  std::optional<int64_t> start = bound(op->getOperand(2), 0),
                         end = bound(op->getOperand(3), size);
  if (!start || !end)
    return std::nullopt;
  UnlinkedSlice slice = wholeOf(type);
  slice.starts[*dim] = *start;
  slice.sizes[*dim] = *end - *start;
  return slice;
}

/// `aten.select.int(x, dim, index)`.
static std::optional<UnlinkedSlice> getTorchSelect(Operation *op,
                                                   RankedTensorType type) {
  std::optional<int64_t> dim = getDim(op->getOperand(1), type),
                         index = getOne(op->getOperand(2));
  if (!dim || !index)
    return std::nullopt;
  UnlinkedSlice slice = wholeOf(type);
  slice.starts[*dim] = *index < 0 ? *index + type.getDimSize(*dim) : *index;
  slice.sizes[*dim] = 1;
  slice.dropped = *dim;
  return slice;
}

/// Sizes along dimension `dim` of the parts that `op`, one of torch's splits of
/// a tensor of `size` elements there, makes.
static std::optional<SmallVector<int64_t>> getTorchParts(Operation *op,
                                                         int64_t size) {
  StringRef name = getUnlinkedName(op);
  std::optional<SmallVector<int64_t>> given = getIntegers(op->getOperand(1));
  if (!given)
    return std::nullopt;
  bool isList =
      llvm::StringSwitch<bool>(name)
          .Cases({"torch.aten.split_with_sizes",
                  "torch.aten.split_with_sizes_copy", "torch.aten.split.sizes"},
                 true)
          .Default(false);
  if (isList)
    return given;
  bool isChunk = name == "torch.aten.chunk";
  if ((!isChunk && name != "torch.aten.split.Tensor" &&
       name != "torch.aten.unsafe_split.Tensor") ||
      given->size() != 1 || given->front() < 1)
    return std::nullopt;
  int64_t each = given->front();
  if (isChunk)
    each = size / each + (size % each != 0);
  SmallVector<int64_t> parts;
  for (int64_t left = size; left > 0; left -= each)
    parts.push_back(std::min(left, each));
  return parts;
}

/// One of the tensors that a list is unpacked to, the list the parts of one:
/// `split(x, sizes, dim)`.
static std::optional<UnlinkedSlice> getTorchPart(OpResult value) {
  Operation *split = value.getOwner()->getOperand(0).getDefiningOp();
  if (!split || split->isRegistered() || split->getNumOperands() != 3)
    return std::nullopt;
  RankedTensorType type = getTensorType(split->getOperand(0));
  std::optional<int64_t> dim =
      type ? getDim(split->getOperand(2), type) : std::nullopt;
  if (!dim)
    return std::nullopt;
  auto parts = getTorchParts(split, type.getDimSize(*dim));
  unsigned index = value.getResultNumber();
  if (!parts || parts->size() != value.getOwner()->getNumResults() ||
      llvm::any_of(*parts, [&](int64_t part) {
        return part < 0 || part > type.getDimSize(*dim);
      }))
    return std::nullopt;
  UnlinkedSlice slice = wholeOf(type);
  slice.source = &split->getOpOperand(0);
  for (int64_t before : ArrayRef(*parts).take_front(index))
    slice.starts[*dim] += before;
  slice.sizes[*dim] = (*parts)[index];
  return slice;
}

std::optional<UnlinkedSlice> qk::quant_llm::getUnlinkedSlice(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->isRegistered() || op->getNumOperands() == 0)
    return std::nullopt;
  StringRef name = getUnlinkedName(op);
  if (name == "torch.prim.ListUnpack" && op->getNumOperands() == 1)
    return getTorchPart(cast<OpResult>(value));
  RankedTensorType type = getTensorType(op->getOperand(0));
  if (!type || op->getNumResults() != 1)
    return std::nullopt;
  unsigned operands = op->getNumOperands();
  std::optional<UnlinkedSlice> slice;
  if (name == "stablehlo.slice")
    slice = getStableHLOSlice(op);
  else if (name == "torch.aten.slice.Tensor" && operands == 5)
    slice = getTorchSlice(op, type);
  else if (name == "torch.aten.select.int" && operands == 3)
    slice = getTorchSelect(op, type);
  if (slice)
    slice->source = &op->getOpOperand(0);
  return slice;
}
