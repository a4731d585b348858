//===- Journal.cpp - What is computed, kept for a later run ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Journal.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Numerics/RoundToNearest.h"
#include "qk/Storage/MappedFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/xxhash.h"

#include <cstring>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

/// Changed whenever results may be others for the same input, or the files'
/// form.
static constexpr StringLiteral kVersion = "1";

//===----------------------------------------------------------------------===//
// What a run was begun with
//===----------------------------------------------------------------------===//

namespace {
/// Keeps of what is written to it a hash only.
class HashStream : public llvm::raw_ostream {
public:
  ~HashStream() override { flush(); }
  /// Large arrays by a faster hash.
  void addBytes(ArrayRef<uint8_t> bytes) {
    *this << bytes.size() << ':' << llvm::xxh3_64bits(bytes) << ';';
  }
  std::string digest() {
    flush();
    return llvm::toHex(sha.final(), /*LowerCase=*/true);
  }

private:
  void write_impl(const char *data, size_t size) override {
    sha.update(StringRef(data, size));
    position += size;
  }
  uint64_t current_pos() const override { return position; }

  llvm::SHA256 sha;
  uint64_t position = 0;
};
} // namespace

/// A dictionary less what changes no result.
static void hashSettings(HashStream &hash, Attribute attribute,
                         ArrayRef<StringRef> without) {
  if (auto settings = dyn_cast_or_null<DictionaryAttr>(attribute))
    for (NamedAttribute entry : settings)
      if (!llvm::is_contained(without, entry.getName().strref()))
        hash << entry.getName().strref() << '=' << entry.getValue() << ';';
}

/// The model with its recipes, and what evaluate was told.
static std::string hashModel(ModuleOp module) {
  HashStream hash;
  DictionaryAttr attributes = module->getDiscardableAttrDictionary();
  for (StringRef name :
       {QuantLLMDialect::kEvaluateAttr, QuantLLMDialect::kCalibrationAttr,
        QuantLLMDialect::kWeightsAttr})
    module->removeAttr(name);
  module->print(hash);
  module->setDiscardableAttrs(attributes);
  hashSettings(hash, attributes.get(QuantLLMDialect::kEvaluateAttr),
               {"output_weights", "report", "resume"});
  return hash.digest();
}

static FailureOr<std::string> hashWeights(ModuleOp module) {
  HashStream hash;
  WalkResult walked = module.walk([&](ParameterOp op) {
    FailureOr<ParameterData> data = getParameterData(op);
    if (failed(data))
      return WalkResult::interrupt();
    hash.addBytes(data->bytes);
    return WalkResult::advance();
  });
  if (walked.wasInterrupted())
    return failure();
  return hash.digest();
}

static FailureOr<std::string> hashSamples(ModuleOp module) {
  HashStream hash;
  auto calibration =
      module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kCalibrationAttr);
  hashSettings(hash, calibration, {"inputs", "stats", "profile"});
  for (StringRef kind : {"inputs", "stats"}) {
    auto path = calibration ? calibration.getAs<StringAttr>(kind) : nullptr;
    if (!path)
      continue;
    std::string file = resolveModulePath(module, path);
    auto buffer = llvm::MemoryBuffer::getFile(file, /*IsText=*/false,
                                              /*RequiresNullTerminator=*/false);
    if (!buffer)
      return emitError(module.getLoc())
             << "can't read '" << file << "': " << buffer.getError().message();
    hash << kind;
    hash.addBytes(llvm::arrayRefFromStringRef((*buffer)->getBuffer()));
  }
  return hash.digest();
}

//===----------------------------------------------------------------------===//
// The folder
//===----------------------------------------------------------------------===//

LogicalResult Journal::fail(const llvm::Twine &what, llvm::Error error) {
  return emitError(module.getLoc())
         << what << ": " << llvm::toString(std::move(error));
}

