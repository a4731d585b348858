//===- LayerPaths.cpp - Names of weights as paths -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerPaths.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace qk::quant_llm;
using llvm::ArrayRef;
using llvm::StringRef;

/// Appends `component`; with `splitNumbers`, `layers_0` as two.
static void append(LayerPath &path, StringRef component, bool splitNumbers) {
  if (component.empty())
    return;
  StringRef stem = component.rtrim("0123456789");
  if (splitNumbers && stem.size() < component.size() && stem.size() > 1 &&
      stem.ends_with("_")) {
    path.push_back(stem.drop_back().str());
    component = component.drop_front(stem.size());
  }
  path.push_back(component.str());
}

LayerPath qk::quant_llm::parsePath(StringRef name, bool splitNumbers) {
  LayerPath path;
  while (!name.empty()) {
    if (name.consume_front("[")) {
      // ['x'], ["x"] or [0]; a key may hold anything but its quote.
      StringRef quote = name.take_front(1);
      size_t end;
      if (quote == "'" || quote == "\"") {
        name = name.drop_front();
        end = name.find((quote + "]").str());
        append(path, name.take_front(end), splitNumbers);
        name = end == StringRef::npos ? "" : name.drop_front(end + 2);
      } else {
        end = name.find(']');
        append(path, name.take_front(end), splitNumbers);
        name = end == StringRef::npos ? "" : name.drop_front(end + 1);
      }
      continue;
    }
    size_t end = name.find_first_of("./[");
    append(path, name.take_front(end), splitNumbers);
    name = name.drop_front(std::min(end, name.size()));
    if (!name.starts_with("["))
      name = name.drop_front(std::min<size_t>(1, name.size()));
  }
  return path;
}

/// Whether a component only says that this is the layer's weight.
static bool isWeightWord(StringRef component) {
  return component == "weight" || component == "kernel" ||
         component == "embedding" || component == "scale";
}

static ArrayRef<std::string> dropWeightWord(ArrayRef<std::string> path) {
  return !path.empty() && isWeightWord(path.back()) ? path.drop_back() : path;
}

PathMatch qk::quant_llm::matchPaths(ArrayRef<std::string> a,
                                    ArrayRef<std::string> b) {
  if (a == b)
    return PathMatch::Equal;
  a = dropWeightWord(a);
  b = dropWeightWord(b);
  if (a.empty() || b.empty())
    return PathMatch::None;
  if (a == b)
    return PathMatch::SameLayer;
  size_t common = std::min(a.size(), b.size());
  return a.take_back(common) == b.take_back(common) ? PathMatch::Suffix
                                                    : PathMatch::None;
}

std::string qk::quant_llm::layerName(StringRef name) {
  // PyTorch's spelling is what a dotted path is.
  if (!name.contains('[') && !name.contains('/')) {
    for (StringRef word : {".weight", ".kernel"})
      if (name.ends_with(word) && name.size() > word.size())
        return name.drop_back(word.size()).str();
    return "";
  }
  LayerPath path = parsePath(name, /*splitNumbers=*/false);
  if (path.size() > 1 && (path.back() == "weight" || path.back() == "kernel"))
    path.pop_back();
  while (path.size() > 1 && path.front() == "params")
    path.erase(path.begin());
  return llvm::join(path, ".");
}

bool qk::quant_llm::isHandle(StringRef name) {
  name = name.ltrim("_%");
  if (name.starts_with("torch_tensor_") || name.starts_with("onnx::") ||
      name.starts_with("onnx__"))
    return true;
  StringRef stem = name.rtrim("0123456789");
  bool numbered = stem.size() < name.size();
  stem = stem.rtrim("_.");
  return numbered &&
         (stem.empty() || stem == "val" || stem == "arg" || stem == "param" ||
          stem.ends_with("const") || stem.ends_with("constant") ||
          stem.ends_with("cst") || stem.ends_with("literal"));
}

bool qk::quant_llm::isHeadName(StringRef name) {
  name.consume_back(".weight");
  return name == "lm_head" || name.ends_with(".lm_head");
}
