"""The parser of every command: an error is one line that says where to look, files may stand after options."""

from __future__ import annotations

import difflib
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any, NoReturn


class Parser(ArgumentParser):
    """argparse's, with short errors that name the nearest option, and `paint a.jpg -s cel b.jpg` understood."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong and ends the program with code 2."""
        program, _, command = self.prog.partition(" ")
        self.exit(2, f"{self.prog}: {message}; see `{f'{program} help {command}'.strip()}`\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Namespace, list[str]]:  # type: ignore[override]
        """As argparse, but nothing is left over: further files join the first ones, all else is an error."""
        known, left = super().parse_known_args(args, namespace)
        files = next((action for action in self._get_positional_actions() if action.nargs == "+"), None)
        if left and (files is None or any(word.startswith("-") for word in left)):
            self.error(self._about(left))
        if left and files is not None:
            getattr(known, files.dest).extend(self._get_value(files, word) for word in left)
        return known, []

    def _about(self, left: Sequence[str]) -> str:
        options = [word for word in left if word.startswith("-")]
        if not options:
            return f"{' '.join(left)} is one too many"
        name = options[0].partition("=")[0]
        near = difflib.get_close_matches(name, self._option_string_actions, n=1)
        return f"there is no option {name}" + (f" (did you mean {near[0]}?)" if near else "")
