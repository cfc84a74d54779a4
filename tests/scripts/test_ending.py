#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Scripts that are ended: what they run is told and waited for, and the exit status says by what.
Takes some seconds:

  tests/scripts/test_ending.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_MAX = 20

# Says its number, and what it was ended by.
PROGRAM = """#!/bin/bash
exec 2> /dev/null
exec 2> /dev/null
trap 'echo ended by INT >> {log}; exit 9' INT
trap 'echo ended by TERM >> {log}; exit 9' TERM
trap 'echo ended by HUP >> {log}; exit 9' HUP
echo $$ >> {log}
for i in {{1..300}}; do sleep 0.1; done
"""

# A script of which `main` is given.
SCRIPT = """#!/usr/bin/python3
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, {scripts!r})
import subprocess, tempfile, time
from common_lib import script
def main(program):
    {body}
script.run("scripts/some", main, sys.argv[1])
"""


def lives(child):
    """What has ended may be there yet, if nobody has asked for its status."""
    try:
        return pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Ending(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ending-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = self.folder / "log"
        self.program = self.write("program", PROGRAM.format(log=self.log))

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def start(self, *command, **options):
        process = subprocess.Popen(
            [str(word) for word in command], start_new_session=True, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(process.kill)
        return process

    def await_log(self):
        """The process number of what was started."""
        end = time.monotonic() + SECONDS_MAX
        while not (self.log.exists() and self.log.read_text().endswith("\n")):
            self.assertLess(time.monotonic(), end, "nothing was started")
            time.sleep(0.02)
        return int(self.log.read_text().split()[0])

    def end(self, number, *command, **options):
        """(exit status, standard output, standard error) of a command that is sent the signal."""
        self.log.unlink(missing_ok=True)
        process = self.start(*command, **options)
        child = self.await_log()
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS_MAX)
        self.assertNotIn("Traceback", err)
        self.assertFalse(lives(child), "an orphan")
        name = number.name.removeprefix("SIG")
        self.assertEqual(f"ended by {name}", self.log.read_text().splitlines()[-1])
        return process.returncode, out, err

    def script(self, body):
        return self.write("script", SCRIPT.format(scripts=str(TREE / "scripts"), body=body))

    def test_what_runs_is_told_and_waited_for(self):
        script = self.script("script.KEEPER.run([program]); script.KEEPER.run(['touch', 'no'])")
        for number in ENDS:
            self.assertEqual((128 + number, "", ""),
                             self.end(number, script, self.program, cwd=self.folder))
        self.assertFalse((self.folder / "no").exists())

    def test_a_script_that_runs_nothing_ends_at_once(self):
        script = self.script(f"open({str(self.log)!r}, 'w').write('1\\n'); time.sleep(100)")
        for number in ENDS:
            self.log.unlink(missing_ok=True)
            process = self.start(script, self.program)
            self.await_log()
            process.send_signal(number)
            self.assertEqual(("", ""), process.communicate(timeout=SECONDS_MAX))
            self.assertEqual(128 + number, process.returncode)

    def test_a_script_that_is_killed_takes_along_what_it_runs(self):
        process = self.start(self.script("script.KEEPER.run([program])"), self.program)
        child = self.await_log()
        process.kill()
        process.communicate()
        time.sleep(0.5)
        self.assertFalse(lives(child), "an orphan")

    def test_what_is_ignored_stays_ignored(self):
        script = self.script(f"open({str(self.log)!r}, 'w').write('1\\n'); time.sleep(1)")
        process = self.start(script, self.program,
                             preexec_fn=lambda: [signal.signal(n, signal.SIG_IGN) for n in ENDS])
        self.await_log()
        for number in ENDS:
            process.send_signal(number)
        self.assertEqual(0, process.wait(timeout=SECONDS_MAX))

    def test_what_a_user_can_cause_is_one_line(self):
        for body, words in (
            ("open('/none/at/all')", "/none/at/all: No such file or directory"),
            ("open('/none/\\udcff')", "No such file or directory"),
            ("raise script.SetupError('first\\nsecond')", "first second"),
            ("open('/dev/full', 'w', buffering=1).write('x\\n')", "No space left on device"),
        ):
            done = subprocess.run([self.script(body), "x"], capture_output=True, check=False)
            self.assertEqual((2, 1), (done.returncode, done.stderr.count(b"\n")), done)
            self.assertTrue(done.stderr.startswith(b"scripts/some: "), done)
            self.assertIn(words.encode(), done.stderr)
        script = self.script("print('x' * 100000)")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([script, "x"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual((2, 1), (done.returncode, done.stderr.count(b"\n")), done)
        for shell in ("{} x | true", "{} x >&-"):
            done = subprocess.run(["bash", "-c", f"set -o pipefail; {shell.format(script)}"],
                                  capture_output=True, check=False)
            self.assertEqual((2, 1), (done.returncode, done.stderr.count(b"\n")), done)

    def tree(self):
        """A tree of which run-suites runs a suite that does not end."""
        scripts = self.folder / "tree" / "scripts"
        shutil.copytree(TREE / "scripts", scripts)
        (self.folder / "tree" / "build" / "debug").mkdir(parents=True)
        return self.folder / "tree"

    def test_run_suites(self):
        tree = self.tree()
        results = tree / "build" / "debug" / "results.tsv"
        results.write_text("of the last run\n")
        suite = self.write("test_slow.py", PROGRAM.format(log=self.log))
        for number in ENDS:
            status, out, err = self.end(number, tree / "scripts" / "run-suites", "debug", suite)
            self.assertEqual((128 + number, "", ""), (status, out, err))
        self.assertEqual("of the last run\n", results.read_text())

    def test_run_suites_can_leave_failures_to_others(self):
        tree = self.tree()
        suite = self.write("test_bad.py", "#!/bin/bash\necho 1..1; echo not ok 1 - it; exit 1\n")
        for options, status in (([], 1), (["--report-only"], 0)):
            done = subprocess.run([tree / "scripts" / "run-suites", "debug", *options, suite],
                                  stdout=subprocess.DEVNULL, check=False)
            self.assertEqual(status, done.returncode)
        self.assertEqual("bad\tit\tfailed\n",
                         (tree / "build" / "debug" / "results.tsv").read_text())

    def test_profile(self):
        """Under a stand-in for Valgrind, which only starts the program."""
        tree = self.tree()
        shutil.copytree(TREE / "valgrind", tree / "valgrind")
        self.write("valgrind", '#!/bin/bash\nwhile [[ $1 == -* ]]; do shift; done\nexec "$@"\n')
        path = f"{self.folder}:{os.environ['PATH']}"
        for number in ENDS:
            status, out, err = self.end(number, tree / "scripts" / "profile", "memcheck",
                                        self.program, env=os.environ | {"PATH": path})
            self.assertEqual((128 + number, "", ""), (status, out, err))

    def ci(self, steps):
        """.ci/run with these steps."""
        text = (TREE / ".ci" / "run").read_text().partition("\nstep bootstrap ")[0]
        (self.folder / ".ci").mkdir(exist_ok=True)
        return self.write(".ci/run", f"{text}\n{steps}finish\n")

    def test_ci(self):
        never = f'step never touch "{self.folder}/never"\n'
        run = self.ci(f'step slow "{self.program}"\n{never}')
        for number in ENDS:
            status, out, _ = self.end(number, run)
            self.assertEqual(128 + number, status, out)
            self.assertRegex(out, f"failed steps: slow.*\nended by {number.name}: .*\n"
                                  "0 passed, 1 failed\n$")
        self.assertFalse((self.folder / "never").exists())

    def test_ci_with_steps_at_once(self):
        """Both that run are told and waited for; what has ended before counts."""
        slower = self.write("slower", PROGRAM.format(log=self.folder / "log2"))
        run = self.ci(f'at_once 2\nstep good echo 3 passed, 0 failed\nstep slower "{slower}"\n'
                      f'step slow "{self.program}"\nstep never touch "{self.folder}/never"\n')
        for number in ENDS:
            (self.folder / "log2").unlink(missing_ok=True)
            status, out, _ = self.end(number, run)
            self.assertEqual(128 + number, status, out)
            self.assertRegex(out, f"failed steps: slow(er)? slow.*\nended by {number.name}: .*\n"
                                  "3 passed, 2 failed\n$")
            self.assertIn("ended by " + number.name[3:], (self.folder / "log2").read_text())
        self.assertFalse((self.folder / "never").exists())

    def test_ci_runs_steps_at_once(self):
        """Two that wait for each other end; each is shown as a whole, and what follows is alone."""
        meet = 'touch $0.{0}; for i in {{1..500}}; do [[ -e $0.{1} ]] && break; sleep 0.02; done; ' \
            'echo {0} meets; echo to {1}; [[ -e $0.{1} ]]; exit {2}'
        both = self.folder / "both"
        steps = "".join(f"step {name} bash -c '{meet.format(name, other, status)}' \"{both}\"\n"
                        for name, other, status in (("one", "two", 0), ("two", "one", 7)))
        run = self.ci(f"at_once 2\n{steps}step three echo 5 passed, 1 failed\nat_once 1\n"
                      "step four echo words\nstep five echo ': skipped: '\n")
        done = subprocess.run([run], capture_output=True, text=True, check=False)
        self.assertEqual((1, ""), (done.returncode, done.stderr))
        for name, other in (("one", "two"), ("two", "one")):
            self.assertRegex(done.stdout, rf"(?m)^==== {name}:\n{name} meets\nto {other}\n---- {name}: ")
        self.assertRegex(done.stdout, r"(?m)^---- one: 1 passed, 0 failed, exit status 0, \d+ s "
                                      r"\(\d+ s of processor time\)$")
        self.assertIn("\n---- two: 0 passed, 1 failed, exit status 7, ", done.stdout)
        self.assertIn("\n---- three: 5 passed, 1 failed, exit status 0, ", done.stdout)
        self.assertRegex(done.stdout, r"\n==== four: echo words\nwords\n---- four: 1 passed, .*\n"
                                      r"==== five: .*\n: skipped: \n---- five: 0 passed, 0 failed, ")
        self.assertRegex(done.stdout, r"failed steps: (two three|three two) .*\n7 passed, 2 failed\n$")

    def test_ci_counts_what_cannot_be_run(self):
        run = self.ci("step none no-such-command\nat_once 2\nstep other no-such-command\n")
        done = subprocess.run([run], capture_output=True, text=True, check=False)
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stdout, r"failed steps: none other .*\n0 passed, 2 failed\n$")


if __name__ == "__main__":
    unittest.main()
