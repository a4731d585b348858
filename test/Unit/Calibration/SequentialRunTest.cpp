//===- SequentialRunTest.cpp - Statistics of the quantised prefix ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Calibration/Sources.h"

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

/// y = b(a(x)); the recipe of b asks for a cross moment.
constexpr const char *kModule = R"(
module {
  func.func @main(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
    %w = quant_llm.parameter ""::"a.weight" : tensor<2x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %v = quant_llm.parameter ""::"b.weight" : tensor<2x2xf32> = dense<1.0> : tensor<2x2xf32>
    %ca, %sa = quant_llm.round_to_nearest %w scheme(<u4, group = 2, scale = f16>) symmetric : tensor<2x2xf32> -> tensor<2x2xi4>, tensor<2x1xf16>
    %h = quant_llm.statistic cross of "b" : tensor<2x2xf32>
    %cb, %sb = quant_llm.round_compensated %v, %h scheme(<u4, group = 2, scale = f16>) symmetric static_groups : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xi4>, tensor<2x1xf16>
    %0 = quant_llm.matmul %x, %ca, %sa scheme(<u4, group = 2, scale = f16>) name("a") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    %1 = quant_llm.matmul %0, %cb, %sb scheme(<u4, group = 2, scale = f16>) name("b") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    return %1 : tensor<?x2xf32>
  }
}
)";

class Sequential : public ::testing::Test {
protected:
  Sequential()
      : handler(&context, [this](Diagnostic &diagnostic) {
          message = diagnostic.str();
          return success();
        }) {
    context.loadDialect<func::FuncDialect, quant_llm::QuantLLMDialect>();
    module = parseSourceString<ModuleOp>(kModule, &context);
    llvm::sys::fs::createTemporaryFile("calibration", "safetensors", path);
    storage::SafetensorsWriter writer(path);
    llvm::cantFail(writer.declare("arg0", storage::DataType::F32, {1, 2, 2}));
    llvm::cantFail(writer.writeElements<float>("arg0", {1, 2, -3, 4}));
    llvm::cantFail(writer.commit());
    Builder builder(&context);
    (*module)->setAttr(quant_llm::QuantLLMDialect::kCalibrationAttr,
                       builder.getDictionaryAttr(builder.getNamedAttr(
                           "inputs", builder.getStringAttr(path.str()))));
    // A cross moment needs no `sequential`.
    source = std::move(*calibration::createStatisticsSource(*module));
  }
  ~Sequential() override { llvm::sys::fs::remove(path); }

  MLIRContext context;
  std::string message;
  ScopedDiagnosticHandler handler;
  OwningOpRef<ModuleOp> module;
  SmallString<128> path;
  std::unique_ptr<quant_llm::StatisticsSource> source;
};

TEST_F(Sequential, GivesTheMomentsOfBothModels) {
  // An order other than that of data flow.
  ASSERT_TRUE(succeeded(source->prepare(*module, {"b", "a"}))) << message;
  EXPECT_EQ(source->order(), ArrayRef<std::string>({"a", "b"}));
  EXPECT_TRUE(source->wantsRounded("a"));
  EXPECT_FALSE(source->wantsRounded("c"));
  auto a = source->get("a");
  ASSERT_TRUE(succeeded(a)) << message;
  EXPECT_EQ((*a)->tokens, 2);
  // X = [1 2; -3 4]: X^T X / 2.
  EXPECT_EQ((*a)->hessian, ArrayRef<float>({5, -5, -5, 10}));
  EXPECT_TRUE((*a)->cross.empty());
  ASSERT_TRUE(succeeded(source->setRounded("a", {1, 1, 0, 2})));
  auto b = source->get("b");
  ASSERT_TRUE(succeeded(b)) << message;
  // F = X [1 2; 3 4]^T = [5 11; 5 7], Y = X [1 1; 0 2]^T = [3 4; 1 8].
  EXPECT_EQ((*b)->hessian, ArrayRef<float>({5, 10, 10, 40}));
  EXPECT_EQ((*b)->absmax, ArrayRef<float>({3, 8}));
  EXPECT_EQ((*b)->cross, ArrayRef<float>({10, 30, 20, 50}));
  source->release("b");
  EXPECT_TRUE(failed(source->get("b")));
  EXPECT_EQ(message, "the statistics of layer 'b' were released; expected "
                     "nothing to ask for them after that (a mistake in qk)");
  auto unknown = source->get("c");
  ASSERT_TRUE(succeeded(unknown));
  EXPECT_EQ(*unknown, nullptr);
}

TEST_F(Sequential, WantsLayersRoundedInOrder) {
  ASSERT_TRUE(succeeded(source->prepare(*module, {"a", "b"}))) << message;
  EXPECT_TRUE(failed(source->get("b")));
  EXPECT_EQ(message,
            "layer 'a' was not rounded before the layers after it; expected "
            "the order that calibration gave (a mistake in qk)");
}

TEST_F(Sequential, KnowsTheLayersOfTheModule) {
  EXPECT_TRUE(failed(source->prepare(*module, {"a", "gone"})));
  EXPECT_EQ(message, "layer 'gone' is not in the module");
}

} // namespace
