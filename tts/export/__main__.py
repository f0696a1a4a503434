"""The command `tts export [overrides]`, also `python -m tts.export [overrides]`."""

from __future__ import annotations

import sys

from tts.cli.configured import Configured

CONFIG = "export"
"""The primary configuration."""
main = Configured(CONFIG, "tts.cli.export_command.run_export")

if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["export", *sys.argv[1:]]))
