"""Things that are counted: the words behind a number that name them, and those that say something else."""

from __future__ import annotations

from collections.abc import Sequence

from tts.tasks.answers.tokens import Token
from tts.tasks.answers.unit_names import UNITS
from tts.tasks.answers.vocabulary import words

_OTHERWISE = words(
    "more less fewer greater than times plus minus not no or and mod modulo odd even base half halves third "
    "thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths ninth "
    "ninths tenth tenths hundredth hundredths thousandth thousandths dozen dozens hundred hundreds thousand "
    "thousands million millions billion billions trillion trillions tens ones rd th st nd is are was were if for "
    "where when with but to from except squared cubed root between least most about approximately almost nearly "
    "over under into divided multiplied choose factorial prime composite positive negative equal equals degrees "
    "percent twice thrice double triple pairs scores score gross powers power percents pm am a.m p.m noon "
    "midnight oclock before after ago later earlier up down unless only then so because which that this these "
    "those it its nor xor as by on at in out off per does do has have sin cos tan log ln pi sqrt infinity "
    "infinitely undefined modulus remainder mods multiple naturals reals"
)
"""Words that change what a number before them says, or that may."""
_SAME = words("full whole extra additional consecutive school total metric american")
"""Words before a unit that leave it what it is."""
_TAIL = words("left total altogether remaining each apiece all overall")
_PLURALS = words(
    "people children men women feet teeth mice geese fish sheep deer cattle police oxen dice data students' media "
    "candy water pizza money bread milk juice rice sugar flour paint wood gold homework food fruit chocolate cake "
    "pie corn gas fuel soda cream butter cheese meat coffee tea salt sand land cash change staff"
)
_SINGULARS = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "feet": "foot", "teeth": "tooth",
    "mice": "mouse", "geese": "goose", "oxen": "ox", "dice": "die", "persons": "person",
}  # fmt: skip
_LONGEST = 6


def counted(tokens: Sequence[Token], one: bool) -> str | None:
    """Returns the thing that words behind a number name, in one form; None where they may say something else.

    Args:
        tokens: All tokens behind the number.
        one: Whether the number is 1, whose thing is in the singular.
    """
    words = [token.text.lower() for token in tokens if token.kind == "word"]
    if words[-2:-1] == ["in"] and words[-1] in _TAIL:
        words, tokens = words[:-2], tokens[:-2]
    if len(words) < len(tokens) or not words or len(words) > _LONGEST or not _OTHERWISE.isdisjoint(words):
        return None
    while len(words) > 1 and words[-1] in _TAIL:
        words = words[:-1]
    thing = _before(words, "per", "a", "an", "every", "each")
    rate = f" /{_singular(words[-1])}" if len(thing) < len(words) else ""
    head = _before(thing, "of")
    if not head or len(head) > 3 or not all(len(word) > 2 and word.isascii() and word.isalpha() for word in head):
        return None
    noun = head[-1]
    said = [word for word in head[:-1] if word not in _SAME]
    rate = (" " + " ".join(thing[len(head) :]) if len(thing) > len(head) else "") + rate
    if noun in UNITS:
        return " ".join([*said, UNITS[noun]]) + rate
    plural = noun in _PLURALS or (noun.endswith("s") and not noun.endswith("ss") and len(noun) > 3)
    return " ".join([*said, f"{_singular(noun)}s"]) + rate if plural or one else None


def same_things(one: str, other: str) -> bool:
    """Returns whether things may be the same, of which one answer says more: apples, red apples, apples a day.

    Of a measure every word counts but what is measured: light years are no years.
    """
    things = [name.partition(" of ") for name in (one, other)]
    last = [thing.partition(" /")[0].rpartition(" ")[2].partition("^")[0] for thing, _, _ in things]
    measures = not _MEASURES.isdisjoint(last)
    if measures:
        return things[0][0] == things[1][0] and "" in (things[0][2], things[1][2])
    ones, others = (set(name.split()) for name in (one, other))
    return (ones <= others or others <= ones) and _noun(one) == _noun(other)


def _noun(thing: str) -> str:
    return thing.partition(" of ")[0].partition(" /")[0].rpartition(" ")[2]


_MEASURES = frozenset(UNITS.values()) - {"piece"}


def _before(words: list[str], *marks: str) -> list[str]:
    places = [words.index(mark) for mark in marks if mark in words[1:]]
    return words[: min(places)] if places else words


def _singular(noun: str) -> str:
    if noun in _SINGULARS:
        return _SINGULARS[noun]
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "sses", "xes", "zes")):
        return noun[:-2]
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun
