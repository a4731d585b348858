//===- NVVMRowQuantizerTest.cpp - Norms with their quantiser, emulated ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Norms as linalg operations on tensors, fused by the pass and run on the
/// emulator, against their formulas in f64.
///
//===----------------------------------------------------------------------===//

#include "NVVMCase.h"

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/NVVM/Passes.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Target/NVVM/Quantizer.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"

using namespace qk;
using namespace qk::nvvm;
using namespace qk::test;

namespace {

enum class Kind { RMS, OnePlus, LayerNorm, Gated, ByLargest };

/// An operation on [m, k] tensors; `ins` as "h:row s:token w:column", each with
/// its type in `types`, in that order; `body` computes %y of type `out`.
std::string loop(std::string result, std::string ins, std::string types,
                 std::string body, std::string out, std::string init,
                 bool reduces, std::string shape) {
  auto split = [](const std::string &text, char by) {
    std::vector<std::string> parts;
    std::string part;
    for (std::istringstream stream(text); std::getline(stream, part, by);)
      parts.push_back(part);
    return parts;
  };
  std::string rows = shape.substr(0, shape.find('x')),
              columns = shape.substr(shape.find('x') + 1);
  std::string maps, names, tensors, arguments;
  std::vector<std::string> elements = split(types, ' ');
  size_t i = 0;
  for (const std::string &entry : split(ins, ' ')) {
    std::string name = entry.substr(0, entry.find(':')),
                where = entry.substr(entry.find(':') + 1);
    bool isRow = where == "row", isToken = where == "token";
    maps += std::string("affine_map<(d0, d1) -> (") +
            (isRow     ? "d0, d1"
             : isToken ? "d0"
                       : "d1") +
            ")>, ";
    names += (i ? ", %" : "%") + name;
    tensors += (i ? ", tensor<" : "tensor<") +
               (isRow     ? shape
                : isToken ? rows
                          : columns) +
               "x" + elements[i] + ">";
    arguments += "%" + name + "0: " + elements[i] + ", ";
    ++i;
  }
  std::string type = "tensor<" + (reduces ? rows : shape) + "x" + out + ">";
  return "  %" + result + " = linalg.generic {indexing_maps = [" + maps +
         "affine_map<(d0, d1) -> (" + (reduces ? "d0" : "d0, d1") +
         ")>], iterator_types = [\"parallel\", \"" +
         (reduces ? "reduction" : "parallel") + "\"]} ins(" + names + " : " +
         tensors + ") outs(%" + init + " : " + type + ") {\n  ^bb0(" +
         arguments + "%o0: " + out + "):\n" + body +
         "    linalg.yield %y : " + out + "\n  } -> " + type + "\n";
}

struct RowCase {
  Kind kind;
  ElementType type;
  int64_t k, m;
  bool hasFactors;
  Elements h, second;
  Elements w, bias;
  std::vector<float> factors;
  std::vector<int8_t> codes;
  std::vector<float> scales;

  RowCase(Kind kind, ElementType type, int64_t k, int64_t m, bool hasFactors,
          std::mt19937 &random)
      : kind(kind), type(type), k(k), m(m), hasFactors(hasFactors),
        h(type, m * k), second(type, m * k), w(type, k), bias(type, k),
        codes(m * k, 99), scales(m) {
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < m * k; ++i) {
      h.set(i, 3 * normal(random) + 1);
      second.set(i, normal(random));
    }
    for (int64_t i = 0; i < k; ++i) {
      w.set(i, kind == Kind::OnePlus ? normal(random) / 8
                                     : 1 + normal(random) / 4);
      bias.set(i, normal(random));
      factors.push_back(hasFactors ? std::exp(normal(random)) : 1);
    }
  }

  std::string describe() const {
    return "norm " + std::to_string(int(kind)) + " " +
           std::string(elementTypeName(type)) + " " + std::to_string(m) + "x" +
           std::to_string(k);
  }

  /// What is quantised, in f64.
  std::vector<double> reference(int64_t row) const {
    auto at = [&](int64_t i) { return double(h.get(row * k + i)); };
    double sum = 0, squares = 0, largest = -INFINITY;
    for (int64_t i = 0; i < k; ++i) {
      sum += at(i);
      squares += at(i) * at(i);
      largest = std::max(largest, at(i));
    }
    double mean = sum / double(k), variance = 0;
    for (int64_t i = 0; i < k; ++i)
      variance += (at(i) - mean) * (at(i) - mean) / double(k);
    std::vector<double> y;
    for (int64_t i = 0; i < k; ++i) {
      double g = w.get(i), value = 0;
      switch (kind) {
      case Kind::RMS:
        value = at(i) / std::sqrt(squares / double(k) + 1e-5) * g;
        break;
      case Kind::OnePlus:
        value = at(i) / std::sqrt(squares / double(k) + 1e-5) * (1 + g);
        break;
      case Kind::LayerNorm:
        value = (at(i) - mean) / std::sqrt(variance + 1e-5) * g + bias.get(i);
        break;
      case Kind::Gated:
        value = at(i) / (1 + std::exp(-at(i))) * second.get(row * k + i);
        break;
      case Kind::ByLargest:
        value = at(i) - largest;
        break;
      }
      y.push_back(value / factors[i]);
    }
    return y;
  }

