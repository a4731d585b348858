//===- StatisticsFile.cpp - Statistics in a safetensors file --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Calibration/StatisticsFile.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/DenseMap.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace qk;
using namespace qk::calibration;
using quant_llm::LayerStatistics;

llvm::Expected<std::unique_ptr<StatisticsFile>>
StatisticsFile::open(StringRef path) {
  auto file = storage::SafetensorsFile::open(path);
  if (!file)
    return file.takeError();
  return std::unique_ptr<StatisticsFile>(new StatisticsFile(*file));
}

StringRef StatisticsFile::resolve(StringRef layer) const {
  auto alias = file->metadata().find(("alias." + layer).str());
  return alias == file->metadata().end() ? layer : StringRef(alias->second);
}

LogicalResult StatisticsFile::prepare(ModuleOp op,
                                      ArrayRef<std::string> layers) {
  module = op;
  std::vector<StringRef> missing;
  for (const std::string &layer : layers)
    if (!file->find((resolve(layer) + ".tokens").str()))
      missing.push_back(layer);
  if (missing.empty())
    return success();
  InFlightDiagnostic diagnostic = emitError(op.getLoc())
                                  << "the statistics file " << file->path()
                                  << " lacks " << missing.size() << " of "
                                  << layers.size() << " layers:";
  for (StringRef layer : ArrayRef(missing).take_front(5))
    diagnostic << " '" << layer << "'";
  if (missing.size() > 5)
    diagnostic << " and " << missing.size() - 5 << " more";
  return diagnostic << "; it was made from another model or with other names";
}

llvm::Expected<ArrayRef<float>>
StatisticsFile::readFloats(StringRef name, ArrayRef<int64_t> shape) {
  auto tensor = file->get(name, storage::DataType::F32, shape);
  if (!tensor)
    return tensor.takeError();
  ArrayRef<float> values;
  if (tensor->isAligned(alignof(float))) {
    values = tensor->as<float>();
  } else {
    copies.push_back(std::make_unique<float[]>(tensor->numElements()));
    std::memcpy(copies.back().get(), tensor->bytes.data(),
                tensor->bytes.size());
    values = {copies.back().get(), static_cast<size_t>(tensor->numElements())};
  }
  for (auto [i, value] : llvm::enumerate(values))
    if (!std::isfinite(value))
      return storage::makeError(Twine(file->path()) + ": " + name +
                                ": element " + Twine(i) +
                                " is not finite; calibrate again");
  return values;
}

llvm::Expected<LayerStatistics> StatisticsFile::read(StringRef layer) {
  std::string name = resolve(layer).str();
  LayerStatistics statistics;
  auto tokens = file->get(name + ".tokens", storage::DataType::I64, {});
  if (!tokens)
    return tokens.takeError();
  std::memcpy(&statistics.tokens, tokens->bytes.data(), sizeof(int64_t));
  if (statistics.tokens < 0)
    return storage::makeError(Twine(file->path()) + ": " + name +
                              ".tokens: expected at least 0, got " +
                              Twine(statistics.tokens));
  if (const storage::TensorView *absmax = file->find(name + ".absmax"))
    statistics.k = absmax->shape.empty() ? 0 : absmax->shape[0];
  else if (const storage::TensorView *hessian = file->find(name + ".hessian"))
    statistics.k = hessian->shape.empty() ? 0 : hessian->shape[0];
  int64_t k = statistics.k;
  struct Part {
    const char *suffix;
    std::vector<int64_t> shape;
    ArrayRef<float> &values;
  } parts[] = {{".hessian", {k, k}, statistics.hessian},
               {".absmax", {k}, statistics.absmax},
               {".absmean", {k}, statistics.absmean},
               {".cross", {k, k}, statistics.cross}};
  for (Part &part : parts) {
    if (!file->find(name + part.suffix))
      continue;
    auto values = readFloats(name + part.suffix, part.shape);
    if (!values)
      return values.takeError();
    part.values = *values;
  }
  return statistics;
}

FailureOr<const LayerStatistics *> StatisticsFile::get(StringRef layer) {
  StringRef name = resolve(layer);
  auto known = entries.find(name);
  if (known != entries.end())
    return &known->second;
  if (!file->find((name + ".tokens").str()))
    return nullptr;
  auto statistics = read(layer);
  if (!statistics) {
    emitError(module.getLoc())
        << "statistics of layer '" << layer
        << "': " << llvm::toString(statistics.takeError());
    return failure();
  }
  return &(entries[name] = *statistics);
}

llvm::Error
qk::calibration::writeStatistics(StringRef path, ArrayRef<std::string> layers,
                                 quant_llm::StatisticsSource &source) {
  storage::SafetensorsWriter writer(path);
  // Layers that read the same tensor get the same arrays from the source.
  llvm::DenseMap<const float *, StringRef> written;
  std::vector<std::pair<StringRef, const LayerStatistics *>> entries;
  for (const std::string &layer : layers) {
    FailureOr<const LayerStatistics *> statistics = source.get(layer);
    if (failed(statistics))
      return storage::makeError("layer '" + layer + "' has no statistics");
    if (!*statistics)
      return storage::makeError("layer '" + layer + "' was not observed");
    auto [first, inserted] =
        written.try_emplace((*statistics)->absmax.data(), layer);
    if (!inserted && (*statistics)->absmax.data())
      writer.setMetadata("alias." + layer, first->second);
    else
      entries.push_back({layer, *statistics});
  }
  using storage::DataType;
  for (auto [layer, statistics] : entries) {
    int64_t k = statistics->k;
    std::string name = layer.str();
    if (!statistics->hessian.empty())
      if (auto error = writer.declare(name + ".hessian", DataType::F32, {k, k}))
        return error;
    if (!statistics->cross.empty())
      if (auto error = writer.declare(name + ".cross", DataType::F32, {k, k}))
        return error;
    if (auto error = writer.declare(name + ".absmax", DataType::F32, {k}))
      return error;
    if (auto error = writer.declare(name + ".absmean", DataType::F32, {k}))
      return error;
  }
  // Scalars last: they would misalign what follows.
  for (auto [layer, statistics] : entries)
    if (auto error = writer.declare(layer.str() + ".tokens", DataType::I64, {}))
      return error;
  for (auto [layer, statistics] : entries) {
    std::string name = layer.str();
    if (!statistics->hessian.empty())
      if (auto error =
              writer.writeElements(name + ".hessian", statistics->hessian))
        return error;
    if (!statistics->cross.empty())
      if (auto error = writer.writeElements(name + ".cross", statistics->cross))
        return error;
    if (auto error = writer.writeElements(name + ".absmax", statistics->absmax))
      return error;
    if (auto error =
            writer.writeElements(name + ".absmean", statistics->absmean))
      return error;
  }
  for (auto [layer, statistics] : entries)
    if (auto error = writer.writeElements(
            layer.str() + ".tokens", ArrayRef<int64_t>(statistics->tokens)))
      return error;
  return writer.commit();
}
