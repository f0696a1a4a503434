"""The command `tts train [overrides]`, also `python -m tts.train [overrides]`."""

from __future__ import annotations

import sys

from tts.cli.configured import Configured

CONFIG = "train"
"""The primary configuration."""
main = Configured(CONFIG, "tts.cli.train_command.run_train")

if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["train", *sys.argv[1:]]))
