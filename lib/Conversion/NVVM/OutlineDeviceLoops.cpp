//===- OutlineDeviceLoops.cpp - What is not a matmul as kernels -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Artifacts.h"
#include "DeviceCalls.h"
#include "DeviceLoop.h"
#include "MatmulSpec.h"

#include "qk/Conversion/NVVM/Passes.h"
#include "qk/Target/NVVM/KernelBuilder.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/StringMap.h"

namespace qk {
#define GEN_PASS_DEF_OUTLINEDEVICELOOPS
#include "qk/Conversion/NVVM/Passes.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;
using namespace qk::nvvm;

namespace {

struct OutlineDeviceLoops
    : qk::impl::OutlineDeviceLoopsBase<OutlineDeviceLoops> {
  using OutlineDeviceLoopsBase::OutlineDeviceLoopsBase;

  void runOnOperation() override {
    FailureOr<const Chip *> known = chipByName(getOperation(), chip);
    if (failed(known))
      return signalPassFailure();
    byText.clear();
    descriptions.clear();
    assertions.clear();
    copiesToLinalg();
    hoistSizes();
    SmallVector<linalg::LinalgOp> loops;
    getOperation().walk([&](linalg::LinalgOp op) { loops.push_back(op); });
    if (loops.empty())
      return;

    kernels = getOperation().lookupSymbol<gpu::GPUModuleOp>(kKernelModuleName);
    if (!kernels) {
      OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
      kernels = createKernelModule(b, getOperation().getLoc(),
                                   kKernelModuleName, **known);
    }
    if (auto present = kernels->getAttrOfType<ArrayAttr>(kKernelsAttr))
      llvm::append_range(descriptions, present);
    for (linalg::LinalgOp op : loops)
      if (failed(outline(op)))
        return signalPassFailure();
    kernels->setAttr(kKernelsAttr, ArrayAttr::get(&getContext(), descriptions));
    if (!assertions.empty())
      checkAssertions();
  }

private:
  /// A copy is a loop like any other.
  void copiesToLinalg() {
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp copy) { copies.push_back(copy); });
    for (memref::CopyOp copy : copies) {
      OpBuilder b(copy);
      auto type = dyn_cast<MemRefType>(copy.getSource().getType());
      if (!type || !isa<MemRefType>(copy.getTarget().getType()))
        continue; // refused below, with what is left
      AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
      SmallVector<utils::IteratorType> kinds(type.getRank(),
                                             utils::IteratorType::parallel);
      linalg::GenericOp::create(
          b, copy.getLoc(), copy.getSource(), copy.getTarget(),
          ArrayRef<AffineMap>{identity, identity}, kinds,
          [](OpBuilder &inner, Location loc, ValueRange arguments) {
            linalg::YieldOp::create(inner, loc, arguments[0]);
          });
      copy.erase();
    }
  }

  /// A size asked for within a loop is the host's.
  void hoistSizes() {
    SmallVector<std::pair<linalg::LinalgOp, memref::DimOp>> sizes;
    getOperation().walk([&](memref::DimOp size) {
      auto loop = size->getParentOfType<linalg::LinalgOp>();
      if (loop && size.getConstantIndex() &&
          !loop->isAncestor(size.getSource().getParentBlock()->getParentOp()))
        sizes.push_back({loop, size});
    });
    for (auto [loop, size] : sizes) {
      OpBuilder b(loop);
      size.replaceAllUsesWith(memref::DimOp::create(b, size.getLoc(),
                                                    size.getSource(),
                                                    *size.getConstantIndex())
                                  .getResult());
      size.erase();
    }
  }

  LogicalResult outline(linalg::LinalgOp op) {
    // Under a fixed name first: equal kernels have equal text.
    FailureOr<DeviceLoop> loop =
        buildDeviceLoop(op, kernels, "loop", assertions);
    if (failed(loop))
      return failure();
    std::string text;
    llvm::raw_string_ostream(text) << loop->kernel;
    auto [entry, isNew] = byText.try_emplace(text);
    std::string &name = entry->second;
    if (isNew) {
      name = nameOf(op);
      loop->kernel.setName(name);
      descriptions.push_back(describe(*loop, name));
    } else {
      loop->kernel.erase();
    }
    launch(op, *loop, name);
    op.erase();
    return success();
  }

  /// "loop7_exp_subf": the number, and what it does.
  std::string nameOf(linalg::LinalgOp op) {
    std::string name = "loop" + std::to_string(byText.size() - 1);
    llvm::SetVector<StringRef> verbs;
    op->walk([&](Operation *inner) {
      StringRef dialect = inner->getName().getDialectNamespace();
      if ((dialect == "arith" || dialect == "math") &&
          llvm::any_of(inner->getResultTypes(),
                       [](Type type) { return isa<FloatType>(type); }))
        verbs.insert(inner->getName().stripDialect());
    });
    for (StringRef verb : verbs.getArrayRef().take_front(4))
      if (verb != "constant")
        name += ("_" + verb).str();
    return name;
  }

