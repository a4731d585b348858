//===- Npy.cpp - reader and writer of numpy's .npy files --------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/Npy.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Alignment.h"
#include "llvm/Support/Endian.h"

using namespace llvm;

namespace qk::storage {

static constexpr StringLiteral magic = "\x93NUMPY";

/// The type of a numpy "descr" such as '<f4'; byte order of one-byte types is
/// '|' and means nothing.
static std::optional<DataType> parseDescr(StringRef descr) {
  return StringSwitch<std::optional<DataType>>(descr)
      .Cases({"|b1", "?"}, DataType::Bool)
      .Cases({"|u1", "<u1"}, DataType::U8)
      .Cases({"|i1", "<i1"}, DataType::I8)
      .Case("<u2", DataType::U16)
      .Case("<i2", DataType::I16)
      .Case("<f2", DataType::F16)
      .Case("<u4", DataType::U32)
      .Case("<i4", DataType::I32)
      .Case("<f4", DataType::F32)
      .Case("<u8", DataType::U64)
      .Case("<i8", DataType::I64)
      .Case("<f8", DataType::F64)
      .Default(std::nullopt);
}

static StringRef descrOf(DataType type) {
  switch (type) {
  case DataType::Bool:
    return "|b1";
  case DataType::U8:
    return "|u1";
  case DataType::I8:
    return "|i1";
  case DataType::U16:
    return "<u2";
  case DataType::I16:
    return "<i2";
  case DataType::F16:
    return "<f2";
  case DataType::U32:
    return "<u4";
  case DataType::I32:
    return "<i4";
  case DataType::F32:
    return "<f4";
  case DataType::U64:
    return "<u8";
  case DataType::I64:
    return "<i8";
  case DataType::F64:
    return "<f8";
  case DataType::BF16:
  case DataType::F8E4M3:
    break;
  }
  return "";
}

namespace {
/// The header: a Python dictionary literal with the keys descr, fortran_order
/// and shape, in any order.
struct Header {
  std::optional<std::string> descr;
  std::optional<bool> fortran;
  std::optional<std::vector<int64_t>> shape;

