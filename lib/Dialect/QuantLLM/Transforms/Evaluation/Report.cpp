//===- Report.cpp - What evaluate did, layer by layer ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Report.h"

#include "qk/Storage/MappedFile.h"

#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

static void writeEntry(llvm::json::OStream &json, const ReportEntry &entry) {
  json.object([&] {
    json.attribute("layer", entry.layer);
    json.attribute("n", entry.n);
    json.attribute("k", entry.k);
    json.attribute("scheme", entry.scheme);
    json.attribute("symmetric", entry.symmetric);
    json.attribute("method", entry.method);
    if (entry.error)
      json.attribute("error", *entry.error);
    else
      json.attribute("error", nullptr);
    if (entry.heldOutError)
      json.attribute("held_out_error", *entry.heldOutError);
    if (entry.tokens)
      json.attribute("tokens", *entry.tokens);
    else
      json.attribute("tokens", nullptr);
    json.attribute("calibrated", entry.tokens.has_value());
    if (entry.method == "gptq") {
      json.attribute("damping", entry.damping);
      json.attribute("dead_columns", entry.deadColumns);
    }
    if (entry.fellBack)
      json.attribute("fell_back", true);
    json.attribute("seconds", entry.seconds);
  });
}

LogicalResult
qk::quant_llm::writeReport(ModuleOp module, StringRef path,
                           const std::vector<ReportEntry> &entries) {
  std::string text;
  {
    llvm::raw_string_ostream stream(text);
    llvm::json::OStream json(stream, /*IndentSize=*/2);
    json.object([&] {
      json.attributeArray("layers", [&] {
        for (const ReportEntry &entry : entries)
          writeEntry(json, entry);
      });
    });
    stream << "\n";
  }
  auto fail = [&](llvm::Error error) {
    return emitError(module.getLoc())
           << "can't write the report: " << llvm::toString(std::move(error));
  };
  llvm::Expected<storage::AtomicFile> file = storage::AtomicFile::create(path);
  if (!file)
    return fail(file.takeError());
  if (llvm::Error error = file->write(StringRef(text)))
    return fail(std::move(error));
  if (llvm::Error error = file->commit())
    return fail(std::move(error));
  return success();
}
