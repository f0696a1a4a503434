"""What everybody speaks: problems, solutions, verdicts, search trees, and the interfaces of the parts.

The values are imported from here. Importing this package loads nothing but the standard library.
"""

from tts.core.problem import Conversation, Message, Problem
from tts.core.result import Candidate, SearchResult
from tts.core.solution import FinishReason, Solution
from tts.core.verdict import Verdict, Vote

__all__ = [
    "Candidate",
    "Conversation",
    "FinishReason",
    "Message",
    "Problem",
    "SearchResult",
    "Solution",
    "Verdict",
    "Vote",
]
