#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests that a program does not notice the recorder, and that nothing of a recording is lost.

    tests/scripts/test_record_unnoticed.py [--build DIR] [NAME]
"""

import sys

sys.dont_write_bytecode = True

import ctypes
import os
import pty
import re
import resource
import select
import shlex
import shutil
import signal
import subprocess
import time

from record_bench import RECORD, check, check_equal, check_lives, main

ROUNDS = 5000  # of record_guest.c's work
WORK_RECORDS = 2 * ROUNDS
THREADS = 16
REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECOND_SECONDS = 0.8  # after so long a second SIGTERM is another one


def as_started_by_hand():
    """A shell without job control may have started us: what it ignores is set back."""
    for number in REQUESTS:
        signal.signal(number, signal.SIG_DFL)


def status_of(result):
    return result.returncode if result.returncode >= 0 else 128 - result.returncode


def check_unnoticed(bench, *command, records=None, said=b"", give_up=None, **options):
    """The same output and status with and without; the trace holds what the program did. said: the
    recorder's own lines on standard error. Returns the records."""
    options.setdefault("cwd", bench.folder)
    plain = bench.call(command, **options)
    shutil.rmtree(bench.path("jail"), ignore_errors=True)
    recorded = bench.record("-q", "-f", "-o", bench.path("out.txt"), "--keep-trace",
                            bench.path("trace"), *command, **options)
    check_equal((recorded.returncode, recorded.stdout), (status_of(plain), plain.stdout), command)
    check_equal(recorded.stderr, plain.stderr + said, f"{command}: standard error")
    found = bench.dump(bench.path("trace"))
    check_lives(found)
    if records is not None:
        check(len(found) >= records, f"{command}: {len(found)} records, not {records}")
    check(bench.path("out.txt").read_text().count("\n") > 10, "a script")
    return found


# ---- what the program has ----------------------------------------------------------------------


def leaves_a_program_what_it_has(bench):
    """Descriptors, signals, mask, limits, umask, folder, process group, session and addresses,
    before and after growing the trace."""
    check_unnoticed(bench, bench.guest, "self", "work", "self", "growth", records=2 * WORK_RECORDS)


def works_without_descriptors(bench):
    for scenario in ("take-descriptors", "close-descriptors"):
        check_unnoticed(bench, bench.guest, scenario, "work", "say", records=WORK_RECORDS)


def works_under_ulimit_f(bench):
    check_unnoticed(bench, bench.guest, "file-limit", "work", "write", records=WORK_RECORDS)
    check_unnoticed(bench, "sh", "-c", 'ulimit -f 8; exec "$@"', "sh", bench.guest, "work",
                    "write", records=WORK_RECORDS)


def works_when_it_is_itself_under_ulimit_f(bench):
    """The trace is as large as it may be, and that is said."""
    said = (b"record: recording stopped where no file may be larger (ulimit -f), after 4096 "
            b"operations; the program went on\n")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200 << 10, 200 << 10))

    found = check_unnoticed(bench, bench.guest, "work", "write", said=said, preexec_fn=limit)
    check_equal(len(found), 4096, "two pieces of 64 KiB after the header")
    check("stopped where no file may be larger" in bench.path("out.txt").read_text(), "comment")
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]  # the soft one alone is no obstacle
    result = bench.record("-f", "-o", bench.path("out.txt"), bench.guest, "work", cwd=bench.folder,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                                (100 << 10, hard)))
    check_equal((result.returncode, result.stderr.count(b"\n")), (3, 1), result.stderr)
    check("stopped" not in bench.path("out.txt").read_text(), "all is recorded")
    status = bench.record("-f", "-o", bench.path("out.txt"), "ls", cwd=bench.folder,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (99, 99)))
    check_equal((status.returncode, status.stderr.count(b"\n")), (2, 1), "no room for any trace")
    check(b"File too large" in status.stderr, status.stderr)


def works_under_ulimit_v(bench):
    check_unnoticed(bench, bench.guest, "work", "memory-limit", "work", records=2 * WORK_RECORDS)
    said = (b"record: recording stopped since the program could not map more of the trace: "
            b"Cannot allocate memory, after ")
    result = bench.record("-q", "-f", "-o", bench.path("out.txt"), bench.guest, "work",
                          "no-more-memory", "work", "say")
    check_equal((result.returncode, result.stdout), (3, b"say\n"), "the program goes on")
    check(result.stderr.startswith(said) and result.stderr.count(b"\n") == 1, result.stderr)


