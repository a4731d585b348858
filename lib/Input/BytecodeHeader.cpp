//===- BytecodeHeader.cpp - What bytecode says of itself ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BytecodeHeader.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace qk;
using llvm::StringRef;

static constexpr StringRef kMagic("ML\xEFR", 4);

/// Bytecode versions from which the format has each part.
enum BytecodeVersion : uint64_t {
  kDialectVersioning = 1,
  kOpCount = 4,
  kNativeProperties = 5,
};

enum SectionID : uint8_t { kStrings = 0, kDialects = 1 };

namespace {

/// Takes values off the front of some bytes; after the first that isn't there,
/// everything is zero or empty and `failed` stays set.
class Cursor {
public:
  Cursor(StringRef bytes, size_t offset) : bytes(bytes), offset(offset) {}

  bool failed = false;

  bool empty() const { return failed || bytes.empty(); }

  StringRef take(uint64_t size) {
    if (failed || size > bytes.size()) {
      failed = true;
      return {};
    }
    StringRef front = bytes.take_front(size);
    bytes = bytes.drop_front(size);
    offset += size;
    return front;
  }

  uint8_t byte() {
    StringRef front = take(1);
    return failed ? 0 : static_cast<uint8_t>(front[0]);
  }

  /// A prefix varint: the zeros at the low end of the first byte count the
  /// bytes that follow.
  uint64_t varint() {
    uint8_t first = byte();
    if (failed || (first & 1))
      return first >> 1;
    unsigned more = first == 0 ? 8 : llvm::countr_zero(first);
    StringRef rest = take(more);
    if (failed)
      return 0;
    if (more == 8)
      return llvm::support::endian::read64le(rest.data());
    uint64_t value = first;
    for (auto [i, next] : llvm::enumerate(rest))
      value |= static_cast<uint64_t>(static_cast<uint8_t>(next))
               << (8 * (i + 1));
    return value >> (more + 1);
  }

  /// A section's payload; its number goes to `id`.
  Cursor section(uint8_t &id) {
    uint8_t head = byte();
    id = head & 0x7f;
    uint64_t size = varint();
    if (head & 0x80) {
      uint64_t alignment = varint();
      if (!llvm::isPowerOf2_64(alignment))
        failed = true;
      if (!failed)
        take(llvm::alignTo(offset, alignment) - offset);
    }
    size_t start = offset;
    return Cursor(take(size), start);
  }

  StringRef rest() const { return bytes; }

private:
  StringRef bytes;
  /// Of the first byte, in the file: what sections are aligned to.
  size_t offset;
};

} // namespace

/// The strings of the string section; sizes stand in reverse order, each
/// string ends with a zero.
static bool readStrings(Cursor section, std::vector<StringRef> &strings) {
  uint64_t count = section.varint();
  if (section.failed || count > section.rest().size())
    return false;
  std::vector<uint64_t> sizes(count);
  for (uint64_t &size : sizes)
    size = section.varint();
  if (section.failed)
    return false;
  StringRef data = section.rest();
  strings.resize(count);
  for (size_t i = 0; i < count; ++i) {
    if (sizes[i] == 0 || sizes[i] > data.size())
      return false;
    strings[count - 1 - i] = data.take_back(sizes[i]).drop_back();
    data = data.drop_back(sizes[i]);
  }
  return true;
}

static bool readDialects(Cursor section, const std::vector<StringRef> &strings,
                         BytecodeHeader &header) {
  uint64_t count = section.varint();
  if (section.failed || count > section.rest().size())
    return false;
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t index = section.varint();
    if (header.version >= kDialectVersioning) {
      bool versioned = index & 1;
      index >>= 1;
      uint8_t id;
      if (versioned)
        section.section(id);
    }
    if (section.failed || index >= strings.size())
      return false;
    header.dialects.push_back(strings[index].str());
  }
  if (header.version >= kOpCount)
    section.varint();
  while (!section.empty()) {
    uint64_t dialect = section.varint(), ops = section.varint();
    if (section.failed || dialect >= header.dialects.size() ||
        ops > section.rest().size())
      return false;
    for (uint64_t i = 0; i < ops; ++i) {
      uint64_t index = section.varint();
      bool registered = false;
      if (header.version >= kNativeProperties) {
        registered = index & 1;
        index >>= 1;
      }
      if (section.failed || index >= strings.size())
        return false;
      header.ops.push_back(
          {header.dialects[dialect], strings[index].str(), registered});
    }
  }
  return !section.failed;
}

bool qk::isBytecode(StringRef bytes) { return bytes.starts_with(kMagic); }

llvm::Expected<BytecodeHeader> qk::readBytecodeHeader(StringRef bytes) {
  auto malformed = [](const char *part) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "bytecode is truncated or malformed in its "
                                   "%s",
                                   part);
  };
  BytecodeHeader header;
  Cursor cursor(bytes, 0);
  cursor.take(kMagic.size());
  header.version = cursor.varint();
  size_t end = cursor.rest().find('\0');
  if (cursor.failed || end == StringRef::npos)
    return malformed("header");
  header.producer = cursor.take(end + 1).drop_back().str();

  std::optional<Cursor> strings, dialects;
  while (!cursor.empty() && !(strings && dialects)) {
    uint8_t id;
    Cursor payload = cursor.section(id);
    if (cursor.failed)
      return malformed("table of sections");
    if (id == kStrings)
      strings = payload;
    else if (id == kDialects)
      dialects = payload;
  }
  if (!strings || !dialects)
    return malformed("table of sections");
  std::vector<StringRef> table;
  if (!readStrings(*strings, table))
    return malformed("string section");
  if (!readDialects(*dialects, table, header))
    return malformed("dialect section");
  return header;
}
