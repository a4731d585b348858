//===- EmitNVVMKernels.cpp - Kernels and their callers ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Artifacts.h"
#include "HostFunction.h"
#include "MatmulSpec.h"
#include "QuantizerSpec.h"

#include "qk/Conversion/NVVM/Passes.h"
#include "qk/Dialect/QuantLLM/Transforms/HostDialect.h"
#include "qk/Target/NVVM/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace qk {
#define GEN_PASS_DEF_EMITNVVMKERNELS
#include "qk/Conversion/NVVM/Passes.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;
using namespace qk::nvvm;
using namespace qk::quant_llm;

/// Functions of IREE's modules.
static constexpr llvm::StringLiteral kUtilFunction = "util.func";

namespace {

struct EmitNVVMKernels : qk::impl::EmitNVVMKernelsBase<EmitNVVMKernels> {
  using EmitNVVMKernelsBase::EmitNVVMKernelsBase;

  void runOnOperation() override {
    kernels = nullptr;
    kernelList.clear();
    functionList.clear();
    described.clear();
    FailureOr<const Chip *> known = chipByName(getOperation(), chip);
    if (failed(known))
      return signalPassFailure();
    target = *known;
    inStableHLO = isStableHLO(getOperation());

    SmallVector<PackedMatmulOp> matmuls;
    getOperation().walk([&](PackedMatmulOp op) {
      std::string_view layout(op.getLayout().data(), op.getLayout().size());
      if (layoutByName(layout) && !op.getKernelAttr())
        matmuls.push_back(op);
    });
    for (PackedMatmulOp op : matmuls)
      if (failed(convertToCall(op)))
        return signalPassFailure();

    llvm::SmallSetVector<func::FuncOp, 8> programs;
    for (auto function :
         llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (!function.isDeclaration() ||
          function.getFunctionType().getNumResults())
        continue;
      if (function->hasAttr(kMatmulAttr) && failed(buildFunction(function)))
        return signalPassFailure();
      if (!function->hasAttr(kQuantizerAttr))
        continue;
      if (func::FuncOp program = programOf(function))
        programs.insert(program);
      if (failed(buildQuantizerFunction(function)))
        return signalPassFailure();
    }
    // Kernels have them.
    for (func::FuncOp program : programs)
      program.erase();
    if (!kernels)
      return;
    Builder b(&getContext());
    kernels->setAttr(kKernelsAttr, b.getArrayAttr(kernelList));
    kernels->setAttr(kFunctionsAttr, b.getArrayAttr(functionList));
  }

private:
  gpu::GPUModuleOp kernelModule() {
    if (!kernels) {
      OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
      kernels = createKernelModule(b, getOperation().getLoc(),
                                   kKernelModuleName, *target);
    }
    return kernels;
  }

  /// Builds what is not there yet of a problem's kernels.
  std::vector<KernelChoice> buildKernels(Location loc,
                                         const MatmulProblem &problem) {
    kernelModule();
    std::vector<KernelChoice> choices = chooseKernels(*target, problem);
    for (const KernelChoice &choice : choices) {
      if (kernels.lookupSymbol(choice.name()))
        continue;
      buildKernel(kernels, loc, choice);
      kernelList.push_back(describeKernel(&getContext(), choice));
    }
    return choices;
  }

  void describeFunction(StringAttr name, FunctionType signature,
                        ArrayRef<KernelChoice> choices) {
    SmallVector<Attribute> names;
    for (const KernelChoice &choice : choices)
      names.push_back(StringAttr::get(&getContext(), choice.name()));
    describeFunction(name, signature, names);
  }

  void describeFunction(StringAttr name, FunctionType signature,
                        ArrayRef<Attribute> names) {
    Builder b(&getContext());
    std::string type;
    llvm::raw_string_ostream(type) << signature;
    functionList.push_back(b.getDictionaryAttr(
        {b.getNamedAttr("name", name),
         b.getNamedAttr("type", b.getStringAttr(type)),
         b.getNamedAttr("kernels", b.getArrayAttr(names))}));
  }

  //===--------------------------------------------------------------------===//
  // host=launch
  //===--------------------------------------------------------------------===//

