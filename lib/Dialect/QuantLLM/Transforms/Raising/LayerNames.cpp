//===- LayerNames.cpp - What layers are called ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerNames.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

using namespace mlir;
using namespace qk::quant_llm;

std::string LayerNames::get(Value weight, StringRef function) {
  auto [known, inserted] = names.try_emplace(weight);
  if (!inserted)
    return known->second;
  std::string name;
  auto parameter = weight.getDefiningOp<ParameterOp>();
  if (parameter && parameter.getName().ends_with(".weight"))
    name = parameter.getName().drop_back(StringRef(".weight").size()).str();
  else
    name = (function + "." + Twine(numbers[function]++)).str();
  // Two functions may name different tensors alike; keep both.
  std::string unique = name;
  for (int copy = 1; !used.insert(unique).second; ++copy)
    unique = name + "_" + std::to_string(copy);
  return known->second = unique;
}
