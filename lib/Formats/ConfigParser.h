//===- ConfigParser.h - Reads what a config says of weights ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_FORMATS_CONFIGPARSER_H
#define QK_LIB_FORMATS_CONFIGPARSER_H

#include "qk/Formats/QuantizedCheckpoint.h"
#include "qk/Storage/JSON.h"

namespace qk::formats {

using storage::JSONValue;

/// Reads one config; the file's name begins every message.
class ConfigParser {
public:
  explicit ConfigParser(llvm::StringRef name) : name(name) {}

  llvm::Error parse(const JSONValue &config, QuantizationConfig &result);

private:
  llvm::Error fail(const llvm::Twine &what) const {
    return storage::makeError(name + ": " + what);
  }
  llvm::Error wrong(llvm::StringRef key, llvm::StringRef expected,
                    const JSONValue &got) const {
    return fail("line " + llvm::Twine(got.line) + ": expected \"" + key +
                "\" to be " + expected + ", got " + got.describe());
  }
  llvm::Error bits(const JSONValue &config,
                   llvm::ArrayRef<llvm::StringRef> keys,
                   llvm::ArrayRef<int64_t> allowed, int &result) const;
  llvm::Error group(const JSONValue &config,
                    llvm::ArrayRef<llvm::StringRef> keys,
                    int64_t &result) const;
  llvm::Error boolean(const JSONValue &config, llvm::StringRef key,
                      bool &result) const;
  llvm::Error text(const JSONValue &config, llvm::StringRef key,
                   std::string &result) const;
  /// A pattern of Python's `re.match` as one of llvm::Regex.
  /// `spelt` may begin with what tells it from a name: "re:", "-:", "+:".
  llvm::Error pattern(llvm::StringRef spelt, const JSONValue &at,
                      std::string &result) const;
  llvm::Error parseDynamic(const JSONValue &dynamic, const LayerConfig &common,
                           QuantizationConfig &result);
  llvm::Error parseCompressed(const JSONValue &config,
                              QuantizationConfig &result);
  /// Of quant_method fp8, as vLLM and transformers have it.
  llvm::Error parseFloat8(const JSONValue &config, QuantizationConfig &result);
  /// Sides of the blocks of weights [N,K] that share a scale.
  llvm::Error block(const JSONValue &config, llvm::StringRef key,
                    LayerConfig &result) const;
  llvm::Error parseGroup(const JSONValue &group, const QuantizationConfig &all,
                         LayerConfig &result);

  std::string name;
};

/// The first of `keys` that is there and not null.
const JSONValue *findAny(const JSONValue &config,
                         llvm::ArrayRef<llvm::StringRef> keys);

} // namespace qk::formats

#endif // QK_LIB_FORMATS_CONFIGPARSER_H
