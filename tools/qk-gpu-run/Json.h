//===- Json.h - JSON without a library ---------------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What `qk-bench --gpu --emit` wrote, and what this program writes. No LLVM
/// here: the program runs where only a compiler and the driver are.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKGPURUN_JSON_H
#define QK_TOOLS_QKGPURUN_JSON_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qk::gpurun {

/// A value. Numbers are f64; an object keeps its order.
struct Json {
  enum Kind { Null, Bool, Number, String, Array, Object } kind = Null;
  bool boolean = false;
  double number = 0;
  std::string text;
  /// Of an array, or of an object, whose names are in `names`.
  std::vector<Json> elements;
  std::vector<std::string> names;

  /// The member of that name, or a null value.
  const Json &operator[](std::string_view name) const;
  std::string string(const char *otherwise = "") const {
    return kind == String ? text : otherwise;
  }
  int64_t integer(int64_t otherwise = 0) const {
    return kind == Number ? int64_t(number) : otherwise;
  }
  double real(double otherwise = 0) const {
    return kind == Number ? number : otherwise;
  }
  bool isTrue() const { return kind == Bool && boolean; }

  // Building.
  static Json of(const std::string &value);
  static Json of(double value);
  static Json object() { return make(Object); }
  static Json array() { return make(Array); }
  Json &set(const std::string &name, Json value);
  Json &set(const std::string &name, const std::string &value) {
    return set(name, of(value));
  }
  Json &set(const std::string &name, double value) {
    return set(name, of(value));
  }

  /// In one line.
  std::string print() const;

private:
  static Json make(Kind kind) {
    Json value;
    value.kind = kind;
    return value;
  }
};

/// Reads `text`; where it is no JSON, `error` says what is expected where.
Json parseJson(const std::string &text, std::string &error);

} // namespace qk::gpurun

#endif // QK_TOOLS_QKGPURUN_JSON_H