def works_on_a_full_disk(bench):
    """Pages that the file system cannot give raise SIGBUS where they are touched."""
    said = (b"record: recording stopped for want of room on the disk of the trace, after 2048 "
            b"operations; the program went on\n")
    result = bench.record("-q", "-f", "-o", bench.path("out.txt"), "--keep-trace",
                          bench.path("trace"), bench.guest, "shorten", "work", "say")
    check_equal((result.returncode, result.stdout, result.stderr), (3, b"say\n", said), "ending")
    check_equal(len(bench.dump(bench.path("trace"))), 2048, "the first piece is there")


def says_only_why_nothing_is_recorded(bench):
    """The disk is full from the start."""
    build = build_with(bench, "full", "", made='for last; do :; done; truncate -s 65536 "$last"')
    for quiet in ([], ["-q"]):
        result = bench.call([RECORD, *quiet, "--build", build, "-o", bench.path("out.txt"),
                             bench.guest, "work", "say"])
        check_equal((result.returncode, result.stdout, result.stderr),
                    (2, b"say\n", b"record: %s ended with 3; recording stopped for want of room "
                     b"on the disk of the trace, before the first operation: there is no script\n"
                     % os.fsencode(bench.guest)), "ending")
        check(not bench.path("out.txt").exists(), "no script")


def is_open_to_all(path):
    return all(folder.stat().st_mode & 1 for folder in path.parents)


def works_after_setuid_and_chroot(bench):
    if os.geteuid() != 0:  # then there is nothing that the recorder could lose by them
        check_unnoticed(bench, bench.guest, "work", records=WORK_RECORDS)
        return
    check_unnoticed(bench, bench.guest, "nobody", "work", "say", records=WORK_RECORDS)
    check_unnoticed(bench, bench.guest, "root", "work", "say", records=WORK_RECORDS)
    setpriv = shutil.which("setpriv")
    if setpriv is not None and is_open_to_all(bench.library):
        # Becomes another user, and then another program, which opens the trace again.
        check_unnoticed(bench, setpriv, "--reuid=65534", "--clear-groups", "perl", "-e",
                        'push @a, "x$_" for 1 .. 3000; print "@a"; exit 4', records=3000)


def works_across_fork_and_exec(bench):
    found = check_unnoticed(bench, bench.guest, "exec", "say", records=WORK_RECORDS)
    check(len(found) < WORK_RECORDS + 100, f"the child is recorded, too: {len(found)}")
    found = check_unnoticed(bench, "sh", "-c", 'exec "$@"', "sh", bench.guest, "exec", "work",
                            records=2 * WORK_RECORDS)
    check(len(found) < 2 * WORK_RECORDS + 100, f"the child is recorded, too: {len(found)}")


# What is left of it executes another program, while the first one goes on.
ORPHAN = '( (sleep 0.3; exec "$0" work) & ); sleep 0.8; exec "$0" threads say'
BECOME_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


def is_allowed(bench, *command):
    return shutil.which(command[0]) is not None and bench.call([*command, "true"]).returncode == 0


def check_orphan_unheard(bench, *before, **options):
    script = ORPHAN.replace('exec "$0" threads say', '"$0" say; exit 4')
    for words, status, records in ((["sh", "-c", script], 4, 20),
                                   (["sh", "-c", ORPHAN], 3, THREADS * WORK_RECORDS)):
        result = bench.call([*before, RECORD, "--build", bench.build, "-f", "-o",
                             bench.path("out.txt"), "--keep-trace", bench.path("trace"), *words,
                             bench.guest], **options)
        check_equal((result.returncode, result.stdout, result.stderr.count(b"\n")),
                    (status, b"say\n", 1), f"{before}: {result.stderr}")
        found = bench.dump(bench.path("trace"))
        check_lives(found)
        check(records <= len(found) < records + WORK_RECORDS,
              f"{before}: {len(found)} records, not {records}")


