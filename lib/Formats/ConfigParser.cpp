//===- ConfigParser.cpp - Values of a config ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConfigParser.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Regex.h"

#include <algorithm>

using namespace llvm;
using namespace qk;
using namespace qk::formats;
using Kind = JSONValue::Kind;

/// Why llvm::Regex would not survive a pattern: it recurses into parentheses,
/// and copies what is repeated by {m,n}, copies within copies too. Empty for
/// patterns that it reads.
static std::string tooLarge(StringRef pattern) {
  constexpr uint64_t maximalDepth = 100, maximalSize = 100'000;
  uint64_t depth = 0, deepest = 0, size = pattern.size();
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '(')
      deepest = std::max(deepest, ++depth);
    if (pattern[i] == ')' && depth)
      --depth;
    if (pattern[i] != '{')
      continue;
    // Whether braces are nested doesn't count: the product is the worst case.
    uint64_t most = 1;
    StringRef rest = pattern.substr(i + 1);
    do {
      uint64_t count;
      if (rest.consumeInteger(10, count))
        break;
      most = std::max(most, count);
    } while (rest.consume_front(","));
    size = SaturatingMultiply(size, most);
  }
  if (deepest > maximalDepth)
    return ("expected parentheses at most " + Twine(maximalDepth) +
            " deep, got " + Twine(deepest))
        .str();
  if (size > maximalSize)
    return ("expected at most " + Twine(maximalSize) +
            " characters with all repetitions written out, got " + Twine(size))
        .str();
  return "";
}

const JSONValue *qk::formats::findAny(const JSONValue &config,
                                      ArrayRef<StringRef> keys) {
  for (StringRef key : keys)
    if (const JSONValue *value = config.find(key);
        value && value->kind != Kind::Null)
      return value;
  return nullptr;
}

Error ConfigParser::bits(const JSONValue &config, ArrayRef<StringRef> keys,
                         ArrayRef<int64_t> allowed, int &result) const {
  const JSONValue *value = findAny(config, keys);
  std::string expected;
  for (int64_t one : allowed)
    expected += (expected.empty() ? "" : ", ") + std::to_string(one);
  if (!value)
    return fail("expected \"" + keys.front() + "\" to be one of " + expected +
                ", got nothing");
  std::optional<int64_t> number = value->integer();
  if (!number || !is_contained(allowed, *number))
    return wrong(keys.front(), "one of " + expected, *value);
  result = static_cast<int>(*number);
  return Error::success();
}

Error ConfigParser::group(const JSONValue &config, ArrayRef<StringRef> keys,
                          int64_t &result) const {
  const JSONValue *value = findAny(config, keys);
  if (!value) {
    result = -1;
    return Error::success();
  }
  std::optional<int64_t> number = value->integer();
  if (!number || (*number != -1 && (*number < 1 || *number > (1 << 30))))
    return wrong(keys.front(), "-1 or at least 1", *value);
  result = *number;
  return Error::success();
}

Error ConfigParser::boolean(const JSONValue &config, StringRef key,
                            bool &result) const {
  const JSONValue *value = findAny(config, {key});
  if (!value)
    return Error::success();
  if (value->kind != Kind::Boolean)
    return wrong(key, "true or false", *value);
  result = value->boolean;
  return Error::success();
}

Error ConfigParser::text(const JSONValue &config, StringRef key,
                         std::string &result) const {
  const JSONValue *value = findAny(config, {key});
  if (!value)
    return Error::success();
  if (!value->isString())
    return wrong(key, "a string", *value);
  result = value->text;
  return Error::success();
}

Error ConfigParser::pattern(StringRef spelt, const JSONValue &at,
                            std::string &result) const {
  StringRef python = spelt;
  for (StringRef prefix : {"re:", "-:", "+:"})
    if (python.consume_front(prefix))
      break;
  // re.match begins where the name does.
  result = "^(";
  std::string what = tooLarge(python);
  for (size_t i = 0; i < python.size() && what.empty(); ++i) {
    char c = python[i], next = i + 1 < python.size() ? python[i + 1] : 0;
    if (c == '(' && next == '?') {
      if (!python.substr(i).starts_with("(?:"))
        what = "groups of the form (?… are not known here";
      result += '(';
      i += 2;
    } else if (c != '\\') {
      result += c;
    } else if (next == 'd') {
      result += "[0-9]";
      ++i;
    } else if (next == 'w') {
      result += "[A-Za-z0-9_]";
      ++i;
    } else if (isAlnum(next)) {
      what = std::string("\\") + next + " is not known here";
    } else {
      result += c;
      if (next)
        result += next;
      ++i;
    }
  }
  result += ')';
  if (what.empty())
    (void)Regex(result).isValid(what);
  if (!what.empty())
    return fail("line " + Twine(at.line) + ": target '" + spelt.take_front(99) +
                (spelt.size() > 99 ? "…" : "") +
                "' is no regular expression: " + what);
  return Error::success();
}
