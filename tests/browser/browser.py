# SPDX-License-Identifier: MIT
"""A real browser without a window: Debian's chromium, told what to do over two pipes in the words
of its debugging protocol (Chrome DevTools Protocol; JSON, each message ended by a NUL)."""

import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"))

from common_lib import children

SECONDS_MAX = 60
COMPLAINTS = ("error", "warning", "assert")
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
           "--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions",
           "--disable-component-update", "--disable-sync", "--remote-debugging-pipe")


class Browser:
    """One page in a browser of its own. `errors`: what scripts and console complained about;
    `requests`: all that the page asked for."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="browser-")
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()

        def prepare():
            children.die_with_parent()
            # The browser reads descriptor 3 and writes 4.
            read, write = os.dup(to_read), os.dup(to_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            ["chromium", *OPTIONS, f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            close_fds=False, preexec_fn=prepare)
        os.close(to_read)
        os.close(to_write)
        self.buffer = b""
        self.number = 0
        self.errors, self.requests, self.events = [], [], []
        target = self.ask("Target.createTarget", url="about:blank", session=None)["targetId"]
        self.session = None
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        self.requests.clear()
        self.errors.clear()

    def close(self):
        os.close(self.to)
        os.close(self.back)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the protocol

    def read(self):
        while b"\0" not in self.buffer:
            if not select.select([self.back], [], [], SECONDS_MAX)[0]:
                raise TimeoutError(f"the browser has said nothing for {SECONDS_MAX} s")
            piece = os.read(self.back, 1 << 20)
            if not piece:
                raise EOFError("the browser has ended")
            self.buffer += piece
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def note(self, message):
        method, values = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.errors.append(values["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and values["type"] in COMPLAINTS:
            self.errors.append(str([each.get("value") for each in values["args"]]))
        self.events.append(method)

    def ask(self, method, session="own", **values):
        self.number += 1
        message = {"id": self.number, "method": method, "params": values}
        if session == "own" and getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.note(answer)

    # ---- what tests do

    def open(self, url):
        """Opens a path or an address, and waits until it is loaded; how long that took, in
        seconds."""
        if isinstance(url, pathlib.Path):
            url = url.resolve().as_uri()
        start = time.monotonic()
        self.events.clear()
        answer = self.ask("Page.navigate", url=url)
        if "errorText" in answer:
            raise RuntimeError(f"{url}: {answer['errorText']}")
        is_elsewhere = "loaderId" in answer  # or only another place of the same page
        while is_elsewhere and "Page.loadEventFired" not in self.events:
            self.note(self.read())
        return time.monotonic() - start

    def run(self, expression):
        """The value of a JavaScript expression (a promise's, when it has come)."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True,
                          awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def resize(self, width, height, phone=False):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=phone)

    def prefer(self, scheme):
        """`dark` or `light`."""
        self.ask("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": scheme}])

    def scripts(self, allowed):
        self.ask("Emulation.setScriptExecutionDisabled", value=not allowed)

    def press(self, key, code=None, modifiers=0, text=None):
        values = {"key": key, "code": code or key, "modifiers": modifiers}
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                 "ArrowDown": 40, "Home": 36, "End": 35, "PageUp": 33, "PageDown": 34}
        values["windowsVirtualKeyCode"] = codes.get(key, ord(key[0].upper()))
        more = {"text": text} if text else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **values, **more)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **values)

    def move_mouse(self, x, y):
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def picture(self, path, whole=False):
        """A screenshot; `whole`: of all of the page."""
        more = {}
        if whole:
            size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            more = {"captureBeyondViewport": True,
                    "clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"],
                             "scale": 1}}
        data = self.ask("Page.captureScreenshot", format="png", **more)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))
