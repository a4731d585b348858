# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The plot of utils/measure-model: accuracy against time, as SVG."""

import math

# What other tools give by this protocol (16 windows of 1024, groups of 64), as
# measured on one machine: name, bits, perplexity, KL, CPU seconds.
PEERS = [("llm-compressor GPTQ", 4, 22.32, .112, 150),
         ("llm-compressor GPTQ", 3, 35.72, .521, 151),
         ("llm-compressor GPTQ, mse observer", 3, 28.05, .365, 184),
         ("GPTQModel GPTQ", 3, 40.22, .623, 130)]


def place(cx, cy, width, taken):
    """Where a point's label begins, so that it covers no other and no point where
    that can be had; `taken` are boxes, to which the label's is added."""
    def box(tx, ty):
        return tx, ty - 9, tx + width, ty + 3

    def overlap(a, b):
        return (max(0, min(a[2], b[2]) - max(a[0], b[0])) *
                max(0, min(a[3], b[3]) - max(a[1], b[1])))

    places = [(tx, cy + 4 + dy) for dy in (0, -12, 12, -24, 24)
              for tx in (cx + 7, cx - 7 - width)]
    best = min(places, key=lambda p: sum(overlap(box(*p), b) for b in taken))
    taken.append(box(*best))
    return best


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
    at = [(x(max(seconds, 1)), y(divergence))
          for _, _, divergence, seconds, _ in points]
    taken = [(cx - 5, cy - 5, cx + 5, cy + 5) for cx, cy in at]
    for (cx, cy), (name, bits, _, _, own) in zip(at, points):
        colour = colours.get(bits, "#555")
        fill = colour if own else "white"
        text = name.rsplit(", ", 1)[0] if own else name
        tx, ty = place(cx, cy, 6.3 * len(text), taken)
        svg.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="4" fill="{fill}" '
                   f'stroke="{colour}"/>'
                   f'<text x="{tx:.1f}" y="{ty:.1f}">{text}</text>')
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


def rows_of(page):
    """qk's rows of weights alone in SmolLM2's table of docs/Accuracy.md, as draw
    takes them: "4 bits, GPTQ, fast" is "GPTQ, fast, 4 bits"."""
    with open(page, encoding="utf-8") as file:
        section = file.read().split("## SmolLM2-135M")[1].split("\n## ")[0]
    known = {name for name, *_ in PEERS}
    for line in section.split("\n\n")[2].splitlines()[2:]:
        name, perplexity, divergence, seconds = [
            cell.strip() for cell in line.strip("|").split("|")]
        bits, _, method = name.partition(", ")
        if method not in known and bits in ("4 bits", "3 bits", "2 bits"):
            yield (f"{method}, {bits}", float(perplexity), float(divergence),
                   float(seconds))


if __name__ == "__main__":
    # measure_plot.py docs/Accuracy.md > docs/smollm2.svg
    import sys
    print(draw(list(rows_of(sys.argv[1]))))
