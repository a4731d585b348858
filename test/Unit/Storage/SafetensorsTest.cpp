//===- SafetensorsTest.cpp - reader against hostile files -------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/Safetensors.h"
#include "StorageTest.h"
#include "qk/Storage/ParameterStore.h"
#include "llvm/Support/Endian.h"

using namespace llvm;
using namespace qk::storage;
using qk::storage::test::TemporaryFolder;
using qk::storage::test::textOf;

namespace {

class SafetensorsTest : public ::testing::Test {
protected:
  TemporaryFolder folder;

  /// A file with this header and so many bytes of data.
  std::string file(StringRef header, size_t data) {
    std::string bytes(8, '\0');
    support::endian::write64le(bytes.data(), header.size());
    bytes += header;
    for (size_t i = 0; i < data; ++i)
      bytes += static_cast<char>(i);
    return folder.write("t.safetensors", bytes);
  }

  std::string errorOf(StringRef header, size_t data) {
    return textOf(SafetensorsFile::open(file(header, data)));
  }
};

#define EXPECT_CONTAINS(text, part)                                            \
  EXPECT_NE(StringRef(text).find(part), StringRef::npos) << (text)

TEST_F(SafetensorsTest, ReadsTensorsInFileOrder) {
  auto opened = SafetensorsFile::open(
      file(R"( {"b":{"dtype":"I64","shape":[],"data_offsets":[8,16]},
        "__metadata__":{"format":"pt"},
        "a\u00e9":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]},
        "none":{"dtype":"BOOL","shape":[0,3],"data_offsets":[16,16]}} )",
           16));
  ASSERT_TRUE(bool(opened)) << textOf(std::move(opened));
  const SafetensorsFile &st = **opened;
  ASSERT_EQ(st.tensors().size(), 3u);
  EXPECT_EQ(st.tensors()[0].name, "a\xc3\xa9");
  EXPECT_EQ(st.tensors()[0].shape, ArrayRef<int64_t>({2, 2}));
  EXPECT_EQ(st.tensors()[0].numElements(), 4);
  EXPECT_EQ(st.find("b")->bytes[0], 8);
  EXPECT_EQ(st.find("none")->numElements(), 0);
  EXPECT_EQ(st.find("c"), nullptr);
  EXPECT_EQ(st.metadata().at("format"), "pt");
}

TEST_F(SafetensorsTest, ReportsMissingAndUnreadableFiles) {
  EXPECT_CONTAINS(textOf(SafetensorsFile::open(folder.path("none"))),
                  "none: cannot be opened: ");
  EXPECT_CONTAINS(textOf(SafetensorsFile::open(folder.path(""))),
                  "is not a regular file");
  EXPECT_CONTAINS(
      textOf(SafetensorsFile::open(folder.write("e.safetensors", ""))),
      "expected at least 8 bytes, got 0: not a safetensors file");
}

TEST_F(SafetensorsTest, ReportsHeaderLength) {
  EXPECT_CONTAINS(textOf(SafetensorsFile::open(folder.write(
                      "h", StringRef("\xff\xff\xff\xff\xff\xff\xff\xff", 8)))),
                  "header length 18446744073709551615 exceeds the limit");
  EXPECT_CONTAINS(textOf(SafetensorsFile::open(folder.write(
                      "h", StringRef("\x09\0\0\0\0\0\0\0{}", 10)))),
                  "truncated: header of 9 bytes, but only 2 bytes follow");
}

