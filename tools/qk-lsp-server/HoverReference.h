//===- HoverReference.h - What ops mean, on hover ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// MLIR's server shows of an op its name and its generic form. Here the op's
/// part of docs/reference follows.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKLSPSERVER_HOVERREFERENCE_H
#define QK_TOOLS_QKLSPSERVER_HOVERREFERENCE_H

#include "llvm/ADT/StringRef.h"

#include <string>
#include <thread>

namespace qk::lsp {

/// docs/reference/QuantLLM.md.
llvm::StringRef getReference();

/// The part of the reference about `op` ("quant_llm.linear") up to its tables;
/// empty for other ops.
llvm::StringRef findOp(llvm::StringRef op);

/// A message of the server; that of a hover on one of our ops with the op's
/// reference in it.
std::string extend(llvm::StringRef message);

/// Between the server and the client while it lives: standard output is a pipe
/// whose messages go to what standard output was.
class OutputFilter {
public:
  OutputFilter();
  ~OutputFilter();

private:
  void forward();

  int client = -1, server = -1;
  std::thread thread;
};

} // namespace qk::lsp

#endif // QK_TOOLS_QKLSPSERVER_HOVERREFERENCE_H