def is_deaf_to_adopted_orphans(bench):
    """As the parent of every orphan: a subreaper, or the first process of a container."""
    libc = ctypes.CDLL(None)
    check_orphan_unheard(bench, preexec_fn=lambda: libc.prctl(BECOME_SUBREAPER, 1, 0, 0, 0))
    container = ("unshare", "-pfm", "--mount-proc")
    if is_allowed(bench, *container):
        check_orphan_unheard(bench, *container)


def is_deaf_to_the_same_number_elsewhere(bench):
    """The program makes a namespace, in which its own number is given out again."""
    container = ("unshare", "-pfm", "--mount-proc")
    if not is_allowed(bench, *container):
        return
    inner = 'echo $(( $1 - 1 )) > /proc/sys/kernel/ns_last_pid; "$0" work & wait $!; [ $! = $1 ]'
    outer = 'unshare -pf --mount-proc sh -c "$1" "$0" $$; echo $?; exit 6'
    result = bench.call([*container, RECORD, "--build", bench.build, "-f", "-o",
                         bench.path("out.txt"), "--keep-trace", bench.path("trace"), "sh", "-c",
                         outer, bench.guest, inner])
    check_equal((result.returncode, result.stdout), (6, b"0\n"), result.stderr)
    check(20 <= len(bench.dump(bench.path("trace"))) < WORK_RECORDS, "the shell, and it alone")


def works_with_many_threads(bench):
    found = check_unnoticed(bench, bench.guest, "threads", "say", records=THREADS * WORK_RECORDS)
    check_equal(len({record[0] for record in found}), THREADS + 1, "threads")


def records_only_its_own_child(bench):
    """The recorded program is static: its children, which are not, are none of ours."""
    static = bench.path("static")
    source = bench.path("static.c")
    source.write_text("#include <stdlib.h>\nint main(void) { return system(\"ls > list\"); }\n")
    subprocess.run([*bench.compiler, "-static", source, "-o", static], check=True)
    result = bench.record("-o", bench.path("out.txt"), static, cwd=bench.folder)
    check_equal((result.returncode, result.stderr.count(b"\n")), (2, 1), result.stderr)
    check(b"left no trace" in result.stderr and not bench.path("out.txt").exists(), result.stderr)


PROGRAMS = [
    (["dash", "-c", "for i in 1 2 3; do echo $i; done; exit 7"], b""),
    (["sort", "-r"], b"b\na\nc\n" * 1000),
    (["awk", "{ n[$1]++ } END { for (k in n) print k, n[k]; exit 3 }"], b"x\ny\nx\n"),
    (["perl", "-e", 'print join(",", map { $_ * $_ } 1 .. 2000); print STDERR "e"; exit 6'], b""),
    (["/usr/bin/python3", "-c", "import json, sys, threading; print(json.dumps({'a': [1] * 999}));"
      "sys.exit(5)"], b""),
    (["git", "--version"], b""),
    (["git", "init", "-q", "repository"], b""),
    (["git", "-C", "repository", "status"], b""),
    (["make", "-s", "-f", "rules"], b""),
    (["gcc", "-x", "c", "-", "-O2", "-S", "-o", "-"], b"int f(int a) { return a * 3; }\n"),
    (["gcc", "-x", "c", "-", "-c", "-o", "x.o"], b"int f( {\n"),
    (["xargs", "-n", "1", "echo"], b"one two three\n"),
    (["tar", "-cf", "-", "no-such-file"], b""),
    (["find", "/usr/include", "-name", "std*.h"], b""),
]


def leaves_programs_of_the_machine_unchanged(bench):
    bench.path("rules").write_text("all: ; @echo made; false\n")
    for command, given in PROGRAMS:
        if shutil.which(command[0]) is not None:
            check_unnoticed(bench, *command, input=given)


# ---- signals -----------------------------------------------------------------------------------