TEST_F(SafetensorsTest, ReportsMalformedJSON) {
  EXPECT_CONTAINS(errorOf("", 0), "expected '{', got the end");
  EXPECT_CONTAINS(errorOf("[]", 0), "byte 0: expected '{', got '['");
  EXPECT_CONTAINS(errorOf("{\"a", 0), "string without end");
  EXPECT_CONTAINS(errorOf("{\"a\\", 0), "string without end");
  EXPECT_CONTAINS(errorOf("{\"\\x\":1}", 0), "unknown escape");
  EXPECT_CONTAINS(errorOf("{\"\\u12\":1}", 0), "four hexadecimal digits");
  EXPECT_CONTAINS(errorOf("{\"\\ud800\":1}", 0), "lone surrogate");
  EXPECT_CONTAINS(errorOf("{\"\\ud800\\u0041\":1}", 0), "lone surrogate");
  EXPECT_CONTAINS(errorOf("{\"\xff\":1}", 0), "not UTF-8");
  EXPECT_CONTAINS(errorOf(StringRef("{\"\n\":1}"), 0), "control character");
  EXPECT_CONTAINS(errorOf("{} x", 0), "text after its closing brace");
  EXPECT_CONTAINS(errorOf("{\"a\":{}", 0), "tensor 'a': no dtype");
  EXPECT_CONTAINS(errorOf("{\"a\":7}", 0), "expected '{', got '7'");
  EXPECT_CONTAINS(errorOf("{\"__metadata__\":{\"a\":1}}", 0), "expected '\"'");
  EXPECT_CONTAINS(errorOf("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0),
                  "metadata key 'a' twice");
  EXPECT_CONTAINS(errorOf("{\"__metadata__\":{},\"__metadata__\":{}}", 0),
                  "__metadata__ appears twice");
  // A header of brackets only must not exhaust the stack.
  EXPECT_CONTAINS(errorOf("{\"a\":" + std::string(1000000, '['), 0),
                  "expected '{'");
}

TEST_F(SafetensorsTest, ReportsEntries) {
  EXPECT_CONTAINS(errorOf(R"({"a":{"dtype":"F32","shape":[1]}})", 4),
                  "tensor 'a': no data_offsets");
  EXPECT_CONTAINS(errorOf(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4),
                  "tensor 'a': no shape");
  EXPECT_CONTAINS(errorOf(R"({"a":{"dtype":"F32","dtype":"F32"}})", 4),
                  "tensor 'a': key 'dtype' twice");
  EXPECT_CONTAINS(errorOf(R"({"a":{"extra":1}})", 4),
                  "tensor 'a': unknown key 'extra'");
  EXPECT_CONTAINS(
      errorOf(R"({"a":{"dtype":"F4","shape":[],"data_offsets":[0,4]}})", 4),
      "tensor 'a': unknown dtype 'F4' (expected BOOL, ");
  EXPECT_CONTAINS(
      errorOf(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
      "expected a non-negative integer");
  EXPECT_CONTAINS(
      errorOf(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4),
      "expected an integer, got a fraction");
  EXPECT_CONTAINS(
      errorOf(
          R"({"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}})",
          4),
      "exceeds 63 bits");
  EXPECT_CONTAINS(
      errorOf(
          R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})",
          0),
      "tensor 'a': size of F32[4611686018427387904x4] exceeds 63 bits");
  EXPECT_CONTAINS(
      errorOf(
          R"({"a":{"dtype":"F32","shape":[4611686018427387904,4,0],"data_offsets":[0,0]}})",
          0),
      "exceeds 63 bits");
  EXPECT_CONTAINS(
      errorOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4),
      "expected 2 data_offsets, got 1");
  EXPECT_CONTAINS(
      errorOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4),
      "data_offsets begin at 4 and end before, at 0");
  EXPECT_CONTAINS(
      errorOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
      "F32[2] needs 8 bytes, but its data_offsets [0, 4] span 4");
  EXPECT_CONTAINS(
      errorOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7),
      "truncated: data ends at byte 8, but the file has only 7 bytes of data");
}

TEST_F(SafetensorsTest, ReportsDuplicateNames) {
  EXPECT_CONTAINS(
      errorOf(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
                  "a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
              2),
      "tensor 'a': appears twice");
}

TEST_F(SafetensorsTest, ReportsOverlap) {
  EXPECT_CONTAINS(
      errorOf(R"({"b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]},
                  "a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
              4),
      "tensor 'b': its data overlaps that of tensor 'a'");
  // Same begin: the longer one must be caught too.
  EXPECT_CONTAINS(
      errorOf(R"({"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},
                  "a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
              4),
      "overlaps");
}

TEST_F(SafetensorsTest, GetChecksTypeAndShape) {
  auto opened = SafetensorsFile::open(file(
      R"({"w.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})", 8));
  ASSERT_TRUE(bool(opened));
  const SafetensorsFile &st = **opened;
  EXPECT_CONTAINS(textOf(st.get("w.weigth")),
                  "no tensor 'w.weigth' among 1 (closest is 'w.weight')");
  EXPECT_CONTAINS(textOf(st.get("elsewhere")), "no tensor 'elsewhere' among 1");
  EXPECT_CONTAINS(textOf(st.get("w.weight", DataType::F16, {1, 2})),
                  "tensor 'w.weight': expected F16[1x2], got F32[1x2]");
  EXPECT_CONTAINS(textOf(st.get("w.weight", DataType::F32, {2, 1})),
                  "expected F32[2x1], got F32[1x2]");
  EXPECT_CONTAINS(textOf(st.get("w.weight", DataType::F32, {2})),
                  "expected F32[2], got F32[1x2]");
  EXPECT_EQ(textOf(st.get("w.weight", DataType::F32, {1, -1})), "");
}

