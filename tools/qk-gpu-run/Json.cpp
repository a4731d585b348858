//===- Json.cpp - JSON without a library --------------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Json.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace qk::gpurun {

const Json &Json::operator[](std::string_view name) const {
  static const Json null;
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name)
      return elements[i];
  return null;
}

Json Json::of(const std::string &value) {
  Json json = make(String);
  json.text = value;
  return json;
}

Json Json::of(double value) {
  Json json = make(Number);
  json.number = value;
  return json;
}

Json &Json::set(const std::string &name, Json value) {
  names.push_back(name);
  elements.push_back(std::move(value));
  return *this;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", c);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Json::print() const {
  char digits[40];
  std::string out, separator;
  switch (kind) {
  case Null:
    return "null";
  case Bool:
    return boolean ? "true" : "false";
  case Number:
    // JSON has no infinity and no NaN.
    if (!std::isfinite(number))
      return "null";
    std::snprintf(digits, sizeof(digits), "%.17g", number);
    return digits;
  case String:
    return quoted(text);
  case Array:
    for (const Json &element : elements) {
      out += separator + element.print();
      separator = ", ";
    }
    return "[" + out + "]";
  case Object:
    for (size_t i = 0; i < names.size(); ++i) {
      out += separator + quoted(names[i]) + ": " + elements[i].print();
      separator = ", ";
    }
    return "{" + out + "}";
  }
  return out;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {
class Parser {
public:
  Parser(const std::string &text, std::string &error)
      : at(text.c_str()), begin(at), error(error) {}

  Json document() {
    Json value = parse(0);
    space();
    if (error.empty() && *at)
      fail("the end");
    return value;
  }

private:
  static constexpr int kMaxDepth = 100;

  void space() { at += std::strspn(at, " \t\r\n"); }
  void fail(const char *expected) {
    if (error.empty())
      error = std::string("expected ") + expected + " at byte " +
              std::to_string(at - begin);
  }
  bool take(char c) {
    space();
    if (*at != c)
      return false;
    ++at;
    return true;
  }
  bool word(const char *text) {
    size_t length = std::strlen(text);
    if (std::strncmp(at, text, length) != 0)
      return false;
    at += length;
    return true;
  }

  std::string string() {
    std::string out;
    while (*at && *at != '"') {
      if (*at != '\\') {
        out += *at++;
        continue;
      }
      ++at;
      static constexpr char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
      if (const char *escape = *at ? std::strchr(from, *at) : nullptr) {
        out += to[escape - from];
        ++at;
      } else if (*at == 'u' &&
                 std::strspn(at + 1, "0123456789abcdefABCDEF") >= 4) {
        unsigned code =
            unsigned(std::strtoul(std::string(at + 1, 4).c_str(), nullptr, 16));
        // Only what print() escapes.
        if (code > 0x7f)
          fail("an escape of ASCII");
        out += char(code);
        at += 5;
      } else {
        fail("an escape");
        return out;
      }
    }
    if (!take('"'))
      fail("'\"'");
    return out;
  }

  Json parse(int depth) {
    Json value;
    space();
    if (depth > kMaxDepth) {
      fail("less nesting");
    } else if (take('{')) {
      value = Json::object();
      if (take('}'))
        return value;
      do {
        if (!take('"'))
          fail("a name");
        std::string name = string();
        if (!take(':'))
          fail("':'");
        value.set(name, parse(depth + 1));
      } while (error.empty() && take(','));
      if (!take('}'))
        fail("'}'");
    } else if (take('[')) {
      value = Json::array();
      if (take(']'))
        return value;
      do
        value.elements.push_back(parse(depth + 1));
      while (error.empty() && take(','));
      if (!take(']'))
        fail("']'");
    } else if (take('"')) {
      value = Json::of(string());
    } else if (word("true") || word("false")) {
      value.kind = Json::Bool;
      value.boolean = at[-2] == 'u';
    } else if (!word("null")) {
      char *end = nullptr;
      value = Json::of(std::strtod(at, &end));
      if (end == at)
        fail("a value");
      at = end;
    }
    return value;
  }

  const char *at, *begin;
  std::string &error;
};
} // namespace

Json parseJson(const std::string &text, std::string &error) {
  error.clear();
  Parser parser(text, error);
  Json value = parser.document();
  return error.empty() ? value : Json();
}

} // namespace qk::gpurun