class Running:
    """`scripts/record` with a guest that has said that it is ready."""

    def __init__(self, bench, scenario, before=(), **options):
        self.temporary = bench.path("temporary")
        self.temporary.mkdir(exist_ok=True)
        self.out = bench.path("out.txt")
        words = [*before, RECORD, "--build", bench.build, "-f", "-o", self.out, bench.guest,
                 scenario]
        self.process = subprocess.Popen(
            [str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(self.temporary)}, start_new_session=True,
            preexec_fn=as_started_by_hand, **options)
        self.guest = int(self.process.stdout.readline().split()[1])

    def check_end(self, status, last, what):
        """The status, the guest's last line; a script; nothing left running or lying about."""
        output, error = self.process.communicate(timeout=30)
        check_equal((status_of(self.process), output), (status, last), f"{what}: {error}")
        check(self.out.exists(), f"{what}: no script: {error}")
        check(self.out.read_text().startswith("# recorded run of: guest"), f"{what}: script")
        check_equal(list(self.temporary.iterdir()), [], f"{what}: temporary files")
        check(not os.path.exists(f"/proc/{self.guest}"), f"{what}: the program lives on")
        check_equal(error.count(b"\n"), 1, f"{what}: {error}")


def hands_requests_on(bench):
    for number in REQUESTS:
        running = Running(bench, "daemon")
        running.process.send_signal(number)
        running.check_end(5, b"asked by %d\n" % number, number)


def ends_with_timeout(bench):
    running = Running(bench, "daemon", ["timeout", "1"])
    running.check_end(124, b"asked by 15\n", "timeout")


def kills_at_the_second_request(bench):
    running = Running(bench, "stubborn")
    running.process.terminate()
    time.sleep(SECOND_SECONDS)
    check(os.path.exists(f"/proc/{running.guest}"), "one request does not kill")
    running.process.terminate()
    running.check_end(128 + signal.SIGKILL, b"", "killed")


def passes_fatal_signals(bench):
    check_unnoticed(bench, bench.guest, "work", "kill", records=WORK_RECORDS)


def leaves_ctrl_c_to_the_terminal(bench):
    """The terminal sends it to the program itself: it gets one."""
    words = [str(word) for word in (RECORD, "--build", bench.build, "-o", bench.path("out.txt"),
                                    bench.guest, "daemon")]
    child, terminal = pty.fork()
    if child == 0:
        as_started_by_hand()
        os.execv(words[0], words)
    text = b""
    while select.select([terminal], [], [], 20)[0]:
        try:
            text += os.read(terminal, 4096)
        except OSError:  # the other side is closed
            break
        if re.search(rb"ready \d+\r\n$", text):
            os.write(terminal, b"\x03")
    os.close(terminal)
    check_equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 5, text)
    check(b"asked by 2" in text and bench.path("out.txt").exists(), text)


def does_not_follow_into_the_background(bench):
    result = bench.record("-o", bench.path("out.txt"), bench.guest, "work", "background")
    check_equal(result.returncode, 6, "the status of what was started")
    check(result.stdout.endswith(b"from the background\n"), "the child works on")
    check(bench.path("out.txt").exists(), "a script of what was before")


# ---- outputs -----------------------------------------------------------------------------------


def refuses_before_the_program_runs(bench):
    """What the program would have done is not there."""
    out, ran = bench.path("out.txt"), bench.path("ran")
    bench.path("folder").mkdir()
    for what, words in [
            ("--window 5: give START:N", ["--window", "5"]),
            ("--ops 0: give a number", ["--ops", "0"]),
            ("--align 5: not one of", ["--align", "5"]),
            ("--slots 9: not one of", ["--slots", "9"]),
            ("--limit 0: give a number", ["--limit", "0"]),
            ("--limit many: give a number", ["--limit", "many"]),
            ("--limit 4294967296: give a number", ["--limit", "4294967296"]),
            ("-o '': give", ["-o", ""]),
            ("--keep-trace '': give", ["--keep-trace", ""]),
            ("--label '': give", ["--label", ""]),
            ("--build '': give", ["--build", ""]),
            ("there is no such folder", ["-o", bench.path("no/where.txt")]),
            ("it is a folder", ["-o", bench.path("folder"), "-f"]),
            ("there is no such folder", ["--keep-trace", bench.path("no/where")]),
            ("it is a folder", ["--keep-trace", bench.path("folder"), "-f"]),
            ("the script goes there", ["--keep-trace", bench.path("folder/../out.txt")])]:
        result = bench.record("-o", out, *words, "touch", ran, cwd=bench.folder)
        check_equal((result.returncode, result.stderr.count(b"\n")), (2, 1), what)
        check(what.encode() in result.stderr, f"{what}: {result.stderr}")
        check(not ran.exists() and not out.exists(), f"{what}: the program has run")
        check(not bench.path("touch.txt").exists(), f"{what}: another file is written")


