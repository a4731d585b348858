//===- LayerNames.cpp - What layers are called ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerNames.h"

#include "../Binding/LayerPaths.h"
#include "Constants.h"

using namespace mlir;
using namespace qk::quant_llm;

LayerNames::LayerNames(ModuleOp module) {
  module.walk([&](Operation *op) {
    StringRef name;
    if (auto linear = dyn_cast<LinearOp>(op))
      name = linear.getLayer();
    else if (auto matmul = dyn_cast<MatmulOp>(op))
      name = matmul.getLayer();
    else
      return;
    used.insert(name);
    // Numbers go on where they ended.
    auto [function, number] = name.rsplit('.');
    int64_t value;
    if (!number.empty() && !number.getAsInteger(10, value) && value >= 0)
      numbers[function] = std::max(numbers[function], value + 1);
  });
}

/// What tells `part` of a constant of `count` elements from others: nothing for
/// one of all of them, which only has another order.
static std::string partSuffix(PartAttr part, int64_t count) {
  int64_t size = part.getNumElements();
  if (size == count)
    return "";
  // Parts of equal size by number, others by where they begin.
  return "." + std::to_string(part.getOffset() % size
                                  ? part.getOffset()
                                  : part.getOffset() / size);
}

std::string LayerNames::get(Value weight, bool transposed, PartAttr part,
                            StringRef function) {
  // The same constant may be loaded by several ops.
  Attribute key = getConstantKey(weight);
  auto [known, inserted] = names[function].try_emplace(
      {key ? key.getAsOpaquePointer() : weight.getAsOpaquePointer(), transposed,
       part.getAsOpaquePointer()});
  if (!inserted)
    return known->second;
  std::string name;
  std::optional<ConstantTensor> constant = getConstant(weight);
  if (constant)
    name = layerName(constant->name);
  // A file calls its tensors what the model does, or what the exporter did.
  if (name.empty() && constant && !constant->scope.empty() &&
      !isHandle(constant->name))
    name = constant->name;
  // An exporter may have left the name in a location.
  if (name.empty())
    if (auto location = weight.getLoc()->findInstanceOf<NameLoc>())
      name = layerName(location.getName());
  if (!name.empty() && part)
    name += partSuffix(part, constant->type.getNumElements());
  return known->second = fromBase(name, function);
}

std::string LayerNames::fromBase(StringRef base, StringRef function) {
  std::string name = base.str();
  if (name.empty())
    name = (function + "." + Twine(numbers[function]++)).str();
  // Two functions may name different tensors alike; keep both.
  std::string unique = name;
  for (int copy = 1; !used.insert(unique).second; ++copy)
    unique = name + "_" + std::to_string(copy);
  return unique;
}
