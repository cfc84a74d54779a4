# SPDX-License-Identifier: MIT
"""What a test of a script inherits from whoever started it, and must not depend on.

A shell without job control starts background jobs with SIGINT ignored, nohup ignores SIGHUP, a CI
service gives no terminal, no locale, a strict umask, a small limit or a closed standard input; all
of it would be inherited by the programs under test. A test calls make_usual() first."""

import os
import resource
import signal

UNUSUAL_VARIABLES = ("TERM", "CDPATH", "COLUMNS", "LINES", "MAKEFLAGS", "MAKELEVEL", "MFLAGS",
                     "GREP_OPTIONS", "POSIXLY_CORRECT", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                     "MSAN_OPTIONS", "LSAN_OPTIONS", "FUZZ_TIME", "ENGINE", "CRASH", "FINDINGS")
SIGNALS_LEFT_ALONE = (signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ)  # Python's
USUAL_UMASK = 0o022


def make_usual():
    for number in signal.valid_signals():
        if number not in SIGNALS_LEFT_ALONE and number < signal.SIGRTMIN:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            if signal.getsignal(number) in (signal.SIG_IGN, signal.SIG_DFL):
                signal.signal(number, usual)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(USUAL_UMASK)
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CPU, resource.RLIMIT_AS):
        _, most = resource.getrlimit(limit)
        resource.setrlimit(limit, (most, most))
    try:
        os.fstat(0)
    except OSError:
        os.open(os.devnull, os.O_RDONLY)
    for name in UNUSUAL_VARIABLES:
        os.environ.pop(name, None)
    for name in [name for name in os.environ if name == "LANG" or name.startswith("LC_")]:
        del os.environ[name]
    os.environ["LC_ALL"] = "C.UTF-8"
