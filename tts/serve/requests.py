"""The bodies of requests: what is honoured is declared here, and everything else is refused by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, cast

from annotated_types import Interval, Len, MaxLen, MinLen
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tts.core.json import JsonObject
from tts.core.problem import Message, Problem, read_conversation
from tts.serve.catalogue import Changes
from tts.serve.refused import Refused

Detail = Literal["none", "summary", "full"]
"""How much of a search is told: nothing, a line for each event, or also the texts."""

_WHOLE = BeforeValidator(lambda value: _whole(value))
_LAST = 9_223_372_036_854_775_000
"""About the last number of 64 bits, and one that the OpenAPI document can say: its numbers are doubles."""
Whole = Annotated[int, Field(strict=True), Interval(ge=-_LAST, le=_LAST), _WHOLE]
Count = Annotated[int, Field(strict=True), Interval(ge=1, lt=1 << 53), _WHOLE]
_Zero = Annotated[float, Interval(ge=0, le=0)]
"""Of a field that is not honoured, the value that asks for nothing."""


def _nullable(schema: JsonObject) -> None:
    """Declares that fields that can be left out can be null."""
    fields = cast(dict[str, JsonObject], schema.get("properties", {}))
    required = cast(list[str], schema.get("required", []))
    for name, field in fields.items():
        if name not in required and {"type": "null"} not in cast(list[JsonObject], field.get("anyOf", [field])):
            fields[name] = {"anyOf": [field, {"type": "null"}]}


class _Body(BaseModel):
    """A part of a request; unknown fields are refused, and a field that is null is one that was left out."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra=_nullable)

    @model_validator(mode="before")
    @classmethod
    def _given(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {name: one for name, one in value.items() if one is not None or name not in cls.model_fields}


class Budget(_Body):
    """Limits of a search; it ends with its best candidate when one is reached."""

    tokens: Count | None = None
    dollars: Annotated[float, Field(gt=0)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None


class Options(_Body):
    """The field `tts`: how to search, within the operator's limits."""

    search: str | None = None
    n: Count | None = None
    votes: Count | None = None
    budget: Budget = Budget()
    reasoning: Detail | None = None


class SilentOptions(Options):
    """The field `tts` of a completion, which has no place for reasoning."""

    reasoning: Literal["none"] | None = None


class TextFormat(_Body):
    """The only format of answers."""

    type: Literal["text"] = "text"


class StreamOptions(_Body):
    """Options of a stream."""

    include_usage: bool = False


class TextPart(_Body):
    """A part of a message."""

    type: Literal["text"]
    text: str


class Turn(_Body):
    """A message; those that a client repeats from an answer may have the answer's further fields, which are not read."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[TextPart], MinLen(1)]
    reasoning_content: str | None = None
    refusal: None = None
    annotations: Annotated[list[object], MaxLen(0)] | None = None
    audio: None = None
    function_call: None = None
    tool_calls: None = None

    def message(self) -> Message:
        """Returns it as a policy reads it."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


def _whole(value: object) -> object:
    """Returns a whole number as one: JSON has only one kind of numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Asked(_Body):
    """What both kinds of requests have."""

    model: str
    n: Count = 1
    seed: Whole | None = None
    stop: Annotated[list[Annotated[str, MinLen(1)]], Len(0, 4), BeforeValidator(_listed)] | None = None
    max_tokens: Count | None = None
    temperature: Annotated[float, Interval(ge=0, le=2)] | None = None
    top_p: Annotated[float, Interval(gt=0, le=1)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: Annotated[str, MaxLen(256)] | None = None
    tts: Options = Options()
    frequency_penalty: _Zero | None = None
    presence_penalty: _Zero | None = None
    logit_bias: Annotated[dict[str, float], MaxLen(0)] | None = None

    @property
    def stops(self) -> Sequence[str]:
        """The texts before which an answer ends."""
        return self.stop or ()

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with its usage."""
        return self.stream_options is not None and self.stream_options.include_usage

    def bounds(self) -> dict[str, int | None]:
        """Returns the fields that bound the tokens of an answer."""
        return {"max_tokens": self.max_tokens}

    def wanted(self, direct: bool) -> Sequence[tuple[str, str, float]]:
        """Returns what the request changes of a model's search: fields, the settings that they change, and the values.

        Args:
            direct: Whether `n` asks for samples, rather than for the best candidates.
        """
        given = {field: bound for field, bound in self.bounds().items() if bound is not None}
        lowest = min(given, key=given.__getitem__, default="max_tokens")
        fields: Mapping[str, tuple[str, float | None]] = {
            "seed": ("seed", self.seed),
            "n": ("search.n", self.n if direct and self.n > 1 else None),
            "tts.n": ("search.n", self.tts.n),
            "tts.votes": ("verifier.votes", self.tts.votes),
            lowest: ("policy.max_tokens", given.get(lowest)),
            "temperature": ("policy.temperature", self.temperature),
            "top_p": ("policy.top_p", self.top_p),
            **{f"tts.budget.{name}": (f"budget.problem.{name}", bound) for name, bound in self.tts.budget},
        }
        return [(field, path, value) for field, (path, value) in fields.items() if value is not None]

    def changes(self, direct: bool) -> Changes:
        """Returns the settings of a model's search that the request changes; see `wanted`."""
        return tuple((path, value) for _, path, value in self.wanted(direct))


class ChatRequest(Asked):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[Turn], MinLen(1)]
    max_completion_tokens: Count | None = None
    response_format: TextFormat | None = None
    logprobs: Literal[False] | None = None
    store: Literal[False] | None = None

    def bounds(self) -> dict[str, int | None]:
        """Returns the fields that bound the tokens of an answer."""
        return {**super().bounds(), "max_completion_tokens": self.max_completion_tokens}

    def problem(self) -> Problem:
        """Returns the conversation as a problem.

        Raises:
            Refused: Its turns are no conversation that ends with a question.
        """
        try:
            turns = read_conversation([turn.message() for turn in self.messages])
        except ValueError as error:
            raise Refused(400, f"messages: {error}", "messages") from None
        return OwnProblem("problem", messages=turns)


class CompletionRequest(Asked):
    """`POST /v1/completions`: the prompt is the question."""

    prompt: Annotated[str, MinLen(1)]
    echo: Literal[False] | None = None
    best_of: Annotated[int, Interval(ge=1, le=1)] | None = None
    suffix: None = None
    logprobs: None = None
    tts: SilentOptions = SilentOptions()

    def problem(self) -> Problem:
        """Returns the prompt as a problem.

        Raises:
            Refused: It is blank.
        """
        if not self.prompt.strip():
            raise Refused(400, "prompt: there is no question in it", "prompt")
        return OwnProblem("problem", self.prompt)


class OwnProblem(Problem):
    """A problem that equals no other, so that a caller pays for all of his search and nothing of another's.

    Its id is that of `tts.search`, since the random choices of some strategies depend on it.
    """

    __eq__ = object.__eq__
    __hash__ = object.__hash__
