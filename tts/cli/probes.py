"""What `tts probe` finds out and shows: a server of raw completions, or of chat completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tts.engines.chat import ChatEngine
from tts.engines.chat.probe import Findings as ChatFindings
from tts.engines.http.findings import Findings
from tts.engines.openai import OpenAIEngine

TIMEOUT = 60.0

Row = tuple[str, str]


@dataclass(frozen=True)
class Report:
    """What was found, in words.

    Attributes:
        rows: Each finding.
        gaps: What the server lacks, and what is done about it.
        used: How it is used.
    """

    rows: Sequence[Row]
    gaps: Sequence[Row]
    used: str


class Probe(Protocol):
    """Asks a server what a run would ask it when it starts."""

    @property
    def settings(self) -> Sequence[str]:
        """Names of the settings that can be given."""
        ...

    async def report(self, url: str, given: Mapping[str, str]) -> Report:
        """Asks the server.

        Raises:
            UserError: There is no such server or model.
        """
        ...


class CompletionsProbe:
    """Asks as `engine=openai` does."""

    settings = ("model", "dialect", "tokenizer", "api_key_env")

    async def report(self, url: str, given: Mapping[str, str]) -> Report:
        """See `Probe`."""
        engine = OpenAIEngine(**given, base_url=url, timeout=TIMEOUT, retries=0, patience=0.0)  # type: ignore[arg-type]
        try:
            await engine.start()
            assert engine.found is not None
            used = f"engine=openai, dialect {engine.dialect}"
            return Report(_completions(engine.found), list(engine.found.gaps()), used)
        finally:
            await engine.close()


class ChatProbe:
    """Asks as `engine=chat` does."""

    settings = ("model", "api_key_env", "continuation", "token_limit")

    async def report(self, url: str, given: Mapping[str, str]) -> Report:
        """See `Probe`."""
        engine = ChatEngine(**given, base_url=url, timeout=TIMEOUT, retries=0, patience=0.0)  # type: ignore[arg-type]
        try:
            await engine.start()
            assert engine.found is not None
            fields = [
                ("limit of tokens", engine.fields.limit),
                ("refused fields", ", ".join(engine.fields.omitted) or "-"),
            ]
            return Report([*_chat(engine.found), *fields], list(engine.found.gaps()), "engine=chat, chat=template")
        finally:
            await engine.close()


PROBES: Mapping[str, Probe] = {"openai": CompletionsProbe(), "chat": ChatProbe()}
"""By engine."""


def _completions(found: Findings) -> list[Row]:
    most = f", at most {found.most_alternatives} alternatives" if found.most_alternatives else ""
    whose = {"raw": ", the model's own", "processed": ", of what is sampled from", "unknown": ""}[found.logprobs_mode]
    form = {"legacy": "yes", "chat": "yes, in the form of chat", "none": "none that can be used", "unknown": "unknown"}
    return [
        ("server", " ".join(part for part in (found.kind, found.version) if part)),
        ("context", "unknown" if found.context is None else f"{found.context:,} tokens"),
        ("log-probabilities", form[found.logprobs] + whose + most),
        (
            "stop strings",
            f"{_word(found.stop_kept, 'kept', 'cut off')}, {_word(found.stop_named, 'named', 'not named')}",
        ),
        ("several samples a request", _word(found.n, "yes", "no")),
        ("seeds", _word(found.seeded, "heeded", "ignored")),
        ("usage", _word(found.usage, "yes", "no")),
        ("counts tokens", _word(found.tokenizes, "yes", "no")),
        ("begin-of-text token", _word(found.adds_begin, "adds one of its own", "adds none")),
        ("batch-invariant", _word(found.batch_invariant, "yes", "no")),
    ]


def _chat(found: ChatFindings) -> list[Row]:
    seen = "" if found.seen_continuing or found.continuation is None else ", as you say; it was not seen to"
    return [
        ("continues a begun answer", "no" if found.continuation is None else f"yes ({found.continuation}){seen}"),
        ("white space at its end", _word(found.keeps_blanks, "shown to the model", "not shown, or unknown")),
        ("log-probabilities", _word(found.logprobs, "yes", "no")),
        ("stop strings", _word(found.names_stops, "named", "not named")),
        ("usage", _word(found.counts, "yes", "no")),
    ]


def _word(fact: bool | None, yes: str, no: str) -> str:
    return {True: yes, False: no, None: "unknown"}[fact]
