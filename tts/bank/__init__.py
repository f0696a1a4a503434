"""The bank: samples that were generated once and are not generated again, and outputs of code that was run once."""

from tts.bank.bank import Bank
from tts.bank.banked import BankedEngine
from tts.bank.code_outputs import BankedSandbox
from tts.bank.store import BankError

__all__ = ["Bank", "BankError", "BankedEngine", "BankedSandbox"]
