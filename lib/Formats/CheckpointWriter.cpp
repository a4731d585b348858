//===- CheckpointWriter.cpp - Folders that others' loaders take -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Formats/CheckpointWriter.h"

#include "ModelConfig.h"
#include "OutputFolder.h"
#include "SameValues.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <map>

using namespace llvm;
using namespace qk;
using namespace qk::formats;
using storage::Checkpoint;
using storage::DataType;
using storage::makeError;
using storage::Parameter;
using storage::SafetensorsWriter;
using storage::TensorView;

static constexpr StringLiteral kWeight = ".weight";

/// What a quantised layer of the source may have.
static constexpr StringLiteral kPackedSuffixes[] = {
    ".qweight",       ".qzeros",       ".scales",       ".g_idx",
    ".weight_packed", ".weight_scale", ".weight_shape", ".weight_zero_point",
    ".weight_g_idx",  ".weight",       ".input_scale",  ".input_zero_point"};

namespace {

/// A tensor of the output.
struct Entry {
  std::string name;
  DataType type;
  std::vector<int64_t> shape;
  /// Bytes that are there, or a piece of a layer.
  ArrayRef<uint8_t> bytes;
  const LayerToWrite *layer = nullptr;
  size_t piece = 0;

  uint64_t size() const { return *storage::byteSize(type, shape); }
};

class Writer {
public:
  explicit Writer(const CheckpointToWrite &job) : job(job) {}

  Error run();

private:
  Error fail(const Twine &what) const {
    return makeError(source->mainFile() + ": " + what);
  }
  Error openSource();
  Error matchLayers();
  Error matchTensors();
  Error matchTensor(const TensorToWrite &tensor);
  void planShards();
  void planTensor(const Parameter &parameter, std::vector<Entry> &entries);
  Error writeShard(size_t index, OutputFolder &folder);
  Error writeIndex(OutputFolder &folder);
  Error writeConfigs(OutputFolder &folder);
  std::string shardName(size_t index) const;
  StringRef folderOfSource() const {
    return sys::path::parent_path(source->mainFile());
  }

  const CheckpointToWrite &job;
  std::shared_ptr<const Checkpoint> source;
  std::optional<QuantizedCheckpoint> quantized;
  std::optional<storage::JSONValue> config;
  StringMap<const LayerToWrite *> layers;
  /// By name, those that differ from the source's.
  StringMap<const TensorToWrite *> replaced;
  std::vector<std::vector<Entry>> shards;
  /// Formats leave them out per config group, not per layer.
  bool zeroPoints = false;
};

} // namespace

Error Writer::openSource() {
  auto opened = Checkpoint::open(job.source);
  if (!opened)
    return opened.takeError();
  source = std::move(*opened);
  auto known = QuantizedCheckpoint::open(source);
  if (!known)
    return known.takeError();
  quantized = std::move(*known);
  auto read = readModelConfig(folderOfSource());
  if (!read)
    return read.takeError();
  config = std::move(*read);
  return Error::success();
}

Error Writer::matchLayers() {
  for (const LayerToWrite &layer : job.layers) {
    const LayerShape &shape = layer.shape;
    if (Error error = checkLayer(job.target, shape))
      return error;
    if (!layers.try_emplace(shape.name, &layer).second)
      return makeError("layer '" + shape.name +
                       "': the model has two quantised layers of this name");
    if (job.target.format == Format::AwqGemm) {
      const LayerShape &first = job.layers.front().shape;
      if (shape.groupSize() != first.groupSize())
        return makeError("layer '" + shape.name +
                         "': awq expects one group size for all layers, got " +
                         Twine(shape.groupSize()) + " and " +
                         Twine(first.groupSize()) + " of layer '" + first.name +
                         "'");
    }
    if (quantized && quantized->contains(shape.name))
      continue;
    Expected<Parameter> weight = source->get((shape.name + kWeight).str());
    if (!weight)
      return makeError(toString(weight.takeError()) +
                       "; quantise with --weights=" + job.source +
                       ", so that layers have the names that are there");
    ArrayRef<int64_t> stored = weight->tensor.shape;
    if (stored != ArrayRef<int64_t>{shape.n, shape.k})
      return fail("tensor '" + weight->tensor.name + "': expected " +
                  storage::describe(weight->tensor.type, {shape.n, shape.k}) +
                  " as the quantised layer has, got " +
                  storage::describe(weight->tensor.type, stored));
  }
  if (quantized)
    for (const std::string &layer : quantized->layers())
      if (!layers.contains(layer))
        return fail("layer '" + layer +
                    "' is quantised there, but the model has no quantised "
                    "layer of this name");
  return Error::success();
}

