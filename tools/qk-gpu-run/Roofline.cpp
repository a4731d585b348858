//===- Roofline.cpp - A picture of what was measured -------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Report.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace qk::gpurun {

static std::string format(const char *pattern, ...) {
  char text[600];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof(text), pattern, arguments);
  va_end(arguments);
  return text;
}

static std::string escaped(const std::string &text) {
  std::string out;
  for (char c : text)
    out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

/// Both axes are logarithmic.
std::string Report::roofline() const {
  constexpr double width = 900, height = 560, left = 70, right = 150, top = 40,
                   bottom = 60;
  constexpr double lowX = 1, highX = 4, lowY = 11.5, highY = 15.5;
  auto x = [&](double intensity) {
    double at = (std::log10(std::max(intensity, 1.0)) - lowX + 1) / highX;
    return left + (width - left - right) * std::clamp(at, 0.0, 1.0);
  };
  auto y = [&](double rate) {
    double at = (std::log10(std::max(rate, 1.0)) - lowY) / (highY - lowY);
    return height - bottom - (height - top - bottom) * std::clamp(at, 0.0, 1.0);
  };
  std::string svg = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n"
      "<rect width=\"%g\" height=\"%g\" fill=\"white\"/>\n"
      "<text x=\"%g\" y=\"20\" font-size=\"14\">",
      width, height, width, height, left);
  svg += escaped(device["name"].string()) + "</text>\n";
  for (double power = 0; power <= highX; ++power)
    svg += format("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\" "
                  "stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%g\" "
                  "text-anchor=\"middle\">%g</text>\n",
                  x(std::pow(10, power)), x(std::pow(10, power)), top,
                  height - bottom, x(std::pow(10, power)), height - bottom + 16,
                  std::pow(10, power));
  for (double power = 12; power <= 15; ++power)
    svg += format("<line y1=\"%.1f\" y2=\"%.1f\" x1=\"%g\" x2=\"%g\" "
                  "stroke=\"#ddd\"/><text x=\"%g\" y=\"%.1f\" "
                  "text-anchor=\"end\">%g T</text>\n",
                  y(std::pow(10, power)), y(std::pow(10, power)), left,
                  width - right, left - 6, y(std::pow(10, power)) + 4,
                  std::pow(10, power - 12));

  // Roofs: memory, then tensor cores.
  double memory = bandwidth();
  auto line = [&](double x1, double y1, double x2, double y2) {
    svg += format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                  "stroke=\"#555\"/>\n",
                  x(x1), y(y1), x(x2), y(y2));
  };
  double highest = 0;
  const Json &peaks = peers["peaks"];
  for (size_t i = 0; i < peaks.names.size(); ++i) {
    const std::string &name = peaks.names[i];
    const Json &peak = peaks.elements[i];
    double knee = peak.real() / std::max(memory, 1.0);
    highest = std::max(highest, peak.real());
    line(knee, peak.real(), 1e4, peak.real());
    svg += format("<text x=\"%g\" y=\"%.1f\">%s %.0f T/s</text>\n",
                  width - right + 6, y(peak.real()) + 4, name.c_str(),
                  peak.real() * 1e-12);
  }
  if (memory > 0) {
    double from = std::pow(10, lowY) / memory;
    double to = (highest > 0 ? highest : 1e15) / memory;
    line(std::max(from, 1.0), std::max(from, 1.0) * memory, to, to * memory);
    svg += format("<text x=\"%.1f\" y=\"%.1f\">memory %.2f TB/s</text>\n",
                  x(4) - 110, y(6 * memory), memory * 1e-12);
  }

  struct Style {
    const char *family, *colour;
  };
  static constexpr Style styles[] = {{"simt", "#777777"},
                                     {"decode", "#1b6ca8"},
                                     {"prefill", "#b8472a"},
                                     {"wgmma", "#6a8532"}};
  auto colourOf = [&](const std::string &family) {
    for (const Style &style : styles)
      if (family == style.family)
        return style.colour;
    return "#7d3c98";
  };
  auto point = [&](double intensity, double rate, const char *colour, bool own,
                   const std::string &title) {
    svg += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\" "
                  "stroke=\"%s\"><title>",
                  x(intensity), y(rate), own ? colour : "white", colour);
    svg += escaped(title) + "</title></circle>\n";
  };
  for (const Json &result : results) {
    double seconds = result["seconds"]["median"].real();
    if (seconds <= 0 || !result["error"].string().empty())
      continue;
    const Case &of = plan.cases[size_t(result["case"].integer())];
    double operations = result["operations"].real();
    double intensity = operations / result["least_bytes"].real();
    point(intensity, operations / seconds, colourOf(of.family), true,
          of.name + " " + of.variant + ": " + format("%.2f us", seconds * 1e6));
    if (double other = peerSeconds(of, "bf16"); other > 0)
      point(intensity, operations / other, "#000000", false,
            of.name + ": bf16 matmul");
  }
  double at = top + 10;
  for (const Style &style : styles) {
    svg += format("<circle cx=\"%g\" cy=\"%g\" r=\"4\" fill=\"%s\"/>"
                  "<text x=\"%g\" y=\"%g\">%s</text>\n",
                  left + 14, at, style.colour, left + 24, at + 4, style.family);
    at += 18;
  }
  svg += format("<circle cx=\"%g\" cy=\"%g\" r=\"4\" fill=\"white\" "
                "stroke=\"black\"/><text x=\"%g\" y=\"%g\">bf16 matmul "
                "(PyTorch), same shape</text>\n",
                left + 14, at, left + 24, at + 4);
  svg +=
      format("<text x=\"%g\" y=\"%g\" text-anchor=\"middle\">operations a "
             "byte (each operand read once)</text>\n"
             "<text x=\"16\" y=\"%g\" text-anchor=\"middle\" "
             "transform=\"rotate(-90 16 %g)\">operations a second</text>\n"
             "</svg>\n",
             (left + width - right) / 2, height - 16, height / 2, height / 2);
  return svg;
}

} // namespace qk::gpurun
