//===- StandaloneKernel.cpp - A CPU kernel for C programs -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/CPU/StandaloneKernel.h"

#include "Emitter.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace mlir;

namespace qk::cpu {

namespace {

QuantizerSpec quantizerOf(const KernelSpec &spec) {
  return {spec.k,
          spec.sharing == Sharing::Token ? spec.k
                                         : spec.scheme.groupLength(spec.k),
          spec.activation, spec.element};
}

/// Scales of a row of x.
int64_t scalesPerRow(const KernelSpec &spec) {
  return spec.sharing == Sharing::TokenGroup ? spec.layout().groups() : 1;
}

/// Builds the C function.
class EntryBuilder {
public:
  EntryBuilder(ModuleOp module, const StandaloneKernel &kernel)
      : module(module), kernel(kernel), spec(kernel.spec),
        converter(module.getContext()), b(module.getContext()),
        loc(module.getLoc()) {}

  void build() {
    Type i64 = b.getI64Type(),
         pointer = LLVM::LLVMPointerType::get(b.getContext());
    SmallVector<Type> inputs = {i64, i64, pointer, i64};
    if (kernel.quantizedInput)
      inputs.push_back(pointer);
    inputs.push_back(pointer);
    if (spec.bias)
      inputs.push_back(pointer);
    inputs.append({pointer, i64, pointer});
    b.setInsertionPointToEnd(module.getBody());
    auto function = func::FuncOp::create(
        b, loc, kernel.name, b.getFunctionType(inputs, b.getI32Type()));
    Block *entry = function.addEntryBlock();
    auto argument = entry->args_begin();
    m = *argument++;
    n = *argument++;
    b.setInsertionPointToEnd(entry);

    // The machine may have none of the levels.
    Value zero = arith::ConstantIntOp::create(b, loc, 0, 32), isThere;
    if (kernel.levels.size() != 1 || kernel.levels.front() != Level::Portable) {
      int64_t mask = 0;
      for (Level level : kernel.levels)
        mask |= int64_t(1) << static_cast<int32_t>(level);
      Value level =
          func::CallOp::create(
              b, loc, buildLevelQuery(),
              arith::ConstantIntOp::create(b, loc, mask, 32).getResult())
              .getResult(0);
      isThere =
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, level, zero);
    } else {
      isThere = arith::ConstantIntOp::create(b, loc, 1, 1);
    }
    auto run = scf::IfOp::create(b, loc, b.getI32Type(), isThere,
                                 /*withElseRegion=*/true);
    func::ReturnOp::create(b, loc, run.getResult(0));
    b.setInsertionPointToStart(run.elseBlock());
    scf::YieldOp::create(
        b, loc, arith::ConstantIntOp::create(b, loc, -1, 32).getResult());
    b.setInsertionPointToStart(run.thenBlock());

    Type element = elementType(b, spec.element);
    Value xPointer = *argument++, xStride = *argument++;
    Type code = codeType(b, spec.activation);
    SmallVector<Value> operands;
    if (spec.activation == Activation::Float) {
      operands.push_back(rows(xPointer, m, constant(spec.k), xStride, element));
    } else if (kernel.quantizedInput) {
      operands.push_back(rows(xPointer, m, constant(spec.k), xStride, code));
      bool one = spec.sharing == Sharing::Tensor;
      Value columns = constant(scalesPerRow(spec));
      operands.push_back(rows(*argument++, one ? constant(1) : m, columns,
                              columns, b.getF32Type()));
    }
    Value packed = *argument++;
    Value bias = spec.bias ? Value(*argument++) : Value();
    Value yPointer = *argument++, yStride = *argument++;
    workspace = *argument++;
    if (operands.empty())
      quantize(rows(xPointer, m, constant(spec.k), xStride, element), operands);
    operands.push_back(vector(packed, multiply(n, 1), b.getI8Type()));
    if (bias)
      operands.push_back(vector(bias, n, b.getF32Type()));
    operands.push_back(rows(yPointer, m, n, yStride, element));
    operands.push_back(vector(workspace, multiply(m, 1), b.getI8Type()));
    func::CallOp::create(b, loc, internal(declareKernel(module, spec, true)),
                         operands);
    scf::YieldOp::create(b, loc, zero);
  }

private:
  /// Two objects with the same kernel can be linked together.
  func::FuncOp internal(func::FuncOp function) {
    function->setAttr(
        "llvm.linkage",
        LLVM::LinkageAttr::get(b.getContext(), LLVM::Linkage::Internal));
    return function;
  }
  Value constant(int64_t value) {
    return arith::ConstantIntOp::create(b, loc, value, 64);
  }
  Value multiply(Value value, int64_t factor) {
    return arith::MulIOp::create(b, loc, value, constant(factor));
  }