def check_kept(bench, result, what, out):
    """The trace is kept, and the command that is said converts it."""
    check_equal((result.returncode, result.stderr.count(b"\n")), (2, 1), result.stderr)
    check(what in result.stderr, result.stderr)
    check(result.stderr.startswith(b"record: %s ended with 3; " % os.fsencode(bench.guest)),
          result.stderr)
    command = re.search(r"to convert it: (.*)\n", result.stderr.decode())[1]
    return subprocess.run(command.replace(*out), shell=True, check=False, capture_output=True,
                          cwd=bench.folder)


def keeps_what_was_recorded(bench):
    out = bench.path("out.txt")
    out.write_text("mine")
    environment = {**os.environ, "TMPDIR": str(bench.path("temporary place"))}
    bench.path("temporary place").mkdir()
    result = bench.record("-f", "-o", out, "--window", "999999999:5", bench.guest, "say",
                          env=environment)
    again = check_kept(bench, result, b"lies outside the", ("", ""))
    check_equal((again.returncode, out.read_text()), (2, "mine"), "an old script stays")
    result = bench.record("-o", "/dev/full", bench.guest, "say", env=environment)
    again = check_kept(bench, result, b"No space left on device", ("/dev/full", "new.txt"))
    check_equal((again.returncode, again.stderr), (0, b""), "the command that is said")
    check(re.match(r"# recorded run of: guest say \(.*alloc s0 ", bench.path("new.txt").read_text(),
                   re.DOTALL), "the script")
    result = bench.record("-o", bench.path("third.txt"), "--keep-trace", "/dev/full", bench.guest,
                          "say", env=environment)
    check_equal((result.returncode, result.stderr.count(b"\n")), (2, 1), result.stderr)
    check(b"the trace is kept in" in result.stderr and b"to convert" not in result.stderr,
          result.stderr)
    check(b"guest ended with 3; /dev/full: " in result.stderr, result.stderr)
    check("alloc s0" in bench.path("third.txt").read_text(), "the script is there all the same")


def build_with(bench, name, conversion, made=""):
    """A folder of tools whose labconvert does `conversion` (a shell's words) before it
    converts, and `made` when it has made the trace."""
    build = bench.path(name)
    build.mkdir()
    shutil.copy2(bench.library, build)
    tool = build / "labconvert"
    tool.write_text(f"#!/bin/sh\ncase $* in *--check*) ;; *--label*) {conversion or ':'};; esac\n"
                    f'{shlex.quote(str(bench.converter))} "$@" || exit\n'
                    f"case $* in *--create*) {made or ':'};; esac\n")
    tool.chmod(0o755)
    return build


def keeps_the_trace_when_the_conversion_is_ended(bench):
    converts = shlex.quote(str(bench.path("converts")))
    build = build_with(bench, "slow", f"echo x > {converts}; exec sleep 60")
    temporary = bench.path("temporary")
    temporary.mkdir()
    process = subprocess.Popen(
        [RECORD, "--build", build, "-o", bench.path("out.txt"), "ls"], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(temporary)},
        preexec_fn=as_started_by_hand)
    while not bench.path("converts").exists():
        check(process.poll() is None, "it has ended before the conversion")
        time.sleep(0.02)
    process.send_signal(signal.SIGHUP)  # no reason to throw anything away
    time.sleep(0.2)
    process.terminate()
    _, error = process.communicate(timeout=20)
    check_equal((process.returncode, error.count(b"\n")), (2, 1), error)
    check(b"labconvert was ended by SIGTERM; the trace is kept in" in error, error)
    check_equal(len(list(temporary.glob("record-*/trace-*"))), 1, "traces")


def converts_again_after_a_stray_signal(bench):
    hit = bench.path("hit")
    word = shlex.quote(str(hit))
    build = build_with(bench, "hit-once", f"[ -e {word} ] || {{ touch {word}; kill -TERM $$; }}")
    result = bench.call([RECORD, "--build", build, "-o", bench.path("out.txt"), "ls"])
    check_equal((result.returncode, hit.exists()), (0, True), result.stderr)
    check(bench.path("out.txt").read_text().startswith("# recorded run of: ls"), "the script")


