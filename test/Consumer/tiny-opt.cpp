//===- tiny-opt.cpp - Another compiler's driver, with qk's passes ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A compiler with a dialect and passes of its own: what qk quantises to 8 bits
/// it computes with a kernel of its own, everything else with qk's.
///
//===----------------------------------------------------------------------===//

#include "qk/Calibration/Passes.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"
#include "qk/Pipelines/Pipelines.h"
#include "qk/Pipelines/Register.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/InitAllDialects.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

#include "TinyDialect.h.inc"
#define GET_OP_CLASSES
#include "TinyOps.h.inc"

#include "TinyDialect.cpp.inc"
#define GET_OP_CLASSES
#include "TinyOps.cpp.inc"

void tiny::TinyDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "TinyOps.cpp.inc"
      >();
}

using namespace mlir;

namespace {
/// The layers that this compiler has a kernel for: s8, one scale a channel.
struct TakeEightBits : PassWrapper<TakeEightBits, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TakeEightBits)

  StringRef getArgument() const override { return "tiny-take-eight-bits"; }
  StringRef getDescription() const override { return "qk's matmuls to tiny's"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<tiny::TinyDialect>();
  }

  void runOnOperation() override {
    getOperation().walk([](qk::quant_llm::MatmulOp op) {
      op.emitRemark() << "layer '" << op.getLayer() << "' has "
                      << op.getCodes().getType().getNumElements() << " codes";
      bool ours =
          op.getScheme().getScheme().isSigned() && !op.getZeroPoints() &&
          !op.getPermutation() && !op.getXScales() &&
          cast<RankedTensorType>(op.getScales().getType()).getDimSize(1) == 1;
      if (!ours)
        return;
      OpBuilder builder(op);
      op.getY().replaceAllUsesWith(
          tiny::MatmulOp::create(builder, op.getLoc(), op.getY().getType(),
                                 op.getX(), op.getCodes(), op.getScales(),
                                 op.getBias())
              .getY());
      op.erase();
    });
  }
};

/// The kernel: integers widened as they are read, scaled once a channel.
struct LowerTiny : PassWrapper<LowerTiny, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerTiny)

  StringRef getArgument() const override { return "tiny-lower"; }
  StringRef getDescription() const override { return "tiny's ops to linalg"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, linalg::LinalgDialect,
                    tensor::TensorDialect>();
  }

  void runOnOperation() override {
    getOperation().walk([](tiny::MatmulOp op) {
      ImplicitLocOpBuilder b(op.getLoc(), op);
      auto type = cast<RankedTensorType>(op.getY().getType());
      SmallVector<Value> sizes;
      if (type.isDynamicDim(0))
        sizes.push_back(tensor::DimOp::create(b, op.getX(), 0));
      Value empty = tensor::EmptyOp::create(b, type, sizes);
      Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
      Value init = linalg::FillOp::create(b, zero, empty).getResult(0);
      AffineExpr m, n, k;
      bindDims(b.getContext(), m, n, k);
      auto map = [&](ArrayRef<AffineExpr> results) {
        return AffineMap::get(3, 0, results, b.getContext());
      };
      auto parallel = utils::IteratorType::parallel;
      Value sum =
          linalg::GenericOp::create(
              b, type, ValueRange{op.getX(), op.getCodes()}, init,
              ArrayRef{map({m, k}), map({n, k}), map({m, n})},
              ArrayRef{parallel, parallel, utils::IteratorType::reduction},
              [](OpBuilder &builder, Location loc, ValueRange args) {
                Value code = arith::SIToFPOp::create(
                    builder, loc, builder.getF32Type(), args[1]);
                Value product =
                    arith::MulFOp::create(builder, loc, args[0], code);
                Value next =
                    arith::AddFOp::create(builder, loc, args[2], product);
                linalg::YieldOp::create(builder, loc, next);
              })
              .getResult(0);
      auto two = [&](ArrayRef<AffineExpr> results) {
        return AffineMap::get(2, 0, results, b.getContext());
      };
      AffineExpr first = b.getAffineConstantExpr(0);
      SmallVector<Value> inputs = {sum, op.getScales()};
      SmallVector<AffineMap> maps = {two({m, n}), two({n, first})};
      if (op.getBias()) {
        inputs.push_back(op.getBias());
        maps.push_back(two({n}));
      }
      maps.push_back(two({m, n}));
      Value scaled =
          linalg::GenericOp::create(
              b, type, inputs, empty, maps, ArrayRef{parallel, parallel},
              [](OpBuilder &builder, Location loc, ValueRange args) {
                Value scale = arith::ExtFOp::create(
                    builder, loc, builder.getF32Type(), args[1]);
                Value y = arith::MulFOp::create(builder, loc, args[0], scale);
                // The last argument is the output's.
                if (args.size() == 4)
                  y = arith::AddFOp::create(builder, loc, y, args[2]);
                linalg::YieldOp::create(builder, loc, y);
              })
              .getResult(0);
      op.getY().replaceAllUsesWith(scaled);
      op.erase();
    });
  }
};

struct TinyOptions : PassPipelineOptions<TinyOptions> {
  Option<int64_t> bits{*this, "bits", llvm::cl::desc("4 or 8"),
                       llvm::cl::init(4)};
};
} // namespace

int main(int argc, char **argv) {
  qk::registerPasses();
  qk::registerMethodPipelines(/*shortNames=*/false);
  qk::registerLoweringPipelines(/*shortNames=*/false);
  PassRegistration<TakeEightBits>();
  PassRegistration<LowerTiny>();
  DialectRegistry registry;
  registerAllDialects(registry);
  qk::registerDialects(registry);
  registry.insert<tiny::TinyDialect>();
  PassPipelineRegistration<TinyOptions>(
      "tiny", "simplify, quantise with qk, take what this compiler is good at",
      [](OpPassManager &manager, const TinyOptions &options) {
        manager.addPass(createCanonicalizerPass());
        qk::RtnPipelineOptions rtn;
        rtn.bits = options.bits;
        rtn.symmetric = options.bits == 8;
        rtn.groupSize = options.bits == 8 ? -1 : 16;
        qk::buildRtnPipeline(manager, rtn);
        manager.addPass(qk::calibration::createEvaluatePass());
        manager.addPass(std::make_unique<TakeEightBits>());
      });
  return asMainReturnCode(MlirOptMain(argc, argv, "tiny\n", registry));
}
