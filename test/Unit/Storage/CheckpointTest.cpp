//===- CheckpointTest.cpp - shards, indices and the JSON they are in ------===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/Checkpoint.h"
#include "StorageTest.h"
#include "qk/Storage/JSON.h"
#include "qk/Storage/ParameterStore.h"

using namespace llvm;
using namespace qk::storage;
using namespace qk::storage::test;

namespace {

#define EXPECT_CONTAINS(text, part)                                            \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << text

class CheckpointTest : public ::testing::Test {
protected:
  /// A shard of one-byte tensors, whose bytes count up from `first`.
  std::string shard(StringRef name, std::vector<std::string> tensors,
                    uint8_t first = 1) {
    SafetensorsWriter writer(folder.path(name));
    for (const std::string &tensor : tensors)
      EXPECT_EQ(textOf(writer.declare(tensor, DataType::U8, {1})), "");
    for (const std::string &tensor : tensors) {
      EXPECT_EQ(textOf(writer.write(tensor, {first})), "");
      ++first;
    }
    EXPECT_EQ(textOf(writer.commit()), "");
    return folder.path(name);
  }
  std::string index(StringRef map) {
    return folder.write("model.safetensors.index.json",
                        ("{\"metadata\": {\"total_size\": 3.5e0, \"x\": [null, "
                         "true, {}]}, \"weight_map\": " +
                         map + "}")
                            .str());
  }
  std::string failure(StringRef map) {
    return textOf(Checkpoint::open(index(map)));
  }

  TemporaryFolder folder;
};

TEST_F(CheckpointTest, OneFile) {
  std::string path = shard("model.safetensors", {"a", "b"});
  for (const std::string &given : {path, folder.path("")}) {
    auto opened = Checkpoint::open(given);
    ASSERT_TRUE(bool(opened)) << textOf(std::move(opened));
    EXPECT_EQ((*opened)->tensors().size(), 2u);
    EXPECT_EQ((*opened)->find("b")->tensor.bytes[0], 2);
    EXPECT_EQ((*opened)->find("c"), nullptr);
    EXPECT_CONTAINS(textOf((*opened)->get("bb")), "closest is");
  }
}

TEST_F(CheckpointTest, Shards) {
  shard("one.safetensors", {"b", "a", "unlisted"});
  shard("two.safetensors", {"c.weight"}, 9);
  std::string path = index(R"({"c.weight": "two.safetensors",
                               "a": "one.safetensors",
                               "b": "one.safetensors"})");
  for (const std::string &given : {path, folder.path("")}) {
    auto opened = Checkpoint::open(given);
    ASSERT_TRUE(bool(opened)) << textOf(std::move(opened));
    std::string names;
    for (const Parameter &parameter : (*opened)->tensors())
      names += parameter.tensor.name.str() + " ";
    EXPECT_EQ(names, "c.weight b a ");
    auto found = (*opened)->get("c.weight", DataType::U8, {1});
    ASSERT_TRUE(bool(found));
    EXPECT_EQ(found->tensor.bytes[0], 9);
    EXPECT_EQ(found->file->path(), folder.path("two.safetensors"));
    EXPECT_CONTAINS(textOf((*opened)->get("c.weigth")),
                    "index.json: no tensor 'c.weigth' among 3 (closest is "
                    "'c.weight')");
    EXPECT_CONTAINS(textOf((*opened)->get("a", DataType::F32, {1})),
                    "one.safetensors: tensor 'a': expected F32[1], got U8[1]");
    EXPECT_CONTAINS(textOf((*opened)->get("zzz", DataType::U8, {1})),
                    "no tensor 'zzz'");
  }
}

TEST_F(CheckpointTest, ReportsFolders) {
  EXPECT_CONTAINS(textOf(Checkpoint::open(folder.path(""))),
                  "has neither model.safetensors nor "
                  "model.safetensors.index.json");
  EXPECT_CONTAINS(textOf(Checkpoint::open(folder.path("no"))),
                  "no: cannot be opened");
}

