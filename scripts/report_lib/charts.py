# SPDX-License-Identifier: MIT
"""Curves as SVG, which stands in the page: no picture is loaded, and colours follow the page's."""

import html
import math
from typing import NamedTuple, Optional, Sequence

from report_lib.template import Html

WIDTH, HEIGHT = 600, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 26
TICKS = 5
SPARK_WIDTH, SPARK_HEIGHT, SPARK_EDGE = 120, 24, 3

Curve = Sequence[tuple[float, float]]


class Band(NamedTuple):
    low: Curve
    high: Curve


def number(value: float) -> str:
    """Short: 1,234; 12.3k; 4.5M."""
    if value >= 1e7:
        return f"{value / 1e6:,.0f}M"
    if value >= 1e6:
        return f"{value / 1e6:.1f}M"
    if value >= 1e5:
        return f"{value / 1e3:.0f}k"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def seconds(value: float) -> str:
    if value >= 7200:
        return f"{value / 3600:g}h" if value % 360 == 0 else f"{value / 3600:.1f}h"
    if value >= 120:
        return f"{value / 60:g}m" if value % 6 == 0 else f"{value / 60:.1f}m"
    return f"{value:g}s"


def ticks(low: float, high: float, steps: Sequence[float] = (1, 2, 5, 10)) -> list[float]:
    """Round values from `low` to `high`, about TICKS of them."""
    if high <= low:
        return [low]
    raw = (high - low) / TICKS
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * each for each in steps if power * each >= raw)
    first = math.ceil(low / step)
    return [step * each for each in range(first, math.floor(high / step) + 1)]


def time_ticks(high: float) -> list[float]:
    for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800):
        if high / step <= TICKS + 1:
            return [float(step * each) for each in range(int(high / step) + 1)]
    return ticks(0, high)


class Frame:
    """What places values in the picture."""

    def __init__(self, x_max: float, y_min: float, y_max: float) -> None:
        self.x_max = max(x_max, 0.1)
        self.y_min, self.y_max = y_min, max(y_max, y_min + 1)

    def x(self, value: float) -> float:
        return LEFT + value / self.x_max * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.y_min) / (self.y_max - self.y_min)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def path(self, curve: Curve) -> str:
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in curve)


def stepped(curve: Curve) -> list[tuple[float, float]]:
    """Coverage stays what it is until more is found."""
    points: list[tuple[float, float]] = []
    for x, y in curve:
        if points and points[-1][1] != y:
            points.append((x, points[-1][1]))
        points.append((x, y))
    return points


def growth(curve: Curve, band: Optional[Band], label: str, unit: str) -> Html:
    """One curve over seconds, with the band of other runs under it. `label`: what it shows, in
    words, for those who do not see it."""
    values = [y for _, y in curve] + ([y for _, y in [*band.low, *band.high]] if band else [])
    low, high = min(values), max(values)
    room = max(1.0, (high - low) * 0.08)
    frame = Frame(max(x for x, _ in curve), max(0, low - room), high + room)
    lines = []
    for value in ticks(frame.y_min, frame.y_max):
        y = frame.y(value)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" '
                     f'y2="{y:.1f}"/><text class="tick" text-anchor="end" x="{LEFT - 6}" '
                     f'y="{y + 4:.1f}">{number(value)}</text>')
    for value in time_ticks(frame.x_max):
        lines.append(f'<text class="tick" text-anchor="middle" x="{frame.x(value):.1f}" '
                     f'y="{HEIGHT - 8}">{seconds(value)}</text>')
    if band:
        edge = [*stepped(band.low), *reversed(stepped(band.high))]
        lines.append(f'<polygon class="band" points="{frame.path(edge)}"/>')
    points = stepped(curve)
    lines.append(f'<polyline class="curve" points="{frame.path(points)}"/>')
    lines.append(f'<circle class="dot" cx="{frame.x(points[-1][0]):.1f}" '
                 f'cy="{frame.y(points[-1][1]):.1f}" r="3.5"/>')
    values_text = ";".join(f"{x:g},{y:g}" for x, y in curve)
    return Html(f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
                f'aria-label="{html.escape(label)}" data-curve="{values_text}" '
                f'data-unit="{html.escape(unit)}" data-frame="{LEFT},{WIDTH - RIGHT},'
                f'{frame.x_max:g},{TOP},{HEIGHT - BOTTOM},{frame.y_min:g},{frame.y_max:g}">'
                f'{"".join(lines)}</svg>')


def spark(values: Sequence[float], label: str) -> Html:
    """A small curve over runs, for the line of a table."""
    if len(values) < 2:
        return Html("")
    low, high = min(values), max(values)
    span = high - low or 1
    points = []
    for index, value in enumerate(values):
        x = SPARK_EDGE + index / (len(values) - 1) * (SPARK_WIDTH - 2 * SPARK_EDGE)
        y = SPARK_HEIGHT - SPARK_EDGE - (value - low) / span * (SPARK_HEIGHT - 2 * SPARK_EDGE)
        points.append(f"{x:.1f},{y:.1f}")
    end = points[-1].split(",")
    return Html(f'<svg class="spark" viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" role="img" '
                f'aria-label="{html.escape(label)}"><polyline class="curve" '
                f'points="{" ".join(points)}"/><circle class="dot" cx="{end[0]}" cy="{end[1]}" '
                f'r="2.5"/></svg>')
