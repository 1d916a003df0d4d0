"""The ratios as a picture: a dot for each result, its range over the rounds as a line, a tick where it is to reach."""

import math
from xml.sax.saxutils import escape

LINE, LEFT, WIDTH, TOP = 18, 360, 560, 56
LIMIT = 6  # 64 times better or worse looks the same
COLOURS = {True: "#1a7f37", False: "#cf222e", None: "#57606a"}


def draw(results):
    """SVG text. The axis is logarithmic: 2 and 1/2 are equally far from 1. What is neither a ratio nor judged has no place on it."""
    shown = [each for each in results if each.measured and each.ratio > 0 and _unit(each)]
    values = [value / _unit(each) for each in shown for value in (each.min, each.max, each.reach or 1)]
    low = max(-LIMIT, math.log2(min([0.5, *values]))) - 0.1
    high = min(LIMIT, math.log2(max([2, *values]))) + 0.1

    def x(value):
        return LEFT + WIDTH * (min(max(math.log2(value), low), high) - low) / (high - low)

    height = TOP + LINE * len(shown) + 24
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 200}" height="{height}" '
             'font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="12" y="22" font-size="15">heddle / other, median and range of the rounds; | is to be reached</text>']
    for power in range(math.ceil(low), math.floor(high) + 1):
        parts.append(f'<line x1="{x(2 ** power):.1f}" x2="{x(2 ** power):.1f}" y1="{TOP - 12}" y2="{height - 18}" '
                     f'stroke="{"#57606a" if power == 0 else "#d0d7de"}"/>'
                     f'<text x="{x(2 ** power):.1f}" y="{TOP - 16}" text-anchor="middle">{2 ** power:g}</text>')
    for index, each in enumerate(shown):
        parts += _line(each, TOP + LINE * index + 6, x)
    return "\n".join([*parts, "</svg>\n"])


def _unit(each):
    """What is no ratio is shown as a part of what it is to be."""
    return each.reach if each.against == "self" else 1


def _line(each, y, x):
    colour, unit = COLOURS[each.ok], _unit(each)
    yield f'<text x="12" y="{y + 4}">{escape(f"{each.row}  {each.case}  against {each.against}")}</text>'
    yield f'<line x1="{x(each.min / unit):.1f}" x2="{x(each.max / unit):.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
    yield f'<circle cx="{x(each.ratio / unit):.1f}" cy="{y}" r="4" fill="{colour}"/>'
    if each.reach:
        yield f'<line x1="{x(each.reach / unit):.1f}" x2="{x(each.reach / unit):.1f}" y1="{y - 7}" y2="{y + 7}" stroke="black" stroke-width="2"/>'
    yield f'<text x="{LEFT + WIDTH + 12}" y="{y + 4}" fill="{colour}">{each.ratio:.2f}</text>'
