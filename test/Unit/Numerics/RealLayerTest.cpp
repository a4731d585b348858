//===- RealLayerTest.cpp - Layers of real models on real text -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A slice of one layer always; whole layers where QK_SHARED names a folder
// with data/layers.
//
//===----------------------------------------------------------------------===//

#include "Restatement.h"
#include "qk/Numerics/Gptq.h"
#include "qk/Numerics/OutputError.h"
#include "qk/Numerics/RoundToNearest.h"
#include "qk/Numerics/Statistics.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

using namespace qk::numerics;

namespace {

struct Tensor {
  int64_t rows = 0, cols = 0;
  std::vector<float> data;
};

/// A two-dimensional tensor of a well-formed safetensors file, enough for this
/// test.
Tensor read(const std::string &path, const std::string &name) {
  std::ifstream stream(path, std::ios::binary);
  std::string file((std::istreambuf_iterator<char>(stream)), {});
  Tensor tensor;
  if (file.size() < 8)
    return tensor;
  uint64_t length;
  std::memcpy(&length, file.data(), 8);
  std::string header = file.substr(8, length);
  size_t at = header.find("\"" + name + "\"");
  if (at == std::string::npos)
    return tensor;
  auto after = [&](const char *what) {
    return header.c_str() + header.find(what, at) + std::strlen(what);
  };
  auto skip = [](const char *p) { return p + std::strspn(p, "\": ["); };
  bool half = std::strncmp(skip(after("\"dtype\"")), "F16", 3) == 0;
  long long begin;
  long long rows, cols;
  std::sscanf(skip(after("\"shape\"")), "%lld , %lld", &rows, &cols);
  std::sscanf(skip(after("\"data_offsets\"")), "%lld", &begin);
  tensor = {rows, cols, std::vector<float>(rows * cols)};
  const char *data = file.data() + 8 + length + begin;
  for (int64_t i = 0; i < rows * cols; ++i)
    if (half) {
      _Float16 value;
      std::memcpy(&value, data + 2 * i, 2);
      tensor.data[i] = static_cast<float>(value);
    } else {
      std::memcpy(&tensor.data[i], data + 4 * i, 4);
    }
  return tensor;
}

struct RealLayer {
  Tensor w, calibration, heldout;
  std::vector<float> hessian, heldoutHessian;

  explicit RealLayer(const std::string &path)
      : w(read(path, "weight")), calibration(read(path, "calibration")),
        heldout(read(path, "heldout")), hessian(momentOf(calibration)),
        heldoutHessian(momentOf(heldout)) {}

  static std::vector<float> momentOf(const Tensor &x) {
    StatisticsAccumulator accumulator(x.cols);
    Status status = accumulator.add(x.data.data(), x.rows);
    EXPECT_TRUE(status);
    return accumulator.finish().hessian;
  }