  LogicalResult buildFunction(func::FuncOp function) {
    std::optional<MatmulProblem> problem =
        fromAttribute(function->getAttr(kMatmulAttr));
    if (!problem)
      return function.emitError("malformed kernel specification; it must be as "
                                "quant-llm-pack-for-nvvm wrote it");
    if (std::string why = unsupported(*target, *problem); !why.empty())
      return function.emitError() << why;
    std::vector<KernelChoice> choices =
        buildKernels(function.getLoc(), *problem);
    buildLauncher(function, choices);
    function->removeAttr(kMatmulAttr);
    describeFunction(function.getSymNameAttr(), function.getFunctionType(),
                     choices);
    return success();
  }

  LogicalResult buildQuantizerFunction(func::FuncOp function) {
    std::optional<QuantizerProblem> problem = quantizerOf(function);
    if (!problem)
      return function.emitError("malformed quantiser specification; it must be "
                                "as quant-llm-pack-for-nvvm or "
                                "quant-llm-fuse-row-quantizers wrote it");
    if (!kernelModule().lookupSymbol(problem->name())) {
      buildQuantizer(kernels, function.getLoc(), *problem, programOf(function));
      kernelList.push_back(describeKernel(&getContext(), *problem));
    }
    buildLauncher(function, *problem);
    function->removeAttr(kQuantizerAttr);
    describeFunction(
        function.getSymNameAttr(), function.getFunctionType(),
        ArrayRef<Attribute>{StringAttr::get(&getContext(), problem->name())});
    return success();
  }

  //===--------------------------------------------------------------------===//
  // host=keep
  //===--------------------------------------------------------------------===//

  LogicalResult convertToCall(PackedMatmulOp op) {
    FailureOr<MatmulProblem> problem = problemOf(op, *target);
    if (failed(problem))
      return failure();
    auto xType = cast<RankedTensorType>(op.getX().getType());
    if (!inStableHLO && xType.getRank() != 2)
      return op.emitError("layer '")
             << op.getLayer()
             << "': expected x of two dimensions, which "
                "quant-llm-pack-for-nvvm makes, got "
             << xType.getRank();
    int64_t expected = problem->packedBytes(op.getN());
    auto bytes = cast<RankedTensorType>(op.getBytes().getType());
    if (bytes.getDimSize(0) != expected)
      return op.emitError("layer '")
             << op.getLayer() << "': expected " << expected
             << " packed bytes in layout " << op.getLayout() << ", got "
             << bytes.getDimSize(0);

    // Symbols inside an op that MLIR doesn't know are that dialect's business.
    Operation *unknown = op->getParentOp();
    while (unknown && unknown->getDialect())
      unknown = unknown->getParentOp();
    bool inUtil = unknown && unknown->getName().getStringRef() == kUtilFunction;
    if (unknown && !inUtil && !inStableHLO)
      return op.emitError("layer '")
             << op.getLayer() << "': can't write a call inside of '"
             << unknown->getName()
             << "', whose dialect is not linked; expected func.func or "
             << kUtilFunction;
    Value y = inStableHLO ? createCustomCall(op, *problem)
                          : createCall(op, *problem, inUtil);
    op.getResult().replaceAllUsesWith(y);
    op.erase();
    return success();
  }

  /// The types of a function that computes `op` for any M.
  static FunctionType signatureOf(PackedMatmulOp op) {
    constexpr int64_t dynamic = ShapedType::kDynamic;
    auto rows = [](Value value, int64_t columns) {
      return cast<RankedTensorType>(value.getType()).clone({dynamic, columns});
    };
    SmallVector<Type> inputs{rows(op.getX(), op.getK()),
                             op.getBytes().getType()};
    for (Value extra : {op.getPermutation(), op.getBias()})
      if (extra)
        inputs.push_back(extra.getType());
    if (op.getXScales())
      inputs.push_back(rows(op.getXScales(), 1));
    return FunctionType::get(op.getContext(), inputs,
                             Type(rows(op.getY(), op.getN())));
  }

  static SmallVector<Value> operandsOf(PackedMatmulOp op) {
    SmallVector<Value> operands{op.getX(), op.getBytes()};
    for (Value extra : {op.getPermutation(), op.getBias(), op.getXScales()})
      if (extra)
        operands.push_back(extra);
    return operands;
  }

