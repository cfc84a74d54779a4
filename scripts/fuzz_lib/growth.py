# SPDX-License-Identifier: MIT
"""How a target's coverage grew in a run: a few hundred points, however long the run was."""

from typing import NamedTuple, Optional

POINTS_MAX = 240
INTERVAL_FIRST = 0.5  # seconds between points; doubled whenever there are too many
BARS = "▁▂▃▄▅▆▇█"
BARS_ASCII = ".:-=+*#@"


class Point(NamedTuple):
    seconds: float  # since the run was started
    executions: int
    edges: int
    features: int
    corpus: int  # files


class Growth:
    def __init__(self) -> None:
        self.points: list[Point] = []
        self.interval = INTERVAL_FIRST
        self.latest: Optional[Point] = None
        self.last_find: Optional[float] = None  # seconds since the start; None: none yet

    def add(self, point: Point, loaded: bool) -> None:
        """`loaded`: has what was in the corpus been read? Features before that are no finds."""
        before = self.latest
        if loaded and before is not None and before.features > 0:
            if point.features > before.features or point.edges > before.edges:
                self.last_find = point.seconds
        self.latest = point
        if not self.points or point.seconds - self.points[-1].seconds >= self.interval:
            self.points.append(point)
        if len(self.points) > POINTS_MAX:
            self.points = self.points[::2]
            self.interval *= 2

    def whole(self) -> list[Point]:
        """The points, the latest one among them."""
        if self.latest is None or (self.points and self.points[-1] == self.latest):
            return list(self.points)
        return [*self.points, self.latest]

    def bars(self, width: int, ascii_only: bool) -> str:
        """The features over the run as so many characters, from the first count to the latest."""
        points = [point for point in self.whole() if point.features > 0]
        if len(points) < 2:
            return ""
        first, last = points[0], points[-1]
        kinds = BARS_ASCII if ascii_only else BARS
        span = last.features - first.features
        seconds = last.seconds - first.seconds
        if span <= 0 or seconds <= 0:
            return kinds[0] * width
        text = []
        at = 0
        for column in range(width):
            end = first.seconds + seconds * (column + 1) / width
            while at + 1 < len(points) and points[at + 1].seconds <= end:
                at += 1
            share = max(0.0, (points[at].features - first.features) / span)
            text.append(kinds[min(len(kinds) - 1, int(share * len(kinds)))])
        return "".join(text)
