"""Finding the final answer in a solution's text."""

from __future__ import annotations

import re
from functools import lru_cache

from tts.core import Solution
from tts.tasks.answers.boxes import boxed, last_boxes
from tts.tasks.answers.nodes import Opaque, Relation, Text
from tts.tasks.answers.reading import read

_TAGGED = re.compile(
    r"<(?:final_)?answer>((?:(?!<(?:final_)?answer>).)*?)(?:</(?:final_)?answer>|\Z)", re.DOTALL | re.IGNORECASE
)
_THOUGHTS = ("think", "thinking", "thought", "reasoning")
_HASHES = re.compile(r"^####(?!#)[ \t]*(\S[^\n]*)$", re.MULTILINE)

_EMPHASIS = r"(?:\*|_|`|\"|'|</?(?:b|strong|i|em)>)*+"
_OPENING = r"(?:\s|\*|_|`|ˋ|\\\[|\\\(|\$\$|</?(?:b|strong|i|em)>|<br ?/?>|(?<=\n)[->][ \t])*(?=\S)"
_NAMES = (
    r"(?:final[ \t]+|correct[ \t]+)?answers?|correct[ \t]+(?:option|choice)|正确(?:答案|选项)"
    r"|final[ \t]+results?|r[ée]ponse(?:[ \t]+finale)?|respuesta(?:[ \t]+final)?"
    r"|resposta(?:[ \t]+final)?|risposta(?:[ \t]+finale)?|antwort|ответ|정답|답|答え|答(?=[:：])|(?:最终|最後の)?答案"
    r"|最终结果|उत्तर|الجواب|الإجابة|đáp án|jawaban|cevap|odpowiedź|odpověď|antwoord|svar|vastaus"
)
_VERBS = (
    r"(?:(?:is|are|est|es|è|é|ist|lautet|应?为|為|应?该?是|等于|は|은|는)[ \t]*+)?(?:[:：=—–]|-(?=[ \t]))"
    r"|is\b|are\b|(?:should|would|will|must|has to)[ \t]+be\b|equals\b|est\b|es\b|ist\b|lautet\b"
    r"|应为|应该?是|等于|[为為是は은는èé]|选(?:择|项)?(?:为|是)?"
)
_STATEMENTS = (
    # The answer is 7; **Final Answer**: 7; 答案：7.
    rf"(?<![a-zA-Z])(?:{_NAMES}){_EMPHASIS}(?:[ \t]*\([^()\n]{{1,40}}\))?"
    r"(?:[ \t]+(?:to|for|of)[ \t]++[^.:=\n]{0,79}?[^.:=\s])?[ \t]*+"
    rf"(?:{_VERBS}){_EMPHASIS}(?:[ \t]*+[:：])?(?:[ \t]++(?:therefore|thus|then|hence|simply|just)\b,?)?"
    rf"(?:,|\.\.\.|…)?{_OPENING}",
    # A heading of its own: ### Answer.
    rf"^[ \t#*_>]*(?:{_NAMES}|results?|solution){_EMPHASIS}[ \t]*+[:：]?{_EMPHASIS}[ \t]*\n{_OPENING}",
    r"^[ \t*_]*(?:results?|ans)\.?[ \t]*[:：=]" + _OPENING,
    rf"【(?:{_NAMES})】[:：]?" + _OPENING,
    r"故选[ \t]*+[:：]?" + _OPENING,
    r"选(?:择|项)?[ \t]*(?:[:：][ \t]*)?(?=[（(]?[A-H](?![a-zA-Z]))",
)
_STATEMENT = re.compile("|".join(f"(?:{statement})" for statement in _STATEMENTS), re.IGNORECASE | re.MULTILINE)
_STOP = r"\.[*_`\"'ˋ]*"
_NO_ABBREVIATION = "".join(
    rf"(?<!\b{word})" for word in ("ft", "in", "lb", "lbs", "oz", "hr", "hrs", "min", "sq", "cu")
)
"""Words whose full stop ends no statement that goes on: 5 ft. 3 in."""
_END_OF_STATEMENT = re.compile(
    r"\n|,?\s\(?(?:because|since)\b|, (?:as|which)\b|\s(?:and we are|\(see)\b"
    rf"|{_NO_ABBREVIATION}{_STOP}(?:\s|\Z)|{_STOP}(?:\s(?-i:[A-Z])|\Z)|。|</?[a-z]+>",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?<=\n)1\.[ \t]+[^\n]+(?:\n+[2-9]\.[ \t]+[^\n]+)+")
