# SPDX-License-Identifier: MIT
"""A flame graph as one SVG file, from folded stacks: each box is a function, as wide as the bytes
that were allocated under it; what it calls stands above. Pointing at a box says all of its name."""

import re
from typing import Iterator, NamedTuple
from xml.sax import saxutils

WIDTH, ROW, MARGIN, TITLE = 1200, 18, 10, 30
LETTER = 7.0  # as wide as one is drawn
NARROWEST = 0.3  # what is less wide is left out
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: str) -> str:
    """File names and arguments may hold bytes that no XML may."""
    return saxutils.escape(NO_XML.sub("\ufffd", text))


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.bytes = 0
        self.children: dict[str, "Node"] = {}


class Box(NamedTuple):
    node: Node
    left: float
    depth: int
    width: float


def tree_of(folded: str) -> Node:
    root = Node("all")
    for line in filter(None, folded.split("\n")):
        stack, _, count = line.rpartition(" ")
        node = root
        node.bytes += int(count)
        for name in stack.split(";"):
            node = node.children.setdefault(name, Node(name))
            node.bytes += int(count)
    return root


def boxes_of(root: Node) -> Iterator[Box]:
    scale = (WIDTH - 2 * MARGIN) / max(root.bytes, 1)
    waiting = [Box(root, MARGIN, 0, root.bytes * scale)]
    while waiting:
        box = waiting.pop()
        if box.width < NARROWEST:
            continue
        yield box
        left = box.left
        for child in sorted(box.node.children.values(), key=lambda node: node.name):
            width = child.bytes * scale
            waiting.append(Box(child, left, box.depth + 1, width))
            left += width


def colour(name: str) -> str:
    """The same for the same name, wherever it is drawn."""
    number = sum(ord(letter) * (at + 1) for at, letter in enumerate(name))
    return f"rgb({205 + number % 50},{90 + number // 7 % 120},{number // 3 % 60})"


def draw(box: Box, height: int, total: int) -> str:
    y = height - MARGIN - (box.depth + 1) * ROW
    share = 100 * box.node.bytes / max(total, 1)
    shown = box.node.name[:max(int((box.width - 6) / LETTER), 0)]
    label = "" if len(shown) < 3 else (f'<text x="{box.left + 3:.1f}" y="{y + 13}">'
                                       f"{escape(shown)}</text>")
    return (f"<g><title>{escape(box.node.name)}: {box.node.bytes} bytes, {share:.2f} %</title>"
            f'<rect x="{box.left:.1f}" y="{y}" width="{box.width:.1f}" height="{ROW - 1}" '
            f'fill="{colour(box.node.name)}" rx="1"/>{label}</g>')


def svg_of(folded: str, title: str) -> str:
    root = tree_of(folded)
    boxes = list(boxes_of(root))
    height = TITLE + 2 * MARGIN + (max((box.depth for box in boxes), default=0) + 1) * ROW
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
             f'viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fffbe8"/>',
             f'<text x="{MARGIN}" y="20" font-size="14">{escape(title)}: {root.bytes} bytes</text>']
    lines += [draw(box, height, root.bytes) for box in boxes]
    return "\n".join(lines + ["</svg>", ""])
