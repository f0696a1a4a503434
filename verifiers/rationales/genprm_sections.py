"""What a reasoning model wrote about the paragraphs of a solution, as turns of a GenPRM conversation.

The model's text has a section a paragraph, as GenPRM's prompt demands: a heading, an analysis and a verification in tags.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from verifiers.generative.genprm_turn import Turn, parse
from verifiers.rationales.base import Unusable

_HEADING = re.compile(r"^### Paragraph (\d+)[ \t]*+:?[ \t]*+$", re.MULTILINE)
_SECTION = re.compile(
    r"\s*+<analyze>(?P<analysis>(?:(?!</analyze>).)*+)</analyze>\s*+<verify>(?P<verification>(?:(?!</verify>).)*+)</verify>.*",
    re.DOTALL,
)
_CODE = "```python\n"
_THINK = "<think>\n"


def turns(text: str, judged: Sequence[bool]) -> list[Turn]:
    """Returns the turns about the judged paragraphs, the first of the solution.

    A turn begins its verification with code, as GenPRM's prompt forces it to; a sentence before it is left out, as is what
    follows a section's last tag.

    Args:
        text: The model's text up to the last closing tag.
        judged: Whether each of them is right.

    Raises:
        Unusable: A section is missing, out of order or not in the format (`malformed`); or the sections end before the
            paragraph that is called wrong (`contradiction`).
    """
    before, *rest = _HEADING.split(text.removeprefix(_THINK))
    numbers, sections = [int(number) for number in rest[::2]], rest[1::2]
    if before.strip() or numbers != list(range(1, len(numbers) + 1)):
        raise Unusable("malformed")
    if len(sections) < len(judged):
        raise Unusable("malformed" if all(judged) else "contradiction")
    return [_turn(k, section, right) for k, (section, right) in enumerate(zip(sections, judged, strict=False), 1)]


def _turn(number: int, section: str, right: bool) -> Turn:
    found = _SECTION.fullmatch(section)
    if found is None:
        raise Unusable("malformed")
    _, code, rest = found["verification"].partition(_CODE)
    turn = Turn(number, found["analysis"].strip() + "\n", code + rest.strip() + "\n", right)
    if not code or parse(str(turn)) != turn:
        raise Unusable("malformed")
    return turn
