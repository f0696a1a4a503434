"""Problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tts.core.errors import ProblemError, UserError
from tts.core.json import JsonObject
from tts.core.well_formed import well_formed

Message = Mapping[str, str]
"""A chat message: `role` (`system`, `user`, `assistant`) and `content`."""

Conversation = Sequence[Message]


@dataclass(frozen=True)
class Attachment:
    """A part of a problem that is not text.

    Attributes:
        kind: Its type for a model, such as `image`.
        path: Its path; a relative path is relative to the current directory. The policy or verifier opens it.
    """

    kind: str
    path: str

    def __str__(self) -> str:
        return f"{self.kind} {self.path}"


@dataclass(frozen=True)
class Problem:
    """One problem of a task.

    Attributes:
        id: Unique within the task.
        question: The problem; for a conversation its last turn, which can then be omitted.
        answer: The reference answer, None if the task has none.
        metadata: The row's other fields (level, subject, step labels); never shown to a model.
        messages: The conversation that ends with the question, if any: user and assistant turns, the last one the
            user's, the first one possibly the system's.
        attachments: Shown together with the question.

    Raises:
        UserError: The messages are not such a conversation, or end with another question.
    """

    id: str
    question: str = ""
    answer: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict, hash=False, compare=False)
    messages: Conversation | None = field(default=None, hash=False)
    attachments: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        """Makes the texts well-formed and converts the messages to a form that can be compared."""
        for name in ("id", "question", "answer"):
            text = getattr(self, name)
            if isinstance(text, str) and not text.isascii():
                object.__setattr__(self, name, well_formed(text))
        if self.messages is None:
            return
        try:
            messages = read_conversation(self.messages)
        except ValueError as error:
            raise UserError(f"problem {self.id}: {error}") from None
        question = messages[-1]["content"]
        if self.question not in ("", question):
            raise UserError(f"problem {self.id}: the question is not the last message; leave one of them out")
        object.__setattr__(self, "messages", messages)
        object.__setattr__(self, "question", question)

    @property
    def turns(self) -> Conversation:
        """The problem as a conversation, for text-only readers: its messages, or the question as the only turn.

        Raises:
            ProblemError: It has attachments, which text would omit.
        """
        require_text(self, "what is asked")
        return self.messages or ({"role": "user", "content": self.question},)

    @property
    def text(self) -> str:
        """The problem as one text: the question, or every turn of the conversation after the name of its role.

        Raises:
            ProblemError: As for `turns`.
        """
        turns = self.turns
        if len(turns) == 1:
            return self.question
        return "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns)

    def to_json(self) -> JsonObject:
        """Returns the problem without its metadata as a row of a problem file; plain problems have three fields."""
        row: JsonObject = {"id": self.id, "question": self.question, "answer": self.answer}
        if self.messages is not None:
            row["messages"] = [dict(message) for message in self.messages]
        if self.attachments:
            row["attachments"] = [{"kind": each.kind, "path": each.path} for each in self.attachments]
        return row


def require_text(problem: Problem, reader: str) -> None:
    """Raises ProblemError if a problem has attachments, which `reader` would ignore."""
    if problem.attachments:
        shown = ", ".join(map(str, problem.attachments))
        raise ProblemError(f"problem {problem.id} comes with {shown}, but {reader} reads text only")


def read_conversation(value: object) -> Conversation:
    """Returns a value as a conversation: user and assistant turns, the last one the user's question.

    Raises:
        ValueError: It is not a conversation.
    """
    messages = tuple(map(_message, value if isinstance(value, list | tuple) else [value]))
    if any(message["role"] == "system" for message in messages[1:]):
        raise ValueError("only the first message can be the system's")
    if not messages or messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
        raise ValueError("the last message must be the user's question")
    return messages


def read_attachments(value: object) -> tuple[Attachment, ...]:
    """Returns a row's attachments.

    Args:
        value: An attachment or a list of them: the path of an image, or an object with `kind` and `path`.

    Raises:
        ValueError: It is something else.
    """
    return tuple(_attachment(each) for each in (value if isinstance(value, list | tuple) else [value]))


def _attachment(value: object) -> Attachment:
    match value:
        case str(path) if path:
            return Attachment("image", path)
        case {"kind": str(kind), "path": str(path), **rest} if kind and path and not rest:
            return Attachment(kind, path)
    raise ValueError(f'an attachment is the path of an image or {{"kind": ..., "path": ...}}, not {value!r:.60}')


def _message(value: object) -> Message:
    match value:
        case {"role": "system" | "user" | "assistant" as role, "content": str(content), **rest} if not rest:
            return {"role": role, "content": well_formed(content)}
    raise ValueError(
        f'a message is {{"role": ..., "content": TEXT}}, the role system, user or assistant, not {value!r:.60}'
    )