def says_what_the_script_lacks(bench):
    result = bench.record("-q", "-o", bench.path("out.txt"), "--dwords", "100", "ls")
    lacks = re.search(r"# (the region is too small: \d+ of \d+ operations do nothing)\n",
                      bench.path("out.txt").read_text())[1]
    check_equal((result.returncode, result.stderr.decode()),
                (0, f"record: {bench.path('out.txt')}: {lacks}\n"), "even with -q")


def leaves_no_temporary_files(bench):
    bench.path("temporary").mkdir()
    environment = {**os.environ, "TMPDIR": str(bench.path("temporary"))}
    for words in (["ls"], ["-o", "/dev/null", "true"], ["no-such-program"], ["--ops", "x", "ls"],
                  ["/sbin/ldconfig", "-p"]):
        bench.record("-q", "-f", *words, env=environment, cwd=bench.folder)
        check_equal(list(bench.path("temporary").iterdir()), [], words)
    check(os.path.exists("/dev/null") and not os.path.isfile("/dev/null"), "devices stay devices")


# ---- names -------------------------------------------------------------------------------------


def works_from_any_folder(bench):
    """LD_PRELOAD parts its files at spaces and colons."""
    for name in ("my projects", "a:b", "c$LIB", "d\te"):
        build = bench.path(name)
        build.mkdir()
        for tool in (bench.library, bench.converter):
            shutil.copy2(tool, build)
        for temporary in (bench.folder, build):
            result = bench.call([RECORD, "--build", build, "-f", "-o", build / "out.txt",
                                 bench.guest, "work"],
                                env={**os.environ, "TMPDIR": str(temporary)})
            check_equal((result.returncode, result.stderr.count(b"\n")), (3, 1), result.stderr)
            check("kept: 0 " not in (build / "out.txt").read_text(), name)
        check_equal(sorted(path.name for path in build.iterdir()),
                    ["labconvert", "liblabrecord.so", "out.txt"], "nothing else is left")


def takes_any_name_and_argument(bench):
    program = bench.path("my prog\nram")
    shutil.copy2(bench.guest, program)
    result = bench.record("-o", bench.path("my out\n.txt"), program, "two words", "new\nline", "")
    check_equal((result.returncode, result.stdout), (3, b"two words\nnew\nline\n\n"), "arguments")
    check_equal(result.stderr.count(b"\n"), 1, result.stderr)
    text = bench.path("my out\n.txt").read_text()
    check(text.startswith("# recorded run of: my prog ram two words new line  ("), text[:100])
    raw = os.fsencode(bench.path("raw")) + b"\xff"
    shutil.copy2(bench.guest, raw)
    result = subprocess.run([RECORD, "--build", bench.build, "-o", raw + b".txt", raw, b"\xfe"],
                            capture_output=True, check=False)
    check_equal((result.returncode, result.stdout), (3, b"\xfe\n"), result.stderr)
    check_equal(result.stderr.count(b"\n"), 1, result.stderr)


TESTS = [leaves_a_program_what_it_has, works_without_descriptors, works_under_ulimit_f,
         works_when_it_is_itself_under_ulimit_f, works_under_ulimit_v, works_on_a_full_disk,
         says_only_why_nothing_is_recorded,
         works_after_setuid_and_chroot, works_across_fork_and_exec,
         is_deaf_to_adopted_orphans, is_deaf_to_the_same_number_elsewhere, works_with_many_threads,
         records_only_its_own_child, leaves_programs_of_the_machine_unchanged, hands_requests_on,
         ends_with_timeout, kills_at_the_second_request, passes_fatal_signals,
         leaves_ctrl_c_to_the_terminal, does_not_follow_into_the_background,
         refuses_before_the_program_runs, keeps_what_was_recorded,
         keeps_the_trace_when_the_conversion_is_ended, converts_again_after_a_stray_signal,
         says_what_the_script_lacks, leaves_no_temporary_files, works_from_any_folder,
         takes_any_name_and_argument]


if __name__ == "__main__":
    sys.exit(main(__doc__, TESTS))
