# SPDX-License-Identifier: MIT
"""Several machines on one campaign: each run gives what its engines have kept to a folder that all of
them see, and takes what the others gave.

  SYNC/TARGET/HOST/queue/id:NNNNNN,sha1:HASH   what HOST has kept, each file written once
  SYNC/.HOST.lock                              held by the run that is HOST

That is how AFL++ lays out its instances, so that one that we know nothing of can take part
(afl-fuzz -M NAME -o SYNC/TARGET): what it keeps in its queue is taken, too. Here the engines have what
is taken from the target's corpus (build/fuzz-corpus), which they share already; at its end each run
merges its own."""

import fcntl
import os
import pathlib
import re
from typing import IO, Callable, Mapping, Optional

from common_lib import outputs
from common_lib.script import SetupError, explain
from fuzz_lib import program
from fuzz_lib.corpus import Corpus, sha1

HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
GIVEN = re.compile(r"id:(\d{6,}),sha1:([0-9a-f]{40})")
EXCHANGE_SECONDS = 30.0


class Share:
    """One run's part in it."""

    def __init__(self, folder: pathlib.Path, host: str) -> None:
        self.folder = folder
        self.host = host
        self.corpora: Mapping[str, Corpus] = {}
        self.given: dict[str, set[str]] = {}  # of each target: what others have from us, or we from them
        self.number: dict[str, int] = {}  # the last one in our queue: AFL++ looks beyond it only
        self.seen: set[pathlib.Path] = set()  # files of others
        self.next = 0.0
        self.gave, self.took = 0, 0
        self.lock: Optional[IO[str]] = None

    def open(self, corpora: Mapping[str, Corpus]) -> None:
        """Raises SetupError if the folder cannot be used."""
        try:
            self.lock = open(self.folder / f".{self.host}.lock", "a+")  # until the process ends
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in corpora:
                self.queue(name).mkdir(parents=True, exist_ok=True)
                found = list(filter(None, map(GIVEN.fullmatch, os.listdir(self.queue(name)))))
                self.given[name] = {match[2] for match in found}
                self.number[name] = max((int(match[1]) for match in found), default=0)
        except BlockingIOError:
            self.close()
            raise SetupError(f"another run is HOST_NAME={self.host} in {self.folder}: give this one "
                             "another name") from None
        except OSError as error:
            raise SetupError(f"SYNC: {explain(error)}") from None
        self.corpora = corpora

    def close(self) -> None:
        if self.lock is not None:
            self.lock.close()

    def queue(self, target: str) -> pathlib.Path:
        return self.folder / target / self.host / "queue"

    def exchange(self, now: float, problem: Callable[[str], None], force: bool = False) -> None:
        """Both ways, every so often. A folder that fails is told of, and the run goes on."""
        if now < self.next and not force:
            return
        self.next = now + EXCHANGE_SECONDS
        try:
            for name, corpus in self.corpora.items():
                self.give(name, corpus)
                self.take(name, corpus)
        except (OSError, outputs.OutputError) as error:
            reason = explain(error) if isinstance(error, OSError) else str(error)
            problem(f"finds are not shared: {reason}")

    def summary(self) -> str:
        return f"shared as {self.host}: {self.gave} inputs given, {self.took} taken"

    def give(self, name: str, corpus: Corpus) -> None:
        given = self.given[name]
        for path in sorted(corpus.folder.iterdir()):
            if path.name.startswith(".") or path.name in given:
                continue
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # it has failed meanwhile, and been taken out
            given.add(path.name)
            if (key := sha1(data)) in given and key != path.name:
                continue
            given.add(key)
            self.number[name] += 1
            program.write_atomically(
                self.queue(name) / f"id:{self.number[name]:06},sha1:{key}", data)
            self.gave += 1

    def take(self, name: str, corpus: Corpus) -> None:
        for path in sorted((self.folder / name).glob("*/queue/id:*")):
            if path.parent.parent.name == self.host or path in self.seen:
                continue
            data = path.read_bytes()
            match = GIVEN.fullmatch(path.name)
            if match and match[2] != sha1(data):
                continue  # on its way: it is looked at again
            self.seen.add(path)
            if data and len(data) <= corpus.target.max_len and corpus.take(data):
                self.given[name].add(sha1(data))  # others have it from where we have it
                self.took += 1