  Error parse(StringRef text);

private:
  Error parseShape(StringRef &text);
};
} // namespace

static Expected<StringRef> quotedString(StringRef &text) {
  text = text.ltrim();
  if (text.empty() || (text[0] != '\'' && text[0] != '"'))
    return makeError("header: expected a quoted string");
  size_t end = text.find(text[0], 1);
  if (end == StringRef::npos)
    return makeError("header: string without end");
  StringRef value = text.slice(1, end);
  text = text.drop_front(end + 1);
  return value;
}

Error Header::parseShape(StringRef &text) {
  if (!text.consume_front("("))
    return makeError("header: expected a tuple as shape");
  std::vector<int64_t> dims;
  while (true) {
    text = text.ltrim();
    if (text.consume_front(")"))
      break;
    StringRef digits = text.take_while(isDigit);
    int64_t dim;
    if (digits.empty() || digits.getAsInteger(10, dim))
      return makeError("header: expected sizes below 2^63 in shape");
    dims.push_back(dim);
    text = text.drop_front(digits.size()).ltrim();
    text.consume_front("L"); // Python 2 wrote long integers so.
    if (!text.consume_front(",") && !text.starts_with(")"))
      return makeError("header: expected ',' or ')' in shape");
  }
  shape = std::move(dims);
  return Error::success();
}

Error Header::parse(StringRef text) {
  text = text.trim();
  if (!text.consume_front("{"))
    return makeError("header: expected a dictionary");
  while (true) {
    text = text.ltrim();
    if (text.consume_front("}"))
      break;
    Expected<StringRef> key = quotedString(text);
    if (!key)
      return key.takeError();
    text = text.ltrim();
    if (!text.consume_front(":"))
      return makeError("header: expected ':' after '" + *key + "'");
    text = text.ltrim();
    if (*key == "descr" && !descr) {
      if (text.starts_with("["))
        return makeError("structured types are not supported");
      Expected<StringRef> value = quotedString(text);
      if (!value)
        return value.takeError();
      descr = value->str();
    } else if (*key == "fortran_order" && !fortran) {
      if (text.consume_front("True"))
        fortran = true;
      else if (text.consume_front("False"))
        fortran = false;
      else
        return makeError("header: expected True or False as fortran_order");
    } else if (*key == "shape" && !shape) {
      if (Error error = parseShape(text))
        return error;
    } else {
      return makeError("header: key '" + *key +
                       "' is unknown or appears twice");
    }
    text = text.ltrim();
    if (!text.consume_front(",") && !text.starts_with("}"))
      return makeError("header: expected ',' or '}'");
  }
  if (!text.trim().empty())
    return makeError("header: text after the dictionary");
  if (!descr || !fortran || !shape)
    return makeError(Twine("header: no key '") +
                     (!descr     ? "descr"
                      : !fortran ? "fortran_order"
                                 : "shape") +
                     "'");
  return Error::success();
}

Expected<std::shared_ptr<const NpyFile>> NpyFile::open(StringRef path) {
  Expected<MappedFile> mapped = MappedFile::open(path);
  if (!mapped)
    return mapped.takeError();
  std::shared_ptr<NpyFile> file(new NpyFile(std::move(*mapped)));
  file->filePath = path.str();
  if (Error error = file->parse())
    return makeError(Twine(path) + ": " + toString(std::move(error)));
  return std::shared_ptr<const NpyFile>(std::move(file));
}

Error NpyFile::parse() {
  ArrayRef<uint8_t> bytes = file.bytes();
  StringRef text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (!text.starts_with(magic) || text.size() < 10)
    return makeError("not an .npy file");
  unsigned major = bytes[6], minor = bytes[7];
  if ((major != 1 && major != 2) || minor != 0)
    return makeError("expected .npy format version 1.0 or 2.0, got " +
                     Twine(major) + "." + Twine(minor));
  size_t start = major == 1 ? 10 : 12;
  if (text.size() < start)
    return makeError("truncated inside the header");
  uint64_t length = major == 1 ? support::endian::read16le(&bytes[8])
                               : support::endian::read32le(&bytes[8]);
  if (length > text.size() - start)
    return makeError("truncated: header of " + Twine(length) +
                     " bytes, but only " + Twine(text.size() - start) +
                     " bytes follow");
  Header header;
  if (Error error = header.parse(text.substr(start, length)))
    return error;
  std::optional<DataType> type = parseDescr(*header.descr);
  if (!type)
    return makeError("element type '" + *header.descr +
                     "' is not supported (expected bool, u1, i1, or "
                     "little-endian u2 i2 f2 u4 i4 f4 u8 i8 f8)");
  // Up to one dimension both orders are the same bytes.
  if (*header.fortran &&
      llvm::count_if(*header.shape, [](int64_t d) { return d != 1; }) > 1)
    return makeError("expected C order, got Fortran order: save "
                     "numpy.ascontiguousarray(x) instead");
  std::optional<int64_t> size = byteSize(*type, *header.shape);
  if (!size)
    return makeError("size of " + describe(*type, *header.shape) +
                     " exceeds 63 bits");
  uint64_t follows = text.size() - start - length;
  if (static_cast<uint64_t>(*size) != follows)
    return makeError(describe(*type, *header.shape) + " needs " + Twine(*size) +
                     " bytes of data, got " + Twine(follows));
  shape = std::move(*header.shape);
  view.name = filePath;
  view.type = *type;
  view.shape = shape;
  view.fileOffset = start + length;
  view.bytes = bytes.drop_front(view.fileOffset);
  return Error::success();
}

Error writeNpy(StringRef path, DataType type, ArrayRef<int64_t> shape,
               ArrayRef<uint8_t> bytes) {
  std::optional<int64_t> size = byteSize(type, shape);
  if (!size || static_cast<uint64_t>(*size) != bytes.size())
    return makeError(Twine(path) + ": " + describe(type, shape) +
                     " does not fit " + Twine(bytes.size()) + " bytes");
  if (type == DataType::BF16)
    return makeError(Twine(path) + ": .npy has no type for BF16: name the "
                                   "output .safetensors instead");
  std::string header =
      ("{'descr': '" + descrOf(type) + "', 'fortran_order': False, 'shape': (")
          .str();
  for (int64_t dim : shape)
    header += utostr(dim) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1)
    header.resize(header.size() - 2);
  header += "), }";
  header.append(offsetToAlignment(10 + header.size() + 1, Align(64)), ' ');
  header += '\n';
  if (header.size() > 0xFFFF)
    return makeError(Twine(path) + ": too many dimensions for .npy");

  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  uint8_t prefix[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  support::endian::write16le(prefix + 8, header.size());
  if (Error error = file->write(ArrayRef<uint8_t>(prefix)))
    return error;
  if (Error error = file->write(header))
    return error;
  if (Error error = file->write(bytes))
    return error;
  return file->commit();
}

} // namespace qk::storage
