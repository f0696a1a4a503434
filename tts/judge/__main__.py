"""The command `tts judge [overrides]`, also `python -m tts.judge [overrides]`."""

from __future__ import annotations

import sys

from tts.cli.configured import Configured

CONFIG = "judge"
"""The primary configuration."""
main = Configured(CONFIG, "tts.cli.judge_command.run_judge")

if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["judge", *sys.argv[1:]]))