std::string Journal::pathOf(size_t index) const {
  std::string name;
  llvm::raw_string_ostream(name) << llvm::format("%06zu.safetensors", index);
  llvm::SmallString<256> path(folder);
  llvm::sys::path::append(path, name);
  return path.str().str();
}

FailureOr<Journal> Journal::open(ModuleOp module, StringRef outputWeights) {
  Journal journal(module, (outputWeights + ".partial").str());
  FailureOr<std::string> weights = hashWeights(module);
  if (failed(weights))
    return failure();
  FailureOr<std::string> samples = hashSamples(module);
  if (failed(samples))
    return failure();
  const std::pair<StringRef, std::string> begun[] = {
      {"version of qk's results", kVersion.str()},
      {"model or options", hashModel(module)},
      {"weights", *weights},
      {"calibration", *samples}};
  StringRef folder = journal.folder;
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return journal.fail("can't make the folder '" + folder +
                            "' for what is to be resumed",
                        llvm::errorCodeToError(code));
  llvm::SmallString<256> path(folder);
  llvm::sys::path::append(path, "begun.json");
  if (!llvm::sys::fs::exists(path)) {
    llvm::json::Object object;
    for (const auto &[what, hash] : begun)
      object[what] = hash;
    std::string text;
    llvm::raw_string_ostream(text)
        << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(object)));
    llvm::Expected<storage::AtomicFile> file =
        storage::AtomicFile::create(path);
    llvm::Error error = file ? file->write(StringRef(text)) : file.takeError();
    if (!error)
      error = file->commit();
    if (error)
      return journal.fail("can't keep what is to be resumed", std::move(error));
    return journal;
  }
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return journal.fail("can't resume from '" + folder + "'",
                        llvm::errorCodeToError(buffer.getError()));
  llvm::Expected<llvm::json::Value> known =
      llvm::json::parse((*buffer)->getBuffer());
  if (!known)
    return journal.fail("can't resume from '" + folder + "'",
                        known.takeError());
  for (const auto &[what, hash] : begun) {
    const llvm::json::Object *object = known->getAsObject();
    std::optional<StringRef> old =
        object ? object->getString(what) : std::nullopt;
    if (old != StringRef(hash))
      return emitError(module.getLoc())
             << "can't resume from '" << folder << "': expected the same "
             << what << " as it was begun with, "
             << old.value_or("none").take_front(12) << ", got "
             << StringRef(hash).take_front(12)
             << "; give what it was begun with, or delete the folder to begin "
                "anew";
  }
  return journal;
}

void Journal::remove() {
  // What is left does no harm but take space.
  (void)llvm::sys::fs::remove_directories(folder);
}

//===----------------------------------------------------------------------===//
// Records
//===----------------------------------------------------------------------===//

/// Exact, unlike decimal digits.
static std::string spellDouble(double value) {
  return llvm::utohexstr(llvm::bit_cast<uint64_t>(value));
}

static double readDouble(StringRef text) {
  uint64_t bits = 0;
  (void)text.getAsInteger(16, bits);
  return llvm::bit_cast<double>(bits);
}

/// Calls visit(name, type, array) with a record's arrays until one returns
/// false. A file lacks those that are empty.
template <typename Record, typename Visit>
static void visitArrays(Record &record, Visit visit) {
  using storage::DataType;
  (void)(visit("codes", DataType::U8, record.weight.codes) &&
         visit("scales", DataType::F32, record.weight.scales) &&
         visit("zero_points", DataType::I16, record.weight.zeroPoints) &&
         visit("permutation", DataType::I32, record.weight.permutation) &&
         visit("effective", DataType::F32, record.effective) &&
         visit("elements", DataType::F32, record.elements));
}

/// Whether it need not be kept: it is the weight dequantised.
static bool isObvious(const TaskRecord &record) {
  if (record.effective.empty())
    return true;
  std::vector<float> weight = numerics::dequantize(record.weight);
  return weight.size() == record.effective.size() &&
         std::memcmp(weight.data(), record.effective.data(),
                     weight.size() * sizeof(float)) == 0;
}

