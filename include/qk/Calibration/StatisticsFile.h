//===- StatisticsFile.h - Statistics in a safetensors file ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// `<layer>.hessian` = XᵀX/tokens [K,K] f32, `<layer>.absmax` and
/// `<layer>.absmean` [K] f32, `<layer>.tokens` i64 scalar; from sequential
/// calibration `<layer>.cross` = XᵀX̂/tokens [K,K] f32 too (LayerStatistics).
/// Metadata `alias.<layer>` names the layer whose entry another shares.
///
//===----------------------------------------------------------------------===//

#ifndef QK_CALIBRATION_STATISTICSFILE_H
#define QK_CALIBRATION_STATISTICSFILE_H

#include "qk/Dialect/QuantLLM/Transforms/Evaluate.h"
#include "qk/Storage/Safetensors.h"

#include "llvm/ADT/StringMap.h"

#include <memory>
#include <vector>

namespace qk::calibration {

/// Statistics from a file; mapped where aligned.
class StatisticsFile : public quant_llm::StatisticsSource {
public:
  /// Errors: those of the file's format. Tensors are checked when asked for.
  static llvm::Expected<std::unique_ptr<StatisticsFile>>
  open(llvm::StringRef path);

  /// Emits an error that names the layers which the file lacks.
  mlir::LogicalResult prepare(mlir::ModuleOp module,
                              mlir::ArrayRef<std::string> layers) override;

  /// Errors: shapes that do not fit together, values that are not finite.
  mlir::FailureOr<const quant_llm::LayerStatistics *>
  get(llvm::StringRef layer) override;

private:
  explicit StatisticsFile(std::shared_ptr<const storage::SafetensorsFile> file)
      : file(std::move(file)) {}
  llvm::Expected<quant_llm::LayerStatistics> read(llvm::StringRef layer);
  llvm::Expected<mlir::ArrayRef<float>>
  readFloats(llvm::StringRef name, mlir::ArrayRef<int64_t> shape);
  llvm::StringRef resolve(llvm::StringRef layer) const;

  std::shared_ptr<const storage::SafetensorsFile> file;
  mlir::ModuleOp module;
  llvm::StringMap<quant_llm::LayerStatistics> entries;
  /// Copies of what is not aligned in the file.
  std::vector<std::unique_ptr<float[]>> copies;
};

/// Writes statistics of `layers` as `source` (prepared for them) gives them.
llvm::Error writeStatistics(llvm::StringRef path,
                            mlir::ArrayRef<std::string> layers,
                            quant_llm::StatisticsSource &source);

} // namespace qk::calibration

#endif // QK_CALIBRATION_STATISTICSFILE_H
