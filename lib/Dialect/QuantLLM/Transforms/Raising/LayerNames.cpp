//===- LayerNames.cpp - What layers are called ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerNames.h"

#include "Constants.h"

using namespace mlir;
using namespace qk::quant_llm;

std::string LayerNames::get(Value weight, bool transposed, StringRef function) {
  // The same constant may be loaded by several ops.
  Attribute key = getConstantKey(weight);
  auto [known, inserted] = names[function].try_emplace(
      {key ? key.getAsOpaquePointer() : weight.getAsOpaquePointer(),
       transposed});
  if (!inserted)
    return known->second;
  std::string name;
  std::optional<ConstantTensor> constant = getConstant(weight);
  if (constant && StringRef(constant->name).ends_with(".weight"))
    name = StringRef(constant->name).drop_back(strlen(".weight")).str();
  else
    name = (function + "." + Twine(numbers[function]++)).str();
  // Two functions may name different tensors alike; keep both.
  std::string unique = name;
  for (int copy = 1; !used.insert(unique).second; ++copy)
    unique = name + "_" + std::to_string(copy);
  return known->second = unique;
}
