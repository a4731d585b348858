//===- GpuPlan.cpp - Launches for qk-gpu-run --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuPlan.h"

#include <optional>

using namespace qk;
using namespace qk::nvvm;

static llvm::json::Object describeProblem(const MatmulProblem &problem) {
  static constexpr const char *scales[] = {"f16", "bf16", "f32"};
  llvm::json::Object object{
      {"codes", std::string(numerics::codeTypeName(problem.scheme.codeType))},
      {"group", problem.scheme.groupSize},
      {"scale", scales[int(problem.scheme.scaleType)]},
      {"k", problem.k},
      {"zero_points", problem.hasZeroPoints},
      {"permutation", problem.hasPermutation},
      {"type", std::string(elementTypeName(problem.type))},
      {"int8_activations", problem.int8Activations},
      {"tensor_scale", problem.hasTensorScale},
      {"layout", std::string(layoutName(problem.packing))}};
  if (problem.bias)
    object["bias"] = std::string(elementTypeName(*problem.bias));
  return object;
}

llvm::json::Object bench::describeCase(const GpuCase &each,
                                       const CompiledKernel &kernel,
                                       llvm::StringRef file) {
  LaunchShape shape = each.choice.launchShape(each.m, each.n);
  llvm::json::Array parameters;
  for (const llvm::json::Value &parameter :
       *kernel.description.getArray("parameters"))
    parameters.push_back(parameter.getAsObject()->getString("name")->str());
  llvm::json::Object object{
      {"name", each.name},
      {"variant", each.variant},
      {"timed", each.timed},
      {"file", file.str()},
      {"kernel", each.choice.name()},
      {"family", std::string(kernelFamilyName(each.choice.family))},
      {"reason", each.choice.reason},
      {"parameters", std::move(parameters)},
      {"problem", describeProblem(each.choice.problem)},
      {"m", each.m},
      {"n", each.n},
      {"seed", int64_t(each.seed)},
      {"grid", llvm::json::Array{shape.grid[0], shape.grid[1], shape.grid[2]}},
      {"block",
       llvm::json::Array{shape.block[0], shape.block[1], shape.block[2]}}};
  for (const char *bytes : {"dynamic_shared_bytes", "workspace_bytes"})
    if (std::optional<int64_t> value = kernel.description.getInteger(bytes))
      object[bytes] = *value;
  if (shape.cluster > 1)
    object["cluster"] = llvm::json::Array{1, 1, shape.cluster};
  return object;
}
