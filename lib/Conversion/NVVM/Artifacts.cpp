//===- Artifacts.cpp - Kernels and their description as files ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Artifacts.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace qk::nvvm {

static StringRef ref(std::string_view text) {
  return {text.data(), text.size()};
}

//===----------------------------------------------------------------------===//
// Description
//===----------------------------------------------------------------------===//

/// Where the parts of a packed weight are, so that others can pack too.
static DictionaryAttr describeMmaLayout(Builder &b,
                                        const KernelChoice &choice) {
  MmaLayout layout = choice.problem.mmaLayout();
  auto number = [&](int64_t value) { return b.getI64IntegerAttr(value); };
  NamedAttrList list;
  list.set("name", b.getStringAttr(ref(layoutName(choice.layout()))));
  list.set("tile_channels", number(MmaLayout::kTileChannels));
  list.set("tile_bytes", number(layout.tileBytes()));
  list.set("atom_codes", number(layout.atomCodes()));
  list.set("atoms_per_group", number(layout.atomsPerGroup()));
  list.set("units", number(layout.units()));
  list.set("unit_atoms", number(layout.unitAtoms()));
  list.set("unit_vectors", number(layout.unitVectors()));
  list.set("scales_offset", number(layout.scalesOffset()));
  if (layout.hasZeroPoints)
    list.set("zero_points_offset", number(layout.zerosOffset()));
  return list.getDictionary(b.getContext());
}

static DictionaryAttr describeLayout(Builder &b, const KernelChoice &choice) {
  if (choice.usesMma())
    return describeMmaLayout(b, choice);
  SimtLayout layout = choice.problem.layout();
  auto number = [&](int64_t value) { return b.getI64IntegerAttr(value); };
  NamedAttrList list;
  list.set("name", b.getStringAttr(ref(layoutName(choice.layout()))));
  list.set("row_block_channels", number(SimtLayout::kLanes));
  list.set("row_block_bytes", number(layout.blockBytes()));
  list.set("units", number(layout.units()));
  list.set("unit_vectors", number(layout.unitVectors()));
  list.set("scales_offset", number(layout.scalesOffset()));
  if (layout.hasZeroPoints)
    list.set("zero_points_offset", number(layout.zerosOffset()));
  return list.getDictionary(b.getContext());
}

static DictionaryAttr describeParameter(Builder &b, StringRef name,
                                        StringRef type, StringRef shape) {
  NamedAttrList list;
  list.set("name", b.getStringAttr(name));
  list.set("type", b.getStringAttr(type));
  if (!shape.empty())
    list.set("shape", b.getStringAttr(shape));
  return list.getDictionary(b.getContext());
}

DictionaryAttr describeKernel(MLIRContext *context,
                              const QuantizerProblem &problem) {
  Builder b(context);
  auto number = [&](int64_t value) { return b.getI64IntegerAttr(value); };
  auto constant = [](ElementType type) {
    return ("const " + ref(elementTypeName(type)) + " *").str();
  };
  SmallVector<Attribute> parameters;
  if (!problem.program)
    parameters.push_back(
        describeParameter(b, "x", constant(problem.type), "m, k"));
  else
    for (auto [i, source] : llvm::enumerate(problem.program->sources)) {
      StringRef shape = source.where == RowSource::Row      ? "m, k"
                        : source.where == RowSource::Column ? "k"
                        : source.where == RowSource::Token  ? "m"
                                                            : "1";
      parameters.push_back(describeParameter(b, ("source" + Twine(i)).str(),
                                             constant(source.type), shape));
    }
  if (problem.hasFactors)
    parameters.push_back(describeParameter(b, "factors", "const f32 *", "k"));
  parameters.push_back(describeParameter(
      b, "codes", problem.isFloat ? "e4m3 *" : "i8 *", "m, k"));
  parameters.push_back(describeParameter(b, "scales", "f32 *", "m"));
  NamedAttrList list;
  list.set("name", b.getStringAttr(problem.name()));
  list.set("family", b.getStringAttr("quantizer"));
  list.set("parameters", b.getArrayAttr(parameters));
  list.set("grid",
           b.getDictionaryAttr({b.getNamedAttr("x", b.getStringAttr("m")),
                                b.getNamedAttr("y", b.getStringAttr("1")),
                                b.getNamedAttr("z", b.getStringAttr("1"))}));
  list.set("block",
           b.getArrayAttr({number(problem.threads()), number(1), number(1)}));
  list.set("static_shared_bytes", number(problem.sharedBytes()));
  list.set("dynamic_shared_bytes", number(0));
  list.set("max_registers", number(QuantizerProblem::kMaxRegisters));
  list.set("k", number(problem.k));
  return list.getDictionary(context);
}

