//===- Executable.cpp - A lowered module, compiled in memory --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Execution/Executable.h"
#include "ProfileSteps.h"
#include "SpecializeCPULevel.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/HostToLLVM/StorageTypes.h"
#include "qk/Dialect/Kernel/Kernel.h"
#include "qk/Runtime/CPULevel.h"
#include "qk/Runtime/Runtime.h"
#include "qk/Storage/MappedFile.h"
#include "qk/Storage/ParameterStore.h"
#include "qk/Target/CPU/KernelBuilder.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include <dlfcn.h>
#include <malloc.h>

using namespace mlir;
using namespace qk;
using storage::makeError;

Executable::Executable() = default;
Executable::~Executable() = default;

void Executable::registerTranslations(DialectRegistry &registry) {
  registerAllToLLVMIRTranslations(registry);
}

//===----------------------------------------------------------------------===//
// Externals
//===----------------------------------------------------------------------===//

/// The bytes of an attribute, expanded where it is a splat.
static llvm::Expected<Tensor> bytesOf(ElementsAttr value, StringRef symbol) {
  ShapedType type = value.getShapedType();
  std::optional<storage::DataType> element =
      storageTypeOf(type.getElementType());
  if (!element)
    return makeError("external '" + symbol +
                     "': its element type is not "
                     "supported");
  int64_t size = type.getNumElements() * storage::byteWidth(*element);
  ArrayRef<char> raw;
  bool splat = false;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return makeError("external '" + symbol + "': resource '" +
                       resource.getRawHandle().getKey() + "' has no data");
    raw = blob->getData();
  } else if (auto dense = dyn_cast<DenseIntOrFPElementsAttr>(value)) {
    raw = dense.getRawData();
    splat = dense.isSplat() && type.getNumElements() != 1;
  }
  int64_t expected = splat ? storage::byteWidth(*element) : size;
  if (static_cast<int64_t>(raw.size()) != expected)
    return makeError("external '" + symbol + "': expected " + Twine(expected) +
                     " bytes of data, got " + Twine(raw.size()));
  Tensor tensor;
  tensor.type = storage::DataType::U8;
  tensor.shape = {size};
  tensor.data = reinterpret_cast<const uint8_t *>(raw.data());
  if (splat) {
    Tensor filled = Tensor::allocate(tensor.type, tensor.shape);
    for (int64_t at = 0; at < size; at += expected)
      std::memcpy(const_cast<uint8_t *>(filled.data) + at, raw.data(),
                  expected);
    return filled;
  }
  return tensor;
}

llvm::Error Executable::bindExternal(ModuleOp module, DictionaryAttr entry,
                                     const ExecutableOptions &options) {
  auto symbol = entry.getAs<StringAttr>("symbol");
  if (!symbol)
    return makeError(externalsAttrName + Twine(": entry without a symbol"));
  Tensor bytes;
  if (auto value = entry.getAs<ElementsAttr>("value")) {
    llvm::Expected<Tensor> found = bytesOf(value, symbol.getValue());
    if (!found)
      return found.takeError();
    bytes = *found;
  } else {
    auto path = entry.getAs<StringAttr>("path");
    auto offset = entry.getAs<IntegerAttr>("offset"),
         size = entry.getAs<IntegerAttr>("bytes");
    if (!path || !offset || !size)
      return makeError("external '" + symbol.getValue() +
                       "': expected value, or path, offset and bytes");
    // Relative to the module's file; else to the working folder, from which
    // whoever lowered the module may have seen it.
    std::string where =
        storage::resolvePath(path.getValue(), options.moduleFile);
    if (!llvm::sys::fs::exists(where) && llvm::sys::fs::exists(path.getValue()))
      where = path.getValue().str();
    std::shared_ptr<const void> &slot = files[where];
    if (!slot) {
      llvm::Expected<storage::MappedFile> file =
          storage::MappedFile::open(where);
      if (!file)
        return makeError("external '" + symbol.getValue() +
                         "': " + toString(file.takeError()));
      slot = std::make_shared<storage::MappedFile>(std::move(*file));
    }
    ArrayRef<uint8_t> file =
        static_cast<const storage::MappedFile *>(slot.get())->bytes();
    uint64_t begin = offset.getInt(), length = size.getInt();
    if (offset.getInt() < 0 || size.getInt() < 0 || begin > file.size() ||
        length > file.size() - begin)
      return makeError(where + ": external '" + symbol.getValue() +
                       "': expected bytes " + Twine(begin) + " to " +
                       Twine(begin + length) + ", got a file of " +
                       Twine(file.size()) + " bytes");
    bytes.type = storage::DataType::U8;
    bytes.shape = {size.getInt()};
    bytes.data = file.data() + begin;
    bytes.owner = slot;
  }
  // Generated code takes the alignment of the global for granted, and that of
  // the widest element.
  uint64_t alignment = 8;
  if (auto global = module.lookupSymbol<LLVM::GlobalOp>(symbol.getValue()))
    alignment =
        std::max<uint64_t>(alignment, global.getAlignment().value_or(8));
  if (reinterpret_cast<uintptr_t>(bytes.data) % alignment != 0) {
    Tensor copy = Tensor::allocate(bytes.type, bytes.shape);
    std::memcpy(const_cast<uint8_t *>(copy.data), bytes.data, bytes.shape[0]);
    bytes = copy;
  }
  owners.push_back(bytes.owner);
  externals[symbol.getValue()] = bytes.data;
  return llvm::Error::success();
}

