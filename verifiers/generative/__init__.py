"""Generative verifiers: one state machine (`verifier.py`) and a grammar for each published format."""
