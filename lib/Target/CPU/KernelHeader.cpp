//===- KernelHeader.cpp - The C header of a standalone kernel -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/CPU/StandaloneKernel.h"

#include <algorithm>
#include <cctype>
#include <cstdarg>
#include <cstdio>

using namespace qk::numerics;

namespace qk::cpu {

namespace {

/// printf to the end of a string.
class Text {
public:
  [[gnu::format(printf, 2, 3)]] void add(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = std::vsnprintf(nullptr, 0, format, arguments);
    size_t end = text.size();
    text.resize(end + static_cast<size_t>(size) + 1);
    std::vsnprintf(text.data() + end, static_cast<size_t>(size) + 1, format,
                   again);
    text.pop_back();
    va_end(again);
    va_end(arguments);
  }
  std::string text;
};

const char *cType(Element element) {
  return element == Element::F32 ? "float" : "uint16_t";
}
const char *cType(ScaleType type) {
  return type == ScaleType::F32 ? "float" : "uint16_t";
}
const char *cType(Activation activation) {
  return activation == Activation::Int16 ? "int16_t" : "int8_t";
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  return text;
}

/// " (bits of f16)" where C has no such type.
std::string bitsOf(std::string_view name) {
  return name == "f32" ? "" : " (the bits of " + std::string(name) + ")";
}

std::string listLevels(const std::vector<Level> &levels) {
  std::string text;
  for (Level level : levels)
    text += (text.empty() ? "" : ", ") + std::string(name(level));
  return text;
}

void describe(Text &out, const StandaloneKernel &kernel) {
  const KernelSpec &spec = kernel.spec;
  const int64_t length = spec.scheme.groupLength(spec.k);
  const char *symbol = kernel.name.c_str();
  out.add(
      "/* %s: a quantised matrix product, made by qk-kernel.\n"
      " *\n"
      " *   y[m,n] = sum over k of x[m,k] * s[n,k/%lld] * (c[n,k] - "
      "z[n,k/%lld])%s\n"
      " *\n"
      " * K = %lld; codes c are %s in groups of %lld, scales s %s, zero "
      "points z %s.\n",
      symbol, static_cast<long long>(length), static_cast<long long>(length),
      spec.bias ? " + bias[n]" : "", static_cast<long long>(spec.k),
      std::string(name(spec.scheme.codeType)).c_str(),
      static_cast<long long>(length),
      std::string(name(spec.scheme.scaleType)).c_str(),
      spec.zeroPoints ? "given"
                      : std::to_string(spec.scheme.defaultZeroPoint()).c_str());
  if (spec.activation == Activation::Float)
    out.add(" * x stays float: sums are f32.\n");
  else if (kernel.quantizedInput)
    out.add(
        " * x comes as codes of %s (magnitude at most %d) with a scale %s.\n",
        std::string(name(spec.activation)).c_str(),
        activationMax(spec.activation),
        spec.sharing == Sharing::Tensor  ? "for all"
        : spec.sharing == Sharing::Token ? "a row"
                                         : "a row and group");
  else
    out.add(" * x is quantised to %s inside, with a scale a row%s.\n",
            std::string(name(spec.activation)).c_str(),
            spec.sharing == Sharing::Token ? "" : " and group");
  out.add(" * The object holds code for: %s; the best that the machine has is "
          "taken.\n",
          listLevels(kernel.levels).c_str());
  if (kernel.threads)
    out.add(" * Runs on OpenMP's threads: link with LLVM's libomp and the C "
            "library's mathematics\n * (-lomp -lm).\n");
  else
    out.add(
        " * Runs on the thread that calls it; link with the C library's "
        "mathematics (-lm).\n * To spread it over threads of your own, call "
        "it for rows of x, or for ranges of\n * channels that begin at a "
        "multiple of 64 (at packed + %s_packed_bytes(first)).\n",
        symbol);
  out.add(" * Results do not depend on the number of threads, nor a row on the "
          "others. */\n");
}

void declareFunction(Text &out, const StandaloneKernel &kernel) {
  const KernelSpec &spec = kernel.spec;
  const char *x =
      kernel.quantizedInput ? cType(spec.activation) : cType(spec.element);
  const std::string bits = bitsOf(name(spec.element));
  out.add("/* x: [m, K]%s, rows x_stride elements apart.\n",
          kernel.quantizedInput ? "" : bits.c_str());
  if (kernel.quantizedInput)
    out.add(" * x_scales: [%s].\n", spec.sharing == Sharing::Tensor ? "1"
                                    : spec.sharing == Sharing::Token
                                        ? "m, 1"
                                        : "m, groups");
  out.add(" * packed: what %s_pack wrote, 64-byte aligned.\n",
          kernel.name.c_str());
  if (spec.bias)
    out.add(" * bias: [n].\n");
  out.add(
      " * y: [m, n]%s, rows y_stride elements apart; no overlap with what is "
      "read.\n"
      " * workspace: %s_workspace_bytes(m) bytes, 64-byte aligned; one for "
      "each call\n"
      " * that runs at the same time.\n"
      " * Returns 0, or -1 where the processor has none of the levels (y is "
      "untouched). */\n",
      bits.c_str(), kernel.name.c_str());
  out.add("int %s(int64_t m, int64_t n, const %s *x, int64_t x_stride,\n",
          kernel.name.c_str(), x);
  if (kernel.quantizedInput)
    out.add("    const float *x_scales,\n");
  out.add("    const void *packed,%s %s *y, int64_t y_stride,\n"
          "    void *workspace);\n\n",
          spec.bias ? " const float *bias," : "", cType(spec.element));
}

void defineWorkspace(Text &out, const StandaloneKernel &kernel) {
  out.add("static inline size_t %s_workspace_bytes(int64_t m) {\n"
          "  size_t rows = (size_t)m, bytes = 0;\n",
          kernel.name.c_str());
  for (int64_t bytes : kernel.workspaceBytesPerRow())
    out.add("  bytes += (rows * %lld + 63) / 64 * 64;\n",
            static_cast<long long>(bytes));
  out.add("  return bytes;\n}\n\n");
}

/// The statement that puts `code` of channel c, number i of its unit.
const char *putCode(int bits) {
  switch (bits) {
  case 2:
    return "unit[byte] |= (uint8_t)(code << 2 * field);";
  case 3:
    return "unit[field / 4 * 256 + byte] |= (uint8_t)((code & 3) << 2 * (field "
           "% 4));\n"
           "          unit[512 + byte] |= (uint8_t)((code >> 2) << field);";
  case 4:
    return "unit[byte] |= (uint8_t)(code << 4 * field);";
  default:
    return "unit[byte] = code;";
  }
}

void definePack(Text &out, const StandaloneKernel &kernel) {
  const KernelSpec &spec = kernel.spec;
  const Layout layout = spec.layout();
  const char *symbol = kernel.name.c_str();
  const bool isSigned = spec.scheme.isSigned();
  const auto number = [](int64_t value) {
    return static_cast<long long>(value);
  };
  out.add("static inline size_t %s_packed_bytes(int64_t n) {\n"
          "  return (size_t)((n + 63) / 64) * %lld;\n}\n\n",
          symbol, number(layout.tileBytes()));
  out.add("/* Writes a weight of n channels into the kernel's layout "
          "(\"%s\"), once.\n"
          " * codes: [n, K], a byte each. scales: [n, groups]%s.\n",
          kLayoutName, bitsOf(name(spec.scheme.scaleType)).c_str());
  if (spec.zeroPoints)
    out.add(" * zero_points: [n, groups], in the codes' domain.\n");
  out.add(" * packed: %s_packed_bytes(n) bytes. */\n", symbol);
  out.add("static inline void %s_pack(int64_t n, const %s *codes, const %s "
          "*scales,\n    %svoid *packed) {\n",
          symbol, isSigned ? "int8_t" : "uint8_t", cType(spec.scheme.scaleType),
          spec.zeroPoints ? "const int16_t *zero_points, " : "");
  out.add("  uint8_t *out = (uint8_t *)packed;\n"
          "  memset(out, 0, %s_packed_bytes(n));\n"
          "  for (int64_t row = 0; row < n; ++row) {\n"
          "    uint8_t *tile = out + row / 64 * %lld;\n"
          "    int64_t c = row %% 64;\n"
          "    for (int64_t group = 0; group < %lld; ++group) {\n"
          "      uint8_t *base = tile + group * %lld;\n"
          "      int64_t first = group * %lld;\n"
          "      int64_t length = %lld - first < %lld ? %lld - first : %lld;\n",
          symbol, number(layout.tileBytes()), number(layout.groups()),
          number(layout.groupBytes(0)), number(layout.groupLength(0)),
          number(spec.k), number(layout.groupLength(0)), number(spec.k),
          number(layout.groupLength(0)));
  out.add(
      "      for (int64_t i = 0; i < length; ++i) {\n"
      "          uint8_t *unit = base + i / %lld * %lld;\n"
      "          int64_t byte = 4 * c + i %% 4, field = i %% %lld / 4;\n"
      "          uint8_t code = (uint8_t)(codes[row * %lld + first + i]%s);\n"
      "          %s\n"
      "          (void)field;\n"
      "      }\n",
      number(layout.unitK()), number(layout.unitBytes()),
      number(layout.unitK()), number(spec.k), isSigned ? " + 128" : "",
      putCode(spec.scheme.bits()));
  const int64_t scaleSize = layout.scaleBytes() / kTileChannels;
  out.add("      uint8_t *tail = base + (length + %lld) / %lld * %lld;\n"
          "      memcpy(tail + %lld * c, &scales[row * %lld + group], %lld);\n",
          number(layout.unitK() - 1), number(layout.unitK()),
          number(layout.unitBytes()), number(scaleSize),
          number(layout.groups()), number(scaleSize));
  if (spec.zeroPoints) {
    out.add("      int16_t zero = (int16_t)(zero_points[row * %lld + "
            "group]%s);\n",
            number(layout.groups()), isSigned ? " + 128" : "");
    if (spec.scheme.bits() == 8)
      out.add("      memcpy(tail + %lld + 2 * c, &zero, 2);\n",
              number(layout.scaleBytes()));
    else
      out.add("      tail[%lld + c] = (uint8_t)zero;\n",
              number(layout.scaleBytes()));
  }
  out.add("    }\n  }\n}\n\n");
}

} // namespace

std::string writeKernelHeader(const StandaloneKernel &kernel) {
  Text out;
  const std::string macro = upper(kernel.name);
  const char *prefix = macro.c_str();
  describe(out, kernel);
  out.add("#ifndef %s_H\n#define %s_H\n\n#include <stddef.h>\n#include "
          "<stdint.h>\n#include <string.h>\n\n#ifdef __cplusplus\nextern \"C\" "
          "{\n#endif\n\n",
          prefix, prefix);
  out.add("enum { %s_K = %lld, %s_GROUP = %lld, %s_GROUPS = %lld };\n\n",
          prefix, static_cast<long long>(kernel.spec.k), prefix,
          static_cast<long long>(kernel.spec.scheme.groupLength(kernel.spec.k)),
          prefix, static_cast<long long>(kernel.spec.layout().groups()));
  declareFunction(out, kernel);
  defineWorkspace(out, kernel);
  definePack(out, kernel);
  out.add("#ifdef __cplusplus\n}\n#endif\n\n#endif /* %s_H */\n", prefix);
  return out.text;
}

} // namespace qk::cpu
