//===- CheckpointWriterTest.cpp - Folders that are written ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Storage/StorageTest.h"

#include "qk/Formats/CheckpointWriter.h"
#include "qk/Storage/JSON.h"

using namespace qk;
using namespace qk::formats;
using storage::Checkpoint;
using storage::DataType;
using storage::SafetensorsWriter;
using storage::test::TemporaryFolder;
using storage::test::textOf;

namespace {

constexpr int64_t kN = 32, kK = 64;

struct Tensor {
  std::string name;
  DataType type;
  std::vector<int64_t> shape;
  uint8_t fill;
};

void writeShard(const std::string &path, const std::vector<Tensor> &tensors) {
  SafetensorsWriter file(path);
  for (const Tensor &tensor : tensors)
    ASSERT_EQ("", textOf(file.declare(tensor.name, tensor.type, tensor.shape)));
  for (const Tensor &tensor : tensors) {
    std::vector<uint8_t> bytes(*storage::byteSize(tensor.type, tensor.shape),
                               tensor.fill);
    ASSERT_EQ("", textOf(file.write(tensor.name, bytes)));
  }
  ASSERT_EQ("", textOf(file.commit()));
}

/// A model of two shards.
class Model : public TemporaryFolder {
public:
  Model() {
    std::filesystem::create_directory(path("in"));
    writeShard(path("in/model-1.safetensors"),
               {{"model.embed.weight", DataType::BF16, {5, 3}, 1},
                {"model.up.weight", DataType::F32, {kN, kK}, 2},
                {"model.up.bias", DataType::F32, {kN}, 3}});
    writeShard(path("in/model-2.safetensors"),
               {{"model.norm.weight", DataType::F32, {kK}, 4},
                {"model.down.weight", DataType::F32, {kN, kK}, 5}});
    TemporaryFolder::write("in/model.safetensors.index.json",
                           R"({"metadata": {"total_size": 1}, "weight_map": {
            "model.embed.weight": "model-1.safetensors",
            "model.up.weight": "model-1.safetensors",
            "model.up.bias": "model-1.safetensors",
            "model.norm.weight": "model-2.safetensors",
            "model.down.weight": "model-2.safetensors"}})");
    TemporaryFolder::write(
        "in/config.json",
        R"({"architectures": ["AForCausalLM"], "rms_norm_eps": 1e-05,
            "rope": {"theta": 10000.0, "list": [1, null, true]},
            "quantization_config": null, "name": "a\"b"})");
    TemporaryFolder::write("in/tokenizer.json", "{}");
    TemporaryFolder::write("in/pytorch_model.bin", "weights");
    job.target = {Format::Gptq, /*storesTrueZeros=*/true};
    job.source = path("in");
    job.output = path("out");
    for (const char *name : {"model.up", "model.down"})
      add(name, kN, kK);
  }

  void add(const std::string &name, int64_t n, int64_t k) {
    LayerToWrite layer;
    layer.shape.name = name;
    layer.shape.n = n;
    layer.shape.k = k;
    layer.shape.scheme.groupSize = 32;
    layer.read = [n, k]() -> llvm::Expected<numerics::QuantizedWeight> {
      numerics::QuantizedWeight weight;
      weight.scheme.groupSize = 32;
      weight.n = n;
      weight.k = k;
      for (int64_t i = 0; i < n * k; ++i)
        weight.codes.push_back(i * 7 % 16);
      weight.scales.assign(n * 2, .25f);
      return weight;
    };
    job.layers.push_back(std::move(layer));
  }

  std::string run() { return textOf(writeCheckpoint(job)); }

  CheckpointToWrite job;
};

TEST(CheckpointWriter, WritesTheShardsOfTheSource) {
  Model model;
  // The norm has taken scales.
  std::vector<uint8_t> scaled(kK * 4, 9);
  model.job.tensors = {
      {"model.norm.weight", DataType::F32, {1, kK}, scaled, true}};
  ASSERT_EQ("", model.run());
  auto written = Checkpoint::open(model.path("out"));
  ASSERT_TRUE(static_cast<bool>(written));
  ASSERT_EQ(2u, (*written)->files().size());
  EXPECT_EQ(model.path("out/model-1.safetensors"),
            (*written)->find("model.up.qweight")->file->path());
  EXPECT_EQ(model.path("out/model-2.safetensors"),
            (*written)->find("model.down.scales")->file->path());
  EXPECT_EQ(11u, (*written)->tensors().size());
  for (const storage::Parameter &parameter : (*written)->tensors())
    EXPECT_TRUE(
        parameter.tensor.isAligned(storage::byteWidth(parameter.tensor.type)))
        << parameter.tensor.name.str();
  // What fills no unit of 8 bytes is last.
  EXPECT_EQ("model.embed.weight",
            (*written)->find("model.up.bias")->file->tensors().back().name);
  auto first = [&](const char *name) {
    return int((*written)->find(name)->tensor.bytes[0]);
  };
  EXPECT_EQ(1, first("model.embed.weight"));
  EXPECT_EQ(3, first("model.up.bias"));
  EXPECT_EQ(9, first("model.norm.weight"));
  EXPECT_EQ("pt", (*written)->files()[0]->metadata().at("format"));
  // What lies beside weights comes along, other forms of the weights do not.
  EXPECT_EQ("{}", model.read("out/tokenizer.json"));
  EXPECT_EQ("", model.read("out/pytorch_model.bin"));
  EXPECT_EQ(2u, model.count()) << "no temporary folder is left";

  auto quantized = QuantizedCheckpoint::open(*written);
  ASSERT_TRUE(quantized && *quantized);
  auto weight = (*quantized)->read("model.down", kN, kK);
  ASSERT_TRUE(static_cast<bool>(weight));
  EXPECT_EQ(model.job.layers[1].read()->codes, weight->codes);
}

