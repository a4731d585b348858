//===- MappedBuffersTest.cpp - Memory that the system may write out -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MappedBuffers.h"

#include <gtest/gtest.h>

using namespace qk;
using calibration::MappedBuffers;

namespace {

TEST(MappedBuffers, UsesSpaceAgainThatWasGivenBack) {
  auto buffers = llvm::cantFail(MappedBuffers::create());
  Tensor source = Tensor::allocate(storage::DataType::F32, {3, 1000});
  const_cast<uint8_t *>(source.data)[11999] = 7;
  Tensor first = llvm::cantFail(buffers->copy(source));
  EXPECT_EQ(first.data[11999], 7);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first.data) % 4096, 0u);
  EXPECT_EQ(buffers->peak(), 12288u);
  const uint8_t *place = first.data;
  Tensor view = first;
  first = Tensor();
  Tensor second = llvm::cantFail(buffers->copy(source));
  EXPECT_NE(second.data, place) << "still in use by a copy of the tensor";
  view = Tensor();
  Tensor third = llvm::cantFail(buffers->copy(source));
  EXPECT_EQ(third.data, place);
  EXPECT_EQ(buffers->peak(), 24576u);
  // What was handed out stays when the buffers go.
  buffers.reset();
  EXPECT_EQ(third.data[11999], 7);
}

TEST(MappedBuffers, SaysWhereToFindSpace) {
  auto buffers = llvm::cantFail(MappedBuffers::create());
  auto tensor = buffers->allocate(storage::DataType::F32, {int64_t(1) << 55});
  ASSERT_FALSE(static_cast<bool>(tensor));
  std::string message = llvm::toString(tensor.takeError());
  EXPECT_EQ(message.find("no space for 144115188075855872 bytes more of what "
                         "the model keeps between its parts, beside 0; name "
                         "another folder with TMPDIR or take fewer samples: "),
            0u)
      << message;
}

} // namespace
