# SPDX-License-Identifier: MIT
"""Shows the report of a run that goes on: to browsers of this machine only."""

import functools
import http.server
import pathlib
import threading
import time
from typing import Any, Optional

from common_lib.script import SetupError

ADDRESS = "127.0.0.1"
REFRESH_SECONDS = 5  # between two pages
RECENT_SECONDS = 3 * REFRESH_SECONDS  # whoever asked since then is still looking


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the report's folder, and no lists of folders. Names other than this machine's are
    refused: a page from elsewhere must not read ours under a name of its own."""

    server: "Listener"

    def send_head(self) -> Any:
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host not in (ADDRESS, "localhost"):
            self.send_error(403, "Only for this machine")
            return None
        if pathlib.Path(self.translate_path(self.path)).is_dir() and self.path != "/":
            self.send_error(404)
            return None
        self.server.asked = time.monotonic()
        return super().send_head()

    def list_directory(self, path: Any) -> Any:
        self.send_error(404, "No report yet")

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """The terminal is the run's."""


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    asked = 0.0  # when the last request came

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no concern of the run."""


def read_port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise SetupError(f"SERVE='{text}': it is a port, from 1 to 65535")
    return int(text)


class Server:
    """`folder` None: only finds out whether the port can be had."""

    def __init__(self, port: int, folder: Optional[pathlib.Path]) -> None:
        handler = functools.partial(Handler, directory=str(folder))
        try:
            self.listener = Listener((ADDRESS, port), handler)
        except OSError as error:
            raise SetupError(f"SERVE={port}: port {port} of {ADDRESS} cannot be had "
                             f"({error.strerror}); name another one") from None
        self.address = f"http://{ADDRESS}:{port}/"
        self.due = 0.0
        if folder is None:
            self.listener.server_close()
            return
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def is_due(self, now: float) -> bool:
        if now < self.due:
            return False
        self.due = now + REFRESH_SECONDS
        return True

    def close(self) -> None:
        """Whoever is looking gets the last page."""
        written = time.monotonic()
        if written - self.listener.asked < RECENT_SECONDS:
            while (self.listener.asked < written
                   and time.monotonic() < written + REFRESH_SECONDS + 1):
                time.sleep(0.1)
        self.listener.shutdown()
        self.listener.server_close()