llvm::Error Executable::bindExternals(ModuleOp module,
                                      const ExecutableOptions &options) {
  if (auto entries = module->getAttrOfType<ArrayAttr>(externalsAttrName))
    for (Attribute entry : entries) {
      auto dictionary = dyn_cast<DictionaryAttr>(entry);
      if (!dictionary)
        return makeError(externalsAttrName +
                         Twine(": expected a dictionary for each symbol"));
      if (llvm::Error error = bindExternal(module, dictionary, options))
        return error;
    }
  for (auto global : module.getOps<LLVM::GlobalOp>())
    if (!global.getValueOrNull() && global.getInitializerRegion().empty() &&
        global.getLinkage() == LLVM::Linkage::External &&
        !externals.contains(global.getSymName()))
      return makeError("the module has no data for '" + global.getSymName() +
                       "': expected an entry in " + externalsAttrName);
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

/// The file of libqk_runtime.so: generated code finds it and what it depends on
/// (OpenMP) there even where they were not loaded for everybody.
static std::string runtimeLibrary() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void *>(&qk_protect), &info) && info.dli_fname)
    return info.dli_fname;
  return {};
}

/// A forward allocates and frees the same large buffers again and again; mapped
/// anew each time, half of it would be page faults.
static void keepFreedMemory() {
  static const bool done = [] {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, -1);
    mallopt(M_TOP_PAD, 1 << 24);
    return true;
  }();
  (void)done;
}

/// Kernels of another architecture's level have instructions that LLVM, asked
/// for this machine, stops at.
static llvm::Error checkLevels(ModuleOp module) {
  const llvm::Triple host(llvm::sys::getProcessTriple());
  const cpu::Architecture ours = cpu::architectureOf(host);
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    auto named = function->getAttrOfType<StringAttr>(kernel::kLevelAttr);
    auto level = named ? cpu::parseLevel(named.getValue()) : std::nullopt;
    if (!level || *level == cpu::Level::Portable ||
        cpu::architecture(*level) == ours)
      continue;
    return makeError("kernel '" + function.getSymName() +
                     "' was compiled for " + named.getValue() +
                     ", this machine is " + host.getArchName() +
                     "; lower the model without isa= (for all of a machine's "
                     "levels), or with an isa= that the machine has");
  }
  return llvm::Error::success();
}

llvm::Expected<std::unique_ptr<Executable>>
Executable::compile(ModuleOp module, const ExecutableOptions &options) {
  Operation *foreign = nullptr;
  module.walk([&](Operation *op) {
    if (op == module || isa_and_nonnull<LLVM::LLVMDialect, omp::OpenMPDialect>(
                            op->getDialect()))
      return WalkResult::advance();
    foreign = op;
    return WalkResult::interrupt();
  });
  if (foreign)
    return makeError("the module is not lowered: it contains '" +
                     foreign->getName().getStringRef() + "'");
  if (llvm::Error error = checkLevels(module))
    return std::move(error);
  std::unique_ptr<Executable> executable(new Executable);
  if (llvm::Error error = executable->readEntries(module))
    return std::move(error);
  if (llvm::Error error = executable->bindExternals(module, options))
    return std::move(error);
  if (options.profile)
    executable->steps = instrumentSteps(module);

  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  keepFreedMemory();
  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  auto level = options.optimization >= 2 ? llvm::CodeGenOptLevel::Aggressive
                                         : llvm::CodeGenOptLevel::None;
  builder->setCodeGenOptLevel(level);
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  auto optimize =
      makeOptimizingTransformer(options.optimization, 0, machine->get());
  auto transform = [&](llvm::Module *module) {
    specializeCPULevel(*module, qk_best_cpu_level);
    return optimize(module);
  };
  std::string runtime = runtimeLibrary();
  SmallVector<StringRef> libraries;
  if (!runtime.empty())
    libraries.push_back(runtime);
  ExecutionEngineOptions engineOptions;
  engineOptions.transformer = transform;
  engineOptions.jitCodeGenOptLevel = level;
  engineOptions.sharedLibPaths = libraries;
  engineOptions.enableGDBNotificationListener = false;
  engineOptions.enablePerfNotificationListener = false;
  auto engine = ExecutionEngine::create(module, engineOptions);
  if (!engine)
    return engine.takeError();
  executable->engine = std::move(*engine);
  executable->engine->registerSymbols([&](llvm::orc::MangleAndInterner intern) {
    llvm::orc::SymbolMap symbols;
    for (const auto &external : executable->externals)
      symbols[intern(external.getKey())] = {
          llvm::orc::ExecutorAddr::fromPtr(external.getValue()),
          llvm::JITSymbolFlags::Exported};
    symbols[intern(profileEndSymbol)] = {
        llvm::orc::ExecutorAddr::fromPtr(&endProfileStep),
        llvm::JITSymbolFlags::Exported};
    return symbols;
  });
  // Compiles now, so that unknown symbols are reported here and not at a call.
  for (const Entry &entry : executable->allEntries) {
    auto found = executable->engine->lookupPacked("_mlir_ciface_" + entry.name);
    if (!found)
      return found.takeError();
  }
  return executable;
}

