"""The command `tts synthesize [overrides]`, also `python -m tts.synthesize [overrides]`."""

from __future__ import annotations

import sys

from tts.cli.configured import Configured

CONFIG = "synthesize"
"""The primary configuration."""
main = Configured(CONFIG, "tts.cli.synthesize_command.run_synthesize")

if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["synthesize", *sys.argv[1:]]))
