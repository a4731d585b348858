//===- ParameterData.cpp - The bytes of a parameter -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"

#include "qk/Numerics/BitPacking.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cstring>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

std::optional<storage::DataType> qk::quant_llm::getDataType(Type type) {
  using storage::DataType;
  if (type.isF32())
    return DataType::F32;
  if (type.isF16())
    return DataType::F16;
  if (type.isBF16())
    return DataType::BF16;
  if (type.isF64())
    return DataType::F64;
  if (auto integer = dyn_cast<IntegerType>(type)) {
    switch (integer.getWidth()) {
    case 8:
      return DataType::U8;
    case 16:
      return DataType::I16;
    case 32:
      return DataType::I32;
    case 64:
      return DataType::I64;
    }
  }
  return std::nullopt;
}

std::string qk::quant_llm::resolveModulePath(ModuleOp module, StringRef path) {
  StringRef moduleFile;
  if (auto location = module.getLoc()->findInstanceOf<FileLineColLoc>())
    moduleFile = location.getFilename().strref();
  SmallString<256> absolute(
      storage::resolvePath(path, moduleFile == "<stdin>" ? "-" : moduleFile));
  llvm::sys::fs::make_absolute(absolute);
  llvm::sys::path::remove_dots(absolute, /*remove_dot_dot=*/true);
  return absolute.str().str();
}

std::string qk::quant_llm::getModulePath(ModuleOp module, StringRef path) {
  if (llvm::sys::path::is_absolute(path))
    return path.str();
  SmallString<256> absolute(path);
  llvm::sys::fs::make_absolute(absolute);
  if (llvm::sys::fs::equivalent(absolute, resolveModulePath(module, path)))
    return path.str();
  return absolute.str().str();
}

void qk::quant_llm::recordWeights(ModuleOp module, StringRef scope,
                                  StringRef path) {
  MLIRContext *context = module.getContext();
  NamedAttrList entries;
  if (auto old =
          module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kWeightsAttr))
    entries.append(old.getValue());
  entries.set(scope, StringAttr::get(context, getModulePath(module, path)));
  module->setAttr(QuantLLMDialect::kWeightsAttr,
                  entries.getDictionary(context));
}

FailureOr<std::shared_ptr<const storage::Checkpoint>>
qk::quant_llm::openScope(ModuleOp module, StringRef scope, Location location) {
  auto weights =
      module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kWeightsAttr);
  auto path = weights ? weights.getAs<StringAttr>(scope) : StringAttr();
  if (!path)
    return std::shared_ptr<const storage::Checkpoint>();
  auto *dialect = module.getContext()->getLoadedDialect<QuantLLMDialect>();
  auto file = dialect->getStore().open(resolveModulePath(module, path));
  if (!file) {
    emitError(location) << "can't read the weights of scope '" << scope
                        << "': " << llvm::toString(file.takeError());
    return failure();
  }
  return *file;
}

FailureOr<ParameterData>
qk::quant_llm::getElementsData(ElementsAttr value,
                               function_ref<InFlightDiagnostic()> emitError) {
  ParameterData data;
  auto type = value.getShapedType();
  int64_t count = type.getNumElements();
  int64_t width = (type.getElementTypeBitWidth() + 7) / 8;
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    ArrayRef<char> raw = dense.getRawData();
    if (dense.isSplat() && count != 1) {
      data.expanded.resize(count * width);
      for (int64_t i = 0; i < count; ++i)
        std::memcpy(&data.expanded[i * width], raw.data(), width);
      data.bytes = data.expanded;
      return data;
    }
    data.bytes = {reinterpret_cast<const uint8_t *>(raw.data()), raw.size()};
    return data;
  }
  auto resource = dyn_cast<DenseResourceElementsAttr>(value);
  if (!resource)
    return emitError() << "expected a dense value or a resource, got " << value;
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  if (!blob)
    return emitError() << "resource '" << resource.getRawHandle().getKey()
                       << "' has no data; name the file that holds it with "
                          "--weights=FILE.safetensors";
  ArrayRef<char> raw = blob->getData();
  // MLIR checks neither.
  if (static_cast<int64_t>(raw.size()) != count * width)
    return emitError() << "expected resource '"
                       << resource.getRawHandle().getKey() << "' to hold "
                       << count * width << " bytes for " << type << ", got "
                       << raw.size();
  data.bytes = {reinterpret_cast<const uint8_t *>(raw.data()), raw.size()};
  return data;
}

