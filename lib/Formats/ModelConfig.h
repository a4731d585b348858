//===- ModelConfig.h - A model's config.json --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_FORMATS_MODELCONFIG_H
#define QK_LIB_FORMATS_MODELCONFIG_H

#include "qk/Storage/JSON.h"

#include <optional>
#include <string>

namespace qk::formats {

/// The config.json in `folder`, if it has one. Errors: those of readJSON, no
/// object.
llvm::Expected<std::optional<storage::JSONValue>>
readModelConfig(llvm::StringRef folder);

/// Whether the model has a head that its checkpoint may leave out: a language
/// model's, tied to the embedding.
bool hasHead(const storage::JSONValue &config);

/// `config` as text: keys in its order, numbers as spelt, and
/// `quantizationConfig`, a JSON text, in place of what it says of that.
std::string writeModelConfig(const std::optional<storage::JSONValue> &config,
                             llvm::StringRef quantizationConfig);

} // namespace qk::formats

#endif // QK_LIB_FORMATS_MODELCONFIG_H
