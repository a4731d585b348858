//===- Checkpoint.cpp - a model's weights, in one file or many --*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/Checkpoint.h"
#include "qk/Storage/JSON.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace qk::storage {

static constexpr StringLiteral kSingleFile = "model.safetensors";
static constexpr StringLiteral kIndexFile = "model.safetensors.index.json";

Expected<std::shared_ptr<const Checkpoint>> Checkpoint::open(StringRef path,
                                                             OpenFile open) {
  std::shared_ptr<Checkpoint> checkpoint(new Checkpoint());
  checkpoint->givenPath = path.str();
  checkpoint->mainPath = path.str();
  if (sys::fs::is_directory(path)) {
    SmallString<128> single(path), index(path);
    sys::path::append(single, kSingleFile);
    sys::path::append(index, kIndexFile);
    if (sys::fs::exists(single))
      checkpoint->mainPath = single.str().str();
    else if (sys::fs::exists(index))
      checkpoint->mainPath = index.str().str();
    else
      return makeError(Twine(path) + ": the folder has neither " + kSingleFile +
                       " nor " + kIndexFile);
  }
  if (StringRef(checkpoint->mainPath).ends_with(".json")) {
    if (Error error = checkpoint->readIndex(open))
      return std::move(error);
  } else {
    auto file = open(checkpoint->mainPath);
    if (!file)
      return file.takeError();
    checkpoint->shards.push_back(*file);
    for (const TensorView &tensor : (*file)->tensors())
      checkpoint->add(*file, tensor);
  }
  return std::shared_ptr<const Checkpoint>(std::move(checkpoint));
}

void Checkpoint::add(const std::shared_ptr<const SafetensorsFile> &file,
                     const TensorView &tensor) {
  index.try_emplace(tensor.name, parameters.size());
  parameters.push_back({file, tensor});
}

/// Whether `name` stays in the folder it is seen from.
static bool isInside(StringRef name) {
  if (name.empty() || sys::path::is_absolute(name) || name.contains('\\') ||
      name.contains('\0'))
    return false;
  return llvm::none_of(
      llvm::make_range(sys::path::begin(name), sys::path::end(name)),
      [](StringRef component) { return component == ".."; });
}

Error Checkpoint::readIndex(OpenFile open) {
  auto fail = [&](const Twine &what) {
    return makeError(Twine(mainPath) + ": " + what);
  };
  Expected<JSONValue> json = readJSON(mainPath);
  if (!json)
    return json.takeError();
  const JSONValue *map = json->find("weight_map");
  if (!map || !map->isObject())
    return fail("expected an object with \"weight_map\", from tensors to "
                "shards, got " +
                (map ? "a weight_map that is " + map->describe()
                     : json->describe() + " without it"));

  // The shards in order, and which each tensor is to be in.
  StringMap<size_t> shardIndex, shardOf;
  std::vector<std::string> firstTensor;
  for (const auto &[name, shard] : map->members()) {
    if (!shard.isString())
      return fail("tensor '" + name + "': expected the name of a shard, got " +
                  shard.describe());
    if (!isInside(shard.text))
      return fail("tensor '" + name + "': shard '" + shard.text +
                  "' is not in the folder of the index");
    auto [known, inserted] =
        shardIndex.try_emplace(shard.text, firstTensor.size());
    if (inserted)
      firstTensor.push_back(name);
    shardOf[name] = known->second;
  }
  if (firstTensor.empty())
    return fail("the weight_map is empty");

  shards.resize(firstTensor.size());
  for (const auto &entry : shardIndex) {
    SmallString<128> path = sys::path::parent_path(mainPath);
    sys::path::append(path, entry.getKey());
    auto file = open(path);
    if (!file)
      return fail("tensor '" + firstTensor[entry.second] + "' is in shard '" +
                  entry.getKey() + "': " + llvm::toString(file.takeError()));
    shards[entry.second] = *file;
  }
  for (auto [position, shard] : llvm::enumerate(shards)) {
    for (const TensorView &tensor : shard->tensors()) {
      auto listed = shardOf.find(tensor.name);
      // What the index doesn't list isn't the model's.
      if (listed == shardOf.end())
        continue;
      if (listed->second != position)
        return fail("tensor '" + tensor.name.str() +
                    "' is in two shards: " + shards[listed->second]->path() +
                    ", as listed, and " + shard->path());
      add(shard, tensor);
    }
  }
  for (const auto &[name, shard] : map->members())
    if (!find(name))
      return fail("tensor '" + name + "' is listed in shard '" + shard.text +
                  "', which has no such tensor");
  return Error::success();
}

const Parameter *Checkpoint::find(StringRef name) const {
  auto it = index.find(name);
  return it == index.end() ? nullptr : &parameters[it->second];
}

Expected<Parameter> Checkpoint::get(StringRef name) const {
  if (const Parameter *parameter = find(name))
    return *parameter;
  if (shards.size() == 1 && mainPath == shards.front()->path())
    return shards.front()->get(name).takeError(); // Has the closest name.
  std::vector<StringRef> names;
  for (const Parameter &parameter : parameters)
    names.push_back(parameter.tensor.name);
  StringRef closest = nearestName(name, names);
  return makeError(Twine(mainPath) + ": no tensor '" + name + "' among " +
                   Twine(names.size()) +
                   (closest.empty() ? std::string()
                                    : " (closest is '" + closest.str() + "')"));
}

Expected<Parameter> Checkpoint::get(StringRef name, DataType type,
                                    ArrayRef<int64_t> shape) const {
  const Parameter *parameter = find(name);
  if (!parameter)
    return get(name);
  Expected<TensorView> checked = parameter->file->get(name, type, shape);
  if (!checked)
    return checked.takeError();
  return *parameter;
}

StringRef nearestName(StringRef name, ArrayRef<StringRef> names) {
  StringRef nearest;
  unsigned best = name.size() / 3 + 1;
  for (StringRef candidate : names) {
    unsigned distance = name.edit_distance(candidate, true, best);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

} // namespace qk::storage
