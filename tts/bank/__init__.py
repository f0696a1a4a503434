"""The bank: samples and scores that were computed once and are not computed again."""

from tts.bank.bank import Bank, flush_banks, open_bank
from tts.bank.banked import BankedEngine, BankedScorer, banked
from tts.bank.store import BankError

__all__ = ["Bank", "BankError", "BankedEngine", "BankedScorer", "banked", "flush_banks", "open_bank"]
