"""The command `tts filter [overrides]`, also `python -m tts.filter [overrides]`."""

from __future__ import annotations

import sys

from tts.cli.configured import Configured

CONFIG = "filter"
"""The primary configuration."""
main = Configured(CONFIG, "tts.cli.filter_command.run_filter")

if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["filter", *sys.argv[1:]]))
