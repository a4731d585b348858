//===- Result.h - A value or an error ---------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// How the numerical core reports failure: no exceptions, no LLVM. A message
/// is lower case, has no full stop and names what was expected and what was
/// found; the caller adds the layer's name.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_RESULT_H
#define QK_NUMERICS_RESULT_H

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace qk::numerics {

/// Why something failed.
struct Error {
  std::string message;
};

/// Success, or an error.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(Error error) : failure(std::move(error)) {}

  explicit operator bool() const { return !failure; }
  const Error &error() const {
    assert(failure && "a success has no error");
    return *failure;
  }

private:
  std::optional<Error> failure;
};

/// A value, or an error.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : content(std::move(value)) {}
  Result(Error error) : content(std::move(error)) {}

  explicit operator bool() const { return std::holds_alternative<T>(content); }
  T &operator*() { return std::get<T>(content); }
  const T &operator*() const { return std::get<T>(content); }
  T *operator->() { return &std::get<T>(content); }
  const T *operator->() const { return &std::get<T>(content); }
  const Error &error() const { return std::get<Error>(content); }

private:
  std::variant<T, Error> content;
};

} // namespace qk::numerics

#endif // QK_NUMERICS_RESULT_H
