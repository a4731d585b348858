//===- SafetensorsFuzzer.cpp - Any bytes as a safetensors file ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever a file holds, opening it is an error or gives tensors that lie in
// the file, do not overlap and have the bytes of their type and shape.
//
//===----------------------------------------------------------------------===//

#include "MemoryFile.h"

#include "qk/Storage/Safetensors.h"

using namespace qk;

static void check(bool condition) {
  if (!condition)
    std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::MemoryFile input(data, size);
  auto file = storage::SafetensorsFile::open(input.path());
  if (!file) {
    check(!llvm::toString(file.takeError()).empty());
    return 0;
  }
  uint64_t end = 0;
  unsigned sum = 0;
  for (const storage::TensorView &tensor : (*file)->tensors()) {
    check(tensor.fileOffset + tensor.bytes.size() <= size);
    // Without bytes a tensor may lie anywhere, within others too.
    if (!tensor.bytes.empty()) {
      check(tensor.fileOffset >= end);
      end = tensor.fileOffset + tensor.bytes.size();
    }
    auto bytes = storage::byteSize(tensor.type, tensor.shape);
    check(bytes && *bytes == static_cast<int64_t>(tensor.bytes.size()));
    for (uint8_t byte : tensor.bytes)
      sum += byte;
    check((*file)->find(tensor.name) == &tensor);
  }
  // So that reading isn't left out.
  volatile unsigned used = sum;
  (void)used;
  return 0;
}
