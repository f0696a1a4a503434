"""What most search strategies have in common."""

from __future__ import annotations

from tts.core.policy import Policy
from tts.core.traits import Needs


class BaseStrategy:
    """A strategy over whole solutions that asks the verifier; subclasses define `search` and `samples`.

    The interface is `tts.core.strategy.SearchStrategy`.
    """

    needs: Needs = Needs()
    verifies: bool = True
    samples: int

    def token_bound(self, policy: Policy) -> int | None:
        """Returns the bound of as many whole solutions as it samples."""
        return policy.token_bound(self.samples)
