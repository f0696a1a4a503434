"""The prompt that asks a policy to revise a solution: the first wrong step and the verifier's analysis of it.

Source: `policy_refine.py` of RyanLiu112/GenPRM at cc80f47.
"""

from __future__ import annotations

from typing import Annotated

from tts.core.settings import Must

PROMPT = (
    "There might be some problem in this paragraph of your reasoning, please rethink and refine your answer:\n"
    ">{step}\n\n{critique}"
)

Prompt = Annotated[
    str,
    Must(lambda text: "{critique}" in text, "the policy does not read the critique; put {critique} into it"),
]
"""A setting that holds such a prompt."""