  /// The module, as exporters write such norms: in f32, converted at both ends.
  std::string text() const {
    std::string t(elementTypeName(type)), k = std::to_string(this->k);
    std::string rows = m == 1 ? "1" : "?", shape = rows + "x" + k;
    std::string sizes = m == 1 ? "" : "%m";
    auto tensor = [](std::string shape, std::string type) {
      return "tensor<" + shape + "x" + type + ">";
    };
    std::string ops =
        "  %c0 = arith.constant 0 : index\n  %zero = arith.constant 0.0 : f32\n"
        "  %low = arith.constant 0xFF800000 : f32\n"
        "  %one = arith.constant 1.0 : f32\n  %count = arith.constant " +
        std::to_string(this->k) +
        ".0 : f32\n  %eps = arith.constant 1.0e-5 : f32\n"
        "  %m = tensor.dim %h, %c0 : " +
        tensor(shape, t) + "\n  %er = tensor.empty(" + sizes +
        ") : " + tensor(rows, "f32") + "\n  %ew = tensor.empty(" + sizes +
        ") : " + tensor(shape, "f32") + "\n  %et = tensor.empty(" + sizes +
        ") : " + tensor(shape, t) + "\n";
    ops += "  %z = linalg.fill ins(%" +
           std::string(kind == Kind::ByLargest ? "low" : "zero") +
           " : f32) outs(%er : " + tensor(rows, "f32") + ") -> " +
           tensor(rows, "f32") + "\n";
    bool narrow = type != ElementType::F32;
    auto widen = [&](std::string name) {
      if (!narrow)
        return "    %" + name + "1 = arith.addf %" + name + "0, %zero : f32\n";
      return "    %" + name + "1 = arith.extf %" + name + "0 : " + t +
             " to f32\n";
    };
    auto yield = [&](std::string value) {
      if (!narrow)
        return "    %y = arith.addf %" + value + ", %zero : f32\n";
      return "    %y = arith.truncf %" + value + " : f32 to " + t + "\n";
    };
    switch (kind) {
    case Kind::RMS:
    case Kind::OnePlus: {
      ops += loop("s", "h:row", t,
                  widen("h") + "    %a = arith.mulf %h1, %h1 : f32\n"
                               "    %y = arith.addf %a, %o0 : f32\n",
                  "f32", "z", true, shape);
      bool plus = kind == Kind::OnePlus;
      ops += loop("x", "h:row s:token w:column", t + " f32 " + t,
                  widen("h") + widen("w") +
                      "    %a = arith.divf %s0, %count : f32\n"
                      "    %b = arith.addf %a, %eps : f32\n"
                      "    %c = math.rsqrt %b : f32\n"
                      "    %d = arith.mulf %h1, %c : f32\n"
                      "    %g = arith.addf %w1, %" +
                      (plus ? "one" : "zero") +
                      " : f32\n    %e = arith.mulf %d, %g : f32\n" + yield("e"),
                  t, "et", false, shape);
      break;
    }
    case Kind::LayerNorm:
      ops += loop("s", "h:row", t,
                  widen("h") + "    %y = arith.addf %h1, %o0 : f32\n", "f32",
                  "z", true, shape);
      ops += loop("d", "h:row s:token", t + " f32",
                  widen("h") + "    %a = arith.divf %s0, %count : f32\n"
                               "    %y = arith.subf %h1, %a : f32\n",
                  "f32", "ew", false, shape);
      ops += loop("v", "d:row", "f32",
                  "    %a = arith.mulf %d0, %d0 : f32\n"
                  "    %y = arith.addf %o0, %a : f32\n",
                  "f32", "z", true, shape);
      ops += loop("x", "d:row v:token w:column bias:column",
                  "f32 f32 " + t + " " + t,
                  widen("w") + widen("bias") +
                      "    %a = arith.divf %v0, %count : f32\n"
                      "    %e = arith.addf %a, %eps : f32\n"
                      "    %c = math.rsqrt %e : f32\n"
                      "    %f = arith.mulf %d0, %c : f32\n"
                      "    %g = arith.mulf %f, %w1 : f32\n"
                      "    %i = arith.addf %g, %bias1 : f32\n" +
                      yield("i"),
                  t, "et", false, shape);
      break;
    case Kind::Gated:
      ops += loop("x", "h:row second:row", t + " " + t,
                  widen("h") + widen("second") +
                      "    %a = arith.negf %h1 : f32\n"
                      "    %b = math.exp %a : f32\n"
                      "    %c = arith.addf %b, %one : f32\n"
                      "    %d = arith.divf %h1, %c : f32\n"
                      "    %e = arith.mulf %d, %second1 : f32\n" +
                      yield("e"),
                  t, "et", false, shape);
      break;
    case Kind::ByLargest:
      ops += loop("s", "h:row", t,
                  widen("h") + "    %y = arith.maximumf %h1, %o0 : f32\n",
                  "f32", "z", true, shape);
      ops +=
          loop("x", "h:row s:token", t + " f32",
               widen("h") + "    %a = arith.subf %h1, %s0 : f32\n" + yield("a"),
               t, "et", false, shape);
      break;
    }
    return "func.func @main(%h: " + tensor(shape, t) +
           ", %second: " + tensor(shape, t) + ", %w: " + tensor(k, t) +
           ", %bias: " + tensor(k, t) + ", %factors: " + tensor(k, "f32") +
           ") -> (" + tensor(shape, "i8") + ", " + tensor(rows + "x1", "f32") +
           ") {\n" + ops + "  %c, %t = quant_llm.quantize %x " +
           (hasFactors ? "divided_by(%factors : " + tensor(k, "f32") + ") "
                       : "") +
           "scheme(<8, per_token>) : " + tensor(shape, t) + " -> " +
           tensor(shape, "i8") + ", " + tensor(rows + "x1", "f32") +
           "\n  return %c, %t : " + tensor(shape, "i8") + ", " +
           tensor(rows + "x1", "f32") + "\n}\n";
  }

