//===- StridedConstant.cpp - Constants and parts of them ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StridedConstant.h"

#include "Constants.h"
#include "LookThrough.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace qk::quant_llm;

void StridedConstant::permute(ArrayRef<int64_t> order) {
  llvm::SmallVector<Factors, 4> permuted;
  for (int64_t dim : order)
    permuted.push_back(dims[dim]);
  dims = permuted;
}

bool StridedConstant::isRepeated(unsigned dim) const {
  return llvm::all_of(dims[dim],
                      [](const Factor &factor) { return factor.stride == 0; });
}

bool StridedConstant::isInOrder(ArrayRef<unsigned> which) const {
  int64_t stride = 1;
  for (unsigned dim : llvm::reverse(which))
    for (const Factor &factor : llvm::reverse(dims[dim])) {
      if (factor.stride != stride)
        return false;
      stride *= factor.size;
    }
  return offset == 0 && stride == getConstant(root)->type.getNumElements();
}

PartAttr StridedConstant::partOf(ArrayRef<unsigned> which) const {
  SmallVector<int64_t> sizes, strides;
  for (unsigned dim : which)
    for (const Factor &factor : dims[dim]) {
      if (factor.stride == 0)
        return {};
      sizes.push_back(factor.size);
      strides.push_back(factor.stride);
    }
  return getConstantPart(*getConstant(root), offset, sizes, strides);
}

/// The one stride of a dimension; nullopt where it has several.
static std::optional<int64_t> strideOf(const StridedConstant::Factors &dim) {
  for (size_t i = 1; i < dim.size(); ++i)
    if (dim[i - 1].stride != dim[i].size * dim[i].stride)
      return std::nullopt;
  return dim.empty() ? 0 : dim.back().stride;
}

/// What a slice takes of each dimension of its operand, with steps of one.
struct Slice {
  Value source;
  SmallVector<int64_t> offsets, sizes;
  /// Dimensions that the result doesn't have.
  llvm::SmallBitVector dropped;
};

/// Nullopt for no slice, or one whose place isn't known.
static std::optional<Slice> getSlice(Operation *op) {
  if (auto slice = dyn_cast_or_null<tosa::SliceOp>(op)) {
    DenseIntElementsAttr start, size;
    Slice result{slice.getInput1(), {}, {}, {}};
    if (!matchPattern(slice.getStart(), m_Constant(&start)) ||
        !matchPattern(slice.getSize(), m_Constant(&size)) ||
        !isa<RankedTensorType>(result.source.getType()))
      return std::nullopt;
    llvm::append_range(result.offsets, start.getValues<int64_t>());
    llvm::append_range(result.sizes, size.getValues<int64_t>());
    result.dropped.resize(result.sizes.size());
    return result;
  }
  auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op);
  if (!slice || ShapedType::isDynamicShape(slice.getStaticOffsets()) ||
      ShapedType::isDynamicShape(slice.getStaticSizes()) ||
      llvm::any_of(slice.getStaticStrides(), [](int64_t s) { return s != 1; }))
    return std::nullopt;
  return Slice{
      slice.getSource(), SmallVector<int64_t>(slice.getStaticOffsets()),
      SmallVector<int64_t>(slice.getStaticSizes()), slice.getDroppedDims()};
}

std::optional<StridedConstant> qk::quant_llm::stridesOfConstant(Value value) {
  auto view = viewOfRoot(value, [](Value reached) {
    return isConstant(reached) || getSlice(reached.getDefiningOp());
  });
  if (!view)
    return std::nullopt;
  llvm::DenseMap<unsigned, int64_t> strides;
  // Of factors of one dimension whose innermost stride is `stride`.
  auto setStrides = [&](const ConstantView::Factors &factors, int64_t stride) {
    for (unsigned factor : llvm::reverse(factors)) {
      strides[factor] = stride;
      stride *= view->sizes[factor];
    }
  };
  StridedConstant result;
  if (isConstant(view->root)) {
    result.root = view->root;
    setStrides(view->elements, 1);
  } else {
    Slice slice = *getSlice(view->root.getDefiningOp());
    std::optional<StridedConstant> whole = stridesOfConstant(slice.source);
    if (!whole)
      return std::nullopt;
    result.root = whole->root;
    result.offset = whole->offset;
    unsigned next = 0;
    for (unsigned dim = 0; dim < whole->dims.size(); ++dim) {
      std::optional<int64_t> stride = strideOf(whole->dims[dim]);
      if (!stride)
        return std::nullopt;
      result.offset += slice.offsets[dim] * *stride;
      if (!slice.dropped.test(dim))
        setStrides(view->rootDims[next++], *stride);
    }
  }
  for (const ConstantView::Factors &factors : view->dims) {
    result.dims.emplace_back();
    for (unsigned factor : factors)
      result.dims.back().push_back(
          {view->sizes[factor], strides.lookup(factor)});
  }
  return result;
}
