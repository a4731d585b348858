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

/// The same, but that a's recipe names a statistic of b.
constexpr const char *kLookingAhead = R"(
module {
  func.func @main(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
    %w = quant_llm.parameter ""::"a.weight" : tensor<2x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %v = quant_llm.parameter ""::"b.weight" : tensor<2x2xf32> = dense<1.0> : tensor<2x2xf32>
    %hb = quant_llm.statistic hessian of "b" : tensor<2x2xf32>
    %ca, %sa = quant_llm.round_compensated %w, %hb scheme(<u4, group = 2, scale = f16>) symmetric static_groups : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xi4>, tensor<2x1xf16>
    %h = quant_llm.statistic cross of "b" : tensor<2x2xf32>
    %cb, %sb = quant_llm.round_compensated %v, %h scheme(<u4, group = 2, scale = f16>) symmetric static_groups : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xi4>, tensor<2x1xf16>
    %0 = quant_llm.matmul %x, %ca, %sa scheme(<u4, group = 2, scale = f16>) name("a") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    %1 = quant_llm.matmul %0, %cb, %sb scheme(<u4, group = 2, scale = f16>) name("b") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    return %1 : tensor<?x2xf32>
  }
}
)";

/// y = c(b(a(x))); what c reads is too large to be kept: b and c are one step.
constexpr const char *kOneStep = R"(
module {
  func.func @main(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
    %wa = quant_llm.parameter ""::"a.weight" : tensor<2x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %wb = quant_llm.parameter ""::"b.weight" : tensor<12x2xf32> = dense<1.0> : tensor<12x2xf32>
    %wc = quant_llm.parameter ""::"c.weight" : tensor<2x12xf32> = dense<1.0> : tensor<2x12xf32>
    %ca, %sa = quant_llm.round_to_nearest %wa scheme(<u4, group = 2, scale = f16>) symmetric : tensor<2x2xf32> -> tensor<2x2xi4>, tensor<2x1xf16>
    %hb = quant_llm.statistic cross of "b" : tensor<2x2xf32>
    %cb, %sb = quant_llm.round_compensated %wb, %hb scheme(<u4, group = 2, scale = f16>) symmetric static_groups : tensor<12x2xf32>, tensor<2x2xf32> -> tensor<12x2xi4>, tensor<12x1xf16>
    %hc = quant_llm.statistic cross of "c" : tensor<12x12xf32>
    %cc, %sc = quant_llm.round_compensated %wc, %hc scheme(<u4, group = 2, scale = f16>) symmetric static_groups : tensor<2x12xf32>, tensor<12x12xf32> -> tensor<2x12xi4>, tensor<2x6xf16>
    %0 = quant_llm.matmul %x, %ca, %sa scheme(<u4, group = 2, scale = f16>) name("a") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    %1 = quant_llm.matmul %0, %cb, %sb scheme(<u4, group = 2, scale = f16>) name("b") : (tensor<?x2xf32>, tensor<12x2xi4>, tensor<12x1xf16>) -> tensor<?x12xf32>
    %2 = quant_llm.matmul %1, %cc, %sc scheme(<u4, group = 2, scale = f16>) name("c") : (tensor<?x12xf32>, tensor<2x12xi4>, tensor<2x6xf16>) -> tensor<?x2xf32>
    return %2 : tensor<?x2xf32>
  }
}
)";