TEST(CheckpointWriter, KeepsTheModelsConfig) {
  Model model;
  ASSERT_EQ("", model.run());
  auto config = storage::readJSON(model.path("out/config.json"));
  ASSERT_TRUE(static_cast<bool>(config));
  EXPECT_EQ((std::vector<std::string>{"architectures", "rms_norm_eps", "rope",
                                      "name", "quantization_config"}),
            config->keys);
  EXPECT_EQ("1e-05", config->find("rms_norm_eps")->text);
  EXPECT_EQ("a\"b", config->find("name")->text);
  const storage::JSONValue *settings = config->find("quantization_config");
  EXPECT_EQ("gptq_v2", settings->find("checkpoint_format")->text);
  EXPECT_EQ("32", settings->find("group_size")->text);
  EXPECT_EQ(std::vector<std::string>{"-:model\\.embed$"},
            settings->find("dynamic")->keys);
  // Where loaders before 2024 look.
  EXPECT_TRUE(static_cast<bool>(
      storage::readJSON(model.path("out/quantize_config.json"))));
}

TEST(CheckpointWriter, LeavesOutATiedHead) {
  Model model;
  model.job.target = {Format::PackQuantized};
  ASSERT_EQ("", model.run());
  auto config = storage::readJSON(model.path("out/config.json"));
  ASSERT_TRUE(static_cast<bool>(config));
  std::vector<std::string> names;
  for (const storage::JSONValue &name :
       config->find("quantization_config")->find("ignore")->elements)
    names.push_back(name.text);
  EXPECT_EQ((std::vector<std::string>{"model.embed", "lm_head"}), names);
}

TEST(CheckpointWriter, TakesRoundedTensorsForTheSources) {
  Model model;
  // 0x0101 in bf16 is 0x01010000 in f32.
  std::vector<uint8_t> widened;
  for (int i = 0; i < 15; ++i)
    widened.insert(widened.end(), {0, 0, 1, 1});
  model.job.tensors = {
      {"model.embed.weight", DataType::F32, {5, 3}, widened, false}};
  ASSERT_EQ("", model.run());
  auto written = Checkpoint::open(model.path("out"));
  ASSERT_TRUE(static_cast<bool>(written));
  EXPECT_EQ(DataType::BF16,
            (*written)->find("model.embed.weight")->tensor.type);
}

/// Runs it after `change`; nothing but the source is left.
template <typename F> std::string failure(F change) {
  Model model;
  change(model);
  std::string message = model.run();
  EXPECT_EQ(1u, model.count());
  std::string root = model.path("");
  for (size_t at; (at = message.find(root)) != std::string::npos;)
    message.erase(at, root.size());
  return message;
}

TEST(CheckpointWriter, SaysWhatDoesNotFit) {
  std::vector<uint8_t> bytes(kN * kK * 4, 9), other(kN * kK * 4, 8);
  auto tensor = [&](const char *name, std::vector<int64_t> shape, bool made,
                    const std::vector<uint8_t> &from) {
    size_t size = *storage::byteSize(DataType::F32, shape);
    return TensorToWrite{name, DataType::F32, shape,
                         llvm::ArrayRef(from).take_front(size), made};
  };
  EXPECT_EQ("the model has no quantised layer",
            failure([](Model &model) { model.job.layers.clear(); }));
  EXPECT_EQ(
      "in/model.safetensors.index.json: no tensor 'model.op.weight' among "
      "5 (closest is 'model.up.weight'); quantise with --weights=in, so "
      "that layers have the names that are there",
      failure([](Model &model) { model.add("model.op", kN, kK); }));
  EXPECT_EQ(
      "in/model.safetensors.index.json: tensor 'model.up.weight': expected "
      "F32[64x64] as the quantised layer has, got F32[32x64]",
      failure([](Model &model) {
        model.job.layers.clear();
        model.add("model.up", kK, kK);
      }));
  EXPECT_EQ("layer 'model.up': the model has two quantised layers of this name",
            failure([](Model &model) { model.add("model.up", kN, kK); }));
  EXPECT_EQ("tensor 'model.up.weight' is the weight of a quantised layer, but "
            "the model needs it in float too; skip the layer",
            failure([&](Model &model) {
              model.job.tensors = {
                  tensor("model.up.weight", {kN, kK}, false, bytes)};
            }));
  EXPECT_NE(failure([&](Model &model) {
              model.job.tensors = {
                  tensor("model.up.input_factors", {kK}, true, bytes)};
            })
                .find("no tensor 'model.up.input_factors', which the model has "
                      "scaled"),
            std::string::npos);
  EXPECT_EQ("in/model.safetensors.index.json: tensor 'model.norm.weight': "
            "expected F32[64], got the model's F32[32]",
            failure([&](Model &model) {
              model.job.tensors = {
                  tensor("model.norm.weight", {kN}, true, bytes)};
            }));
  EXPECT_EQ("tensor 'model.norm.weight' has two values in the model, as it is "
            "and scaled; a checkpoint holds one",
            failure([&](Model &model) {
              model.job.tensors = {
                  tensor("model.norm.weight", {kK}, true, bytes),
                  tensor("model.norm.weight", {kK}, true, other)};
            }));
  // A buffer of the module that the checkpoint lacks is nobody's business.
  Model model;
  model.job.tensors = {tensor("rotary", {kK}, false, bytes)};
  EXPECT_EQ("", model.run());
}

