# SPDX-License-Identifier: MIT
"""What can be said of a page without a browser: it is well formed, names are there once, links lead
somewhere, and nothing is asked of a network."""

import html.parser
import pathlib
import re

VOID = {"meta", "link", "img", "br", "input", "hr", "line", "circle", "polyline", "polygon", "rect"}


class Checker(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path)
        self.open, self.faults, self.ids, self.links, self.texts = [], [], [], [], []
        text = self.path.read_text(encoding="utf-8")
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self.open]
        self.faults += [f"id {name} is there twice" for name in set(self.ids)
                        if self.ids.count(name) > 1]
        self.faults += [fault for link in self.links if (fault := self.fault_of(link))]
        self.faults += [f"a word was not filled in: {word}"
                        for word in re.findall(r"\{\{\w+\}\}", text)]

    def fault_of(self, link):
        if link.startswith("data:"):
            return None
        if link.startswith("#"):
            return None if link[1:] in self.ids else f"{link} leads nowhere"
        if re.match(r"[a-z]+:", link) or link.startswith("/"):
            return f"{link} leads out of the folder"
        name = link.partition("#")[0]
        return None if (self.path.parent / name).is_file() else f"{link} is not there"

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if "id" in values:
            self.ids.append(values["id"])
        self.links += [values[name] for name in ("href", "src") if name in values]
        if tag == "img" and not values.get("alt"):
            self.faults.append("a picture has no text")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes nothing (open: {self.open[-3:]})")
        else:
            self.open.pop()

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self):
        """What is read without scripts."""
        return " ".join(" ".join(self.texts).split())
