"""Final answers: finding them in a solution's text and writing them in one canonical form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from tts.core import Solution

_BOX_OR_BRACE = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?P<open>\{)|\\.|[{}]", re.DOTALL)
_HASHES = re.compile(r"####[ \t]*(-?\$?[\d,]*\.?\d+%?)[ \t]*$", re.MULTILINE)
_STATEMENT = re.compile(r"\banswer(?: is\b:?|:)(?:\s|\*|\$|\\[(\[])*(?=\S)", re.IGNORECASE)
_END_OF_STATEMENT = re.compile(r"\n|\.\**(?:\s|\Z)")


def extract_answer(text: str) -> str | None:
    r"""Returns the final answer that a solution states, None where it states none.

    In this order: the content of the last complete `\boxed{...}` (also `\fbox`, `\framebox`; the inner one where they
    are nested), GSM8K's last line `#### number`, the last "the answer is x" or "answer: x". A number that merely stands
    in the text is never taken for an answer.
    """
    return _last_box(text) or _last_hashes(text) or _last_statement(text)


def answer_of(solution: Solution) -> str | None:
    """Returns a solution's final answer, None where it has none or is not finished."""
    return extract_answer(solution.text) if solution.finished else None


def _last_hashes(text: str) -> str | None:
    return next((match[1] for match in reversed(list(_HASHES.finditer(text)))), None)


def _last_statement(text: str) -> str | None:
    start = max((match.end() for match in _STATEMENT.finditer(text)), default=len(text))
    statement = _END_OF_STATEMENT.split(text[start:], maxsplit=1)[0]
    if r"\boxed" in statement:  # a box that never closes: the text was cut
        return None
    return statement.rstrip(" .*$").removesuffix(r"\)").removesuffix(r"\]").rstrip(" .*$") or None


def _last_box(text: str) -> str | None:
    """Returns the content of the complete, non-empty box that opens last. Linear in the text's length."""
    opened: list[int | None] = []
    last: tuple[int, int] | None = None
    for token in _BOX_OR_BRACE.finditer(text):
        if token["open"]:
            opened.append(token.end())
        elif token[0] == "{":
            opened.append(None)
        elif token[0] == "}" and opened:
            start, end = opened.pop(), token.start()
            if start is not None and text[start:end].strip() and (last is None or start > last[0]):
                last = start, end
    return None if last is None else text[slice(*last)].strip()


_CHARACTERS = str.maketrans(
    {
        **{digit: f"^{i}" for i, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
        **{digit: f"_{i}" for i, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")},
        **dict.fromkeys("−–—‐‑", "-"),
        **dict(zip("½⅓⅔¼¾", (rf"\frac{{{f[0]}}}{{{f[1]}}}" for f in ("12", "13", "23", "14", "34")), strict=True)),
        "×": r"\times ",
        "·": r"\cdot ",
        "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "∪": r"\cup ",
        "√": r"\sqrt ",
        "°": r"^\circ",
    }
)

_TEXT = r"\\(?:text|textbf|textit|textrm|textnormal|mbox|mathrm|mathbf|mathit)"
_UNITS = r"(?:square |cubic )?(?:degrees?|dollars?|cents?|percent|units?)"

_Rewrite = str | Callable[[re.Match[str]], str]


def _plain_number(match: re.Match[str]) -> str:
    whole, fraction = re.sub("[, ]", "", match["whole"]).lstrip("0") or "0", (match["fraction"] or "").rstrip("0")
    digits = f"{whole}.{fraction}" if fraction else whole
    return f"-{digits}" if match["sign"] == "-" and digits != "0" else digits


_REWRITES: tuple[tuple[re.Pattern[str], _Rewrite], ...] = tuple(
    (re.compile(pattern), rewrite)
    for pattern, rewrite in (
        # Mathematics delimiters and currency; a lone dollar sign has no other meaning in an answer.
        (r"\\?\$|(?<!\\)\\[()\[\]]|[£€]", ""),
        # Layout: sizes of brackets and of letters, and blanks of all widths ("\\ " is a matrix's line end).
        (r"\\(?:left|right)\.", ""),
        (r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle)(?![a-zA-Z])", ""),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\{,\}|,\\!", ","),
        (r"\\!", ""),
        (r"(?<=\d)\\,(?=\d{3})", ""),
        (r"(?<!\\)\\[,;: ]|~|\\q?quad(?![a-zA-Z])|\s+", " "),
        (r" +", " "),
        # A blank means something only between letters or digits (`\pi r`) and behind a matrix's line end.
        (r"(?<![\w\\]) | (?!\w)|^ | $", ""),
        # What is all text is its content; what ends in a text says its unit there.
        (rf"^{_TEXT} ?\{{ ?([^{{}}]*?) ?\}}\.?$", r"\1"),
        (rf"(?<=[\d}})]) ?{_TEXT} ?\{{[^{{}}]*\}}(?:\^\{{?\d\}}?)?\.?$", ""),
        (rf"(?<=[\d}})]) ?{_UNITS}\.?$", ""),
        (r"(?<=.)(?:\\%|%|\^ ?\{?(?:\\circ|\\degree)\}?|\\degree)\.?$", ""),
        (r"(?<=.)\.$", ""),
        # \frac12 and \frac1{2}.
        (r"\\frac ?(\d) ?(?=[\d{])", r"\\frac{\1}"),
        (r"(\\frac\{[^{}]*\}) ?(\d)", r"\1{\2}"),
        (r"^(?P<sign>[+-]?)(?P<whole>\d{1,3}(?:[, ]\d{3})+|\d+|(?=\.\d))(?:\.(?P<fraction>\d*))?$", _plain_number),
        # Words, not products of variables; the case of words says nothing.
        (r"^[^\W\d_]{4,}$|^[^\W\d_]{2,}(?: [^\W\d_]{2,})+$", lambda words: rf"\text{{{words[0].lower()}}}"),
    )
)


@lru_cache(maxsize=1 << 14)  # candidates share few answers
def normalize(answer: str) -> str:
    r"""Returns a canonical form of an answer, itself an answer in LaTeX: equal forms are equal answers.

    Takes away what does not change an answer: dollar signs, `\left` and `\right`, blanks, thousands separators, leading
    zeros, a decimal part of zeros, `\text` around or a unit, degree or percent sign behind it; writes `\dfrac` and
    `\frac12` as `\frac{1}{2}` and Unicode's mathematical characters as LaTeX. Different forms may still be equal
    answers: that is for `tts.tasks.grading.Grader`.
    """
    form = unicodedata.normalize("NFKC", answer.translate(_CHARACTERS)).strip()
    for pattern, rewrite in _REWRITES:
        form = pattern.sub(rewrite, form)
    return form
