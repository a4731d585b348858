//===- Exporters.cpp - Who writes what, and how to get it readable --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Exporters.h"

#include "llvm/ADT/StringSwitch.h"

using namespace qk;
using llvm::StringRef;

Exporter qk::exporterOf(StringRef dialect) {
  static constexpr StringRef torch =
      "torch-mlir-opt --mlir-print-op-generic FILE (in Python: "
      "module.operation.get_asm(print_generic_op_form=True))";
  static constexpr StringRef stablehlo =
      "stablehlo-opt --mlir-print-op-generic FILE (in Python, JAX's too: "
      "module.operation.get_asm(print_generic_op_form=True, "
      "enable_debug_info=True))";
  static constexpr StringRef iree = "iree-opt --mlir-print-op-generic FILE";
  return llvm::StringSwitch<Exporter>(dialect)
      .Cases({"torch", "torch_c", "tm_tensor"}, {"torch-mlir", torch})
      .Cases({"stablehlo", "chlo", "mhlo", "sdy"},
             {"torch-mlir, JAX or another StableHLO tool", stablehlo})
      .Cases({"util", "hal", "flow", "stream", "vm", "io_parameters",
              "iree_input", "iree_linalg_ext", "iree_encoding"},
             {"IREE", iree})
      .Cases({"onnx", "krnl", "zlow"},
             {"onnx-mlir", "onnx-mlir-opt --mlir-print-op-generic FILE"})
      .Cases({"tfl", "tf", "tf_saved_model"},
             {"TensorFlow", "flatbuffer_translate or tf-opt with "
                            "--mlir-print-op-generic, or lower to TOSA first"})
      .Default({"another compiler",
                "the tool that wrote it, with --mlir-print-op-generic"});
}

std::string qk::describeForeignFile(StringRef bytes) {
  static constexpr StringRef bytecode("ML\xEFR", 4);
  auto at = [&](size_t offset, StringRef magic) {
    return bytes.substr(offset, magic.size()) == magic;
  };
  if (at(4, "TFL3"))
    return "a TFLite flatbuffer, no module; convert it with "
           "tosa-converter-for-tflite and give qk the TOSA text";
  if (at(0, "GGUF"))
    return "a GGUF checkpoint, no module; transformers reads it "
           "(from_pretrained with gguf_file=) and saves a folder to export";
  if (at(0, StringRef("PK\x03\x04", 4)))
    return "a zip archive as torch.save and torch.export write, no module; "
           "export the model through torch-mlir";
  if (bytes.size() > 9 && bytes[8] == '{' && bytes[9] == '"')
    return "a safetensors file, no module; it goes with --weights=";
  // A flatbuffer whose payload is bytecode: jax.export's Exported.serialize().
  if (!bytes.starts_with(bytecode) && bytes.contains('\0') &&
      bytes.contains(bytecode))
    return "a container with bytecode inside, as jax.export's serialize() "
           "writes; give qk the text: str(exported.mlir_module()) through "
           "stablehlo-opt --mlir-print-op-generic";
  if (at(0, "\x93NUMPY"))
    return "a NumPy array, no module; it goes with qk-run's --input=";
  // ONNX is protobuf that begins with field 1, ir_version; no text does.
  if (at(0, "\x08"))
    return "an ONNX file, no module; import it with torch-mlir-import-onnx and "
           "print the generic form";
  return "";
}