/// Whether a tensor of shape `stored` is read as `shape`: each dimension of one
/// is a product of consecutive ones of the other, so that nothing but the
/// grouping of dimensions differs.
static bool regroups(ArrayRef<int64_t> stored, ArrayRef<int64_t> shape) {
  auto withoutOnes = [](ArrayRef<int64_t> sizes) {
    return llvm::to_vector(
        llvm::make_filter_range(sizes, [](int64_t s) { return s != 1; }));
  };
  auto refines = [](ArrayRef<int64_t> fine, ArrayRef<int64_t> coarse) {
    size_t next = 0;
    for (int64_t size : coarse) {
      int64_t product = 1;
      while (product < size && next < fine.size())
        product *= fine[next++];
      if (product != size)
        return false;
    }
    return next == fine.size();
  };
  SmallVector<int64_t> a = withoutOnes(stored), b = withoutOnes(shape);
  return refines(a, b) || refines(b, a);
}

/// Writes the elements of `part`, each of `width` bytes, of `whole`, which has
/// them, to `to`.
static void gather(ArrayRef<uint8_t> whole, PartAttr part, int64_t width,
                   uint8_t *to) {
  ArrayRef<int64_t> sizes = part.getSizes(), strides = part.getStrides();
  SmallVector<int64_t> index(sizes.size(), 0);
  // The last dimension at once: it mostly is contiguous.
  int64_t inner = sizes.back(), step = strides.back();
  int64_t from = part.getOffset();
  for (;;) {
    if (step == 1)
      std::memcpy(to, &whole[from * width], inner * width);
    else
      for (int64_t i = 0; i < inner; ++i)
        std::memcpy(to + i * width, &whole[(from + i * step) * width], width);
    to += inner * width;
    int64_t dim = static_cast<int64_t>(sizes.size()) - 2;
    for (; dim >= 0; --dim) {
      from += strides[dim];
      if (++index[dim] < sizes[dim])
        break;
      from -= sizes[dim] * strides[dim];
      index[dim] = 0;
    }
    if (dim < 0)
      return;
  }
}

FailureOr<ElementsAttr>
qk::quant_llm::takePart(ElementsAttr whole, PartAttr part,
                        RankedTensorType type,
                        function_ref<InFlightDiagnostic()> emitError) {
  FailureOr<ParameterData> data = getElementsData(whole, emitError);
  if (failed(data))
    return failure();
  int64_t count = whole.getShapedType().getNumElements();
  if (part.getLast() >= count)
    return emitError() << "expected at least " << part.getLast() + 1
                       << " elements for " << part << ", got " << count;
  int64_t width = (type.getElementTypeBitWidth() + 7) / 8;
  size_t size = part.getNumElements() * width;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(whole)) {
    AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
        size, resource.getRawHandle().getBlob()->getDataAlignment());
    gather(data->bytes, part, width,
           reinterpret_cast<uint8_t *>(blob.getMutableData().data()));
    return ElementsAttr(DenseResourceElementsAttr::get(
        type, resource.getRawHandle().getKey(), std::move(blob)));
  }
  std::vector<char> bytes(size);
  gather(data->bytes, part, width, reinterpret_cast<uint8_t *>(bytes.data()));
  return ElementsAttr(DenseElementsAttr::getFromRawBuffer(type, bytes));
}

