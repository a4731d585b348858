//===- ModuleInput.cpp - Modules as other tools write them ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Input/ModuleInput.h"

#include "BytecodeHeader.h"
#include "Exporters.h"
#include "Text.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace qk;

/// Bytecode versions from which known ops store properties in their own form.
static constexpr uint64_t kNativeProperties = 5;

static std::string thisVersion() {
  return ("LLVM " + Twine(LLVM_VERSION_STRING)).str();
}

namespace {
/// The first error of the parser.
struct ParseProblem {
  std::string message;
  unsigned line = 0, column = 0;
};
} // namespace

/// Why the parser rejects `input`; nothing where it doesn't.
static std::optional<ParseProblem>
findParseProblem(llvm::MemoryBufferRef input, const DialectRegistry &registry) {
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.allowUnregisteredDialects();
  std::optional<ParseProblem> problem;
  ScopedDiagnosticHandler first(&context, [&](Diagnostic &diagnostic) {
    if (problem || diagnostic.getSeverity() != DiagnosticSeverity::Error)
      return success();
    problem = ParseProblem{diagnostic.str()};
    if (auto place =
            diagnostic.getLocation()->findInstanceOf<FileLineColLoc>()) {
      problem->line = place.getLine();
      problem->column = place.getColumn();
    }
    return success();
  });
  ParserConfig config(&context, /*verifyAfterParse=*/false);
  OwningOpRef<Operation *> module =
      parseSourceString(input.getBuffer(), config, input.getBufferIdentifier());
  if (!module && !problem)
    problem = ParseProblem{"it is not valid"};
  return problem;
}

/// The LLVM that wrote a file whose producer is `MLIR24.0.0git`; 0 for others.
static unsigned producerMajor(StringRef producer) {
  unsigned major = 0;
  if (!producer.consume_front("MLIR") || producer.consumeInteger(10, major))
    return 0;
  return major;
}

/// Why bytecode can't be read right; empty where it can.
static std::string refuseBytecode(StringRef bytes,
                                  const DialectRegistry &registry) {
  llvm::Expected<BytecodeHeader> header = readBytecodeHeader(bytes);
  if (!header)
    return toString(header.takeError());
  std::string what = ("bytecode of version " + Twine(header->version) +
                      " written by '" + header->producer + "'")
                         .str();

  for (const std::string &dialect : header->dialects)
    if (dialect == "vhlo")
      return what + " is a portable StableHLO artefact (dialect 'vhlo'), which "
                    "only StableHLO's tools read; turn it into text: "
                    "stablehlo-translate --deserialize FILE | stablehlo-opt "
                    "--mlir-print-op-generic (in JAX: print "
                    "exported.mlir_module())";

  // Without its dialect an op keeps what properties the writer, lacking the
  // dialect too, stored as an attribute; those in the dialect's own form are
  // read as something else (dot_dimension_numbers becomes a location), and
  // versions that have no properties drop them, both in silence.
  for (const BytecodeHeader::OpName &op : header->ops) {
    if (registry.getDialectAllocator(op.dialect) ||
        (header->version >= kNativeProperties && !op.wasRegistered))
      continue;
    Exporter exporter = exporterOf(op.dialect);
    return what + " stores the properties of '" + op.dialect + "." + op.name +
           "' in a form that only a tool with dialect '" + op.dialect +
           "' reads, they would be lost; it comes from " + exporter.name.str() +
           ": print the generic text form with " + exporter.printGeneric.str();
  }

  if (producerMajor(header->producer) > LLVM_VERSION_MAJOR)
    return what + " is of a newer LLVM than this tool's " + thisVersion() +
           ", whose reader can't be trusted with it; give it as text: run the "
           "tool that wrote it without --emit-bytecode";
  return "";
}

std::unique_ptr<llvm::MemoryBuffer>
qk::prepareModuleInput(std::unique_ptr<llvm::MemoryBuffer> input,
                       const DialectRegistry &registry,
                       llvm::raw_ostream &errors) {
  StringRef text = input->getBuffer();
  std::string name = input->getBufferIdentifier().str();
  auto refuse = [&](const Twine &place, const Twine &message) {
    errors << name << place << ": error: " << message << "\n";
    return nullptr;
  };

  if (isBytecode(text)) {
    std::string reason = refuseBytecode(text, registry);
    if (!reason.empty())
      return refuse("", reason);
    return input;
  }
  std::string foreign = describeForeignFile(text);
  if (!foreign.empty())
    return refuse("", "this is " + foreign);

  if (std::optional<std::string> packed = packBooleanLiterals(text)) {
    input = llvm::MemoryBuffer::getMemBufferCopy(*packed, name);
    text = input->getBuffer();
  }
  // The parser knows where the first such op is, but not the way out; it is
  // asked only where a line looks like one.
  if (!mayHoldForeignCustomOp(text, [&](StringRef dialect) {
        return registry.getDialectAllocator(dialect) != nullptr;
      }))
    return input;
  std::optional<ParseProblem> problem =
      findParseProblem(input->getMemBufferRef(), registry);
  if (!problem)
    return input;
  auto [before, after] =
      StringRef(problem->message).split("not found for custom op '");
  StringRef op = after.take_until([](char c) { return c == '\''; });
  if (op.empty())
    return input;
  StringRef dialect = op.split('.').first;
  Exporter exporter = exporterOf(dialect);
  return refuse(":" + Twine(problem->line) + ":" + Twine(problem->column),
                "'" + op + "' is in the custom syntax of dialect '" + dialect +
                    "', which is not linked; the module comes from " +
                    exporter.name + ": print the generic form with " +
                    exporter.printGeneric +
                    " and read that with --allow-unregistered-dialect");
}
