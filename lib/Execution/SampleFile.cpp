//===- SampleFile.cpp - Samples of a model's inputs -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Execution/SampleFile.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace qk;
using namespace qk::execution;
using storage::DataType;
using storage::SafetensorsFile;
using storage::TensorView;

/// The tensors of one argument, one a sample.
struct ArgumentSamples {
  std::string name;
  std::vector<SampleTensor> tensors;
  bool stacked = true;
};

static bool fits(ArrayRef<int64_t> got, ArrayRef<int64_t> expected) {
  return got.size() == expected.size() &&
         all_of(zip(got, expected), [](auto pair) {
           return std::get<1>(pair) < 0 ||
                  std::get<0>(pair) == std::get<1>(pair);
         });
}

static std::string describeShape(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [i, size] : enumerate(shape))
    text += (i ? "x" : "") + (size < 0 ? "?" : std::to_string(size));
  return text + "]";
}

static Error typeError(const SafetensorsFile &file, const TensorView &tensor,
                       const SampleArgument &argument, bool stacked) {
  SmallVector<int64_t> expected(argument.shape);
  if (stacked)
    expected.insert(expected.begin(), -1);
  return storage::makeError(Twine(file.path()) + ": " + tensor.name +
                            ": expected " + storage::spelling(argument.type) +
                            describeShape(expected) +
                            (stacked ? " (samples first)" : "") + ", got " +
                            storage::describe(tensor.type, tensor.shape));
}

/// Cuts a tensor with a leading sample dimension.
static Error cutStacked(const SafetensorsFile &file, const TensorView &tensor,
                        const SampleArgument &argument,
                        ArgumentSamples &result) {
  // The argument's own rank: one sample.
  if (tensor.type == argument.type && fits(tensor.shape, argument.shape)) {
    result.tensors.push_back(
        {tensor.type, SmallVector<int64_t>(tensor.shape), tensor.bytes});
    return Error::success();
  }
  if (tensor.type != argument.type || tensor.shape.empty() ||
      !fits(tensor.shape.drop_front(), argument.shape))
    return typeError(file, tensor, argument, /*stacked=*/true);
  int64_t count = tensor.shape[0];
  size_t bytes = count ? tensor.bytes.size() / count : 0;
  for (int64_t i = 0; i < count; ++i)
    result.tensors.push_back({tensor.type,
                              SmallVector<int64_t>(tensor.shape.drop_front()),
                              tensor.bytes.slice(i * bytes, bytes)});
  return Error::success();
}

/// Finds the samples of `argument`, which is number `index`.
static Expected<ArgumentSamples> findArgument(const SafetensorsFile &file,
                                              const SampleArgument &argument,
                                              size_t index) {
  SmallVector<std::string> names{"arg" + std::to_string(index)};
  if (!argument.name.empty())
    names.push_back(argument.name);
  for (const std::string &name : names) {
    ArgumentSamples result;
    result.name = name;
    if (const TensorView *tensor = file.find(name)) {
      if (Error error = cutStacked(file, *tensor, argument, result))
        return error;
      return result;
    }
    result.stacked = false;
    for (size_t i = 0;; ++i) {
      const TensorView *tensor = file.find(name + "." + std::to_string(i));
      if (!tensor)
        break;
      if (tensor->type != argument.type || !fits(tensor->shape, argument.shape))
        return typeError(file, *tensor, argument, /*stacked=*/false);
      result.tensors.push_back(
          {tensor->type, SmallVector<int64_t>(tensor->shape), tensor->bytes});
    }
    if (!result.tensors.empty())
      return result;
  }
  std::string expected = "'" + names[0] + "'";
  if (names.size() > 1)
    expected += " or '" + names[1] + "'";
  return storage::makeError(
      Twine(file.path()) + ": expected a tensor " + expected + " of type " +
      storage::spelling(argument.type) + describeShape(argument.shape) +
      " with samples first, or '" + names[0] + ".0', …; got none of that name");
}

/// Whether element `i` of a mask is not 0.
static Expected<std::vector<uint8_t>> readMask(const SafetensorsFile &file,
                                               const TensorView &tensor,
                                               ArrayRef<uint8_t> bytes) {
  switch (tensor.type) {
  case DataType::Bool:
  case DataType::U8:
  case DataType::I8:
  case DataType::I32:
  case DataType::I64:
    break;
  default:
    return storage::makeError(Twine(file.path()) + ": " + tensor.name +
                              ": expected a mask of BOOL, U8, I8, I32 or I64, "
                              "got " +
                              storage::spelling(tensor.type));
  }
  int64_t width = storage::byteWidth(tensor.type);
  std::vector<uint8_t> mask(bytes.size() / width);
  for (size_t i = 0; i < mask.size(); ++i)
    mask[i] = any_of(bytes.slice(i * width, width),
                     [](uint8_t byte) { return byte != 0; });
  return mask;
}

/// Attaches masks to the samples where the file has any.
static Error addMasks(const SafetensorsFile &file,
                      std::vector<Sample> &samples) {
  const TensorView *stacked = file.find("mask");
  if (!stacked && !file.find("mask.0"))
    return Error::success();
  for (auto [i, sample] : enumerate(samples)) {
    const TensorView *tensor = stacked;
    ArrayRef<uint8_t> bytes;
    if (stacked) {
      if (tensor->shape.empty() ||
          tensor->shape[0] != static_cast<int64_t>(samples.size()))
        return storage::makeError(
            Twine(file.path()) + ": mask: expected " + Twine(samples.size()) +
            " samples, got " + storage::describe(tensor->type, tensor->shape));
      size_t size = tensor->bytes.size() / samples.size();
      bytes = tensor->bytes.slice(i * size, size);
    } else {
      auto found = file.get("mask." + std::to_string(i));
      if (!found)
        return found.takeError();
      tensor = file.find("mask." + std::to_string(i));
      bytes = tensor->bytes;
    }
    auto mask = readMask(file, *tensor, bytes);
    if (!mask)
      return mask.takeError();
    sample.mask = std::move(*mask);
  }
  return Error::success();
}

Expected<SampleFile> SampleFile::open(StringRef path,
                                      ArrayRef<SampleArgument> arguments) {
  auto file = SafetensorsFile::open(path);
  if (!file)
    return file.takeError();
  SampleFile result;
  result.file = *file;
  std::string firstName;
  for (auto [index, argument] : enumerate(arguments)) {
    auto found = findArgument(**file, argument, index);
    if (!found)
      return found.takeError();
    result.stacked &= found->stacked;
    if (index == 0) {
      if (found->tensors.empty())
        return storage::makeError(Twine(path) + ": " + found->name +
                                  ": expected at least one sample, got 0");
      result.samples.resize(found->tensors.size());
      firstName = found->name;
    }
    if (found->tensors.size() != result.samples.size())
      return storage::makeError(Twine(path) + ": expected as many samples of " +
                                found->name + " as of " + firstName + " (" +
                                Twine(result.samples.size()) + "), got " +
                                Twine(found->tensors.size()));
    for (auto [sample, tensor] : zip(result.samples, found->tensors))
      sample.arguments.push_back(std::move(tensor));
  }
  if (arguments.empty())
    return storage::makeError(Twine(path) +
                              ": the function has no arguments to be given");
  if (Error error = addMasks(**file, result.samples))
    return error;
  return result;
}