Error Writer::matchTensor(const TensorToWrite &tensor) {
  StringRef layer = tensor.name;
  if (layer.consume_back(kWeight) && layers.contains(layer))
    return makeError("tensor '" + tensor.name +
                     "' is the weight of a quantised layer, but the model "
                     "needs it in float too; skip the layer");
  const Parameter *original = source->find(tensor.name);
  if (!original) {
    if (!tensor.made)
      return Error::success();
    return fail("no tensor '" + tensor.name +
                "', which the model has scaled; factors by which it divides as "
                "it runs have no place in a checkpoint (layers=norms or "
                "foldable has none), and constants get their names from "
                "--weights=" +
                job.source);
  }
  const TensorView &view = original->tensor;
  if (sameValues(view, tensor.type, tensor.bytes)) {
    // As it is; but not where something else was made of it too.
    auto other = replaced.find(tensor.name);
    if (other == replaced.end())
      return Error::success();
  } else {
    auto ones = [](ArrayRef<int64_t> shape) {
      return to_vector(
          make_filter_range(shape, [](int64_t size) { return size != 1; }));
    };
    if (ones(view.shape) != ones(tensor.shape))
      return fail("tensor '" + tensor.name + "': expected " +
                  storage::describe(view.type, view.shape) +
                  ", got the model's " +
                  storage::describe(tensor.type, tensor.shape));
    auto [other, inserted] = replaced.try_emplace(tensor.name, &tensor);
    if (inserted || other->second->bytes == tensor.bytes)
      return Error::success();
  }
  return makeError("tensor '" + tensor.name +
                   "' has two values in the model, as it is and scaled; a "
                   "checkpoint holds one");
}

Error Writer::matchTensors() {
  // Those that were made first: what is left as it was must not be them.
  for (bool made : {true, false})
    for (const TensorToWrite &tensor : job.tensors)
      if (tensor.made == made)
        if (Error error = matchTensor(tensor))
          return error;
  return Error::success();
}

void Writer::planTensor(const Parameter &parameter,
                        std::vector<Entry> &entries) {
  const TensorView &view = parameter.tensor;
  for (StringRef suffix : kPackedSuffixes) {
    StringRef name = view.name;
    if (!name.consume_back(suffix))
      continue;
    auto layer = layers.find(name);
    if (layer == layers.end())
      continue;
    bool was = quantized && quantized->contains(name);
    if (!was && suffix != kWeight)
      continue;
    // The codes, or the float weight, are where the new tensors go.
    if (was && suffix != ".qweight" && suffix != ".weight_packed" &&
        suffix != kWeight)
      return;
    for (auto [piece, packed] :
         enumerate(packedTensors(job.target, layer->second->shape, zeroPoints)))
      entries.push_back({(name + packed.suffix).str(),
                         packed.type,
                         packed.shape,
                         {},
                         layer->second,
                         piece});
    return;
  }
  auto other = replaced.find(view.name);
  if (other == replaced.end())
    entries.push_back(
        {view.name.str(), view.type, view.shape.vec(), view.bytes});
  else
    entries.push_back({view.name.str(), other->second->type, view.shape.vec(),
                       other->second->bytes});
}

void Writer::planShards() {
  // With different zero points in one config group, all layers get them.
  zeroPoints = any_of(job.layers, [](const LayerToWrite &layer) {
    return layer.shape.zeroPoints;
  });
  DenseMap<const void *, size_t> index;
  for (const auto &file : source->files())
    index.try_emplace(file.get(), index.size());
  shards.resize(source->files().size());
  for (const Parameter &parameter : source->tensors())
    planTensor(parameter, shards[index.at(parameter.file.get())]);
  // Those of whole units of 8 bytes first, then by falling width of elements:
  // every tensor is aligned to its elements, which some loaders need.
  for (std::vector<Entry> &entries : shards) {
    std::vector<Entry> sorted;
    for (int64_t width : {0, 8, 4, 2, 1})
      for (const Entry &entry : entries)
        if ((entry.size() % 8 ? storage::byteWidth(entry.type) : 0) == width)
          sorted.push_back(entry);
    entries = std::move(sorted);
  }
}