LogicalResult Journal::write(size_t index, StringRef name,
                             const TaskRecord &record) {
  storage::SafetensorsWriter file(pathOf(index));
  const ReportEntry &entry = record.report;
  auto number = [](int64_t value) { return std::to_string(value); };
  file.setMetadata("name", name);
  file.setMetadata("n", number(record.weight.n));
  file.setMetadata("k", number(record.weight.k));
  file.setMetadata("method", entry.method);
  if (entry.error)
    file.setMetadata("error", spellDouble(*entry.error));
  if (entry.heldOutError)
    file.setMetadata("held_out_error", spellDouble(*entry.heldOutError));
  if (entry.tokens)
    file.setMetadata("tokens", number(*entry.tokens));
  file.setMetadata("damping", spellDouble(entry.damping));
  file.setMetadata("dead_columns", number(entry.deadColumns));
  if (entry.fellBack)
    file.setMetadata("fell_back", "true");
  file.setMetadata("seconds", spellDouble(entry.seconds));
  llvm::Error error = llvm::Error::success();
  bool obvious = isObvious(record);
  auto isLeftOut = [&](StringRef array, const auto &elements) {
    return elements.empty() || (obvious && array == "effective");
  };
  visitArrays(record, [&](StringRef array, storage::DataType type,
                          const auto &elements) {
    if (!isLeftOut(array, elements))
      error =
          file.declare(array, type, {static_cast<int64_t>(elements.size())});
    return !error;
  });
  if (!error)
    visitArrays(
        record, [&](StringRef array, storage::DataType, const auto &elements) {
          if (!isLeftOut(array, elements))
            error = file.writeElements(
                array, llvm::ArrayRef(elements.data(), elements.size()));
          return !error;
        });
  if (!error)
    error = file.commit();
  if (error)
    return fail("can't keep what is to be resumed", std::move(error));
  return success();
}

bool Journal::has(size_t index) const {
  return llvm::sys::fs::exists(pathOf(index));
}

FailureOr<TaskRecord> Journal::read(size_t index, StringRef name) {
  std::string path = pathOf(index);
  auto file = storage::SafetensorsFile::open(path);
  if (!file)
    return fail("can't resume (delete the folder to begin anew)",
                file.takeError());
  auto text = [&](const char *key) -> StringRef {
    auto found = (*file)->metadata().find(key);
    return found == (*file)->metadata().end() ? StringRef() : found->second;
  };
  if (text("name") != name)
    return fail("can't resume (delete the folder to begin anew)",
                storage::makeError("expected '" + llvm::Twine(path) +
                                   "' to be of '" + name + "', got '" +
                                   text("name") + "'"));
  auto number = [&](const char *key) {
    int64_t value = 0;
    (void)text(key).getAsInteger(10, value);
    return value;
  };
  TaskRecord record;
  record.weight.n = number("n");
  record.weight.k = number("k");
  ReportEntry &entry = record.report;
  entry.method = text("method").str();
  if (!text("error").empty())
    entry.error = readDouble(text("error"));
  if (!text("held_out_error").empty())
    entry.heldOutError = readDouble(text("held_out_error"));
  if (!text("tokens").empty())
    entry.tokens = number("tokens");
  entry.damping = readDouble(text("damping"));
  entry.deadColumns = number("dead_columns");
  entry.fellBack = !text("fell_back").empty();
  entry.seconds = readDouble(text("seconds"));
  llvm::Error error = llvm::Error::success();
  visitArrays(record, [&](StringRef array, storage::DataType type,
                          auto &elements) {
    if (!(*file)->find(array))
      return true;
    auto tensor = (*file)->get(array, type, {-1});
    if (!tensor) {
      error = tensor.takeError();
      return false;
    }
    elements.resize(tensor->numElements());
    std::memcpy(elements.data(), tensor->bytes.data(), tensor->bytes.size());
    return true;
  });
  if (error)
    return fail("can't resume (delete the folder to begin anew)",
                std::move(error));
  return record;
}
