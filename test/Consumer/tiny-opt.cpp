//===- tiny-opt.cpp - Another compiler's driver, with qk's passes ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"
#include "qk/Pipelines/Pipelines.h"
#include "qk/Pipelines/Register.h"

#include "mlir/InitAllDialects.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

namespace {
/// A pass of this compiler's own that reads qk's IR.
struct CountCodes
    : mlir::PassWrapper<CountCodes, mlir::OperationPass<mlir::ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CountCodes)

  void runOnOperation() override {
    getOperation().walk([](qk::quant_llm::MatmulOp op) {
      op.emitRemark() << "layer '" << op.getLayer() << "' has "
                      << op.getCodes().getType().getNumElements() << " codes";
    });
  }
};
} // namespace

int main(int argc, char **argv) {
  qk::registerPasses();
  qk::registerMethodPipelines(/*shortNames=*/false);
  qk::registerLoweringPipelines(/*shortNames=*/false);
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  qk::registerDialects(registry);
  mlir::PassPipelineRegistration<>(
      "tiny", "simplify, quantise, look at the result",
      [](mlir::OpPassManager &manager) {
        manager.addPass(mlir::createCanonicalizerPass());
        qk::RtnPipelineOptions rtn;
        rtn.groupSize = 16;
        qk::buildRtnPipeline(manager, rtn);
        manager.addPass(std::make_unique<CountCodes>());
      });
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "tiny\n", registry));
}
