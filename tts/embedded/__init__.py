"""Shared parts of the embedded policy and GenPRM: tokenizer, simulated student and trainer."""