  /// x in float to codes and scales in the workspace.
  void quantize(Value x, SmallVector<Value> &operands) {
    int64_t bytes = spec.activation == Activation::Int16 ? 2 : 1;
    Value codes = take(bytes * spec.k), scales = take(4 * scalesPerRow(spec)),
          columns = constant(scalesPerRow(spec)), k = constant(spec.k);
    operands = {rows(codes, m, k, k, codeType(b, spec.activation)),
                rows(scales, m, columns, columns, b.getF32Type())};
    func::CallOp::create(b, loc,
                         internal(declareQuantizer(module, quantizerOf(spec))),
                         ValueRange{x, operands[0], operands[1]});
  }

  /// The next `bytes` a row of the workspace, which then begins behind.
  Value take(int64_t bytes) {
    Value taken = workspace;
    Value size = multiply(m, bytes);
    size = arith::AddIOp::create(b, loc, size, constant(63));
    size = arith::AndIOp::create(b, loc, size, constant(-64));
    workspace = LLVM::GEPOp::create(b, loc, taken.getType(), b.getI8Type(),
                                    taken, ValueRange{size});
    return taken;
  }

  /// Pointer, sizes and strides as a memref: the descriptor that the conversion
  /// to LLVM would make.
  Value memref(MemRefType type, Value pointer, ArrayRef<Value> sizes,
               ArrayRef<Value> strides) {
    auto descriptor =
        MemRefDescriptor::poison(b, loc, converter.convertType(type));
    descriptor.setAllocatedPtr(b, loc, pointer);
    descriptor.setAlignedPtr(b, loc, pointer);
    descriptor.setConstantOffset(b, loc, 0);
    for (size_t i = 0; i < sizes.size(); ++i) {
      descriptor.setSize(b, loc, i, sizes[i]);
      descriptor.setStride(b, loc, i, strides[i]);
    }
    return UnrealizedConversionCastOp::create(b, loc, type, Value(descriptor))
        .getResult(0);
  }
  Value rows(Value pointer, Value count, Value columns, Value stride,
             Type element) {
    return memref(rowsType(element), pointer, {count, columns},
                  {stride, constant(1)});
  }
  Value vector(Value pointer, Value size, Type element) {
    return memref(MemRefType::get({ShapedType::kDynamic}, element), pointer,
                  {size}, {constant(1)});
  }

  /// `qk_choose_cpu_level` of this object: what the dispatch asks. -1 where
  /// the machine has no level of the mask.
  func::FuncOp buildLevelQuery() {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    const bool isAArch64 = llvm::any_of(kernel.levels, [](Level level) {
      return architecture(level) == Architecture::AArch64;
    });
    return isAArch64 ? buildAArch64Query() : buildX86Query();
  }

