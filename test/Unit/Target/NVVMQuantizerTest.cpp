//===- NVVMQuantizerTest.cpp - The GPU's quantiser, emulated --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NVVMCase.h"

#include "qk/Target/NVVM/Quantizer.h"

#include <cfenv>
#include <limits>

using namespace qk;
using namespace qk::nvvm;
using namespace qk::test;

namespace {

struct QuantizerCase {
  QuantizerProblem problem;
  int64_t m;
  Elements x;
  std::vector<float> factors;
  std::vector<int8_t> codes;
  std::vector<float> scales;

  QuantizerCase(QuantizerProblem p, int64_t m, std::mt19937 &random)
      : problem(p), m(m), x(p.type, m * p.k), codes(m * p.k, 99), scales(m) {
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < m * p.k; ++i)
      x.set(i, normal(random));
    if (p.hasFactors)
      for (int64_t i = 0; i < p.k; ++i)
        factors.push_back(std::exp(normal(random)));
  }

  float at(int64_t row, int64_t k) const {
    float value = x.get(row * problem.k + k);
    return problem.hasFactors ? value / factors[k] : value;
  }

  template <typename Change> std::string run(uint64_t seed, Change change) {
    KernelModule module(
        [&](mlir::gpu::GPUModuleOp kernels, mlir::Location loc) {
          return buildQuantizer(kernels, loc, problem);
        });
    change(module.function());
    auto emulator = module.compile();
    if (!emulator)
      return llvm::toString(emulator.takeError());
    std::vector<EmulatorArgument> arguments{
        EmulatorArgument::input(x.bytes.data(), x.bytes.size())};
    if (problem.hasFactors)
      arguments.push_back(
          EmulatorArgument::input(factors.data(), 4 * factors.size()));
    arguments.push_back(EmulatorArgument::output(codes.data(), codes.size()));
    arguments.push_back(
        EmulatorArgument::output(scales.data(), 4 * scales.size()));
    if (llvm::Error error = (*emulator)->launch(
            problem.name(), problem.launchShape(m), arguments, seed))
      return llvm::toString(std::move(error));
    return check();
  }
  std::string run(uint64_t seed) {
    return run(seed, [](mlir::gpu::GPUFuncOp) {});
  }

  /// The op's definition, in f32: equal bit by bit.
  std::string check() const {
    for (int64_t row = 0; row < m; ++row) {
      float largest = 0;
      for (int64_t k = 0; k < problem.k; ++k) {
        float magnitude = std::fabs(at(row, k));
        largest =
            magnitude > largest || std::isnan(magnitude) || std::isnan(largest)
                ? magnitude + (std::isnan(largest) ? largest : 0)
                : largest;
      }
      float most = problem.isFloat ? 448 : 127;
      float scale = largest / most == 0 ? 1 : largest / most;
      std::string where = problem.name() + " row " + std::to_string(row);
      if (std::isnan(scale)) {
        if (!std::isnan(scales[row]))
          return where + ": expected a scale of NaN, got " +
                 std::to_string(scales[row]);
        continue;
      }
      if (scales[row] != scale)
        return where + ": expected scale " + std::to_string(scale) + ", got " +
               std::to_string(scales[row]);
      for (int64_t k = 0; k < problem.k; ++k) {
        float code = at(row, k) / scale;
        int8_t stored = codes[row * problem.k + k];
        float got = stored;
        if (problem.isFloat) {
          // The nearest of its kind, by LLVM's floats.
          llvm::APFloat number(code);
          bool loses;
          number.convert(llvm::APFloat::Float8E4M3FN(),
                         llvm::APFloat::rmNearestTiesToEven, &loses);
          code = number.convertToFloat();
          got = llvm::APFloat(llvm::APFloat::Float8E4M3FN(),
                              llvm::APInt(8, uint8_t(stored)))
                    .convertToFloat();
        } else {
          code = std::nearbyint(code);
        }
        if (got != std::clamp(code, -most, most))
          return where + " column " + std::to_string(k) + ": expected " +
                 std::to_string(code) + ", got " +
                 std::to_string(codes[row * problem.k + k]);
      }
    }
    return "";
  }
};

TEST(NVVMQuantizer, EqualsTheDefinition) {
  std::mt19937 random(1);
  uint64_t seed = 0;
  for (int64_t k : {1, 7, 12, 32, 64, 172, 300, 513, 1100, 2048, 4104})
    for (ElementType type :
         {ElementType::F16, ElementType::BF16, ElementType::F32})
      for (bool factors : {false, true})
        for (bool isFloat : {false, true}) {
          QuantizerCase c({k, type, factors, isFloat},
                          1 + int64_t(random() % 3), random);
          EXPECT_EQ(c.run(seed++ % 3), "");
        }
}

TEST(NVVMQuantizer, SpecialRows) {
  std::mt19937 random(2);
  QuantizerCase c({600, ElementType::F32, false}, 5, random);
  for (int64_t k = 0; k < 600; ++k) {
    c.x.set(k, k % 2 ? 0.0f : -0.0f);
    // Its scale underflows to 0.
    c.x.set(600 + k, std::numeric_limits<float>::denorm_min());
    // Ties, both ways.
    c.x.set(2 * 600 + k, k == 0 ? 127.0f : float(k % 100) + 0.5f);
    c.x.set(3 * 600 + k, k == 555 ? NAN : 1.0f);
    c.x.set(4 * 600 + k, k == 7 ? std::numeric_limits<float>::max() : 1.0f);
  }
  EXPECT_EQ(c.run(1), "");
  EXPECT_EQ(c.scales[0], 1);
  EXPECT_EQ(c.scales[1], 1);
  EXPECT_TRUE(std::isnan(c.scales[3]));
}

TEST(NVVMQuantizer, DroppedBarrier) {
  std::mt19937 random(3);
  for (uint64_t seed : {0, 1}) {
    QuantizerCase c({2048, ElementType::F16, false}, 2, random);
    std::string error = c.run(seed, [](mlir::gpu::GPUFuncOp kernel) {
      kernel.walk([](mlir::gpu::BarrierOp op) { op.erase(); });
    });
    EXPECT_NE(error.find("shared memory"), std::string::npos) << error;
  }
}

TEST(NVVMQuantizer, ThreadsLeftOut) {
  std::mt19937 random(4);
  QuantizerCase c({4096, ElementType::F16, false}, 2, random);
  std::string error = c.run(0, [](mlir::gpu::GPUFuncOp kernel) {
    replaceConstant(kernel, 256, 288);
  });
  EXPECT_NE(error.find("row 0"), std::string::npos) << error;
}

} // namespace
