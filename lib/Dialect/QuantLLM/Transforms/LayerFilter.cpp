//===- LayerFilter.cpp - Which layers the user means ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/Transforms/LayerFilter.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace qk::quant_llm;

FailureOr<LayerFilter> LayerFilter::create(ArrayRef<std::string> skip,
                                           ArrayRef<std::string> only,
                                           Location location) {
  LayerFilter filter;
  filter.hasOnly = !only.empty();
  auto add = [&](StringRef option, StringRef text) -> LogicalResult {
    llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(text);
    if (!glob) {
      emitError(location) << option << " pattern '" << text
                          << "': " << llvm::toString(glob.takeError());
      return failure();
    }
    filter.patterns.push_back({option.str(), text.str(), std::move(*glob)});
    return success();
  };
  for (const std::string &text : skip)
    if (failed(add("skip", text)))
      return failure();
  for (const std::string &text : only)
    if (failed(add("only", text)))
      return failure();
  return filter;
}

bool LayerFilter::selects(StringRef layer, bool isHead) {
  bool skipped = false, named = false;
  for (Pattern &pattern : patterns) {
    if (!pattern.glob.match(layer))
      continue;
    pattern.matched = true;
    (pattern.option == "skip" ? skipped : named) = true;
  }
  if (skipped)
    return false;
  return hasOnly ? named : !isHead;
}

LogicalResult qk::quant_llm::emitUnmatched(Location location, StringRef what,
                                           StringRef pattern,
                                           ArrayRef<std::string> layers) {
  StringRef nearest;
  unsigned best = ~0u;
  for (const std::string &layer : layers) {
    unsigned distance = StringRef(layer).edit_distance(pattern);
    if (distance < best) {
      best = distance;
      nearest = layer;
    }
  }
  InFlightDiagnostic diagnostic =
      emitError(location) << what << " '" << pattern << "' matches none of "
                          << layers.size() << " linear layers";
  if (!nearest.empty())
    diagnostic << "; the nearest name is '" << nearest << "'";
  return diagnostic;
}

LogicalResult LayerFilter::checkAllMatched(ArrayRef<std::string> layers,
                                           Location location) const {
  for (const Pattern &pattern : patterns)
    if (!pattern.matched)
      return emitUnmatched(location, pattern.option + " pattern", pattern.text,
                           layers);
  return success();
}