_LAYERS = 50
"""Of quotes and delimiters around a statement; what has more repeats itself."""
_EXCLAIMED = re.compile(r"[^\W\d_]{3}!\s*$")
_QUOTES = (
    ("**", "**"),
    ("*", "*"),
    ("__", "__"),
    ("'", "'"),
    ('"', '"'),
    ("`", "`"),
    ("$", "$"),
    ("“", "”"),
    ("‘", "’"),
    ("«", "»"),
)


# A solution's answer is asked for by the search, which groups answers, and again when it is graded.
@lru_cache(maxsize=256)
def extract_answer(text: str) -> str | None:
    r"""Returns the final answer that a solution states, None where it states none.

    In this order: the content of the last complete `\boxed{...}` (also `\fbox`, `\framebox`; the inner one where they
    are nested), or several boxes where only commas, "and" or "or" stand between them, which `MathGrader.correct` takes
    for a list where the reference is one, else for the last of them; GSM8K's last line `#### number`; the last
    "the answer is x", "**Answer**: x", "### Answer" and the like, also in other languages. Where there is an
    `<answer>...</answer>` it is sought in there. What stands in `<think>` is no final answer, and a number that merely
    stands in the text is never taken for one.
    """
    text = _without_thoughts(text)
    tagged = _TAGGED.findall(text) if "<" in text else []
    if tagged:
        return _stated(tagged[-1]) or tagged[-1].strip() or None
    return _stated(text)


def answer_of(solution: Solution) -> str | None:
    """Returns a solution's final answer, None where it has none or is not finished."""
    return extract_answer(solution.text) if solution.finished else None


def _stated(text: str) -> str | None:
    boxes = last_boxes(text)
    return boxed(boxes) if boxes else _last_hashes(text) or _last_statement(text)


def _without_thoughts(text: str) -> str:
    """Returns what stands behind the last thought: a template may open it, and a cut one never ends."""
    if "<" not in text:
        return text
    for tag in _THOUGHTS:
        text = text.rpartition(f"</{tag}>")[2].partition(f"<{tag}>")[0]
    return text


def _last_hashes(text: str) -> str | None:
    lines = [match[1].strip() for match in _HASHES.finditer(text)]
    return next((line.strip("* \t") for line in reversed(lines) if _is_answer(line)), None)


def _is_answer(line: str) -> bool:
    """Returns whether a line is an answer and not a heading."""
    node = read(line).node
    return not isinstance(node, Opaque | Text | Relation) and any(character.isdigit() for character in line)


def _last_statement(text: str) -> str | None:
    start = max((match.end() for match in _STATEMENT.finditer(text)), default=len(text))
    listed = _NUMBERED.match(text, start)
    if listed is not None:
        return ", ".join(_bare(line.split(".", 1)[1]) for line in listed[0].splitlines() if line.strip())
    statement = _END_OF_STATEMENT.split(text[start:], maxsplit=1)[0]
    if r"\boxed" in statement:  # a box that never closes: the text was cut
        return None
    return _bare(statement) or None


def _bare(statement: str) -> str:
    """Takes away Markdown, quotes, delimiters of formulas and punctuation around a statement."""
    bare = statement
    for _ in range(_LAYERS):
        bare = (
            statement.strip()
            .rstrip(".,;?*` ✓✔✅☑\ufe0f．？")
            .removesuffix("!" if _EXCLAIMED.search(statement) else "")
            .removesuffix("です")
            .removesuffix("입니다")
            .removesuffix(r"\)")
            .removesuffix(r"\]")
            .removesuffix("$$")
            .removesuffix("__")
            .lstrip("`")
            .rstrip("ˋ")
        )
        bare = bare.removesuffix("}") if bare.count("}") > bare.count("{") else bare
        for opening, closing in _QUOTES:
            if bare.startswith(opening) and bare.endswith(closing) and len(bare) > len(opening) + len(closing):
                bare = bare[len(opening) : -len(closing)]
        if bare == statement:
            break
        statement = bare
    return bare
