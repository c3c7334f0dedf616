"""Where the commands print what people read."""

import os
import sys

from rich.console import Console

PIPED = 200  # columns where there is no terminal: a line that was wrapped is lost to grep


def console() -> Console:
    """Return the standard output, as wide as the terminal or COLUMNS, and wide without either."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if known else PIPED)
