//===- Registration.h - Pipelines that know their options -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_PIPELINES_REGISTRATION_H
#define QK_LIB_PIPELINES_REGISTRATION_H

#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <string>
#include <vector>

namespace qk {

/// The options of pipeline `flag`, for messages about an option that another
/// pipeline has.
void recordOptions(llvm::StringRef flag, std::vector<std::string> options);

/// What is wrong with the options of pipeline `flag`, for which MLIR's parser
/// said `reason`: the nearest option it has, or the pipelines that have the one
/// given, and all it has. Empty where the parser has printed it already.
std::string explainOptions(llvm::StringRef flag, llvm::StringRef reason);

/// The names of what is in an options struct, in alphabetical order.
template <typename Options> std::vector<std::string> getOptionNames() {
  // The map is for derived classes.
  struct Named : Options {
    std::vector<std::string> names() const {
      std::vector<std::string> names;
      for (const auto &option : this->OptionsMap)
        names.push_back(llvm::StringRef(option.first).str());
      return names;
    }
  };
  std::vector<std::string> names = Named().names();
  std::sort(names.begin(), names.end());
  return names;
}

/// As mlir::PassPipelineRegistration, with better errors.
template <typename Options>
void registerPipeline(
    llvm::StringRef flag, llvm::StringRef description,
    std::function<void(mlir::OpPassManager &, const Options &)> build) {
  recordOptions(flag, getOptionNames<Options>());
  mlir::registerPassPipeline(
      flag, description,
      [flag = flag.str(), build = std::move(build)](
          mlir::OpPassManager &manager, llvm::StringRef text,
          llvm::function_ref<mlir::LogicalResult(const llvm::Twine &)> error)
          -> mlir::LogicalResult {
        Options options;
        std::string reason;
        llvm::raw_string_ostream stream(reason);
        if (mlir::failed(options.parseFromString(text, stream))) {
          std::string message = explainOptions(flag, reason);
          return message.empty() ? mlir::failure() : error(message);
        }
        build(manager, options);
        return mlir::success();
      },
      [](llvm::function_ref<void(const mlir::detail::PassOptions &)> visit) {
        visit(Options());
      });
}

} // namespace qk

#endif // QK_LIB_PIPELINES_REGISTRATION_H
