//===- NpyTest.cpp - .npy files, good and hostile ---------------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/Npy.h"
#include "StorageTest.h"
#include "llvm/Support/Endian.h"

using namespace llvm;
using namespace qk::storage;
using qk::storage::test::TemporaryFolder;
using qk::storage::test::textOf;

namespace {

#define EXPECT_CONTAINS(text, part)                                            \
  EXPECT_NE(StringRef(text).find(part), StringRef::npos) << (text)

class NpyTest : public ::testing::Test {
protected:
  TemporaryFolder folder;

  std::string file(StringRef header, size_t data, char major = 1) {
    std::string bytes = "\x93NUMPY";
    bytes += major;
    bytes += '\0';
    char length[4];
    support::endian::write32le(length, header.size());
    bytes.append(length, major == 1 ? 2 : 4);
    bytes += header;
    bytes.append(data, '\1');
    return folder.write("a.npy", bytes);
  }
  std::string errorOf(StringRef header, size_t data, char major = 1) {
    return textOf(NpyFile::open(file(header, data, major)));
  }
};

TEST_F(NpyTest, ReadsBothVersions) {
  for (char major : {1, 2}) {
    auto opened = NpyFile::open(
        file("{'descr': '<i8', 'fortran_order': False, 'shape': (2, 1), }   \n",
             16, major));
    ASSERT_TRUE(bool(opened)) << textOf(std::move(opened));
    EXPECT_EQ((*opened)->tensor().type, DataType::I64);
    EXPECT_EQ((*opened)->tensor().shape, ArrayRef<int64_t>({2, 1}));
    EXPECT_EQ((*opened)->tensor().bytes.size(), 16u);
  }
}

TEST_F(NpyTest, RoundTripsEveryType) {
  for (DataType type :
       {DataType::Bool, DataType::U8, DataType::I8, DataType::U16,
        DataType::I16, DataType::F16, DataType::U32, DataType::I32,
        DataType::F32, DataType::U64, DataType::I64, DataType::F64})
    for (const std::vector<int64_t> &shape :
         std::vector<std::vector<int64_t>>{{}, {3}, {2, 0, 5}, {2, 3}}) {
      std::vector<uint8_t> bytes(*byteSize(type, shape), 1);
      std::string path = folder.path("r.npy");
      ASSERT_EQ(textOf(writeNpy(path, type, shape, bytes)), "");
      auto opened = NpyFile::open(path);
      ASSERT_TRUE(bool(opened)) << textOf(std::move(opened));
      EXPECT_EQ((*opened)->tensor().type, type);
      EXPECT_EQ((*opened)->tensor().shape, ArrayRef(shape));
      EXPECT_EQ((*opened)->tensor().bytes, ArrayRef<uint8_t>(bytes));
      EXPECT_EQ((*opened)->tensor().fileOffset % 64, 0u);
    }
  EXPECT_CONTAINS(textOf(writeNpy(folder.path("r.npy"), DataType::BF16, {1},
                                  ArrayRef<uint8_t>({1, 2}))),
                  ".npy has no type for BF16");
  EXPECT_CONTAINS(textOf(writeNpy(folder.path("r.npy"), DataType::F32, {1},
                                  ArrayRef<uint8_t>({1, 2}))),
                  "F32[1] does not fit 2 bytes");
}

TEST_F(NpyTest, ReportsHostileFiles) {
  auto text = [&](StringRef bytes) {
    return textOf(NpyFile::open(folder.write("a.npy", bytes)));
  };
  EXPECT_CONTAINS(text(""), "not an .npy file");
  EXPECT_CONTAINS(text("PK\3\4 an npz archive"), "not an .npy file");
  EXPECT_CONTAINS(text(StringRef("\x93NUMPY\2\0\1\0", 10)),
                  "truncated inside the header");
  EXPECT_CONTAINS(text(StringRef("\x93NUMPY\1\0\xff\0{}", 12)),
                  "truncated: header of 255 bytes, but only 2");
  EXPECT_CONTAINS(errorOf("{}", 0, 3), "expected .npy format version 1.0 or "
                                       "2.0, got 3.0");
  EXPECT_CONTAINS(errorOf("x", 0), "expected a dictionary");
  EXPECT_CONTAINS(errorOf("{'descr", 0), "string without end");
  EXPECT_CONTAINS(errorOf("{descr", 0), "expected a quoted string");
  EXPECT_CONTAINS(errorOf("{'descr'}", 0), "expected ':' after 'descr'");
  EXPECT_CONTAINS(errorOf("{'descr': [('a', '<f4')]}", 0), "structured types");
  EXPECT_CONTAINS(errorOf("{'what': 1}", 0), "key 'what' is unknown");
  EXPECT_CONTAINS(errorOf("{'descr': '<f4', 'descr': '<f4'}", 0),
                  "key 'descr' is unknown or appears twice");
  EXPECT_CONTAINS(errorOf("{'descr': '<f4' 'shape': ()}", 0),
                  "expected ',' or '}'");
  EXPECT_CONTAINS(errorOf("{'descr': '<f4'} x", 0),
                  "text after the dictionary");
  EXPECT_CONTAINS(errorOf("{'descr': '<f4', 'shape': (1,)}", 0),
                  "no key 'fortran_order'");
  EXPECT_CONTAINS(errorOf("{'fortran_order': Maybe}", 0),
                  "expected True or False");
  EXPECT_CONTAINS(errorOf("{'shape': 3}", 0), "expected a tuple");
  EXPECT_CONTAINS(errorOf("{'shape': (-1,)}", 0), "expected sizes below 2^63");
  EXPECT_CONTAINS(errorOf("{'shape': (99999999999999999999,)}", 0),
                  "expected sizes below 2^63");
  EXPECT_CONTAINS(errorOf("{'shape': (1 2)}", 0), "expected ',' or ')'");
  auto whole = [&](StringRef descr, StringRef order, StringRef shape,
                   size_t data) {
    return errorOf(("{'descr': '" + descr + "', 'fortran_order': " + order +
                    ", 'shape': " + shape + "}")
                       .str(),
                   data);
  };
  EXPECT_CONTAINS(whole(">f4", "False", "(1,)", 4),
                  "element type '>f4' is not supported");
  EXPECT_CONTAINS(whole("|O", "False", "(1,)", 8), "'|O' is not supported");
  EXPECT_CONTAINS(whole("<f4", "True", "(2, 2)", 16),
                  "expected C order, got Fortran order");
  EXPECT_EQ(whole("<f4", "True", "(1, 4)", 16), "");
  EXPECT_CONTAINS(whole("<f4", "False", "(9223372036854775807, 2)", 4),
                  "exceeds 63 bits");
  EXPECT_CONTAINS(whole("<f4", "False", "(3,)", 11),
                  "F32[3] needs 12 bytes of data, got 11");
  EXPECT_CONTAINS(whole("<f4", "False", "(3,)", 13),
                  "F32[3] needs 12 bytes of data, got 13");
}

} // namespace
