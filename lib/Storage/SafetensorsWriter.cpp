//===- SafetensorsWriter.cpp - atomic streaming writer ----------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/Safetensors.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Alignment.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace qk::storage {

Error SafetensorsWriter::declare(StringRef name, DataType type,
                                 ArrayRef<int64_t> shape) {
  auto failure = [&](const Twine &what) {
    return makeError(Twine(path) + ": tensor '" + name + "': " + what);
  };
  if (output)
    return failure("declared after the first write");
  if (name == "__metadata__")
    return failure("the name is reserved");
  if (!json::isUTF8(name))
    return failure("the name is not UTF-8");
  std::optional<int64_t> bytes = byteSize(type, shape);
  if (!bytes)
    return failure("size of " + describe(type, shape) + " exceeds 63 bits");
  if (!known.try_emplace(name, declared.size()).second)
    return failure("declared twice");
  declared.push_back({name.str(), type, shape.vec(), uint64_t(*bytes)});
  return Error::success();
}

/// Puts down the header. Its length is padded with blanks (which the format
/// allows) so that data starts at a multiple of 64 bytes.
Error SafetensorsWriter::start() {
  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  output = std::make_unique<AtomicFile>(std::move(*file));

  std::string header;
  raw_string_ostream os(header);
  auto quoted = [](StringRef text) { return json::Value(json::fixUTF8(text)); };
  os << '{';
  ListSeparator separator(",");
  if (!metadata.empty()) {
    os << separator << "\"__metadata__\":{";
    ListSeparator inner(",");
    for (const auto &[key, value] : metadata)
      os << inner << quoted(key) << ':' << quoted(value);
    os << '}';
  }
  uint64_t offset = 0;
  for (const Declared &tensor : declared) {
    os << separator << quoted(tensor.name) << ":{\"dtype\":\""
       << spelling(tensor.type) << "\",\"shape\":[";
    llvm::interleave(tensor.shape, os, ",");
    os << "],\"data_offsets\":[" << offset << ',' << offset + tensor.bytes
       << "]}";
    offset += tensor.bytes;
  }
  os << '}';
  header.append(offsetToAlignment(8 + header.size(), Align(64)), ' ');

  uint8_t length[8];
  support::endian::write64le(length, header.size());
  if (Error error = output->write(ArrayRef<uint8_t>(length)))
    return error;
  if (Error error = output->write(header))
    return error;
  skipComplete();
  return Error::success();
}

void SafetensorsWriter::skipComplete() {
  while (current < declared.size() &&
         writtenOfCurrent == declared[current].bytes) {
    ++current;
    writtenOfCurrent = 0;
  }
}

Error SafetensorsWriter::write(StringRef name, ArrayRef<uint8_t> bytes) {
  if (!output)
    if (Error error = start())
      return error;
  if (bytes.empty())
    return Error::success();
  if (current == declared.size())
    return makeError(Twine(path) + ": tensor '" + name +
                     "': bytes after the last declared tensor");
  const Declared &tensor = declared[current];
  if (tensor.name != name)
    return makeError(Twine(path) + ": tensor '" + name +
                     "': written out of order, expected '" + tensor.name + "'");
  if (bytes.size() > tensor.bytes - writtenOfCurrent)
    return makeError(Twine(path) + ": tensor '" + name + "': expected " +
                     Twine(tensor.bytes) + " bytes, got at least " +
                     Twine(writtenOfCurrent + bytes.size()));
  if (Error error = output->write(bytes))
    return error;
  writtenOfCurrent += bytes.size();
  skipComplete();
  return Error::success();
}

Error SafetensorsWriter::commit() {
  if (!output)
    if (Error error = start())
      return error;
  if (current != declared.size())
    return makeError(Twine(path) + ": tensor '" + declared[current].name +
                     "': expected " + Twine(declared[current].bytes) +
                     " bytes, got " + Twine(writtenOfCurrent));
  Error error = output->commit();
  output.reset();
  return error;
}

} // namespace qk::storage
