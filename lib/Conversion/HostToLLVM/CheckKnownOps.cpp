//===- CheckKnownOps.cpp - Ops that can't be compiled here ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSwitch.h"

namespace qk {
#define GEN_PASS_DEF_CHECKKNOWNOPS
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

/// What the user can do about an op of `dialect`: the way by which the same
/// model arrives without it.
static StringRef wayRound(StringRef name, StringRef dialect) {
  if (name == "tm_tensor.scan")
    return "it is a running sum, by which the model counts positions: export "
           "again with what it computes from given as an input (a 4-D "
           "attention mask that is added to the scores, position_ids), or by "
           "way of TOSA";
  return llvm::StringSwitch<StringRef>(dialect)
      .Case("tm_tensor",
            "torch-mlir has no lowering of it to linalg: export the model "
            "without the operation that it stands for (torch.sort, "
            "torch.topk, scaled_dot_product_attention), or leave that part "
            "out of the exported model")
      .Cases({"torch", "torch_c", "onnx"},
             "lower the module to linalg with torch-mlir's own tools "
             "(output_type=\"linalg-on-tensors\") and give that")
      .Cases({"stablehlo", "chlo", "vhlo", "mhlo"},
             "lower the module to linalg first (stablehlo-opt or "
             "torch-mlir-opt --stablehlo-legalize-to-linalg); a custom call "
             "has to be exported as the operations it stands for")
      .Cases({"util", "hal", "flow", "stream", "iree_input", "iree_linalg_ext"},
             "IREE compiles it: quantise the module and give it back to IREE, "
             "or export the same model with torch-mlir to run it here")
      .Cases({"tfl", "tf"},
             "convert the model to TOSA (tosa-converter-for-tflite) and give "
             "that")
      .Default("no lowering of it is known here; lower it to linalg with the "
               "compiler that made it");
}

LogicalResult qk::checkKnownOps(ModuleOp module) {
  // The first op of each name, and how many there are.
  llvm::MapVector<StringRef, std::pair<Operation *, int64_t>> unknown;
  module.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op->isRegistered())
      return WalkResult::advance();
    StringRef name = op->getName().getStringRef();
    // ONNX arrives as an op of torch that names another.
    if (name == "torch.operator")
      if (auto wrapped = op->getAttrOfType<StringAttr>("name"))
        name = wrapped.getValue();
    auto [entry, isNew] = unknown.try_emplace(name, op, 0);
    ++entry->second.second;
    // What its regions hold is its own business, but not a function's.
    return op->getNumResults() == 0 ? WalkResult::advance()
                                    : WalkResult::skip();
  });
  for (auto &[name, first] : unknown) {
    auto [op, count] = first;
    emitError(op->getLoc())
        << "can't compile '" << name << "'"
        << (count > 1 ? " (" + std::to_string(count) + " of them)" : "")
        << ", an op that MLIR 22 doesn't know: "
        << wayRound(name, op->getName().getDialectNamespace());
  }
  return success(unknown.empty());
}

namespace {
struct CheckKnownOps : qk::impl::CheckKnownOpsBase<CheckKnownOps> {
  void runOnOperation() override {
    if (failed(qk::checkKnownOps(getOperation())))
      signalPassFailure();
  }
};
} // namespace