  double heldoutError(const QuantizedWeight &q) const {
    return outputError(w.data.data(), dequantize(q).data(), w.rows, w.cols,
                       heldoutHessian.data())
        .relative;
  }
  double roundToNearestError(const QuantizerOptions &options) const {
    return heldoutError(
        *roundToNearest(w.data.data(), w.rows, w.cols, options));
  }
  GptqResult solve(const GptqOptions &options) const {
    auto result = gptq(w.data.data(), w.rows, w.cols, hessian.data(), options);
    EXPECT_TRUE(result) << result.error().message;
    return std::move(*result);
  }
};

QuantizerOptions asymmetric(CodeType type, int64_t group) {
  return {{type, group, ScaleType::F16}};
}

TEST(RealLayer, SliceAgreesWithF64) {
  RealLayer layer(QK_TEST_DATA "/layers/MiniLM-slice.safetensors");
  ASSERT_EQ(layer.w.cols, 384);
  ASSERT_EQ(layer.w.rows, 48);
  using restatement::Matrix;
  // The first 12 rows: the rows are independent, and f64 takes its time.
  layer.w.rows = 12;
  layer.w.data.resize(12 * 384);
  Matrix w(layer.w.data, 12, 384), h(layer.hessian, 384, 384);
  for (auto type : {CodeType::U3, CodeType::U4}) {
    GptqOptions options;
    options.quantizer = asymmetric(type, 128);
    auto expected = restatement::gptq(w, h, 0.01, ColumnOrder::Activation, true,
                                      {options.quantizer});
    double loss = trace(minus(w, expected.values), h);
    EXPECT_NEAR(layer.solve(options).report.loss, loss, 1e-3 * loss);
  }
}

TEST(RealLayer, SliceGainsOnHeldOutTokens) {
  RealLayer layer(QK_TEST_DATA "/layers/MiniLM-slice.safetensors");
  for (auto type : {CodeType::U3, CodeType::U4}) {
    GptqOptions options;
    options.quantizer = asymmetric(type, 128);
    double nearest = layer.roundToNearestError(options.quantizer);
    GptqResult solved = layer.solve(options);
    EXPECT_LT(solved.report.relativeError, 0.45 * nearest);
    EXPECT_LT(layer.heldoutError(solved.weight), 0.75 * nearest);
  }
}

/// Relative squared output error on held-out tokens.
struct HeldOut {
  /// Round to nearest in f64: the table of data/layers/README.md.
  double nearest;
  /// GPTQ in f64, by columns (restatement::gptq's loop, in numpy): activation
  /// order, static groups, damping .01.
  double gptq;
};

struct TableRow {
  const char *file;
  int64_t group;
  HeldOut w4g32, w4, w3;
};

TEST(RealLayer, WholeLayers) {
  const char *shared = std::getenv("QK_SHARED");
  if (!shared)
    GTEST_SKIP() << "QK_SHARED is not set";
  // How much GPTQ gains held out is the layer's, not the code's: f64 gains as
  // much. down_proj sees two tokens a dimension and keeps 6 to 10 % of what is
  // a gain of 3.4 times on the calibration tokens; the others keep half to
  // three quarters. So the solver is held to the f64 figure, and the searched
  // scales to gain on that.
  for (const TableRow &row : {
           TableRow{"MiniLM.encoder.layer.3.intermediate.dense",
                    128,
                    {4.05e-3, 1.423e-3},
                    {6.69e-3, 2.270e-3},
                    {3.01e-2, 1.031e-2}},
           TableRow{"SmolLM2-135M.layers.2.self_attn.q_proj",
                    64,
                    {4.09e-3, 1.019e-3},
                    {5.14e-3, 1.321e-3},
                    {2.41e-2, 6.129e-3}},
           TableRow{"SmolLM2-135M.layers.14.mlp.down_proj",
                    128,
                    {6.58e-3, 5.944e-3},
                    {1.09e-2, 1.023e-2},
                    {5.01e-2, 4.667e-2}},
           TableRow{"SmolLM2-135M.layers.27.mlp.gate_proj",
                    64,
                    {4.14e-3, 2.030e-3},
                    {5.35e-3, 2.596e-3},
                    {2.56e-2, 1.177e-2}},
       }) {
    SCOPED_TRACE(row.file);
    RealLayer layer(std::string(shared) + "/data/layers/" + row.file +
                    ".safetensors");
    ASSERT_GT(layer.w.rows, 0);
    for (auto [options, expected] :
         {std::pair(asymmetric(CodeType::U4, 32), row.w4g32),
          std::pair(asymmetric(CodeType::U4, row.group), row.w4),
          std::pair(asymmetric(CodeType::U3, row.group), row.w3)}) {
      double nearest = layer.roundToNearestError(options);
      EXPECT_NEAR(nearest, expected.nearest, 0.005 * expected.nearest);
      std::printf("%-44s W%d g%-3lld held out: nearest %.3e", row.file,
                  options.scheme.bits(), (long long)options.scheme.groupSize,
                  nearest);
      for (bool searched : {false, true}) {
        GptqOptions solver;
        solver.quantizer = options;
        if (searched)
          solver.quantizer.scaleSearch = ScaleSearch::Weighted;
        double solved = layer.heldoutError(layer.solve(solver).weight);
        if (searched)
          EXPECT_LT(solved, 0.96 * expected.gptq);
        else
          EXPECT_NEAR(solved, expected.gptq, 0.01 * expected.gptq);
        std::printf(", %s %.3e", searched ? "searched scales" : "GPTQ", solved);
      }
      std::printf("\n");
    }
  }
}

} // namespace
