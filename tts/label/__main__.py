"""The command `tts label [overrides]`, also `python -m tts.label [overrides]`."""

from __future__ import annotations

import sys

from tts.cli.configured import Configured

CONFIG = "label"
"""The primary configuration."""
main = Configured(CONFIG, "tts.cli.label_command.run_label")

if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["label", *sys.argv[1:]]))