/// y = b(a(a(x))); both recipes ask for a cross moment.
constexpr const char *kShared = R"(
module {
  func.func @main(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
    %w = quant_llm.parameter ""::"a.weight" : tensor<2x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %v = quant_llm.parameter ""::"b.weight" : tensor<2x2xf32> = dense<1.0> : tensor<2x2xf32>
    %ha = quant_llm.statistic cross of "a" : tensor<2x2xf32>
    %ca, %sa = quant_llm.round_compensated %w, %ha scheme(<u4, group = 2, scale = f16>) symmetric static_groups : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xi4>, tensor<2x1xf16>
    %hb = quant_llm.statistic cross of "b" : tensor<2x2xf32>
    %cb, %sb = quant_llm.round_compensated %v, %hb scheme(<u4, group = 2, scale = f16>) symmetric static_groups : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xi4>, tensor<2x1xf16>
    %0 = quant_llm.matmul %x, %ca, %sa scheme(<u4, group = 2, scale = f16>) name("a") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    %1 = quant_llm.matmul %0, %ca, %sa scheme(<u4, group = 2, scale = f16>) name("a") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    %2 = quant_llm.matmul %1, %cb, %sb scheme(<u4, group = 2, scale = f16>) name("b") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    return %2 : tensor<?x2xf32>
  }
}
)";

