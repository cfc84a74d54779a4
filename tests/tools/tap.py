# SPDX-License-Identifier: MIT
"""Runs a module's functions test_NAME as tests, and prints TAP with their names. Whoever imports it
has the usual surroundings."""

import pathlib
import sys
import traceback

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

import surroundings

surroundings.make_usual()


def main(module):
    """Exit status: 1 if a test failed. With arguments, only those tests."""
    tests = {name.removeprefix("test_"): function for name, function in vars(module).items()
             if name.startswith("test_") and callable(function)}
    chosen = sys.argv[1:] or list(tests)
    failed = 0
    print(f"1..{len(chosen)}")
    for number, name in enumerate(chosen, 1):
        try:
            tests[name]()
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # whatever it is, the other tests still run
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"  {line}")
    return 1 if failed else 0
