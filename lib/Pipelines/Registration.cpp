//===- Registration.cpp - Pipelines that know their options ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Registration.h"

#include "qk/Storage/Checkpoint.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <map>

using namespace qk;

/// As MLIR's own registry, there is one for the process.
static std::map<std::string, std::vector<std::string>> &recorded() {
  static std::map<std::string, std::vector<std::string>> options;
  return options;
}

void qk::recordOptions(llvm::StringRef flag, std::vector<std::string> options) {
  recorded()[flag.str()] = std::move(options);
}

/// The pipelines that have `option`, each by the shorter of its names.
static std::vector<std::string> findOwners(llvm::StringRef option) {
  std::vector<std::string> owners;
  for (const auto &[flag, options] : recorded()) {
    llvm::StringRef shorter = flag;
    if (shorter.consume_front("quant-llm-") && recorded().count(shorter.str()))
      continue;
    if (llvm::is_contained(options, option))
      owners.push_back("--" + flag);
  }
  return owners;
}

std::string qk::explainOptions(llvm::StringRef flag, llvm::StringRef reason) {
  constexpr llvm::StringLiteral kUnknown = "no such option ";
  auto [before, name] = reason.trim().split(kUnknown);
  if (name.empty())
    return reason.trim().str();
  const std::vector<std::string> &own = recorded()[flag.str()];
  std::vector<llvm::StringRef> names(own.begin(), own.end());
  std::vector<std::string> owners = findOwners(name);
  llvm::StringRef nearest = storage::nearestName(name, names);
  std::string message =
      "--" + flag.str() + " has no option '" + name.str() + "'";
  if (!owners.empty())
    message += ", which is one of " + llvm::join(owners, ", ") + "; it has ";
  else if (!nearest.empty())
    message += "; did you mean '" + nearest.str() + "'? It has ";
  else
    message += "; it has ";
  return message + llvm::join(names, ", ");
}
