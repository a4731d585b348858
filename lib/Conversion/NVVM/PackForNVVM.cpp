//===- PackForNVVM.cpp - Kernels and packed weights for matmuls -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Packing/PackedWeights.h"
#include "../Packing/RowShapes.h"
#include "MatmulSpec.h"
#include "QuantizerSpec.h"
#include "qk/Conversion/NVVM/Passes.h"
#include "qk/Dialect/QuantLLM/Transforms/HostDialect.h"
#include "qk/Target/NVVM/Layout.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace qk {
#define GEN_PASS_DEF_PACKFORNVVM
#include "qk/Conversion/NVVM/Passes.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;
using namespace qk::nvvm;
using namespace qk::quant_llm;

namespace {

struct PackForNVVM : qk::impl::PackForNVVMBase<PackForNVVM> {
  using PackForNVVMBase::PackForNVVMBase;

  void runOnOperation() override {
    FailureOr<const Chip *> known = chipByName(getOperation(), chip);
    if (failed(known))
      return signalPassFailure();
    target = *known;
    if (host != "launch" && host != "keep") {
      getOperation().emitError("unknown host '")
          << host << "', expected launch or keep";
      return signalPassFailure();
    }
    if (model != "host" && model != "device") {
      getOperation().emitError("unknown model '")
          << model << "', expected host or device";
      return signalPassFailure();
    }
    if (model == "device" && host == "keep") {
      getOperation().emitError(
          "model=device lowers the whole module, host=keep leaves everything "
          "but matmuls as it is; give one of them");
      return signalPassFailure();
    }
    packed = PackedWeights();
    // What collapses leading dimensions is no StableHLO; a custom call takes
    // any number of them.
    keepsDimensions = host == "keep" && isStableHLO(getOperation());
    SmallVector<MatmulOp> matmuls;
    getOperation().walk([&](MatmulOp op) { matmuls.push_back(op); });
    for (MatmulOp op : matmuls)
      if (failed(convert(op)))
        return signalPassFailure();
    // With model=host x is on the host, and its codes are fewer bytes to copy:
    // the host quantises.
    if (model == "device") {
      SmallVector<QuantizeOp> quantizers;
      getOperation().walk([&](QuantizeOp op) { quantizers.push_back(op); });
      for (QuantizeOp op : quantizers)
        convert(op);
    }
    eraseDeadParameters(getOperation());
  }

private:
  /// Has a kernel compute `op`, where there is one; else loops will.
  void convert(QuantizeOp op) {
    std::optional<QuantizerProblem> problem = quantizerOf(op);
    if (!problem)
      return;
    OpBuilder b(op);
    Location loc = op.getLoc();
    Value x = toRows(b, loc, op.getX());
    int64_t m = cast<RankedTensorType>(x.getType()).getDimSize(0);
    auto rows = RankedTensorType::get({m, problem->k}, b.getI8Type());
    auto scales = RankedTensorType::get({m, 1}, b.getF32Type());
    auto quantize = QuantizeOp::create(b, loc, rows, scales, x,
                                       /*static_scale=*/Value(),
                                       op.getFactors(), op.getScheme());
    quantize->setAttr(
        QuantLLMDialect::kKernelAttr,
        FlatSymbolRefAttr::get(
            declareQuantizer(getOperation(), *problem).getSymNameAttr()));
    op.getCodes().replaceAllUsesWith(
        fromRows(b, loc, quantize.getCodes(), op.getX()));
    op.getScales().replaceAllUsesWith(
        fromRows(b, loc, quantize.getScales(), op.getX()));
    op.erase();
  }

  LogicalResult convert(MatmulOp op) {
    FailureOr<MatmulProblem> problem = problemOf(op, *target);
    if (failed(problem))
      return failure();
    // All kernels of a problem read one layout.
    Layout layout = problem->packing;
    OpBuilder b(op);
    Location loc = op.getLoc();
    FailureOr<Value> bytes = packed.get(
        b, op, [&](const auto &weight) { return packedBytes(weight, layout); },
        [&](const auto &weight, uint8_t *out) {
          return pack(weight, layout, out);
        });
    if (failed(bytes))
      return failure();
    Value x = keepsDimensions ? op.getX() : toRows(b, loc, op.getX());
    Value xScales = op.getXScales();
    if (xScales && !keepsDimensions)
      xScales = toRows(b, loc, xScales);
    int64_t n = cast<RankedTensorType>(op.getCodes().getType()).getDimSize(0);
    SmallVector<int64_t> shape(cast<RankedTensorType>(x.getType()).getShape());
    shape.back() = n;
    FlatSymbolRefAttr kernel;
    if (host == "launch")
      kernel = FlatSymbolRefAttr::get(
          declareLauncher(getOperation(), *problem).getSymNameAttr());
    std::string_view name = layoutName(layout);
    auto matmul = PackedMatmulOp::create(
        b, loc, cast<RankedTensorType>(op.getY().getType()).clone(shape), x,
        *bytes, op.getPermutation(), op.getBias(), xScales, op.getScheme(),
        op.getXSchemeAttr(), n, problem->k,
        b.getStringAttr(StringRef(name.data(), name.size())),
        problem->hasZeroPoints, kernel, op.getLayerAttr());
    op.getResult().replaceAllUsesWith(
        keepsDimensions ? matmul.getY()
                        : fromRows(b, loc, matmul.getY(), op.getX()));
    op.erase();
    return success();
  }

  const Chip *target = nullptr;
  bool keepsDimensions = false;
  PackedWeights packed;
};

} // namespace
