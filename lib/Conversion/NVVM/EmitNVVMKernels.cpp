//===- EmitNVVMKernels.cpp - Kernels and their callers ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Artifacts.h"
#include "HostFunction.h"
#include "MatmulSpec.h"

#include "qk/Conversion/NVVM/Passes.h"
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

namespace {

struct EmitNVVMKernels : qk::impl::EmitNVVMKernelsBase<EmitNVVMKernels> {
  using EmitNVVMKernelsBase::EmitNVVMKernelsBase;

  void runOnOperation() override {
    kernels = nullptr;
    kernelList.clear();
    functionList.clear();
    FailureOr<const Chip *> known = chipByName(getOperation(), chip);
    if (failed(known))
      return signalPassFailure();
    target = *known;

    SmallVector<PackedMatmulOp> matmuls;
    getOperation().walk([&](PackedMatmulOp op) {
      std::string_view layout(op.getLayout().data(), op.getLayout().size());
      if (layoutByName(layout) && !op.getKernelAttr())
        matmuls.push_back(op);
    });
    for (PackedMatmulOp op : matmuls)
      if (failed(convertToCall(op)))
        return signalPassFailure();

    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (function->hasAttr(kMatmulAttr) && function.isDeclaration() &&
          !function.getFunctionType().getNumResults())
        if (failed(buildFunction(function)))
          return signalPassFailure();
    if (!kernels)
      return;
    Builder b(&getContext());
    kernels->setAttr(kKernelsAttr, b.getArrayAttr(kernelList));
    kernels->setAttr(kFunctionsAttr, b.getArrayAttr(functionList));
  }

private:
  /// Builds what is not there yet of a problem's kernels.
  std::vector<KernelChoice> buildKernels(Location loc,
                                         const MatmulProblem &problem) {
    if (!kernels) {
      OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
      kernels = createKernelModule(b, getOperation().getLoc(),
                                   kKernelModuleName, *target);
    }
    std::vector<KernelChoice> choices = chooseKernels(*target, problem);
    for (const KernelChoice &choice : choices) {
      if (kernels.lookupSymbol(choice.name()))
        continue;
      buildKernel(kernels, loc, choice);
      kernelList.push_back(describeKernel(&getContext(), choice));
    }
    return choices;
  }

  void describeFunction(func::FuncOp function, ArrayRef<KernelChoice> choices) {
    Builder b(&getContext());
    SmallVector<Attribute> names;
    for (const KernelChoice &choice : choices)
      names.push_back(b.getStringAttr(choice.name()));
    std::string type;
    llvm::raw_string_ostream(type) << function.getFunctionType();
    functionList.push_back(b.getDictionaryAttr(
        {b.getNamedAttr("name", function.getSymNameAttr()),
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
    std::vector<KernelChoice> choices =
        buildKernels(function.getLoc(), *problem);
    buildLauncher(function, choices);
    function->removeAttr(kMatmulAttr);
    describeFunction(function, choices);
    return success();
  }

  //===--------------------------------------------------------------------===//
  // host=keep
  //===--------------------------------------------------------------------===//

  LogicalResult convertToCall(PackedMatmulOp op) {
    FailureOr<MatmulProblem> problem = problemOf(op);
    if (failed(problem))
      return failure();
    auto xType = cast<RankedTensorType>(op.getX().getType());
    if (xType.getRank() != 2)
      return op.emitError("layer '")
             << op.getLayer()
             << "': expected x of two dimensions, which "
                "quant-llm-pack-for-nvvm makes, got "
             << xType.getRank();
    int64_t expected = problem->layout().packedBytes(op.getN());
    auto bytes = cast<RankedTensorType>(op.getBytes().getType());
    if (bytes.getDimSize(0) != expected)
      return op.emitError("layer '")
             << op.getLayer() << "': expected " << expected
             << " packed bytes in layout " << op.getLayout() << ", got "
             << bytes.getDimSize(0);

    // M is the function's own business.
    OpBuilder b(op);
    Location loc = op.getLoc();
    int64_t n = op.getN();
    constexpr int64_t dynamic = ShapedType::kDynamic;
    auto anyM = [&](Value value) -> Value {
      auto type = cast<RankedTensorType>(value.getType());
      auto wanted = type.clone({dynamic, type.getDimSize(1)});
      return type == wanted ? value
                            : tensor::CastOp::create(b, loc, wanted, value);
    };
    SmallVector<Value> operands{anyM(op.getX()), op.getBytes()};
    if (op.getPermutation())
      operands.push_back(op.getPermutation());
    if (op.getBias())
      operands.push_back(op.getBias());
    auto yType = cast<RankedTensorType>(op.getY().getType());
    auto function =
        declareCallee(*problem, n,
                      b.getFunctionType(ValueRange(operands).getTypes(),
                                        yType.clone({dynamic, n})));
    Value y = func::CallOp::create(b, loc, function, operands).getResult(0);
    if (y.getType() != yType)
      y = tensor::CastOp::create(b, loc, yType, y);
    op.getResult().replaceAllUsesWith(y);
    op.erase();
    return success();
  }

  func::FuncOp declareCallee(const MatmulProblem &problem, int64_t n,
                             FunctionType type) {
    std::string name = problemName(problem) + "_n" + std::to_string(n);
    if (auto existing = getOperation().lookupSymbol<func::FuncOp>(name))
      return existing;
    std::vector<KernelChoice> choices =
        buildKernels(getOperation().getLoc(), problem);
    OpBuilder b(&getContext());
    b.setInsertionPoint(kernels);
    auto function =
        func::FuncOp::create(b, getOperation().getLoc(), name, type);
    function.setPrivate();
    function->setAttr(kMatmulAttr, toAttribute(&getContext(), problem));
    describeFunction(function, choices);
    return function;
  }

  const Chip *target = nullptr;
  gpu::GPUModuleOp kernels;
  SmallVector<Attribute> kernelList, functionList;
};

} // namespace
