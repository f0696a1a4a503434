"""The bank: stores samples, scores and outputs of code, so that none is computed twice."""

from tts.bank.bank import Bank
from tts.bank.banked import BankedEngine, BankedScorer, banked
from tts.bank.code_outputs import BankedSandbox
from tts.bank.store import BankError

__all__ = ["Bank", "BankError", "BankedEngine", "BankedSandbox", "BankedScorer", "banked"]
