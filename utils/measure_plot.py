# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The plot of utils/measure-model: accuracy against time, as SVG."""

import math

# What other tools give by this protocol (16 windows of 1024, groups of 64), as
# measured on one machine: name, bits, perplexity, KL, CPU seconds.
PEERS = [("llm-compressor GPTQ", 4, 22.32, .112, 150),
         ("llm-compressor GPTQ", 3, 35.72, .521, 151),
         ("llm-compressor GPTQ, mse observer", 3, 28.05, .365, 184),
         ("GPTQModel GPTQ", 3, 40.22, .623, 130)]


def draw(results):
    """KL against CPU seconds, both logarithmic, as SVG: bits by colour, other
    tools as open circles."""
    points = [(row, int(bits[0]), divergence, seconds, True)
              for row, _, divergence, seconds in results
              if seconds and divergence > 0
              for bits in [row.split(", ")[-1]] if bits[0].isdigit()]
    points += [(name, bits, divergence, seconds, False)
               for name, bits, _, divergence, seconds in PEERS]
    width, height, margin = 760, 480, 60
    low, high = math.log10(.02), math.log10(5)

    def x(seconds):
        return margin + (width - 2 * margin) * math.log10(seconds) / 3

    def y(divergence):
        part = (math.log10(divergence) - low) / (high - low)
        return height - margin - (height - 2 * margin) * part

    colours = {4: "#1b6ca8", 3: "#b8472a", 2: "#6a8532"}
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
           f'height="{height}" font-family="sans-serif" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="white"/>']
    for seconds in (1, 10, 100, 1000):
        svg.append(f'<line x1="{x(seconds):.1f}" x2="{x(seconds):.1f}" '
                   f'y1="{margin}" y2="{height - margin}" stroke="#ddd"/>'
                   f'<text x="{x(seconds):.1f}" y="{height - margin + 16}" '
                   f'text-anchor="middle">{seconds} s</text>')
    for divergence in (.02, .05, .1, .2, .5, 1, 2, 5):
        svg.append(f'<line y1="{y(divergence):.1f}" y2="{y(divergence):.1f}" '
                   f'x1="{margin}" x2="{width - margin}" stroke="#ddd"/>'
                   f'<text x="{margin - 6}" y="{y(divergence) + 4:.1f}" '
                   f'text-anchor="end">{divergence:g}</text>')
    for name, bits, divergence, seconds, own in points:
        at = f'cx="{x(max(seconds, 1)):.1f}" cy="{y(divergence):.1f}" r="4"'
        colour = colours.get(bits, "#555")
        fill = colour if own else "white"
        svg.append(f'<circle {at} fill="{fill}" stroke="{colour}"/>'
                   f'<text x="{x(max(seconds, 1)) + 7:.1f}" '
                   f'y="{y(divergence) + 4:.1f}">{name.rsplit(", ", 1)[0]}'
                   f'</text>')
    for i, (bits, colour) in enumerate(colours.items()):
        svg.append(f'<text x="{margin + 60 * i}" y="{margin - 24}" '
                   f'fill="{colour}">{bits} bits</text>')
    svg.append(f'<text x="{width / 2}" y="{height - 16}" '
               f'text-anchor="middle">CPU seconds to quantise</text>'
               f'<text x="16" y="{height / 2}" text-anchor="middle" '
               f'transform="rotate(-90 16 {height / 2})">mean KL to the float '
               f'model</text>')
    svg.append("</svg>\n")
    return "\n".join(svg)
