//===- BytecodeHeaderTest.cpp - Reading the front of bytecode -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BytecodeHeader.h"

#include "llvm/Support/MemoryBuffer.h"
#include "gtest/gtest.h"

using namespace qk;

static std::string readFile(const std::string &name) {
  auto buffer = llvm::MemoryBuffer::getFile(
      std::string(QK_BYTECODE_FOLDER) + "/" + name, /*IsText=*/false,
      /*RequiresNullTerminator=*/false);
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

TEST(BytecodeHeader, SaysVersionProducerAndOps) {
  auto header = readBytecodeHeader(readFile("stablehlo-v6.mlirbc"));
  ASSERT_TRUE(static_cast<bool>(header)) << toString(header.takeError());
  EXPECT_EQ(header->version, 6u);
  EXPECT_EQ(header->producer, "MLIR24.0.0git");
  EXPECT_EQ(header->dialects,
            (std::vector<std::string>{"builtin", "func", "stablehlo"}));
  std::vector<std::string> ops;
  for (const BytecodeHeader::OpName &op : header->ops) {
    EXPECT_TRUE(op.wasRegistered) << op.name;
    ops.push_back(op.dialect + "." + op.name);
  }
  EXPECT_EQ(ops, (std::vector<std::string>{
                     "builtin.module", "func.func", "func.return",
                     "stablehlo.broadcast_in_dim", "stablehlo.dot_general",
                     "stablehlo.add"}));
}

TEST(BytecodeHeader, ReadsVersion4) {
  auto header = readBytecodeHeader(readFile("linalg-llvm24-v4.mlirbc"));
  ASSERT_TRUE(static_cast<bool>(header)) << toString(header.takeError());
  EXPECT_EQ(header->version, 4u);
  EXPECT_NE(
      std::find(header->dialects.begin(), header->dialects.end(), "linalg"),
      header->dialects.end());
}

// Whatever is cut or changed, reading ends, within the bytes (the sanitized
// build sees to that).
TEST(BytecodeHeader, SurvivesDamage) {
  for (const char *name :
       {"stablehlo-v6.mlirbc", "linalg-llvm24-v4.mlirbc", "vhlo.mlirbc"}) {
    std::string bytes = readFile(name);
    ASSERT_TRUE(isBytecode(bytes));
    bool refused = false;
    for (size_t size = 4; size < bytes.size(); ++size) {
      // A copy of exactly this size.
      auto header = readBytecodeHeader(std::string(bytes, 0, size));
      refused |= !header;
      llvm::consumeError(header.takeError());
    }
    EXPECT_TRUE(refused);
    for (size_t at = 4; at < bytes.size(); ++at)
      for (char damage : {'\x00', '\x01', '\x80', '\xff'}) {
        std::string damaged = bytes;
        damaged[at] = damage;
        llvm::consumeError(readBytecodeHeader(damaged).takeError());
      }
  }
}
