//===- CalibrationRunTest.cpp - What a run keeps, and for how long --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Calibration/CalibrationRun.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Storage/Safetensors.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace qk;

namespace {

constexpr const char *kModule = R"(
func.func @main(%x: tensor<?x2xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %w = quant_llm.parameter ""::"gate.weight" : tensor<2x2xf32> = dense<1.0> : tensor<2x2xf32>
  %v = quant_llm.parameter ""::"up.weight" : tensor<2x2xf32> = dense<2.0> : tensor<2x2xf32>
  %0 = quant_llm.linear %x, %w name("gate") : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %1 = quant_llm.linear %x, %v name("up") : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}
)";

/// A file of one sample of two tokens.
struct SampleFile {
  SampleFile() {
    llvm::sys::fs::createTemporaryFile("calibration", "safetensors", path);
    storage::SafetensorsWriter writer(path);
    llvm::cantFail(writer.declare("arg0", storage::DataType::F32, {1, 2, 2}));
    llvm::cantFail(writer.writeElements<float>("arg0", {1, 2, 3, 4}));
    llvm::cantFail(writer.commit());
  }
  ~SampleFile() { llvm::sys::fs::remove(path); }
  SmallString<128> path;
};

TEST(CalibrationRun, KeepsStatisticsUntilTheirLastLayerIsReleased) {
  MLIRContext context;
  context.loadDialect<func::FuncDialect, quant_llm::QuantLLMDialect>();
  auto module = parseSourceString<ModuleOp>(kModule, &context);
  ASSERT_TRUE(module);
  std::string message;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    message = diagnostic.str();
    return success();
  });
  SampleFile file;
  calibration::CalibrationRun run(file.path.str().str(), /*entry=*/"",
                                  /*progress=*/false, /*profile=*/false);
  ASSERT_TRUE(succeeded(run.prepare(*module, {"gate", "up"}))) << message;
  auto gate = run.get("gate"), up = run.get("up");
  ASSERT_TRUE(succeeded(gate) && succeeded(up));
  // One entry for what reads the same tensor.
  EXPECT_EQ((*gate)->id, (*up)->id);
  EXPECT_EQ((*gate)->absmax.data(), (*up)->absmax.data());
  EXPECT_EQ((*gate)->absmax, ArrayRef<float>({3, 4}));

  run.release("gate");
  run.release("gate"); // Counts once.
  up = run.get("up");
  ASSERT_TRUE(succeeded(up));
  EXPECT_EQ((*up)->absmax, ArrayRef<float>({3, 4}));
  EXPECT_EQ((*up)->hessian, ArrayRef<float>({5, 7, 7, 10}));

  EXPECT_TRUE(failed(run.get("gate")));
  EXPECT_EQ(message, "the statistics of layer 'gate' were released; expected "
                     "nothing to ask for them after that (a mistake in qk)");
  auto unknown = run.get("other");
  ASSERT_TRUE(succeeded(unknown));
  EXPECT_EQ(*unknown, nullptr);
}

} // namespace
