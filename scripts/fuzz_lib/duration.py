# SPDX-License-Identifier: MIT
"""Durations as people write them: 90, 60s, 10m, 8h, 1h30m."""

import re

PATTERN = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?")
SECONDS_MAX = 30 * 24 * 3600


def parse(text: str) -> int:
    """The seconds that `text` stands for; ValueError with a one-line reason."""
    hint = f"FUZZ_TIME={text!r}: write 90, 60s, 10m, 8h or 1h30m"
    if re.fullmatch(r"[0-9]{1,9}", text):
        seconds = int(text)
    else:
        match = PATTERN.fullmatch(text) if text.isascii() else None
        if not text or match is None:
            raise ValueError(hint)
        hours, minutes, rest = (int(part or 0) for part in match.groups())
        seconds = hours * 3600 + minutes * 60 + rest
    if not 1 <= seconds <= SECONDS_MAX:
        raise ValueError(f"{hint}, at least 1s and at most 720h")
    return seconds


def show(seconds: float) -> str:
    """12s, 9m59s, 7h05m: the two leading units, rounded down."""
    seconds = max(0, int(seconds))
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
