//===- Context.cpp - Contexts and messages of the C API -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "State.h"

#include "qk-c/Dialect.h"
#include "qk/Pipelines/Pipelines.h"
#include "qk/Pipelines/Register.h"

#include "mlir/CAPI/IR.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Transforms/Passes.h"

#include <cstdlib>
#include <cstring>

using namespace mlir;
using namespace qk;

static_assert(QK_F64 == static_cast<int>(storage::DataType::F64) &&
                  QK_F32 == static_cast<int>(storage::DataType::F32) &&
                  QK_F16 == static_cast<int>(storage::DataType::F16),
              "QkType has the values of DataType");

static void registerQkPasses() {
  static bool done = [] {
    qk::registerPasses();
    registerMethodPipelines(/*shortNames=*/false);
    registerLoweringPipelines(/*shortNames=*/false);
    return true;
  }();
  (void)done;
}

void capi::registerOnce() {
  registerQkPasses();
  // No pipelines of MLIR's: one that is registered twice ends the process, and
  // a host that uses MLIR's C API may have registered them.
  registerTransformsPasses();
}

char *capi::copyOut(StringRef bytes) {
  char *copy = static_cast<char *>(std::malloc(bytes.size() + 1));
  std::memcpy(copy, bytes.data(), bytes.size());
  copy[bytes.size()] = 0;
  return copy;
}

static StringRef severity(DiagnosticSeverity kind) {
  switch (kind) {
  case DiagnosticSeverity::Error:
    return "error";
  case DiagnosticSeverity::Warning:
    return "warning";
  case DiagnosticSeverity::Remark:
    return "remark";
  case DiagnosticSeverity::Note:
    return "note";
  }
  return "";
}

static void print(llvm::raw_ostream &out, Diagnostic &diagnostic) {
  if (auto file = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
    out << file.getFilename().strref() << ":" << file.getLine() << ":"
        << file.getColumn() << ": ";
  out << severity(diagnostic.getSeverity()) << ": " << diagnostic << "\n";
  for (Diagnostic &note : diagnostic.getNotes())
    print(out, note);
}

QkContext::QkContext() {
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerDialects(registry);
  Executable::registerTranslations(registry);
}

std::unique_ptr<MLIRContext> QkContext::makeContext() {
  auto context = std::make_unique<MLIRContext>(registry);
  context->loadAllAvailableDialects();
  context->printOpOnDiagnostic(false);
  // Lowering says what is wrong with each op of another compiler.
  context->allowUnregisteredDialects();
  context->getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
    llvm::raw_string_ostream out(messages);
    print(out, diagnostic);
    return success();
  });
  return context;
}

void QkContext::addError(const llvm::Twine &message) {
  messages += ("error: " + message + "\n").str();
}

QK_EXPORT int qkVersion(void) { return 1; }

QK_EXPORT QkContext *qkContextCreate(void) {
  capi::registerOnce();
  return new QkContext();
}

QK_EXPORT void qkContextDestroy(QkContext *context) { delete context; }

QK_EXPORT const char *qkContextTakeMessages(QkContext *context) {
  context->taken = std::move(context->messages);
  context->messages.clear();
  return context->taken.c_str();
}

QK_EXPORT void qkFree(void *memory) { std::free(memory); }

QK_EXPORT void qkDialectRegistryInsert(MlirDialectRegistry registry) {
  registerDialects(*unwrap(registry));
}

QK_EXPORT void qkRegisterPasses(void) { registerQkPasses(); }