TEST(CheckpointWriter, AwqHasOneGroupSize) {
  EXPECT_EQ(
      "layer 'model.down': awq expects one group size for all layers, got "
      "16 and 32 of layer 'model.up'",
      failure([](Model &model) {
        model.job.target = {Format::AwqGemm};
        model.job.layers[1].shape.scheme.groupSize = 16;
      }));
}

TEST(CheckpointWriter, LeavesNothingWhereALayerFails) {
  EXPECT_EQ("broken", failure([](Model &model) {
              model.job.layers[1].read =
                  []() -> llvm::Expected<numerics::QuantizedWeight> {
                return storage::makeError("broken");
              };
            }));
}

TEST(CheckpointWriter, DoesNotWriteOverAnything) {
  Model model;
  std::filesystem::create_directory(model.path("out"));
  ASSERT_EQ("", model.run()) << "an empty folder will do";
  EXPECT_EQ(model.path("out") +
                ": expected a folder that is not there or empty, got one that "
                "isn't; remove it or name another",
            model.run());
}

TEST(CheckpointWriter, ReadsQuantisedSources) {
  Model model;
  ASSERT_EQ("", model.run());
  // The same model from what was written, in another format.
  model.job.source = model.path("out");
  model.job.output = model.path("again");
  model.job.target = {Format::PackQuantized};
  ASSERT_EQ("", model.run());
  auto written = Checkpoint::open(model.path("again"));
  ASSERT_TRUE(static_cast<bool>(written));
  EXPECT_EQ(nullptr, (*written)->find("model.up.qweight"));
  EXPECT_EQ(nullptr, (*written)->find("model.up.g_idx"));
  EXPECT_NE(nullptr, (*written)->find("model.up.weight_packed"));
  EXPECT_EQ("", model.read("again/quantize_config.json"));
  // A layer that is quantised there can't be passed by.
  model.job.layers.pop_back();
  model.job.output = model.path("third");
  EXPECT_NE(model.run().find("layer 'model.down' is quantised there, but the "
                             "model has no quantised layer of this name"),
            std::string::npos);
}

TEST(CheckpointWriter, DescribesLayersThatDiffer) {
  Model model;
  model.job.target = {Format::Gptq, true};
  model.job.layers[1].shape.scheme.codeType = numerics::CodeType::U8;
  model.job.layers[1].shape.scheme.groupSize = -1;
  model.job.layers[1].read = []() -> llvm::Expected<numerics::QuantizedWeight> {
    numerics::QuantizedWeight weight;
    weight.scheme = {numerics::CodeType::U8, -1, numerics::ScaleType::F16};
    weight.n = kN;
    weight.k = kK;
    weight.codes.assign(kN * kK, 201);
    weight.scales.assign(kN, .5f);
    return weight;
  };
  for (TargetFormat target :
       {model.job.target, TargetFormat{Format::PackQuantized}}) {
    model.job.target = target;
    model.job.output = model.path(target.format == Format::Gptq ? "a" : "b");
    ASSERT_EQ("", model.run());
    auto written = Checkpoint::open(model.job.output);
    ASSERT_TRUE(static_cast<bool>(written));
    auto quantized = QuantizedCheckpoint::open(*written);
    ASSERT_EQ(
        "", textOf(quantized ? llvm::Error::success() : quantized.takeError()));
    for (const LayerToWrite &layer : model.job.layers) {
      auto weight = (*quantized)->read(layer.shape.name, kN, kK);
      ASSERT_TRUE(static_cast<bool>(weight))
          << llvm::toString(weight.takeError());
      EXPECT_EQ(layer.shape.scheme.codeType, weight->scheme.codeType);
      EXPECT_EQ(layer.read()->codes, weight->codes);
    }
  }
}

} // namespace
