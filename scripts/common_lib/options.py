# SPDX-License-Identifier: MIT
"""How every script reads its options."""

import argparse
from typing import NoReturn, Optional

from common_lib.script import SetupError


class Parser(argparse.ArgumentParser):
    """argparse's parser, which says what is wrong as every script does: one line, exit status 2.
    Options are not to be abbreviated: what is short today may be ambiguous tomorrow.

    name: what the script is called in what it prints. description: if it has several lines they are
    shown as they are. hint: where there is more to read."""

    def __init__(self, name: str, description: Optional[str], hint: Optional[str] = None) -> None:
        lines = (description or "").count("\n")
        super().__init__(
            prog=name, description=description, allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter if lines
            else argparse.HelpFormatter)
        self.hint = f"see {name} --help" if hint is None else hint

    def error(self, message: str) -> NoReturn:
        raise SetupError(f"{message} ({self.hint})")
