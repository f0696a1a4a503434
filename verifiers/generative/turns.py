r"""Judgements of a chat server that answers messages and cannot go on with a begun turn.

A published format begins the model's turn, or has it continued up to the word that is the decision. Here the same texts
are asked in turns of the user instead: what opens the reasoning ends the question, and the question for the decision
follows the reasoning. The decision is the word that the answer begins with (after `\boxed{`, where the format asks for
that): any other answer is no verdict. Where the server reports log-probabilities, it is the probability of that word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tts.core import Conversation, Message
from tts.core.setting_error import SettingError
from tts.engines.base import kind_of
from tts.engines.generating import Completion, Engine, Sampling, continues
from verifiers.generative.grammar import Grammar
from verifiers.generative.slot import Slot

ANSWER = Sampling(max_tokens=16, temperature=0.0, top_logprobs=20)
"""How the decision is asked for: a word, with what a chat model may put around it."""

_BEFORE = r"[\s*_`\"'$(\[]*"
"""What may stand before the word: marks of emphasis."""


def require_continuation(engine: Engine, why: str) -> None:
    """Raises SettingError if an engine does not go on with a begun turn; `why` says who needs that."""
    if not continues(engine):
        raise SettingError(
            "engine",
            f"{kind_of(engine)} does not continue an answer, and {why}; choose verifier=critic, genrm, "
            "thinkprm or direct, or a server that does (vLLM, SGLang, DeepSeek's beta; docs/chat.md)",
        )


def asked(conversation: Conversation, grammar: Grammar) -> list[Message]:
    """Returns the conversation with what would begin the model's turn at the end of the question instead."""
    *before, last = conversation
    begun = grammar.opening if grammar.reasons else grammar.opening + grammar.question
    added = begun.rstrip() if grammar.reasons or grammar.question else ""
    return [*before, {**last, "content": last["content"] + added}]


def concluding(conversation: Sequence[Message], grammar: Grammar, text: str) -> list[Message]:
    """Returns the conversation that asks for the decision after the reasoning `text`."""
    words = bare(grammar.slot)
    only = f"{grammar.question}\nAnswer only {words.yes} or {words.no}."
    return [*conversation, {"role": "assistant", "content": text.strip() or "..."}, {"role": "user", "content": only}]


def bare(slot: Slot | None) -> Slot:
    """Returns the words without the blanks around them: an answer of its own begins with none."""
    if slot is None:
        raise ValueError("the format has no slot")
    return Slot(slot.yes.strip(), slot.no.strip())


def read_answer(completion: Completion, grammar: Grammar) -> float | None:
    """Returns the probability of the slot's `yes` in an answer, None if the answer does not begin with either word."""
    words, text = bare(grammar.slot), completion.text
    begun = text.rfind(grammar.opening) if grammar.opening and not grammar.question else -1
    start = begun + len(grammar.opening) if begun >= 0 else 0
    either = "|".join(map(re.escape, (words.yes, words.no)))
    found = re.compile(rf"{_BEFORE}(?P<word>{either})(?!\w)", re.IGNORECASE).match(text, start)
    if found is None:
        return None
    hard = 1.0 if found["word"].lower() == words.yes.lower() else 0.0
    top = _alternatives(completion, found.start("word"))
    soft = None if top is None else Slot(words.yes.lower(), words.no.lower()).read(top)
    return hard if soft is None else soft


def _alternatives(completion: Completion, offset: int) -> dict[str, float] | None:
    """Returns the alternatives to the token at `offset`, bare and in lower case; None unless a word begins there."""
    for token in completion.tokens or ():
        if 0 <= offset < len(token.text):
            if not token.text[:offset].strip():
                best: dict[str, float] = {}
                for text, logprob in token.top.items():
                    word = text.strip().lower()
                    best[word] = max(best.get(word, logprob), logprob)
                return best
            return None
        offset -= len(token.text)
    return None
