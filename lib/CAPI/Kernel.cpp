//===- Kernel.cpp - Kernels as objects ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "State.h"

#include "qk/Conversion/CPU/Passes.h"
#include "qk/Execution/ObjectFile.h"
#include "qk/Target/CPU/KernelBuilder.h"
#include "qk/Target/CPU/StandaloneKernel.h"

#include "mlir/IR/Verifier.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;
using namespace qk;
using namespace qk::cpu;

/// Sets `value` to what `text` (null: `fallback`) names; false where it names
/// nothing.
template <typename T, typename Parse>
static bool set(QkContext *context, T &value, const char *text,
                const char *fallback, Parse parse, const char *field,
                const char *expected) {
  std::optional<T> parsed = parse(text ? text : fallback);
  if (!parsed) {
    context->addError("kernel: expected " + Twine(field) + " to be " +
                      expected + ", got '" + (text ? text : fallback) + "'");
    return false;
  }
  value = *parsed;
  return true;
}

QK_EXPORT int qkKernelCompile(QkContext *context, const QkKernel *options,
                              void **object, size_t *objectSize,
                              char **header) {
  StandaloneKernel kernel;
  KernelSpec &spec = kernel.spec;
  int64_t group = options->group_size ? options->group_size : 128;
  if (options->k < 1 || options->k > int64_t(1) << 30 || group < -1) {
    context->addError("kernel: expected k from 1 to 2^30 and a group_size of "
                      "-1 or at least 1, got " +
                      Twine(options->k) + " and " + Twine(group));
    return 1;
  }
  if (!set(context, spec.scheme.codeType, options->codes, "u4", parseCodeType,
           "codes", "u2, u3, u4, u8 or s8") ||
      !set(context, spec.scheme.scaleType, options->scale_type, "f16",
           parseScaleType, "scale_type", "f16, bf16 or f32") ||
      !set(context, spec.activation, options->activations, "int16",
           parseActivation, "activations", "int16, int8 or float") ||
      !set(context, spec.element, options->element, "f32", parseElement,
           "element", "f32, f16 or bf16"))
    return 1;
  spec.k = options->k;
  spec.scheme.groupSize = group;
  spec.zeroPoints = options->zero_points;
  spec.bias = options->bias;
  if (spec.scheme.groupLength(spec.k) == spec.k)
    spec.sharing = Sharing::Token;
  if (options->name)
    kernel.name = options->name;
  kernel.threads = !options->sequential;
  std::string triple = llvm::sys::getDefaultTargetTriple();
  kernel.levels = standaloneLevels(llvm::Triple(triple));

  std::unique_ptr<MLIRContext> own = context->makeContext();
  OwningOpRef<ModuleOp> module = buildStandaloneKernel(own.get(), kernel);
  SmallVector<std::string> isa;
  for (Level level : kernel.levels)
    isa.emplace_back(name(level));
  PassManager passes(own.get());
  buildKernelsToLLVMPipeline(passes, isa, kernel.threads);
  if (failed(passes.run(*module)))
    return 1;
  auto bytes = execution::compileToObject(*module, triple,
                                          execution::ObjectKind::Object);
  if (!bytes) {
    context->addError(llvm::toString(bytes.takeError()));
    return 1;
  }
  *object = capi::copyOut(StringRef(bytes->data(), bytes->size()));
  *objectSize = bytes->size();
  *header = capi::copyOut(writeKernelHeader(kernel));
  return 0;
}
