"""The command `tts search [overrides]`, also `python -m tts [overrides]`."""

from __future__ import annotations

import sys

from tts.cli.configured import Configured

CONFIG = "config"
"""The primary configuration."""
main = Configured(CONFIG, "tts.cli.search_command.run_search", overwrites=True)

if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["search", *sys.argv[1:]]))
