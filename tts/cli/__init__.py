"""The command line: one command, single runs and sweeps, what the terminal shows."""
