"""The parser of commands' arguments."""

from __future__ import annotations

import argparse
from typing import NoReturn

from tts.core.plain import plain


class Parser(argparse.ArgumentParser):
    """As argparse's, but what it quotes of the command line moves no cursor."""

    def error(self, message: str) -> NoReturn:
        """Prints the usage and a message, and ends the program with status 2."""
        super().error(plain(message))
