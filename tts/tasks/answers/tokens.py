r"""The tokens of an answer: LaTeX, plain text and both mixed. Layout is left out, everything else is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from tts.tasks.answers import commands
from tts.tasks.answers.nodes import Number, latex
from tts.tasks.answers.numerals import literal

Kind = Literal["number", "word", "command", "mark", "begin", "end"]


@dataclass(frozen=True)
class Token:
    r"""A token.

    Attributes:
        kind: A number literal; letters; a command (without its backslash); another character (the braces of a set are
            `\{` and `\}`); the begin or the end of an environment.
        text: As it stands in the answer.
        blank: Whether a blank stands before it.
        upright: Whether it stands in a text or in upright letters.
        bold: Whether it is in bold letters.
        value: Of a number, None where its notation is ambiguous.
        decimals: As of `tts.tasks.answers.nodes.Number`.
    """

    kind: Kind
    text: str
    blank: bool = False
    upright: bool = False
    bold: bool = False
    value: Fraction | None = None
    decimals: int | None = 0

    def split(self) -> tuple[Token, Token | None]:
        r"""Returns what LaTeX takes for an argument without braces (`\frac12`: one digit, one letter), and the rest."""
        if len(self.text) < 2 or not (self.kind == "word" or (self.kind == "number" and self.text.isdecimal())):
            return self, None
        return self.part(0, 1), replace(self.part(1, len(self.text)), blank=False)

    def part(self, start: int, end: int) -> Token:
        """Returns some of the digits or letters as a token."""
        text = self.text[start:end]
        return replace(self, text=text, value=Fraction(text) if self.kind == "number" else None)


def tokenize(text: str) -> list[Token]:
    """Returns the tokens of an answer, whose characters are those of `tts.tasks.answers.characters.in_latex`."""
    delimiters = len(_DOLLAR.findall(text)) % 2 == 0  # a lone dollar sign is the currency's
    return list(_tokens(_DOLLAR.sub("", text) if delimiters else text, _Style()))


def spell(tokens: Sequence[Token]) -> str:
    """Returns tokens in LaTeX: all that they were made of but layout."""
    made = ""
    for token in tokens:
        text = _SPELLED[token.kind](token)
        apart = made[-1:].isalnum() and text[:1].isalnum() and (token.blank or _ENDS_IN_COMMAND.search(made))
        made += f" {text}" if apart else text
    return made


@dataclass
class _Style:
    upright: bool = False
    bold: bool = False
    depth: int = 0
    """How many brackets are open."""
    lines: int = 0
    """How many environments are open whose lines are arranged at each &."""


_NUMERALS = frozenset("0123456789.")
_DOLLAR = re.compile(r"(?<!\\)\$")
_ENDS_IN_COMMAND = re.compile(r"\\[a-zA-Z]+$")
_TOKEN = re.compile(r"(?P<blank>(?:\s|~)+)|\\(?P<command>[a-zA-Z]+\*?|.)|(?P<word>[^\W\d_]+)|(?P<mark>.)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\s*\{([a-zA-Z]+\*?)\}")
_COLUMNS = re.compile(r"\s*\{[clr|@{} ]*\}")
_LINE_SPACE = re.compile(r"\[[^\[\]]*(?:pt|em|ex|cm|mm)\]")
_OPTION = re.compile(r"\s*\[[^\[\]]*\]")
_FENCE = re.compile(r"\s*(?:(\.)|(\||\\\||\\[lr]?[vV]ert(?![a-zA-Z])))")
_OPENING, _CLOSING = ("(", "[", r"\{"), (")", "]", r"\}")
_SPELLED: dict[Kind, Callable[[Token], str]] = {
    "number": lambda token: token.text if token.value is None else latex(Number(token.value, token.decimals)),
    "word": lambda token: rf"\text{{{token.text}}}" if token.upright else token.text,
    "command": lambda token: rf"\{token.text}",
    "mark": lambda token: token.text if token.text not in ("%", "&", "$", "#") else rf"\{token.text}",
    "begin": lambda token: rf"\begin{{{token.text}}}",
    "end": lambda token: rf"\end{{{token.text}}}",
}


def _tokens(text: str, style: _Style) -> Iterator[Token]:
    position, blank = 0, False
    while position < len(text):
        number = literal(text, position, style.depth > 0) if text[position] in _NUMERALS else None
        if number is not None:
            spelled = text[position : number.end]
            yield Token("number", spelled, blank, style.upright, False, number.value, number.decimals)
            position, blank = number.end, False
            continue
        match = _TOKEN.match(text, position)
        assert match is not None
        position = match.end()
        if match["blank"]:
            blank = True
            continue
        if match["command"]:
            made, position = _command(match["command"], text, position, style)
            if made is None:
                blank = True
                continue
        elif match["word"]:
            made = [Token("word", match["word"], False, style.upright, style.bold)]
        else:
            made = [] if match["mark"] == "&" and style.lines else [Token("mark", match["mark"])]
        inside = text[position - 1] == "}" and text[position - 2].isspace()  # \text{ and } says a blank
        for token in made:
            style.depth += (token.text in _OPENING) - (token.text in _CLOSING) if token.kind == "mark" else 0
            yield replace(token, blank=True) if blank and not token.blank else token
            blank = False
        blank = blank or inside


def _command(name: str, text: str, position: int, style: _Style) -> tuple[list[Token] | None, int]:
    """Returns the tokens of a command and of the argument that it styles, None for a blank; and where they end."""
    if name in ("left", "right"):
        fence = _FENCE.match(text, position)
        if fence is not None:
            return ([] if fence[1] else [Token("command", f"{name[0]}vert")]), fence.end()
    if name in ("begin", "end") and (environment := _ENVIRONMENT.match(text, position)):
        columns = _COLUMNS.match(text, environment.end()) if environment[1] in ("array", "alignedat") else None
        lost = environment[1] in commands.LOST_ENVIRONMENTS
        style.lines += lost if name == "begin" else -lost
        kind: Kind = "begin" if name == "begin" else "end"
        made = [] if lost else [Token(kind, environment[1])]
        return made, (columns or environment).end()
    if name == "\\":
        space = _LINE_SPACE.match(text, position)
        return [Token("command", "\\")], position if space is None else space.end()
    if name in commands.BLANKS:
        return None, position
    if name in commands.DROPPED:
        option = _OPTION.match(text, position)
        position = option.end() if option else position
        for _ in range(commands.DROPPED[name]):
            position = _argument(text, position)[1]
        return [], position
    if name in commands.LETTERS:
        return [Token("word", commands.LETTERS[name], False, style.upright, style.bold)], position
    if name in _STYLES:
        return _styled(name, text, position, style)
    if name in commands.LAYOUT:
        return [], position
    if name in commands.MARKS:
        return [Token("mark", commands.MARKS[name])], position
    return [Token("command", commands.SYNONYMS.get(name, name))], position


_STYLES = commands.TEXTS | commands.BOLD | commands.BOLD_TEXTS | commands.UNITS | commands.QUANTITIES


def _styled(name: str, text: str, position: int, style: _Style) -> tuple[list[Token], int]:
    made: list[Token] = []
    if name in commands.QUANTITIES:
        number, position = _argument(text, position)
        made += _tokens(number, _Style(depth=style.depth))
    content, end = _argument(text, position)
    if name in commands.UNITS | commands.QUANTITIES:
        content = content.replace("\\", " ")
    upright = style.upright or name not in commands.BOLD
    inner = list(_tokens(_DOLLAR.sub("", content), _Style(upright, name in commands.BOLD, style.depth, style.lines)))
    if made and inner:
        inner[0] = replace(inner[0], blank=True)
    before = text[:position].rstrip()[: -len(name) - 1].rstrip()[-1:]
    if before in ("^", "_") and len(inner) > 1:
        return [Token("mark", "{"), *made, *inner, Token("mark", "}")], end
    return made + inner, end


def _argument(text: str, position: int) -> tuple[str, int]:
    """Returns the argument that begins at a place: a group in braces, a command or a character; and where it ends."""
    while text[position : position + 1].isspace():
        position += 1
    if text[position : position + 1] != "{":
        match = _TOKEN.match(text, position)
        if match is None:
            return "", position
        end = match.end() if match["command"] else position + 1
        return text[position:end], end
    depth, end = 0, position
    while end < len(text):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 2 if text[end] == "\\" else 1
        if depth == 0:
            return text[position + 1 : end - 1], end
    return text[position + 1 :], len(text)
