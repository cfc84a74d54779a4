#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/report-signatures, against a service of the tests' own.

  tests/scripts/test_report_signatures.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
COMMAND = TREE / "scripts/report-signatures"


class Service(http.server.BaseHTTPRequestHandler):
    """Issues, in pages of 100, with the words of both services."""

    def answer(self, content, status=200):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        server = self.server
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        server.asked.append((query["state"], self.headers.get("Authorization"),
                             self.headers.get("PRIVATE-TOKEN")))
        if server.garbage is not None:
            self.answer(server.garbage)
            return
        first = (int(query["page"]) - 1) * int(query["per_page"])
        self.answer([{"title": title} for title in server.titles[first:first + 100]])

    def do_POST(self):
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.closed:
            self.answer({}, 403)
            return
        self.server.opened.append(content)
        self.answer({"title": content["title"]}, 201)

    def log_message(self, *_arguments):
        pass


class ReportSignatures(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="test_report_signatures-")
        self.addCleanup(scratch.cleanup)
        self.file = pathlib.Path(scratch.name) / "known.txt"
        self.file.write_text("property=one\nproperty=two three\n\nproperty=one\n")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        self.server.titles, self.server.opened, self.server.asked = [], [], []
        self.server.closed, self.server.garbage = False, None
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.address = f"http://127.0.0.1:{self.server.server_port}/issues"

    def call(self, *arguments, **environment):
        usual = {"API": self.address, "TOKEN": "secret", "RUN": "https://run"}
        env = {**os.environ, **usual, **environment}
        return subprocess.run([COMMAND, *(arguments or [self.file])], env=env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)

    def assert_refused(self, done, *words):
        self.assertEqual((2, 1), (done.returncode, done.stderr.count("\n")), done)
        for word in ("scripts/report-signatures: ", *words):
            self.assertIn(word, done.stderr)
        self.assertNotIn("secret", done.stderr)
        self.assertEqual([], self.server.opened)

    def test_each_signature_has_one_issue(self):
        done = self.call()
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(["fuzzing: property=one", "fuzzing: property=two three"],
                         [issue["title"] for issue in self.server.opened])
        self.assertIn("`property=two three`\n\nhttps://run\n", self.server.opened[1]["body"])
        self.assertEqual([("open", "Bearer secret", None)], self.server.asked)
        self.assertEqual("opened: fuzzing: property=one\nopened: fuzzing: property=two three\n", done.stdout)

    def test_what_has_one_gets_none(self):
        self.server.titles = [f"issue {i}" for i in range(100)] + ["fuzzing: property=one"]
        done = self.call()
        self.assertEqual(["fuzzing: property=two three"], [issue["title"] for issue in self.server.opened])
        self.assertIn("there is one: fuzzing: property=one\n", done.stdout)
        self.assertEqual(2, len(self.server.asked))

    def test_gitlab_has_other_words(self):
        self.call(KIND="gitlab")
        self.assertIn("`property=one`", self.server.opened[0]["description"])
        self.assertEqual([("opened", None, "secret")], self.server.asked)

    def test_a_title_is_cut(self):
        self.file.write_text("leak" * 100 + "\n")
        self.call()
        self.assertEqual(250, len(self.server.opened[0]["title"]))
        self.assertIn("leak" * 100, self.server.opened[0]["body"])

    def test_no_signature_asks_for_nothing(self):
        self.file.write_text("\n")
        self.assertEqual(0, self.call().returncode)
        self.assertEqual([], self.server.asked)

    def test_what_is_refused(self):
        self.assert_refused(self.call("--all", self.file), "--all")
        self.assert_refused(self.call(self.file.with_name("none")), "none: cannot be read")
        self.assert_refused(self.call(KIND="gitea"), "KIND=gitea")
        self.assert_refused(self.call(API="issues"), "API=issues")
        self.assert_refused(self.call(TOKEN=""), "TOKEN is not set")
        self.assert_refused(self.call(API="http://127.0.0.1:1/issues"), "refused")
        self.server.garbage = b"<html>"
        self.assert_refused(self.call(), self.address)
        self.server.garbage = b'{"message": "moved"}'
        self.assert_refused(self.call(), "no list of issues")
        self.server.garbage, self.server.closed = None, True
        self.assert_refused(self.call(), "403")


if __name__ == "__main__":
    unittest.main()
