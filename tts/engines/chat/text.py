"""From what a server wrote to the completion's text: reasoning apart, joined to its prefix, cut at a stop string."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tts.engines.generating import Token
from tts.engines.stops import cut_at_stop

_OPEN, _CLOSE = "<think>", "</think>"


@dataclass(frozen=True)
class Written:
    """Text with the tokens that it was written in.

    Attributes:
        text: The text.
        tokens: Its tokens, which may go on in the stop string that was cut; None if they are not known.
        reasoning: What the model thought before it.
    """

    text: str
    tokens: tuple[Token, ...] | None = None
    reasoning: str = ""

    def after(self, start: int) -> Written:
        """Returns the text without its first characters."""
        if self.tokens is None or start == 0:
            return replace(self, text=self.text[start:])
        kept, dropped = [], start
        for token in self.tokens:
            if dropped < len(token.text) or not dropped:
                kept.append(replace(token, text=token.text[dropped:]) if dropped else token)
            dropped = max(dropped - len(token.text), 0)
        return replace(self, text=self.text[start:], tokens=tuple(kept))


def spelling(text: str, tokens: tuple[Token, ...] | None, *, stopped: bool = False) -> tuple[Token, ...] | None:
    """Returns a text's tokens, None if they do not spell it; an end-of-text token's name is not in the text.

    Args:
        text: The text.
        tokens: The tokens that the server reports.
        stopped: Whether a stop string was removed from the text, which the tokens may still spell.
    """
    spelled = "".join(token.text for token in tokens or ())
    if not tokens or spelled == text or (stopped and spelled.startswith(text)):
        return tokens
    *others, last = tokens
    return (*others, replace(last, text="")) if spelled.removesuffix(last.text) == text else None


def without_reasoning(written: Written) -> Written:
    """Moves what stands before `</think>` into the reasoning; templates of reasoning models may open it in the prompt."""
    opened = written.text.lstrip().startswith(_OPEN)
    before, closed, rest = written.text.partition(_CLOSE)
    if not opened and not closed:
        return written
    thought = before.strip().removeprefix(_OPEN).strip()
    answer = written.after(len(written.text) - len(rest.lstrip()) if closed else len(written.text))
    return replace(answer, reasoning="\n\n".join(filter(None, (written.reasoning, thought))))


def joined(written: Written, blank: str) -> Written:
    """Drops from the beginning the white space that the prefix ended with and that the server did not see.

    Args:
        written: The rest of the turn.
        blank: The white space at the prefix's end.
    """
    said = written.text[: len(written.text) - len(written.text.lstrip())]
    shared = len(blank) if said.startswith(blank) else len(said)
    return written.after(shared)


def cut(written: Written, stops: Sequence[str], include: bool, named: object) -> tuple[Written, str | None]:
    """Ends the text at the first stop string.

    Args:
        written: The text.
        stops: The stop strings.
        include: Whether the stop string stays in the text.
        named: What the server says ended it; a stop string that it says has been removed already.

    Returns:
        The text with its tokens up to the one in which the stop string ends, and the stop string; None if there is none.
    """
    text, stop = cut_at_stop(written.text, stops, include)
    if stop is None:
        if not isinstance(named, str) or named not in stops:
            return written, None
        return replace(written, text=written.text + named * include), named
    end = len(cut_at_stop(written.text, stops, True)[0])
    kept, length = [], 0
    for token in written.tokens or ():
        if length >= end:
            break
        kept.append(token)
        length += len(token.text)
    return replace(written, text=text, tokens=None if written.tokens is None else tuple(kept)), stop