std::string Writer::shardName(size_t index) const {
  StringRef path = source->files()[index]->path();
  StringRef folder = folderOfSource();
  // The one file of a model has one name for loaders.
  if (path == source->mainFile())
    return "model.safetensors";
  if (!folder.empty() && path.consume_front(folder))
    path = path.ltrim('/');
  return path.str();
}

Error Writer::writeShard(size_t index, OutputFolder &folder) {
  Expected<std::string> path = folder.file(shardName(index));
  if (!path)
    return path.takeError();
  SafetensorsWriter file(*path);
  for (const auto &[key, value] : source->files()[index]->metadata())
    file.setMetadata(key, value);
  // Loaders of PyTorch models ask for it.
  if (!source->files()[index]->metadata().count("format"))
    file.setMetadata("format", "pt");
  for (const Entry &entry : shards[index])
    if (Error error = file.declare(entry.name, entry.type, entry.shape))
      return error;
  // Pieces of layers that are not written yet.
  std::map<const LayerToWrite *, std::vector<std::vector<uint8_t>>> pieces;
  for (const Entry &entry : shards[index]) {
    if (!entry.layer) {
      if (Error error = file.write(entry.name, entry.bytes))
        return error;
      continue;
    }
    auto [packed, first] = pieces.try_emplace(entry.layer);
    if (first) {
      auto weight = entry.layer->read();
      if (!weight)
        return weight.takeError();
      auto made = packLayer(job.target, entry.layer->shape, zeroPoints, *weight,
                            entry.layer->inputScale);
      if (!made)
        return made.takeError();
      packed->second = std::move(*made);
    }
    std::vector<uint8_t> &bytes = packed->second[entry.piece];
    if (Error error = file.write(entry.name, bytes))
      return error;
    std::vector<uint8_t>().swap(bytes);
  }
  return file.commit();
}

Error Writer::writeIndex(OutputFolder &folder) {
  if (!source->mainFile().ends_with(".json"))
    return Error::success();
  json::Object map;
  int64_t total = 0;
  for (auto [index, entries] : enumerate(shards))
    for (const Entry &entry : entries) {
      map[entry.name] = shardName(index);
      total += static_cast<int64_t>(entry.size());
    }
  std::string text;
  raw_string_ostream(text)
      << formatv("{0:2}", json::Value(json::Object{
                              {"metadata", json::Object{{"total_size", total}}},
                              {"weight_map", std::move(map)}}))
      << "\n";
  return folder.write("model.safetensors.index.json", text);
}

Error Writer::writeConfigs(OutputFolder &folder) {
  std::vector<std::string> inFloat;
  for (const Parameter &parameter : source->tensors()) {
    StringRef name = parameter.tensor.name;
    if (parameter.tensor.shape.size() == 2 && name.consume_back(kWeight) &&
        !layers.contains(name))
      inFloat.push_back(name.str());
  }
  if (config && hasHead(*config) && !layers.contains("lm_head") &&
      !is_contained(inFloat, "lm_head"))
    inFloat.push_back("lm_head");
  std::vector<LayerShape> shapes;
  for (const LayerToWrite &layer : job.layers) {
    shapes.push_back(layer.shape);
    shapes.back().zeroPoints |= zeroPoints;
  }
  auto text = [&](StringRef indent) {
    return writeQuantizationConfig(job.target, shapes, inFloat, indent);
  };
  if (Error error =
          folder.write("config.json", writeModelConfig(config, text("  "))))
    return error;
  // Where loaders before 2024 look.
  if (job.target.format == Format::Gptq)
    return folder.write("quantize_config.json", text("") + "\n");
  return Error::success();
}

Error Writer::run() {
  if (job.layers.empty())
    return makeError("the model has no quantised layer");
  if (Error error = openSource())
    return error;
  if (Error error = matchLayers())
    return error;
  if (Error error = matchTensors())
    return error;
  planShards();
  Expected<OutputFolder> folder = OutputFolder::create(job.output);
  if (!folder)
    return folder.takeError();
  for (size_t index = 0; index < shards.size(); ++index)
    if (Error error = writeShard(index, *folder))
      return error;
  if (Error error = writeIndex(*folder))
    return error;
  if (Error error = writeConfigs(*folder))
    return error;
  // config.json is written here; loaders of AutoAWQ look for the other.
  if (Error error = folder->copyOthers(
          folderOfSource(),
          {"config.json", "quantize_config.json", "quant_config.json"}))
    return error;
  return folder->commit();
}

Error qk::formats::writeCheckpoint(const CheckpointToWrite &checkpoint) {
  return Writer(checkpoint).run();
}