TEST_F(CheckpointTest, ReportsIndices) {
  shard("one.safetensors", {"a"});
  shard("two.safetensors", {"a", "b"});
  EXPECT_CONTAINS(failure("[]"), "weight_map that is an array");
  EXPECT_CONTAINS(failure("{}"), "weight_map is empty");
  EXPECT_CONTAINS(failure(R"({"a": 1})"),
                  "tensor 'a': expected the name of a shard, got 1");
  EXPECT_CONTAINS(failure(R"({"a": "no.safetensors"})"),
                  "index.json: tensor 'a' is in shard 'no.safetensors': ");
  EXPECT_CONTAINS(failure(R"({"a": "no.safetensors"})"), "cannot be opened");
  EXPECT_CONTAINS(failure(R"({"x": "one.safetensors"})"),
                  "tensor 'x' is listed in shard 'one.safetensors', which has "
                  "no such tensor");
  EXPECT_CONTAINS(
      failure(R"({"a": "one.safetensors", "b": "two.safetensors"})"),
      "tensor 'a' is in two shards: ");
  EXPECT_CONTAINS(
      failure(R"({"a": "one.safetensors", "a": "two.safetensors"})"),
      "key 'a' twice");
  for (StringRef outside :
       {"../one.safetensors", "/etc/passwd", "x/../../one.safetensors", "",
        "..\\\\one.safetensors", "a\\u0000b"})
    EXPECT_CONTAINS(failure(("{\"a\": \"" + outside + "\"}").str()),
                    "is not in the folder of the index");
  // An index that is its own shard, and one within another.
  EXPECT_CONTAINS(failure(R"({"a": "model.safetensors.index.json"})"),
                  "not a safetensors file");
  folder.write("inner.json", R"({"weight_map": {"a": "one.safetensors"}})");
  EXPECT_CONTAINS(failure(R"({"a": "inner.json"})"), "not a safetensors file");
  folder.write("broken.safetensors", "x");
  EXPECT_CONTAINS(failure(R"({"a": "broken.safetensors"})"),
                  "broken.safetensors: expected at least 8 bytes");
  folder.write("m.json", "[]");
  EXPECT_CONTAINS(textOf(Checkpoint::open(folder.path("m.json"))),
                  "got an array without it");
}

TEST_F(CheckpointTest, StoreKnowsWhenShardsChange) {
  shard("one.safetensors", {"a"}, 1);
  std::string path = index(R"({"a": "one.safetensors"})");
  ParameterStore store;
  auto first = store.open(path), second = store.open(path);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->get(), second->get());
  shard("one.safetensors", {"a"}, 5);
  auto third = store.open(path);
  ASSERT_TRUE(bool(third));
  EXPECT_EQ((*third)->find("a")->tensor.bytes[0], 5);
  EXPECT_EQ((*first)->find("a")->tensor.bytes[0], 1);
}

TEST(JSON, KeepsOrderAndLines) {
  auto json = parseJSON("{\"b\": [1, -2.5e1, \"x\\n\"],\n \"a\": true}", "f");
  ASSERT_TRUE(bool(json));
  EXPECT_EQ(json->keys, (std::vector<std::string>{"b", "a"}));
  const JSONValue *b = json->find("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->elements[0].integer(), 1);
  EXPECT_EQ(b->elements[1].number(), -25);
  EXPECT_EQ(b->elements[1].integer(), std::nullopt);
  EXPECT_EQ(b->elements[2].text, "x\n");
  EXPECT_EQ(b->elements[2].integer(), std::nullopt);
  EXPECT_TRUE(json->find("a")->boolean);
  EXPECT_EQ(json->find("a")->line, 2u);
  EXPECT_EQ(json->find("c"), nullptr);
}

TEST(JSON, ReportsWhere) {
  auto failure = [](StringRef text) { return textOf(parseJSON(text, "f")); };
  EXPECT_EQ(failure("{\"a\": 1,\n \"a\": 2}"),
            "f: line 2, column 5: key 'a' twice");
  EXPECT_EQ(failure(""), "f: line 1, column 1: expected a JSON value");
  EXPECT_CONTAINS(failure("{\"a\" 1}"), "expected ':', got '1'");
  EXPECT_CONTAINS(failure("[1 2]"), "expected ']', got '2'");
  EXPECT_CONTAINS(failure("[1] 2"), "text after the end of the value");
  EXPECT_CONTAINS(failure("\"\xff\""), "not UTF-8");
  EXPECT_CONTAINS(failure(std::string(1000, '[')), "nested deeper than 64");
  for (StringRef number : {"01", "1.", ".5", "-", "1e", "+1", "nan"})
    EXPECT_NE(failure(number), "") << number.str();
}

} // namespace