  template <typename Change> std::string run(uint64_t seed, Change change);
  std::string run(uint64_t seed) {
    return run(seed, [](mlir::gpu::GPUFuncOp) {});
  }
  std::string check() const;
};

/// Which argument of @main a launcher's operand is.
unsigned argumentOf(mlir::Value value) {
  while (mlir::Operation *op = value.getDefiningOp())
    value = op->getOperand(0);
  return mlir::cast<mlir::BlockArgument>(value).getArgNumber();
}

template <typename Change>
std::string RowCase::run(uint64_t seed, Change change) {
  mlir::DialectRegistry registry;
  registerHostToLLVMExtensions(registry);
  registerSerialization(registry);
  registry.insert<quant_llm::QuantLLMDialect>();
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text(), &context);
  if (!module)
    return describe() + ": can't parse\n" + text();
  mlir::PassManager fuse(&context);
  PackForNVVMOptions pack;
  pack.model = "device";
  fuse.addPass(createPackForNVVM(pack));
  fuse.addPass(createFuseRowQuantizers());
  if (failed(fuse.run(*module)))
    return describe() + ": can't fuse";
  mlir::func::CallOp call;
  module->walk([&](mlir::func::CallOp op) { call = op; });
  if (!call)
    return describe() + ": expected a fused quantiser, got none";
  mlir::func::FuncOp program;
  for (auto function : module->getOps<mlir::func::FuncOp>())
    if (function.getSymName() == "rows0")
      program = function;
  QuantizerProblem problem{k, type, hasFactors, /*isFloat=*/false,
                           rowProgramInfo(program, k, type)};
  if (!problem.program)
    return describe() + ": not a program";

  context.loadDialect<mlir::gpu::GPUDialect, mlir::LLVM::LLVMDialect,
                      mlir::NVVM::NVVMDialect, mlir::scf::SCFDialect>();
  mlir::OpBuilder b = mlir::OpBuilder::atBlockEnd(module->getBody());
  auto kernels =
      createKernelModule(b, module->getLoc(), "kernels", *findChip("sm_80"));
  mlir::gpu::GPUFuncOp kernel =
      buildQuantizer(kernels, module->getLoc(), problem, program);
  change(kernel);
  mlir::PassManager lower(&context);
  lower.addNestedPass<mlir::gpu::GPUModuleOp>(createExpandDeviceMath());
  buildKernelLoweringPipeline(lower.nest<mlir::gpu::GPUModuleOp>());
  if (failed(mlir::verify(*module)) || failed(lower.run(*module)))
    return describe() + ": can't lower";
  auto emulator = Emulator::create(kernels);
  if (!emulator)
    return describe() + ": " + llvm::toString(emulator.takeError());
  std::vector<EmulatorArgument> arguments;
  const Elements *tensors[] = {&h, &second, &w, &bias};
  for (mlir::Value operand : call.getOperands().drop_back(2)) {
    unsigned number = argumentOf(operand);
    if (number == 4)
      arguments.push_back(
          EmulatorArgument::input(factors.data(), 4 * factors.size()));
    else
      arguments.push_back(EmulatorArgument::input(
          tensors[number]->bytes.data(), tensors[number]->bytes.size()));
  }
  arguments.push_back(EmulatorArgument::output(codes.data(), codes.size()));
  arguments.push_back(
      EmulatorArgument::output(scales.data(), 4 * scales.size()));
  if (llvm::Error error = (*emulator)->launch(
          problem.name(), problem.launchShape(m), arguments, seed))
    return describe() + ": " + llvm::toString(std::move(error));
  return check();
}

