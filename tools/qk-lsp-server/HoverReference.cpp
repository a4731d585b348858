//===- HoverReference.cpp - What ops mean, on hover -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HoverReference.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using namespace llvm;
using namespace qk::lsp;

StringRef qk::lsp::findOp(StringRef op) {
  StringRef reference = getReference();
  size_t begin = reference.find(("\n### `" + op + "` (").str());
  if (begin == StringRef::npos)
    return "";
  StringRef part = reference.substr(begin).ltrim().split('\n').second;
  return part.substr(0, part.find("\nTraits: "))
      .split("\n#### ")
      .first.split("\n### ")
      .first.trim();
}

std::string qk::lsp::extend(StringRef message) {
  Expected<json::Value> parsed = json::parse(message);
  if (!parsed) {
    consumeError(parsed.takeError());
    return message.str();
  }
  json::Object *object = parsed->getAsObject();
  json::Object *result = object ? object->getObject("result") : nullptr;
  json::Object *contents = result ? result->getObject("contents") : nullptr;
  std::optional<StringRef> text =
      contents ? contents->getString("value") : std::nullopt;
  // It begins with the op's name in quotes.
  if (!text || !text->starts_with("\"quant_llm."))
    return message.str();
  StringRef part = findOp(text->drop_front().split('"').first);
  if (part.empty())
    return message.str();
  (*contents)["value"] = (*text + "\n***\n" + part).str();
  std::string changed;
  raw_string_ostream os(changed);
  // As the server wrote it: indented for tests.
  if (message.contains('\n'))
    os << formatv("{0:2}", *parsed);
  else
    os << *parsed;
  return changed;
}

static void writeAll(int file, StringRef bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count <= 0)
      return;
    bytes = bytes.drop_front(count);
  }
}

OutputFilter::OutputFilter() {
  int ends[2];
  client = ::dup(STDOUT_FILENO);
  if (client < 0 || ::pipe(ends) != 0)
    return;
  ::dup2(ends[1], STDOUT_FILENO);
  ::close(ends[1]);
  server = ends[0];
  thread = std::thread([this] { forward(); });
}

OutputFilter::~OutputFilter() {
  if (!thread.joinable())
    return;
  outs().flush();
  // The last end of the pipe that is open for writing.
  ::dup2(client, STDOUT_FILENO);
  thread.join();
  ::close(server);
  ::close(client);
}

void OutputFilter::forward() {
  std::string bytes;
  char buffer[4096];
  ssize_t count;
  constexpr StringLiteral kLength = "Content-Length: ", kEnd = "\r\n\r\n";
  while ((count = ::read(server, buffer, sizeof(buffer))) > 0) {
    bytes.append(buffer, count);
    while (true) {
      StringRef all(bytes);
      size_t header = all.find(kEnd);
      uint64_t length;
      if (header == StringRef::npos)
        break;
      StringRef number = all.take_front(header);
      if (!number.consume_front(kLength) || number.getAsInteger(10, length)) {
        // Nothing of the protocol: as it is.
        writeAll(client, all);
        bytes.clear();
        break;
      }
      size_t begin = header + kEnd.size();
      if (all.size() - begin < length)
        break;
      std::string message = extend(all.substr(begin, length));
      writeAll(client, (kLength + Twine(message.size()) + kEnd).str());
      writeAll(client, message);
      bytes.erase(0, begin + length);
    }
  }
  writeAll(client, bytes);
}
