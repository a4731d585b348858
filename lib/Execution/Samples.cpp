//===- Samples.cpp - Inputs of several runs in one file -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Execution/Samples.h"
#include "llvm/ADT/StringExtras.h"

using namespace qk;
using llvm::Twine;
using storage::makeError;

llvm::Expected<Samples::Source>
Samples::read(const storage::SafetensorsFile &file,
              std::shared_ptr<const void> owner, llvm::StringRef name,
              size_t rank) {
  Source source;
  if (const storage::TensorView *whole = file.find(name)) {
    Tensor tensor = Tensor::view(*whole, owner);
    if (tensor.shape.size() == rank) {
      source.shared = true;
      source.samples.push_back(std::move(tensor));
      return source;
    }
    if (tensor.shape.size() != rank + 1)
      return makeError(file.path() + ": tensor '" + name + "': expected " +
                       Twine(rank) + " dimensions, or " + Twine(rank + 1) +
                       " with one for samples, got " + tensor.describe());
    for (int64_t i = 0; i < tensor.shape[0]; ++i)
      source.samples.push_back(tensor.slice(i));
    return source;
  }
  while (const storage::TensorView *one =
             file.find((name + "." + Twine(source.samples.size())).str())) {
    if (one->shape.size() != rank)
      return makeError(file.path() + ": tensor '" + one->name + "': expected " +
                       Twine(rank) + " dimensions, got " +
                       storage::describe(one->type, one->shape));
    source.samples.push_back(Tensor::view(*one, owner));
  }
  if (source.samples.empty())
    return makeError(file.path() + ": no tensor '" + name + "' (nor '" + name +
                     ".0'): expected one for each argument of the function");
  return source;
}

llvm::Expected<Samples> Samples::open(llvm::StringRef path,
                                      const Entry &entry) {
  auto file = storage::SafetensorsFile::open(path);
  if (!file)
    return file.takeError();
  Samples samples;
  std::optional<int64_t> count;
  std::string countedBy;
  auto agree = [&](const Source &source,
                   const std::string &name) -> llvm::Error {
    if (source.shared)
      return llvm::Error::success();
    int64_t size = source.samples.size();
    if (count && *count != size)
      return makeError(path + ": '" + countedBy + "' has " + Twine(*count) +
                       " samples, but '" + name + "' has " + Twine(size));
    count = size;
    countedBy = name;
    return llvm::Error::success();
  };
  for (size_t i = 0; i < entry.arguments.size(); ++i) {
    std::string name = "arg" + llvm::utostr(i);
    const TensorSpec &expected = entry.arguments[i];
    auto source = read(**file, *file, name, expected.shape.size());
    if (!source)
      return source.takeError();
    if (llvm::Error error = agree(*source, name))
      return std::move(error);
    for (size_t s = 0; s < source->samples.size(); ++s)
      if (llvm::Error error = checkArgument(expected, source->samples[s],
                                            path + ": tensor '" + name +
                                                "', sample " + Twine(s)))
        return std::move(error);
    samples.arguments.push_back(std::move(*source));
  }
  if ((*file)->find("mask") || (*file)->find("mask.0")) {
    auto source = read(**file, *file, "mask", 1);
    if (!source)
      return source.takeError();
    if (llvm::Error error = agree(*source, "mask"))
      return std::move(error);
    samples.masks = std::move(*source);
  }
  samples.count = count.value_or(1);
  if (samples.count == 0)
    return makeError(path + ": has no samples");
  return samples;
}

std::vector<Tensor> Samples::inputs(int64_t sample) const {
  std::vector<Tensor> tensors;
  for (const Source &source : arguments)
    tensors.push_back(source.samples[source.shared ? 0 : sample]);
  return tensors;
}

std::vector<bool> Samples::mask(int64_t sample) const {
  std::vector<bool> counts;
  if (masks)
    for (double value : masks->samples[masks->shared ? 0 : sample].toDoubles())
      counts.push_back(value != 0);
  return counts;
}