DictionaryAttr describeKernel(MLIRContext *context,
                              const KernelChoice &choice) {
  Builder b(context);
  const MatmulProblem &problem = choice.problem;
  auto number = [&](int64_t value) { return b.getI64IntegerAttr(value); };

  SmallVector<Attribute> parameters;
  auto parameter = [&](StringRef name, StringRef type, StringRef shape) {
    parameters.push_back(describeParameter(b, name, type, shape));
  };
  StringRef element = ref(elementTypeName(problem.type));
  parameter("x",
            !problem.int8Activations   ? ("const " + element + " *").str()
            : problem.scheme.isFloat() ? "const e4m3 *"
                                       : "const i8 *",
            "m, k");
  parameter("weight", "const u8 *", "");
  if (problem.hasPermutation)
    parameter("permutation", "const i32 *", "k");
  if (problem.bias)
    parameter("bias",
              ("const " + ref(elementTypeName(*problem.bias)) + " *").str(),
              "n");
  if (problem.int8Activations)
    parameter("x_scales", "const f32 *", problem.hasTensorScale ? "1" : "m");
  parameter("y", (element + " *").str(), "m, n");
  if (choice.hasWorkspace())
    parameter("workspace", "u8 *", "");
  parameter("m", "i32", "");
  parameter("n", "i32", "");

  NamedAttrList list;
  list.set("name", b.getStringAttr(choice.name()));
  list.set("family", b.getStringAttr(ref(kernelFamilyName(choice.family))));
  list.set("reason", b.getStringAttr(choice.reason));
  list.set("m_from", number(choice.mFrom));
  if (choice.mTo >= 0)
    list.set("m_to", number(choice.mTo));
  list.set("parameters", b.getArrayAttr(parameters));
  // grid = [ceil(m / tokens), ceil(n / channels), shares of K]
  auto blocks = [&](const char *size, int64_t each) {
    return b.getStringAttr(std::string("ceil(") + size + " / " +
                           std::to_string(each) + ")");
  };
  std::string splits = "1";
  if (choice.maxSplit() > 1)
    splits = "clamp(floor(" + std::to_string(choice.splitWave()) +
             " / (x * y)), 1, " + std::to_string(choice.maxSplit()) + ")";
  list.set("grid",
           b.getDictionaryAttr(
               {b.getNamedAttr("x", blocks("m", choice.blockTokens())),
                b.getNamedAttr("y", blocks("n", choice.blockChannels())),
                b.getNamedAttr("z", b.getStringAttr(splits))}));
  list.set("block",
           b.getArrayAttr({number(choice.threads()), number(1), number(1)}));
  // Of kernels for the same M the one with the least.
  if (choice.roundCost)
    list.set("cost", b.getStringAttr(std::to_string(choice.roundCost) +
                                     " * ceil(x * y / " +
                                     std::to_string(choice.splitWave()) + ")"));
  // A launch with z from 2 to this makes clusters of 1 x 1 x z blocks.
  if (choice.maxCluster() > 1)
    list.set("max_cluster", number(choice.maxCluster()));
  list.set("static_shared_bytes",
           number(choice.sharedBytes() - choice.dynamicSharedBytes()));
  list.set("dynamic_shared_bytes", number(choice.dynamicSharedBytes()));
  if (choice.hasWorkspace())
    list.set("workspace_bytes", number(choice.workspaceBytes()));
  list.set("max_registers", number(choice.maxRegisters()));
  list.set("k", number(problem.k));
  std::string scheme;
  llvm::raw_string_ostream(scheme)
      << quant_llm::SchemeAttr::get(context, problem.scheme);
  list.set("scheme", b.getStringAttr(scheme));
  list.set("layout", describeLayout(b, choice));
  return list.getDictionary(context);
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static void writeJSON(llvm::json::OStream &os, Attribute attribute) {
  if (auto dictionary = dyn_cast<DictionaryAttr>(attribute)) {
    os.object([&] {
      for (NamedAttribute entry : dictionary) {
        os.attributeBegin(entry.getName().getValue());
        writeJSON(os, entry.getValue());
        os.attributeEnd();
      }
    });
  } else if (auto array = dyn_cast<ArrayAttr>(attribute)) {
    os.array([&] {
      for (Attribute element : array)
        writeJSON(os, element);
    });
  } else if (auto text = dyn_cast<StringAttr>(attribute)) {
    os.value(text.getValue());
  } else if (auto integer = dyn_cast<IntegerAttr>(attribute)) {
    os.value(integer.getInt());
  } else {
    os.value(nullptr);
  }
}

std::string toJSON(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream os(stream, /*IndentSize=*/2);
  writeJSON(os, attribute);
  stream << "\n";
  return text;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

LogicalResult writeArtifact(Location loc, StringRef folder, StringRef name,
                            StringRef bytes) {
  SmallString<256> path(folder);
  llvm::sys::path::append(path, name);
  auto fail = [&](StringRef why) {
    return emitError(loc) << "can't write '" << path << "': " << why;
  };
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return fail(error.message());
  // Written beside it and renamed.
  llvm::Error error =
      llvm::writeToOutput(path, [&](llvm::raw_ostream &os) -> llvm::Error {
        os << bytes;
        return llvm::Error::success();
      });
  if (error)
    return fail(llvm::toString(std::move(error)));
  return success();
}

} // namespace qk::nvvm