/// The parameter's bytes, of a part those of the whole tensor.
static FailureOr<ParameterData> findParameterData(ParameterOp op) {
  if (std::optional<ElementsAttr> value = op.getValue())
    return getElementsData(*value, [&]() -> InFlightDiagnostic {
      return op.emitError() << "parameter '" << op.getName() << "': ";
    });
  auto module = op->getParentOfType<ModuleOp>();
  auto file = openScope(module, op.getScope(), op.getLoc());
  if (failed(file))
    return failure();
  if (!*file)
    return op.emitError() << "parameter '" << op.getName()
                          << "' has no data: the module "
                          << "names no file for scope '" << op.getScope()
                          << "'; name it with --weights=FILE.safetensors";
  RankedTensorType type = op.getStorageType();
  auto dataType = getDataType(type.getElementType());
  if (!dataType)
    return op.emitError() << "parameter '" << op.getName()
                          << "' has element type " << type.getElementType()
                          << ", which safetensors can't hold";
  auto matches = [&](storage::DataType candidate) {
    // i8 is signless: both spellings of a byte fit it.
    return candidate == *dataType || (*dataType == storage::DataType::U8 &&
                                      candidate == storage::DataType::I8);
  };
  const storage::Parameter *tensor = (*file)->find(op.getName());
  std::optional<PartAttr> part = op.getPart();
  llvm::Expected<storage::Parameter> checked =
      tensor && matches(tensor->tensor.type)
          ? (*file)->get(op.getName(), tensor->tensor.type,
                         part || regroups(tensor->tensor.shape, type.getShape())
                             ? ArrayRef<int64_t>(tensor->tensor.shape)
                             : type.getShape())
          : (*file)->get(op.getName(), *dataType, type.getShape());
  if (!checked) {
    op.emitError() << llvm::toString(checked.takeError());
    return failure();
  }
  ParameterData data;
  data.file = checked->file;
  data.bytes = checked->tensor.bytes;
  data.fileOffset = checked->tensor.fileOffset;
  int64_t count = ShapedType::getNumElements(checked->tensor.shape);
  if (part && part->getLast() >= count)
    return op.emitError() << "expected tensor '" << op.getName()
                          << "' to have at least " << part->getLast() + 1
                          << " elements for " << *part << ", got " << count;
  return data;
}

LogicalResult qk::quant_llm::checkParameterData(ParameterOp op) {
  return findParameterData(op);
}

FailureOr<ParameterData> qk::quant_llm::getParameterData(ParameterOp op) {
  FailureOr<ParameterData> data = findParameterData(op);
  std::optional<PartAttr> part = op.getPart();
  if (failed(data) || !part)
    return data;
  int64_t width = op.getStorageType().getElementTypeBitWidth() / 8;
  data->expanded.resize(part->getNumElements() * width);
  gather(data->bytes, *part, width, data->expanded.data());
  data->bytes = data->expanded;
  return data;
}

FailureOr<ElementsAttr> qk::quant_llm::readPart(ParameterOp op) {
  FailureOr<ParameterData> data = getParameterData(op);
  if (failed(data))
    return failure();
  return ElementsAttr(DenseElementsAttr::getFromRawBuffer(
      cast<RankedTensorType>(op.getType()),
      {reinterpret_cast<const char *>(data->bytes.data()),
       data->bytes.size()}));
}

FailureOr<std::vector<float>> qk::quant_llm::readAsFloat(ParameterOp op) {
  FailureOr<ParameterData> data = getParameterData(op);
  if (failed(data))
    return failure();
  auto type = cast<RankedTensorType>(op.getResult().getType());
  std::vector<float> result(type.getNumElements());
  Type element = type.getElementType();
  const uint8_t *bytes = data->bytes.data();
  if (element.isF32()) {
    // The file's tensors may be unaligned: copy bytes, not floats.
    std::memcpy(result.data(), bytes, result.size() * sizeof(float));
    return result;
  }
  if (!element.isF16() && !element.isBF16())
    return op.emitError() << "expected parameter '" << op.getName()
                          << "' to be f32, f16 or bf16, got " << element;
  bool half = element.isF16();
  for (size_t i = 0; i < result.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, 2);
    if (half) {
      _Float16 value;
      std::memcpy(&value, &bits, 2);
      result[i] = static_cast<float>(value);
    } else {
      uint32_t wide = static_cast<uint32_t>(bits) << 16;
      std::memcpy(&result[i], &wide, 4);
    }
  }
  return result;
}

