"""The command line: one command, single runs and sweeps, terminal output."""
