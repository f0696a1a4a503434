"""The shared vocabulary: problems, solutions, verdicts, search trees, and the interfaces of the parts.

Import the values from here. Importing this package loads only the standard library.
"""

from tts.core.problem import Attachment, Conversation, Message, Problem
from tts.core.result import Candidate, SearchResult
from tts.core.solution import FinishReason, Solution
from tts.core.verdict import Verdict, Vote, Withheld

__all__ = [
    "Attachment",
    "Candidate",
    "Conversation",
    "FinishReason",
    "Message",
    "Problem",
    "SearchResult",
    "Solution",
    "Verdict",
    "Vote",
    "Withheld",
]