void Executable::clearProfile() {
  for (auto &step : steps) {
    step->calls = 0;
    step->seconds = 0;
  }
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

namespace {
/// A strided memref descriptor as the C interface takes it: allocated, aligned,
/// offset, sizes, strides, each eight bytes.
using Descriptor = SmallVector<int64_t, 11>;

Descriptor descriptorOf(const Tensor &tensor) {
  auto address = static_cast<int64_t>(reinterpret_cast<intptr_t>(tensor.data));
  Descriptor descriptor = {address, address, 0};
  llvm::append_range(descriptor, tensor.shape);
  int64_t stride = tensor.numElements();
  for (int64_t size : tensor.shape) {
    stride = size ? stride / size : 0;
    descriptor.push_back(stride);
  }
  return descriptor;
}

struct Invocation {
  void (*function)(void **);
  void **arguments;
};
} // namespace

llvm::Expected<std::vector<Tensor>>
Executable::call(const Entry &entry, ArrayRef<Tensor> arguments) {
  if (arguments.size() != entry.arguments.size())
    return makeError("function '" + entry.name + "': expected " +
                     Twine(entry.arguments.size()) + " inputs, got " +
                     Twine(arguments.size()));
  SmallVector<Tensor> kept;
  SmallVector<Descriptor> descriptors;
  for (auto [index, argument] : llvm::enumerate(arguments)) {
    if (llvm::Error error = checkArgument(entry.arguments[index], argument,
                                          "function '" + entry.name +
                                              "': input " + Twine(index)))
      return std::move(error);
    Tensor tensor = argument;
    if (reinterpret_cast<uintptr_t>(tensor.data) % 8 != 0) {
      Tensor copy = Tensor::allocate(tensor.type, tensor.shape);
      std::memcpy(const_cast<uint8_t *>(copy.data), tensor.data,
                  tensor.bytes().size());
      tensor = copy;
    }
    descriptors.push_back(descriptorOf(tensor));
    kept.push_back(std::move(tensor));
  }

  // The results' descriptors lie one after the other in one struct.
  SmallVector<int64_t> results;
  for (const TensorSpec &result : entry.results)
    results.append(3 + 2 * result.shape.size(), 0);
  SmallVector<void *> pointers;
  if (!entry.results.empty())
    pointers.push_back(results.data());
  for (Descriptor &descriptor : descriptors)
    pointers.push_back(descriptor.data());
  // A packed call takes the address of each argument.
  SmallVector<void *> packed;
  for (void *&pointer : pointers)
    packed.push_back(&pointer);

  auto function = engine->lookupPacked("_mlir_ciface_" + entry.name);
  if (!function)
    return function.takeError();
  Invocation invocation{*function, packed.data()};
  char message[1024];
  int32_t status = qk_protect(
      [](void *argument) {
        auto *invocation = static_cast<Invocation *>(argument);
        invocation->function(invocation->arguments);
      },
      &invocation, message, sizeof(message));
  if (status != 0)
    return makeError("function '" + entry.name + "': " +
                     (status == 1 ? "assertion of the model failed: " : "") +
                     message);

  std::vector<Tensor> tensors;
  const int64_t *next = results.data();
  llvm::SmallDenseMap<int64_t, std::shared_ptr<const void>> seen;
  for (const TensorSpec &result : entry.results) {
    size_t rank = result.shape.size();
    Tensor tensor;
    tensor.type = result.type;
    tensor.shape.assign(next + 3, next + 3 + rank);
    tensor.data = reinterpret_cast<const uint8_t *>(next[1]) +
                  next[2] * storage::byteWidth(result.type);
    std::shared_ptr<const void> &owner = seen[next[0]];
    if (!owner)
      owner = std::shared_ptr<const void>(
          reinterpret_cast<const void *>(next[0]),
          [](const void *memory) { std::free(const_cast<void *>(memory)); });
    tensor.owner = owner;
    tensors.push_back(std::move(tensor));
    next += 3 + 2 * rank;
  }
  return tensors;
}
