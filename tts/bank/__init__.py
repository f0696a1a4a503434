"""The bank: samples that were generated once and are not generated again."""

from tts.bank.bank import Bank
from tts.bank.banked import BankedEngine
from tts.bank.store import BankError

__all__ = ["Bank", "BankError", "BankedEngine"]
