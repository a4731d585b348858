//===- Safetensors.cpp - mapped reader --------------------------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/Safetensors.h"
#include "HeaderJSON.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"

using namespace llvm;

namespace qk::storage {

/// What the reference implementation allows too; a larger header is an attack
/// or not a safetensors file at all.
static constexpr uint64_t maximalHeader = 100'000'000;

/// A header entry as written, before any check of its meaning.
struct SafetensorsFile::Entry {
  std::optional<std::string> dtype;
  std::optional<std::vector<int64_t>> shape;
  std::optional<std::vector<int64_t>> offsets;
};

static Error forTensor(StringRef path, StringRef name, const Twine &what) {
  return makeError(Twine(path) + ": tensor '" + name + "': " + what);
}

Expected<std::shared_ptr<const SafetensorsFile>>
SafetensorsFile::open(StringRef path) {
  Expected<MappedFile> mapped = MappedFile::open(path);
  if (!mapped)
    return mapped.takeError();
  std::shared_ptr<SafetensorsFile> file(
      new SafetensorsFile(std::move(*mapped)));
  file->filePath = path.str();
  if (Error error = file->parse())
    return std::move(error);
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

/// Reads {"dtype": ..., "shape": ..., "data_offsets": ...}.
template <typename EntryT>
static Error parseEntry(JSONCursor &json, EntryT &entry) {
  if (Error error = json.expect('{'))
    return error;
  if (json.consume('}'))
    return Error::success();
  do {
    Expected<std::string> key = json.string();
    if (!key)
      return key.takeError();
    if (Error error = json.expect(':'))
      return error;
    auto store = [&](auto &slot, auto value) -> Error {
      if (!value)
        return value.takeError();
      if (slot)
        return makeError("key '" + *key + "' twice");
      slot = std::move(*value);
      return Error::success();
    };
    if (*key == "dtype") {
      if (Error error = store(entry.dtype, json.string()))
        return error;
    } else if (*key == "shape") {
      if (Error error = store(entry.shape, json.integers()))
        return error;
    } else if (*key == "data_offsets") {
      if (Error error = store(entry.offsets, json.integers()))
        return error;
    } else {
      return makeError("unknown key '" + *key +
                       "' (expected dtype, shape, data_offsets)");
    }
  } while (json.consume(','));
  return json.expect('}');
}

static Error parseMetadata(JSONCursor &json,
                           std::map<std::string, std::string> &metadata) {
  if (Error error = json.expect('{'))
    return error;
  if (json.consume('}'))
    return Error::success();
  do {
    Expected<std::string> key = json.string();
    if (!key)
      return key.takeError();
    if (Error error = json.expect(':'))
      return error;
    Expected<std::string> value = json.string();
    if (!value)
      return value.takeError();
    if (!metadata.emplace(*key, *value).second)
      return makeError("metadata key '" + *key + "' twice");
  } while (json.consume(','));
  return json.expect('}');
}

Error SafetensorsFile::parse() {
  ArrayRef<uint8_t> bytes = file.bytes();
  auto inFile = [&](Error error) {
    return makeError(Twine(filePath) + ": " + toString(std::move(error)));
  };
  if (bytes.size() < 8)
    return makeError(Twine(filePath) + ": expected at least 8 bytes, got " +
                     Twine(bytes.size()) + ": not a safetensors file");
  uint64_t headerSize = support::endian::read64le(bytes.data());
  if (headerSize > maximalHeader)
    return makeError(Twine(filePath) + ": header length " + Twine(headerSize) +
                     " exceeds the limit of " + Twine(maximalHeader) +
                     ": not a safetensors file");
  if (headerSize > bytes.size() - 8)
    return makeError(Twine(filePath) + ": truncated: header of " +
                     Twine(headerSize) + " bytes, but only " +
                     Twine(bytes.size() - 8) + " bytes follow");
  ArrayRef<uint8_t> data = bytes.drop_front(8 + headerSize);
  JSONCursor json(
      StringRef(reinterpret_cast<const char *>(bytes.data()) + 8, headerSize));

  if (Error error = json.expect('{'))
    return inFile(std::move(error));
  bool sawMetadata = false;
  bool more = !json.consume('}');
  while (more) {
    Expected<std::string> name = json.string();
    if (!name)
      return inFile(name.takeError());
    if (Error error = json.expect(':'))
      return inFile(std::move(error));
    if (*name == "__metadata__") {
      if (std::exchange(sawMetadata, true))
        return makeError(Twine(filePath) + ": __metadata__ appears twice");
      if (Error error = parseMetadata(json, meta))
        return inFile(std::move(error));
    } else {
      Entry entry;
      if (Error error = parseEntry(json, entry))
        return forTensor(filePath, *name, toString(std::move(error)));
      if (!entry.dtype || !entry.shape || !entry.offsets)
        return forTensor(filePath, *name,
                         Twine("no ") + (!entry.dtype   ? "dtype"
                                         : !entry.shape ? "shape"
                                                        : "data_offsets"));
      std::optional<DataType> type = parseDataType(*entry.dtype);
      if (!type)
        return forTensor(filePath, *name,
                         "unknown dtype '" + *entry.dtype +
                             "' (expected BOOL, U8, I8, U16, I16, F16, BF16, "
                             "U32, I32, F32, U64, I64 or F64)");
      std::optional<int64_t> size = byteSize(*type, *entry.shape);
      if (!size)
        return forTensor(filePath, *name,
                         "size of " + describe(*type, *entry.shape) +
                             " exceeds 63 bits");
      if (entry.offsets->size() != 2)
        return forTensor(filePath, *name,
                         "expected 2 data_offsets, got " +
                             Twine(entry.offsets->size()));
      int64_t begin = (*entry.offsets)[0], end = (*entry.offsets)[1];
      if (begin > end)
        return forTensor(filePath, *name,
                         "data_offsets begin at " + Twine(begin) +
                             " and end before, at " + Twine(end));
      if (end - begin != *size)
        return forTensor(filePath, *name,
                         describe(*type, *entry.shape) + " needs " +
                             Twine(*size) + " bytes, but its data_offsets [" +
                             Twine(begin) + ", " + Twine(end) + "] span " +
                             Twine(end - begin));
      if (static_cast<uint64_t>(end) > data.size())
        return forTensor(filePath, *name,
                         "truncated: data ends at byte " + Twine(end) +
                             ", but the file has only " + Twine(data.size()) +
                             " bytes of data");
      names.push_back(std::move(*name));
      shapes.push_back(std::move(*entry.shape));
      TensorView view;
      view.name = names.back();
      view.type = *type;
      view.shape = shapes.back();
      view.bytes = data.slice(begin, end - begin);
      view.fileOffset = 8 + headerSize + begin;
      views.push_back(view);
    }
    more = json.consume(',');
    if (!more)
      if (Error error = json.expect('}'))
        return inFile(std::move(error));
  }
  if (!json.atEnd())
    return makeError(Twine(filePath) +
                     ": header has text after its closing brace");

  llvm::sort(views, [](const TensorView &a, const TensorView &b) {
    return std::tuple(a.fileOffset, a.bytes.size(), a.name) <
           std::tuple(b.fileOffset, b.bytes.size(), b.name);
  });
  for (auto [position, view] : llvm::enumerate(views))
    if (!index.try_emplace(view.name, position).second)
      return forTensor(filePath, view.name, "appears twice");
  // Sorted by begin, so a neighbour that reaches over the next one's begin is
  // the only way to overlap. Empty tensors may lie anywhere.
  const TensorView *previous = nullptr;
  for (const TensorView &view : views) {
    if (view.bytes.empty())
      continue;
    if (previous &&
        previous->fileOffset + previous->bytes.size() > view.fileOffset)
      return forTensor(filePath, view.name,
                       "its data overlaps that of tensor '" + previous->name +
                           "'");
    previous = &view;
  }
  return Error::success();
}

const TensorView *SafetensorsFile::find(StringRef name) const {
  auto it = index.find(name);
  return it == index.end() ? nullptr : &views[it->second];
}

Expected<TensorView> SafetensorsFile::get(StringRef name) const {
  if (const TensorView *view = find(name))
    return *view;
  const TensorView *closest = nullptr;
  unsigned distance = 4;
  for (const TensorView &view : views) {
    unsigned other = name.edit_distance(view.name, true, distance);
    if (other < distance) {
      distance = other;
      closest = &view;
    }
  }
  return makeError(Twine(filePath) + ": no tensor '" + name + "' among " +
                   Twine(views.size()) +
                   (closest ? " (closest is '" + closest->name.str() + "')"
                            : std::string()));
}

Expected<TensorView> SafetensorsFile::get(StringRef name, DataType type,
                                          ArrayRef<int64_t> shape) const {
  Expected<TensorView> view = get(name);
  if (!view)
    return view.takeError();
  bool matches = view->type == type && view->shape.size() == shape.size();
  if (matches)
    for (auto [expected, got] : llvm::zip_equal(shape, view->shape))
      matches &= expected < 0 || expected == got;
  if (!matches)
    return forTensor(filePath, name,
                     "expected " + describe(type, shape) + ", got " +
                         describe(view->type, view->shape));
  return *view;
}

} // namespace qk::storage
