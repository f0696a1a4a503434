"""The command `tts plan [overrides]`, also `python -m tts.planning [overrides]`."""

from __future__ import annotations

import sys

from tts.cli.configured import Configured

CONFIG = "plan"
"""The primary configuration."""
main = Configured(CONFIG, "tts.cli.plan_command.run_plan")

if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["plan", *sys.argv[1:]]))