  /// Builds and describes what `name` calls, once. Whether this was that
  /// once.
  bool describeCallee(StringAttr name, FunctionType signature,
                      const MatmulProblem &problem) {
    if (!described.insert(name).second)
      return false;
    describeFunction(name, signature,
                     buildKernels(getOperation().getLoc(), problem));
    return true;
  }

  static StringAttr nameOf(PackedMatmulOp op, const MatmulProblem &problem) {
    return StringAttr::get(op.getContext(), problemName(problem) + "_n" +
                                                std::to_string(op.getN()));
  }

  /// A declaration of `name`, of func or (for calls in IREE's functions) util.
  void declare(OpBuilder &b, StringAttr name, FunctionType signature,
               bool inUtil) {
    Location loc = getOperation().getLoc();
    if (!inUtil) {
      func::FuncOp::create(b, loc, name, signature).setPrivate();
      return;
    }
    OperationState state(loc, kUtilFunction);
    state.addRegion();
    state.propertiesAttr = b.getDictionaryAttr(
        {b.getNamedAttr("function_type", TypeAttr::get(signature)),
         b.getNamedAttr("sym_name", name),
         b.getNamedAttr("sym_visibility", b.getStringAttr("private"))});
    b.create(state);
  }

  static Operation *call(OpBuilder &b, Location loc, StringAttr name,
                         TypeRange results, ValueRange operands, bool inUtil) {
    if (!inUtil)
      return func::CallOp::create(b, loc, name, results, operands);
    OperationState state(loc, "util.call");
    state.addOperands(operands);
    state.addTypes(results);
    state.propertiesAttr = b.getDictionaryAttr(
        {b.getNamedAttr("callee", FlatSymbolRefAttr::get(name))});
    return b.create(state);
  }

  Value createCall(PackedMatmulOp op, const MatmulProblem &problem,
                   bool inUtil) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    StringAttr name = nameOf(op, problem);
    FunctionType signature = signatureOf(op);
    if (describeCallee(name, signature, problem)) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPoint(kernels);
      declare(b, name, signature, inUtil);
    }
    // M is the function's own business.
    auto castTo = [&](Value value, Type type) -> Value {
      return value.getType() == type
                 ? value
                 : tensor::CastOp::create(b, loc, type, value);
    };
    SmallVector<Value> operands = operandsOf(op);
    operands.front() = castTo(operands.front(), signature.getInput(0));
    operands.back() = castTo(operands.back(), signature.getInputs().back());
    Value y = call(b, loc, name, signature.getResults(), operands, inUtil)
                  ->getResult(0);
    return castTo(y, op.getY().getType());
  }

  /// The same for StableHLO: leading dimensions of x and y are M, whatever
  /// their number. StableHLO is not linked, so the op is built by its name;
  /// what it is called with are builtin attributes only.
  Value createCustomCall(PackedMatmulOp op, const MatmulProblem &problem) {
    OpBuilder b(op);
    StringAttr name = nameOf(op, problem);
    describeCallee(name, signatureOf(op), problem);
    SmallVector<NamedAttribute> config{
        b.getNamedAttr("k", b.getI64IntegerAttr(op.getK())),
        b.getNamedAttr("layer", op.getLayerAttr()),
        b.getNamedAttr("layout", op.getLayoutAttr()),
        b.getNamedAttr("n", b.getI64IntegerAttr(op.getN()))};
    OperationState state(op.getLoc(), "stablehlo.custom_call");
    state.addOperands(operandsOf(op));
    state.addTypes(op.getY().getType());
    // A dictionary is what the typed foreign function interface takes.
    constexpr int32_t typedFFI = 4;
    state.propertiesAttr = b.getDictionaryAttr(
        {b.getNamedAttr("api_version", b.getI32IntegerAttr(typedFFI)),
         b.getNamedAttr("backend_config", b.getDictionaryAttr(config)),
         b.getNamedAttr("call_target_name", name),
         b.getNamedAttr("has_side_effect", b.getBoolAttr(false))});
    return b.create(state)->getResult(0);
  }

  const Chip *target = nullptr;
  gpu::GPUModuleOp kernels;
  SmallVector<Attribute> kernelList, functionList;
  /// Names in functionList of what is called with host=keep.
  llvm::DenseSet<StringAttr> described;
  bool inStableHLO = false;
};

} // namespace
