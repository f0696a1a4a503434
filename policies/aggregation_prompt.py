"""The prompts that show a policy several solutions of a problem, to write a better one or to choose one."""

from __future__ import annotations

from typing import Annotated

from tts.core.settings import Must

IMPROVE = (
    "{problem}\n\n"
    "Below are attempts at this problem. Some may be wrong, in part or entirely. Use what is right in them, repair or drop "
    "what is not, and write one complete solution of your own.\n\n{solutions}"
)

CHOOSE = (
    "{problem}\n\n"
    "Below are attempts at this problem, each with its number. Check them step by step, then name the one that is most "
    'likely right in the last line of your reply: "Judgment: NUMBER".\n\n{solutions}'
)

Prompt = Annotated[
    str,
    Must(lambda text: "{solutions}" in text, "the policy would not see the solutions; put {solutions} into it"),
    Must(lambda text: "{problem}" in text, "the policy would not see the problem; put {problem} into it"),
]
"""A setting that holds such a prompt."""