/// y = c(b(a(a(x)))); a's recipe names a statistic of b.
constexpr const char *kSharedLookingAhead = R"(
module {
  func.func @main(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
    %w = quant_llm.parameter ""::"a.weight" : tensor<2x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    %v = quant_llm.parameter ""::"b.weight" : tensor<2x2xf32> = dense<1.0> : tensor<2x2xf32>
    %u = quant_llm.parameter ""::"c.weight" : tensor<2x2xf32> = dense<1.0> : tensor<2x2xf32>
    %h = quant_llm.statistic hessian of "b" : tensor<2x2xf32>
    %ca, %sa = quant_llm.round_compensated %w, %h scheme(<u4, group = 2, scale = f16>) symmetric static_groups : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xi4>, tensor<2x1xf16>
    %cb, %sb = quant_llm.round_to_nearest %v scheme(<u4, group = 2, scale = f16>) symmetric : tensor<2x2xf32> -> tensor<2x2xi4>, tensor<2x1xf16>
    %hc = quant_llm.statistic cross of "c" : tensor<2x2xf32>
    %cc, %sc = quant_llm.round_compensated %u, %hc scheme(<u4, group = 2, scale = f16>) symmetric static_groups : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xi4>, tensor<2x1xf16>
    %0 = quant_llm.matmul %x, %ca, %sa scheme(<u4, group = 2, scale = f16>) name("a") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    %1 = quant_llm.matmul %0, %ca, %sa scheme(<u4, group = 2, scale = f16>) name("a") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    %2 = quant_llm.matmul %1, %cb, %sb scheme(<u4, group = 2, scale = f16>) name("b") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    %3 = quant_llm.matmul %2, %cc, %sc scheme(<u4, group = 2, scale = f16>) name("c") : (tensor<?x2xf32>, tensor<2x2xi4>, tensor<2x1xf16>) -> tensor<?x2xf32>
    return %3 : tensor<?x2xf32>
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
    open(kModule);
  }
  ~Sequential() override { llvm::sys::fs::remove(path); }

  /// Two tokens, [1 2] and [-3 4].
  void open(const char *text) {
    source.reset();
    module = parseSourceString<ModuleOp>(text, &context);
    llvm::sys::fs::remove(path);
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

TEST_F(Sequential, RoundsFirstWhatSeveralBlocksShare) {
  open(kShared);
  ASSERT_TRUE(succeeded(source->prepare(*module, {"b", "a"}))) << message;
  EXPECT_EQ(message,
            "1 of 2 layers are calibrated on the float model and rounded "
            "before the others, not block by block: layer 'a' reads several "
            "tensors, as a weight does that several blocks share");
  EXPECT_EQ(source->order(), ArrayRef<std::string>({"a", "b"}));
  auto a = source->get("a");
  ASSERT_TRUE(succeeded(a)) << message;
  // X = [1 2; -3 4] and F = X [1 2; 3 4]^T = [5 11; 5 7]: of all four rows.
  EXPECT_EQ((*a)->tokens, 4);
  EXPECT_EQ((*a)->hessian, ArrayRef<float>({15, 20, 20, 47.5}));
  EXPECT_EQ((*a)->cross, (*a)->hessian);
  EXPECT_TRUE((*a)->residual.empty());
  ASSERT_TRUE(succeeded(source->setRounded("a", {1, 1, 0, 2})));
  source->release("a");
  EXPECT_TRUE(failed(source->get("a")));
  auto b = source->get("b");
  ASSERT_TRUE(succeeded(b)) << message;
  // F [1 2; 3 4]^T = [27 59; 19 43]; X and its product by [1 1; 0 2]^T, [3 4;
  // 1 8] and [7 8; 9 16].
  EXPECT_EQ((*b)->hessian, ArrayRef<float>({65, 100, 100, 160}));
  EXPECT_EQ((*b)->cross, ArrayRef<float>({180, 260, 400, 580}));
}

TEST_F(Sequential, RoundsFirstWhatSharedRecipesName) {
  open(kSharedLookingAhead);
  ASSERT_TRUE(succeeded(source->prepare(*module, {"b", "a", "c"}))) << message;
  EXPECT_EQ(source->order(), ArrayRef<std::string>({"a", "b", "c"}));
  auto b = source->get("b");
  ASSERT_TRUE(succeeded(b)) << message;
  // [27 59; 19 43], the float model's.
  EXPECT_EQ((*b)->hessian, ArrayRef<float>({545, 1205, 1205, 2665}));
  ASSERT_TRUE(succeeded(source->setRounded("a", {1, 1, 0, 2})));
  // All that comes first has to be rounded before c's statistics.
  EXPECT_TRUE(failed(source->get("c")));
  EXPECT_EQ(message, "layer 'b' was not rounded before the layers after it; "
                     "expected the order that calibration gave (a mistake in "
                     "qk)");
}

TEST_F(Sequential, LooksAheadForEarlierRecipes) {
  open(kLookingAhead);
  ASSERT_TRUE(succeeded(source->prepare(*module, {"a", "b"}))) << message;
  // Before a is rounded, what the float model gives: F = [5 11; 5 7].
  auto early = source->get("b");
  ASSERT_TRUE(succeeded(early)) << message;
  EXPECT_EQ((*early)->hessian, ArrayRef<float>({25, 45, 45, 85}));
  EXPECT_EQ((*early)->absmax, ArrayRef<float>({5, 11}));
  EXPECT_TRUE((*early)->cross.empty());
  uint64_t id = (*early)->id;
  ASSERT_TRUE(succeeded(source->setRounded("a", {1, 1, 0, 2})));
  source->release("a");
  // Then what b is rounded with, as in a model whose recipes name their own.
  auto b = source->get("b");
  ASSERT_TRUE(succeeded(b)) << message;
  EXPECT_NE((*b)->id, id);
  EXPECT_EQ((*b)->hessian, ArrayRef<float>({5, 10, 10, 40}));
  EXPECT_EQ((*b)->cross, ArrayRef<float>({10, 30, 20, 50}));
}

TEST_F(Sequential, MakesUpForAnErrorOnceInAStep) {
  open(kOneStep);
  ASSERT_TRUE(succeeded(source->prepare(*module, {"a", "b", "c"}))) << message;
  ASSERT_TRUE(succeeded(source->get("a"))) << message;
  ASSERT_TRUE(succeeded(source->setRounded("a", {1, 1, 0, 2})));
  source->release("a");
  auto b = source->get("b");
  ASSERT_TRUE(succeeded(b)) << message;
  EXPECT_EQ((*b)->cross, ArrayRef<float>({10, 30, 20, 50}));
  // Without that b was rounded: one step. b makes up for a's error; would c do
  // so as well, with X = [16 ...; 12 ...], its cross moment would be 110.
  auto c = source->get("c");
  ASSERT_TRUE(succeeded(c)) << message;
  EXPECT_EQ((*c)->hessian, ArrayRef<float>(std::vector<float>(144, 65)));
  EXPECT_EQ((*c)->cross, (*c)->hessian);
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