  Value number(int64_t value) {
    return arith::ConstantIntOp::create(b, loc, value, 32);
  }
  Value isZero(Value value) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, value,
                                 number(0));
  }

  func::FuncOp startQuery() {
    Type i32 = b.getI32Type();
    auto query = func::FuncOp::create(b, loc, "qk_choose_cpu_level",
                                      b.getFunctionType(i32, i32));
    query.setPrivate();
    internal(query);
    b.setInsertionPointToEnd(query.addEntryBlock());
    return query;
  }

  /// `level` where it is wanted and nothing of it is lacking, else `worse`.
  Value choose(Value wanted, Level level, Value lacks, Value worse) {
    const auto index = static_cast<int32_t>(level);
    Value notWanted = isZero(
        arith::AndIOp::create(b, loc, wanted, number(int64_t(1) << index)));
    Value isThere = isZero(lacks);
    Value skip = arith::OrIOp::create(
        b, loc, notWanted,
        arith::XOrIOp::create(b, loc, isThere,
                              arith::ConstantIntOp::create(b, loc, 1, 1)));
    return arith::SelectOp::create(b, loc, skip, worse, number(index));
  }

  Value lacking(Value has, int64_t mask) {
    return arith::XOrIOp::create(
        b, loc, arith::AndIOp::create(b, loc, has, number(mask)), number(mask));
  }

  /// Linux tells a process its processor's features in the auxiliary vector
  /// (asm/hwcap.h, sys/auxv.h).
  func::FuncOp buildAArch64Query() {
    constexpr int64_t kHwcap = 16, kHwcap2 = 26, kDotProd = int64_t(1) << 20,
                      kI8MM = int64_t(1) << 13;
    Type i64 = b.getI64Type();
    auto getauxval = LLVM::LLVMFuncOp::create(
        b, loc, "getauxval", LLVM::LLVMFunctionType::get(i64, i64));
    auto query = startQuery();
    auto features = [&](int64_t which) -> Value {
      Value type = constant(which);
      Value bits = LLVM::CallOp::create(b, loc, getauxval, type).getResult();
      return arith::TruncIOp::create(b, loc, b.getI32Type(), bits);
    };
    Value wanted = query.getArgument(0);
    Value noDot = lacking(features(kHwcap), kDotProd);
    Value noMatrix =
        arith::OrIOp::create(b, loc, noDot, lacking(features(kHwcap2), kI8MM));
    Value result = choose(wanted, Level::Portable, number(0), number(-1));
    result = choose(wanted, Level::NEONDotProd, noDot, result);
    result = choose(wanted, Level::NEONI8MM, noMatrix, result);
    func::ReturnOp::create(b, loc, result);
    return query;
  }

  /// Reads the processor's features where libgcc and compiler-rt keep them, as
  /// __builtin_cpu_supports does.
  func::FuncOp buildX86Query() {
    Type i32 = b.getI32Type();
    auto pointer = LLVM::LLVMPointerType::get(b.getContext());
    // struct { unsigned vendor, type, subtype, features[1]; }
    auto model = LLVM::LLVMArrayType::get(i32, 4),
         more = LLVM::LLVMArrayType::get(i32, 3);
    auto external = [&](StringRef symbol, Type type) {
      return LLVM::GlobalOp::create(b, loc, type, /*isConstant=*/false,
                                    LLVM::Linkage::External, symbol,
                                    Attribute());
    };
    auto features = external("__cpu_model", model);
    auto features2 = external("__cpu_features2", more);
    auto init = LLVM::LLVMFuncOp::create(
        b, loc, "__cpu_indicator_init",
        LLVM::LLVMFunctionType::get(i32, ArrayRef<Type>{}));
    auto query = startQuery();
    Value wanted = query.getArgument(0);
    auto load = [&](LLVM::GlobalOp global, int32_t index) -> Value {
      Value base = LLVM::AddressOfOp::create(b, loc, global);
      Value at = LLVM::GEPOp::create(b, loc, pointer, i32, base,
                                     ArrayRef<LLVM::GEPArg>{index});
      return LLVM::LoadOp::create(b, loc, i32, at);
    };
    LLVM::CallOp::create(b, loc, init, ValueRange{});
    Value result = number(-1);
    for (int32_t level = 0; level <= int32_t(Level::AVX512VNNI); ++level) {
      Value lacks = number(0);
      SmallVector<StringRef> names;
      auto list = targetFeatures(static_cast<Level>(level));
      for (std::string_view feature : list)
        names.push_back(StringRef(feature).drop_front());
      auto masks = llvm::X86::getCpuSupportsMask(names);
      for (auto [word, mask] : llvm::enumerate(masks)) {
        if (mask == 0)
          continue;
        Value has = word == 0 ? load(features, 3)
                              : load(features2, static_cast<int32_t>(word) - 1);
        lacks = arith::OrIOp::create(b, loc, lacks,
                                     lacking(has, static_cast<int32_t>(mask)));
      }
      result = choose(wanted, static_cast<Level>(level), lacks, result);
    }
    func::ReturnOp::create(b, loc, result);
    return query;
  }

  ModuleOp module;
  const StandaloneKernel &kernel;
  const KernelSpec &spec;
  LLVMTypeConverter converter;
  OpBuilder b;
  Location loc;
  Value m, n, workspace;
};

} // namespace

std::vector<Level> standaloneLevels(const llvm::Triple &target) {
  const Architecture of = architectureOf(target);
  const bool canAsk = of != Architecture::AArch64 || target.isOSLinux();
  return levelsOf(canAsk ? of : Architecture::Other);
}

std::vector<int64_t> StandaloneKernel::workspaceBytesPerRow() const {
  std::vector<int64_t> result;
  if (spec.activation != Activation::Float && !quantizedInput)
    result = {spec.k * (spec.activation == Activation::Int16 ? 2 : 1),
              4 * scalesPerRow(spec)};
  // Levels may segment differently; room for each.
  llvm::SmallVector<int64_t> most;
  for (Level level : levels) {
    auto bytes = cpu::workspaceBytesPerRow(spec, level);
    most.resize(bytes.size());
    for (size_t i = 0; i < bytes.size(); ++i)
      most[i] = std::max(most[i], bytes[i]);
  }
  llvm::append_range(result, most);
  return result;
}

OwningOpRef<ModuleOp> buildStandaloneKernel(MLIRContext *context,
                                            const StandaloneKernel &kernel) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context));
  EntryBuilder(*module, kernel).build();
  return module;
}

} // namespace qk::cpu