  DictionaryAttr describe(const DeviceLoop &loop, StringRef name) {
    Builder b(&getContext());
    SmallVector<Attribute> parameters;
    auto parameter = [&](const Twine &what, StringRef type) {
      parameters.push_back(
          b.getDictionaryAttr({b.getNamedAttr("name", b.getStringAttr(what)),
                               b.getNamedAttr("type", b.getStringAttr(type))}));
    };
    for (auto [i, buffer] : llvm::enumerate(loop.buffers))
      parameter(buffer.isErrorCell ? Twine("error") : "buffer" + Twine(i),
                buffer.isErrorCell ? "i32 *"
                : buffer.written   ? "u8 *"
                                   : "const u8 *");
    gpu::GPUFuncOp kernel = loop.kernel;
    ArrayRef<Type> inputs = kernel.getFunctionType().getInputs();
    for (auto [i, type] :
         llvm::enumerate(inputs.drop_front(loop.buffers.size())))
      parameter(i ? "value" + Twine(i) : Twine("threads"),
                type.isInteger(64) ? "i64" : "i32");
    auto number = [&](int64_t value) { return b.getI64IntegerAttr(value); };
    std::string grid =
        "ceil(threads / " + std::to_string(DeviceLoop::kBlock) + ")";
    return b.getDictionaryAttr(
        {b.getNamedAttr("name", b.getStringAttr(name)),
         b.getNamedAttr("family", b.getStringAttr("loop")),
         b.getNamedAttr("parameters", b.getArrayAttr(parameters)),
         b.getNamedAttr(
             "grid",
             b.getDictionaryAttr({b.getNamedAttr("x", b.getStringAttr(grid)),
                                  b.getNamedAttr("y", b.getStringAttr("1")),
                                  b.getNamedAttr("z", b.getStringAttr("1"))})),
         b.getNamedAttr("block", b.getArrayAttr({number(DeviceLoop::kBlock),
                                                 number(1), number(1)}))});
  }

  void launch(linalg::LinalgOp op, const DeviceLoop &loop, StringRef name) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    DeviceCalls runtime(getOperation(), b);
    runtime.call("qk_cuda_begin", {runtime.image(), runtime.text(name)});
    for (const DeviceLoop::Buffer &buffer : loop.buffers)
      runtime.call("qk_cuda_device",
                   buffer.isErrorCell ? runtime.call("qk_cuda_error_cell", {},
                                                     runtime.pointerType())
                                      : runtime.base(buffer.view));
    for (Value scalar : loop.scalars)
      passScalar(b, runtime, scalar);
    Value blocks =
        arith::CeilDivUIOp::create(b, runtime.asI64(loop.scalars.front()),
                                   runtime.i64(DeviceLoop::kBlock));
    Value one = runtime.i64(1);
    runtime.call("qk_cuda_launch",
                 {blocks, one, one, runtime.i64(DeviceLoop::kBlock), one, one});
  }

  static void passScalar(ImplicitLocOpBuilder &b, DeviceCalls &runtime,
                         Value scalar) {
    Type type = scalar.getType();
    if (type.isIndex()) {
      runtime.call("qk_cuda_index", runtime.asI64(scalar));
      return;
    }
    unsigned width = type.getIntOrFloatBitWidth();
    if (isa<FloatType>(type))
      scalar = arith::BitcastOp::create(b, b.getIntegerType(width), scalar);
    Type passed = b.getIntegerType(width <= 32 ? 32 : 64);
    if (scalar.getType() != passed)
      scalar = arith::ExtUIOp::create(b, passed, scalar);
    runtime.call(width <= 32 ? "qk_cuda_i32" : "qk_cuda_i64", scalar);
  }

  /// Where a public function ends, an assertion that failed in a kernel is the
  /// host's.
  void checkAssertions() {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function.isPublic() || function.isExternal())
        continue;
      function.walk([&](func::ReturnOp op) {
        ImplicitLocOpBuilder b(op.getLoc(), op);
        DeviceCalls runtime(getOperation(), b);
        Value failed = runtime.call("qk_cuda_take_error", {}, b.getI64Type());
        for (auto [i, assertion] : llvm::enumerate(assertions)) {
          b.setLoc(assertion.loc);
          Value other = arith::CmpIOp::create(
              b, arith::CmpIPredicate::ne, failed, runtime.i64(int64_t(i) + 1));
          cf::AssertOp::create(b, other, assertion.message);
        }
      });
    }
  }

  gpu::GPUModuleOp kernels;
  llvm::StringMap<std::string> byText;
  SmallVector<Attribute> descriptions;
  SmallVector<DeviceAssertion> assertions;
};

} // namespace