std::string RowCase::check() const {
  // x is rounded to its type once; f32 has rounded a dozen times and summed k
  // terms by a tree.
  double error = 1.01 * h.epsilon() + 64 * 0x1p-24;
  for (int64_t row = 0; row < m; ++row) {
    std::vector<double> x = reference(row);
    double largest = 0;
    for (double value : x)
      largest = std::max(largest, std::fabs(value));
    double scale = largest / 127;
    if (!(std::fabs(scales[row] - scale) <= error * scale))
      return describe() + " row " + std::to_string(row) + ": expected scale " +
             std::to_string(scale) + ", got " + std::to_string(scales[row]);
    for (int64_t i = 0; i < k; ++i) {
      double code = x[i] / scale, got = codes[row * k + i];
      if (!(std::fabs(got - code) <= 0.5 + 127 * 3 * error))
        return describe() + " row " + std::to_string(row) + " column " +
               std::to_string(i) + ": expected " + std::to_string(code) +
               ", got " + std::to_string(got);
    }
  }
  return "";
}

TEST(NVVMRowQuantizer, EqualsTheFormulas) {
  std::mt19937 random(7);
  uint64_t seed = 0;
  for (Kind kind : {Kind::RMS, Kind::OnePlus, Kind::LayerNorm, Kind::Gated,
                    Kind::ByLargest})
    for (ElementType type :
         {ElementType::F16, ElementType::BF16, ElementType::F32})
      for (int64_t size :
           {int64_t(2 + random() % 40), int64_t(97 + 2 * (random() % 99)),
            int64_t(8 * (64 + random() % 64))}) {
        bool hasFactors = random() % 2;
        RowCase c(kind, type, size,
                  random() % 3 ? 1 + int64_t(random() % 5) : 1, hasFactors,
                  random);
        EXPECT_EQ(c.run(seed++ % 3), "");
      }
}

/// The same bytes whatever order the threads run in.
TEST(NVVMRowQuantizer, SameBytes) {
  std::mt19937 random(8);
  RowCase c(Kind::LayerNorm, ElementType::F16, 1000, 3, true, random);
  EXPECT_EQ(c.run(0), "");
  std::vector<int8_t> codes = c.codes;
  std::vector<float> scales = c.scales;
  for (uint64_t seed : {1, 2, 3}) {
    EXPECT_EQ(c.run(seed), "");
    EXPECT_EQ(c.codes, codes);
    EXPECT_EQ(c.scales, scales);
  }
}

/// Each of the barriers is needed: two sums', and the largest magnitude's.
TEST(NVVMRowQuantizer, DroppedBarrier) {
  std::mt19937 random(9);
  for (int dropped : {0, 1, 2})
    for (uint64_t seed : {0, 1}) {
      RowCase c(Kind::LayerNorm, ElementType::F16, 1024, 2, false, random);
      std::string error = c.run(seed, [&](mlir::gpu::GPUFuncOp kernel) {
        std::vector<mlir::gpu::BarrierOp> barriers;
        kernel.walk([&](mlir::gpu::BarrierOp op) { barriers.push_back(op); });
        ASSERT_EQ(barriers.size(), 3u);
        barriers[dropped].erase();
      });
      EXPECT_NE(error.find("shared memory"), std::string::npos) << error;
    }
}

/// A sum that lacks some threads' terms.
TEST(NVVMRowQuantizer, ThreadsLeftOut) {
  std::mt19937 random(10);
  RowCase c(Kind::RMS, ElementType::F32, 4096, 2, false, random);
  std::string error = c.run(0, [](mlir::gpu::GPUFuncOp kernel) {
    replaceConstant(kernel, 256, 288);
  });
  EXPECT_NE(error.find("row 0"), std::string::npos) << error;
}

} // namespace