TEST_F(SafetensorsTest, WriterRoundTrips) {
  std::string path = folder.path("out.safetensors");
  auto writeOnce = [&] {
    SafetensorsWriter writer(path);
    writer.setMetadata("z", "quote\"");
    writer.setMetadata("a", "1");
    EXPECT_EQ(textOf(writer.declare("x\xc3\xa9\"", DataType::F32, {2, 3})), "");
    EXPECT_EQ(textOf(writer.declare("empty", DataType::I8, {0})), "");
    EXPECT_EQ(textOf(writer.declare("y", DataType::I64, {})), "");
    float x[6] = {1, 2, 3, 4, 5, 6};
    int64_t y = -7;
    EXPECT_EQ(textOf(writer.writeElements<float>("x\xc3\xa9\"",
                                                 ArrayRef(x).take_front(2))),
              "");
    EXPECT_EQ(textOf(writer.writeElements<float>("x\xc3\xa9\"",
                                                 ArrayRef(x).drop_front(2))),
              "");
    EXPECT_EQ(textOf(writer.writeElements<int64_t>("y", y)), "");
    EXPECT_EQ(textOf(writer.commit()), "");
    return folder.read("out.safetensors");
  };
  std::string first = writeOnce();
  EXPECT_EQ(first, writeOnce());
  auto opened = SafetensorsFile::open(path);
  ASSERT_TRUE(bool(opened)) << textOf(std::move(opened));
  const TensorView *x = (*opened)->find("x\xc3\xa9\"");
  ASSERT_NE(x, nullptr);
  EXPECT_EQ(x->fileOffset % 64, 0u);
  EXPECT_TRUE(x->isAligned(64));
  EXPECT_EQ(x->as<float>()[5], 6.0f);
  EXPECT_EQ((*opened)->find("y")->as<int64_t>()[0], -7);
  EXPECT_EQ((*opened)->metadata().at("z"), "quote\"");
}

TEST_F(SafetensorsTest, WriterReportsMisuse) {
  std::string path = folder.path("out.safetensors");
  folder.write("out.safetensors", "before");
  {
    SafetensorsWriter writer(path);
    EXPECT_CONTAINS(textOf(writer.declare("__metadata__", DataType::U8, {})),
                    "reserved");
    EXPECT_CONTAINS(textOf(writer.declare("\xff", DataType::U8, {})),
                    "not UTF-8");
    EXPECT_CONTAINS(
        textOf(writer.declare("a", DataType::U8, {INT64_MAX, INT64_MAX})),
        "exceeds 63 bits");
    EXPECT_EQ(textOf(writer.declare("a", DataType::U8, {2})), "");
    EXPECT_EQ(textOf(writer.declare("b", DataType::U8, {2})), "");
    EXPECT_CONTAINS(textOf(writer.declare("a", DataType::U8, {2})),
                    "declared twice");
    uint8_t bytes[3] = {1, 2, 3};
    EXPECT_CONTAINS(textOf(writer.write("b", bytes)),
                    "written out of order, expected 'a'");
    EXPECT_CONTAINS(textOf(writer.write("a", bytes)),
                    "tensor 'a': expected 2 bytes, got at least 3");
    EXPECT_CONTAINS(textOf(writer.declare("c", DataType::U8, {2})),
                    "declared after the first write");
    EXPECT_EQ(textOf(writer.write("a", ArrayRef(bytes).take_front(2))), "");
    EXPECT_CONTAINS(textOf(writer.commit()),
                    "tensor 'b': expected 2 bytes, got 0");
  }
  // A failed run leaves the old file and nothing beside it.
  EXPECT_EQ(folder.read("out.safetensors"), "before");
  EXPECT_EQ(folder.count(), 1u);
  SafetensorsWriter nowhere(folder.path("no/such/folder"));
  EXPECT_CONTAINS(textOf(nowhere.commit()),
                  "no/such/folder: cannot be written");
  SafetensorsWriter isFolder(folder.path("."));
  EXPECT_CONTAINS(textOf(isFolder.commit()), "is a folder");
}

TEST_F(SafetensorsTest, StoreSharesMappings) {
  StringRef header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  std::string path = file(header, 1);
  ParameterStore store;
  auto first = store.open(path), second = store.open(path);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->get(), second->get());
  // A rewritten file is mapped anew.
  std::string again = path + "2";
  folder.write("t.safetensors2", folder.read("t.safetensors") + " ");
  ASSERT_FALSE(bool(llvm::sys::fs::rename(again, path)));
  auto third = store.open(path);
  ASSERT_TRUE(bool(third)) << textOf(std::move(third));
  EXPECT_NE(first->get(), third->get());
}

TEST(ResolvePath, IsRelativeToTheModule) {
  EXPECT_EQ(resolvePath("w", "/m/a.mlir"), "/m/w");
  EXPECT_EQ(resolvePath("/x/w", "/m/a.mlir"), "/x/w");
  EXPECT_EQ(resolvePath("w", "-"), "w");
  EXPECT_EQ(resolvePath("w", "a.mlir"), "w");
}

} // namespace