/// The parameter that `value` is; an error at `user` if it is none.
static FailureOr<ParameterOp> getParameter(Operation *user, StringRef what,
                                           Value value) {
  if (auto parameter = value.getDefiningOp<ParameterOp>())
    return parameter;
  return user->emitError() << "expected " << what
                           << " to be a parameter, which evaluating the recipe "
                              "leaves; run quant-llm-evaluate first";
}

FailureOr<numerics::QuantizedWeight>
qk::quant_llm::readQuantizedWeight(Operation *user, SchemeAttr scheme,
                                   Value codes, Value scales, Value zeroPoints,
                                   Value permutation) {
  numerics::QuantizedWeight weight;
  weight.scheme = scheme.getScheme();
  auto type = cast<RankedTensorType>(codes.getType());
  weight.n = type.getDimSize(0);
  weight.k = type.getDimSize(1);

  FailureOr<ParameterOp> codesOp = getParameter(user, "codes", codes);
  if (failed(codesOp))
    return failure();
  FailureOr<ParameterData> packed = getParameterData(*codesOp);
  if (failed(packed))
    return failure();
  weight.codes = numerics::unpackRows(packed->bytes.data(), weight.n, weight.k,
                                      weight.scheme.bits());

  FailureOr<ParameterOp> scalesOp = getParameter(user, "scales", scales);
  if (failed(scalesOp))
    return failure();
  FailureOr<std::vector<float>> values = readAsFloat(*scalesOp);
  if (failed(values))
    return failure();
  weight.scales = std::move(*values);

  if (zeroPoints) {
    FailureOr<ParameterOp> op = getParameter(user, "zero points", zeroPoints);
    if (failed(op))
      return failure();
    FailureOr<ParameterData> data = getParameterData(*op);
    if (failed(data))
      return failure();
    weight.zeroPoints.resize(weight.scales.size());
    bool wide = cast<RankedTensorType>(zeroPoints.getType())
                    .getElementType()
                    .isInteger(16);
    for (size_t i = 0; i < weight.zeroPoints.size(); ++i) {
      if (wide)
        std::memcpy(&weight.zeroPoints[i], &data->bytes[2 * i], 2);
      else
        weight.zeroPoints[i] = static_cast<int8_t>(data->bytes[i]);
    }
  }
  if (permutation) {
    FailureOr<ParameterOp> op = getParameter(user, "permutation", permutation);
    if (failed(op))
      return failure();
    FailureOr<ParameterData> data = getParameterData(*op);
    if (failed(data))
      return failure();
    weight.permutation.resize(weight.k);
    std::memcpy(weight.permutation.data(), data->bytes.data(),
                weight.k * sizeof(int32_t));
    std::vector<bool> seen(weight.k, false);
    for (int32_t column : weight.permutation) {
      if (column < 0 || column >= weight.k || seen[column])
        return user->emitError()
               << "expected the permutation '" << op->getName()
               << "' to name each column from 0 to " << weight.k - 1
               << " once, got " << column
               << (column < 0 || column >= weight.k ? "" : " twice");
      seen[column] = true;
    }
  }
  return weight;
}

void qk::quant_llm::makePathsAbsolute(ModuleOp module) {
  for (StringRef name :
       {QuantLLMDialect::kWeightsAttr, QuantLLMDialect::kCalibrationAttr}) {
    auto entries = module->getAttrOfType<DictionaryAttr>(name);
    if (!entries)
      continue;
    NamedAttrList changed(entries);
    for (NamedAttribute entry : entries) {
      StringRef key = entry.getName();
      // Of a calibration these two are files.
      if (name == QuantLLMDialect::kCalibrationAttr && key != "inputs" &&
          key != "stats")
        continue;
      changed.set(
          entry.getName(),
          StringAttr::get(
              module.getContext(),
              resolveModulePath(module, cast<StringAttr>(entry.getValue()))));
    }
    module->setAttr(name, changed.getDictionary(module.getContext()));
  }
}
