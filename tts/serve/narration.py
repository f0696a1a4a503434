"""What a search does, as text: the reasoning that a caller reads while he waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tts.core.events import Chosen, Event, Expanded, Judged, Sampled
from tts.core.json import Json, JsonObject
from tts.serve.requests import Detail


class Narrator:
    """Tells the events of one search.

    Args:
        detail: How much of it.

    Attributes:
        dropped: Numbers of the nodes that could be continued and were not; they are dropped when the search ends.
    """

    def __init__(self, detail: Detail) -> None:
        self._told = _DETAILS[detail]
        self.dropped: dict[int, None] = {}

    def tell(self, event: Event) -> str:
        """Returns what to say about the next event; nothing for most kinds."""
        match event:
            case Sampled() if event.solution.finish_reason == "step":
                self.dropped[event.node] = None
            case Expanded():
                self.dropped.pop(event.node, None)
        tell = self._told.get(type(event))
        if tell is None:
            return ""
        lost = "".join(f"[{node}] dropped\n" for node in self.dropped) if isinstance(event, Chosen) else ""
        return lost + tell(event)

    def for_programs(self, event: Event) -> JsonObject:
        """Returns the event that was told last for programs that draw the tree."""
        match event:
            case Sampled():
                solution = event.solution
                return {
                    "kind": "sampled",
                    "node": event.node,
                    "parent": event.parent,
                    "text": solution.text,
                    "steps": list(solution.steps),
                    "tokens": solution.tokens,
                    "finished": solution.finished,
                }
            case Judged():
                votes: list[Json] = [
                    {"scores": list(vote.scores), "critiques": list(vote.critiques)} for vote in event.verdict.votes
                ]
                scores: list[Json] = list(event.verdict.scores)
                return {"kind": "judged", "node": event.node, "score": event.score, "scores": scores, "votes": votes}
            case Chosen():
                return {"kind": "chosen", "node": event.node, "answer": event.answer, "dropped": list(self.dropped)}
        return {"kind": type(event).__name__.lower()}


def _sampled(event: Event) -> str:
    assert isinstance(event, Sampled)
    after = f" after {event.parent}" if event.parent else ""
    kind = f" ({event.kind})" if event.kind else ""
    return f"[{event.node}] sampled{after}{kind}: {len(event.solution.steps)} steps, {event.solution.tokens} tokens\n"


def _judged(event: Event) -> str:
    assert isinstance(event, Judged)
    score = "no score" if event.score is None else f"score {event.score:.3f}"
    return f"[{event.node}] judged: {score}\n"


def _chosen(event: Event) -> str:
    assert isinstance(event, Chosen)
    return "nothing to choose\n" if event.node is None else f"[{event.node}] chosen\n"


def _sampled_text(event: Event) -> str:
    assert isinstance(event, Sampled)
    return f"{_sampled(event)}{event.solution.text.rstrip()}\n\n"


def _judged_text(event: Event) -> str:
    assert isinstance(event, Judged)
    steps = ", ".join("-" if score is None else f"{score:.2f}" for score in event.verdict.scores)
    votes = "".join(
        f"vote {number}, step {step}: {critique.strip()}\n"
        for number, vote in enumerate(event.verdict.votes, 1)
        for step, critique in enumerate(vote.critiques, 1)
        if critique.strip()
    )
    return f"{_judged(event).rstrip()} ({steps})\n{votes}\n"


_Told = Mapping[type[Event], Callable[[Event], str]]
_DETAILS: Mapping[Detail, _Told] = {
    "none": {},
    "summary": {Sampled: _sampled, Judged: _judged, Chosen: _chosen},
    "full": {Sampled: _sampled_text, Judged: _judged_text, Chosen: _chosen},
}
