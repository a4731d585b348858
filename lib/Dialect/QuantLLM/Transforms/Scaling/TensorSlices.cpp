//===- TensorSlices.cpp - Parts and sizes of tensors ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorOps.h"

#include "../Raising/UnlinkedOps.h"
#include "../Raising/UnlinkedViews.h"

#include "mlir/Dialect/Shape/IR/Shape.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace qk::quant_llm;

static std::optional<SmallVector<int64_t>> getShapeOperand(Value value) {
  DenseIntElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)))
    return std::nullopt;
  return getIntegers(Attribute(elements));
}

/// One of the tensors that a list is unpacked to, where nothing else reads the
/// list.
static std::optional<TensorSlice> getListedSlice(Value value) {
  Value list = value.getDefiningOp()->getOperand(0);
  std::optional<UnlinkedSlice> part = getUnlinkedSlice(value);
  if (!part || !list.hasOneUse())
    return std::nullopt;
  TensorSlice slice;
  slice.source = part->source;
  slice.offsets = part->starts;
  slice.sizes = part->sizes;
  slice.dropped.resize(part->sizes.size());
  slice.isOneOfSeveral = true;
  return slice;
}

std::optional<TensorSlice> qk::quant_llm::getTensorSlice(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumOperands() == 0)
    return std::nullopt;
  if (getUnlinkedName(op) == "torch.prim.ListUnpack")
    return getListedSlice(value);
  if (op->getNumResults() != 1)
    return std::nullopt;
  TensorSlice slice;
  slice.source = &op->getOpOperand(0);
  RankedTensorType from = getTensorType(op->getOperand(0));
  if (!from)
    return std::nullopt;
  slice.dropped.resize(from.getRank());
  if (auto extract = dyn_cast<tensor::ExtractSliceOp>(op)) {
    if (!llvm::all_of(extract.getStaticStrides(),
                      [](int64_t stride) { return stride == 1; }))
      return std::nullopt;
    slice.offsets.assign(extract.getStaticOffsets());
    slice.sizes.assign(extract.getStaticSizes());
    slice.dropped = extract.getDroppedDims();
    return slice;
  }
  if (auto tosaSlice = dyn_cast<tosa::SliceOp>(op)) {
    auto start = getShapeOperand(tosaSlice.getStart());
    auto size = getShapeOperand(tosaSlice.getSize());
    if (!start || !size)
      return std::nullopt;
    slice.offsets = *start;
    slice.sizes = *size;
    return slice;
  }
  StringRef name = getUnlinkedName(op);
  if (name == "stablehlo.slice") {
    auto start = getIntegers(op->getAttr("start_indices"));
    auto limit = getIntegers(op->getAttr("limit_indices"));
    auto strides = getIntegers(op->getAttr("strides"));
    size_t rank = from.getRank();
    if (!start || !limit || !strides || start->size() != rank ||
        limit->size() != rank || strides->size() != rank ||
        !llvm::all_of(*strides, [](int64_t stride) { return stride == 1; }))
      return std::nullopt;
    slice.offsets = *start;
    for (auto [begin, end] : llvm::zip(*start, *limit))
      slice.sizes.push_back(end - begin);
    return slice;
  }
  bool selects = name == "torch.aten.select.int";
  if (name != "torch.aten.slice.Tensor" && !selects)
    return std::nullopt;
  auto integer = [&](unsigned index) -> std::optional<int64_t> {
    if (index >= op->getNumOperands())
      return std::nullopt;
    auto list = getIntegers(op->getOperand(index));
    return list && list->size() == 1 ? std::optional(list->front())
                                     : std::nullopt;
  };
  std::optional<int64_t> dim = integer(1), start = integer(2);
  if (!dim || !start || (!selects && integer(4) != 1))
    return std::nullopt;
  *dim += *dim < 0 ? from.getRank() : 0;
  if (*dim < 0 || *dim >= from.getRank() || from.isDynamicDim(*dim))
    return std::nullopt;
  slice.offsets.assign(from.getRank(), 0);
  slice.sizes.assign(from.getShape());
  *start += *start < 0 ? from.getDimSize(*dim) : 0;
  slice.offsets[*dim] = *start;
  RankedTensorType to = getTensorType(op->getResult(0));
  if (!to)
    return std::nullopt;
  slice.sizes[*dim] = selects ? 1 : to.getDimSize(*dim);
  if (selects)
    slice.dropped.set(*dim);
  return slice;
}

bool qk::quant_llm::readsSizesOnly(OpOperand &use) {
  Operation *op = use.getOwner();
  if (isa<tensor::DimOp, shape::ShapeOfOp>(op) ||
      getUnlinkedKind(op) == UnlinkedKind::Size ||
      getUnlinkedName(op) == "torch.aten._assert_tensor_metadata")
    return true;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return linalgOp && linalgOp.isDpsInit(&use) &&
         !linalgOp.payloadUsesValueFromOperand(&use);
}
