//===- MappedFile.cpp - read-only mapping and atomic output -----*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/MappedFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace qk::storage {

static Error fileError(StringRef path, const Twine &what,
                       std::error_code code) {
  return makeError(Twine(path) + ": " + what + ": " + code.message());
}

Expected<MappedFile> MappedFile::open(StringRef path) {
  Expected<sys::fs::file_t> handle = sys::fs::openNativeFileForRead(path);
  if (!handle)
    return fileError(path, "cannot be opened",
                     errorToErrorCode(handle.takeError()));
  auto close = [&] { (void)sys::fs::closeFile(*handle); };
  sys::fs::file_status status;
  if (std::error_code code = sys::fs::status(*handle, status)) {
    close();
    return fileError(path, "cannot be examined", code);
  }
  if (status.type() != sys::fs::file_type::regular_file) {
    close();
    return makeError(Twine(path) +
                     ": is not a regular file and cannot be mapped");
  }
  MappedFile mapped;
  if (status.getSize() != 0) {
    std::error_code code;
    mapped.region = std::make_unique<sys::fs::mapped_file_region>(
        *handle, sys::fs::mapped_file_region::readonly, status.getSize(), 0,
        code);
    if (code) {
      close();
      return fileError(path, "cannot be mapped", code);
    }
    mapped.contents = {
        reinterpret_cast<const uint8_t *>(mapped.region->const_data()),
        mapped.region->size()};
  }
  close();
  return std::move(mapped);
}

struct AtomicFile::State {
  std::string path;
  /// Set while a temporary file waits to be renamed.
  std::optional<sys::fs::TempFile> temporary;
  std::unique_ptr<raw_fd_ostream> stream;

  ~State() {
    if (stream)
      stream->clear_error();
    stream.reset();
    if (temporary)
      consumeError(temporary->discard());
  }
};

AtomicFile::AtomicFile(std::unique_ptr<State> state)
    : state(std::move(state)) {}
AtomicFile::AtomicFile(AtomicFile &&) noexcept = default;
AtomicFile &AtomicFile::operator=(AtomicFile &&) noexcept = default;
AtomicFile::~AtomicFile() = default;

StringRef AtomicFile::path() const { return state->path; }

Expected<AtomicFile> AtomicFile::create(StringRef path) {
  auto state = std::make_unique<State>();
  state->path = path.str();
  sys::fs::file_status status;
  bool exists = !sys::fs::status(path, status);
  if (exists && status.type() == sys::fs::file_type::directory_file)
    return makeError(Twine(path) + ": cannot be written: is a folder");
  if (path == "-" ||
      (exists && status.type() != sys::fs::file_type::regular_file)) {
    std::error_code code;
    state->stream = std::make_unique<raw_fd_ostream>(path, code);
    if (code)
      return fileError(path, "cannot be written", code);
    return AtomicFile(std::move(state));
  }
  // 0666 less the umask, as for a file that open() creates.
  Expected<sys::fs::TempFile> temporary = sys::fs::TempFile::create(
      path + ".%%%%%%.tmp", sys::fs::all_read | sys::fs::all_write);
  if (!temporary)
    return fileError(path, "cannot be written",
                     errorToErrorCode(temporary.takeError()));
  state->temporary.emplace(std::move(*temporary));
  state->stream = std::make_unique<raw_fd_ostream>(state->temporary->FD,
                                                   /*shouldClose=*/false);
  return AtomicFile(std::move(state));
}

Error AtomicFile::write(ArrayRef<uint8_t> bytes) {
  raw_fd_ostream &stream = *state->stream;
  stream.write(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (stream.has_error())
    return fileError(state->path, "cannot be written", stream.error());
  return Error::success();
}

Error AtomicFile::commit() {
  raw_fd_ostream &stream = *state->stream;
  stream.flush();
  if (stream.has_error())
    return fileError(state->path, "cannot be written", stream.error());
  state->stream.reset();
  if (!state->temporary)
    return Error::success();
  sys::fs::TempFile temporary = std::move(*state->temporary);
  state->temporary.reset();
  if (Error error = temporary.keep(state->path))
    return fileError(state->path, "cannot be written",
                     errorToErrorCode(std::move(error)));
  return Error::success();
}

} // namespace qk::storage
