"""Normalises the many notations of arithmetic (LaTeX, unicode, words) to one, line by line."""

from __future__ import annotations

import re
from collections.abc import Callable

_Rewrite = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

_ANNOTATION = re.compile(r"<<([^<>]*)>>")

_CHARACTERS = str.maketrans(
    {
        "×": "*", "·": "*", "⋅": "*", "∙": "*", "∗": "*", "÷": "/", "⁄": "/", "∕": "/", "−": "-", "–": "-", "—": ";",
        "≈": "\u2248", "≅": "\u2248", "π": r"\pi ", "√": r"\sqrt ", "°": " ", "€": " ", "£": " ", "¢": " ", "\u00a0": " ",
        "…": r"\dots ", "≡": r"\equiv ", "²": "^2", "³": "^3", "½": "(1/2)", "¼": "(1/4)", "¾": "(3/4)",
    }
)  # fmt: skip

_REWRITES: tuple[_Rewrite, ...] = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"(?<=\d)(?:\{,\}|,\\!)(?=\d{3})", ","),
        (r"\.{2,}", r"\\dots "),
        (r"^[^\S\n]*(?:[-*•+]|\d+[.)])\s+", ""),
        (r"\*\*|__|`", " "),
        (r"\\(?:begin|end)\s*\{[^{}]*\}(?:\{[^{}]*\})?", " ; "),
        (r"\\\\\s*+(?:\[[^\[\]]*+\]\s*+)?+(?:&\s*+)?+(?==)", " "),
        (r"\\\\", " ; "),
        (r"\\(?:text|mathrm|mbox|textbf|mathbf|textit|operatorname)\s*\{([^{}]*)\}", r" \1 "),
        (r"\\(?:left|right|bigl?|bigr?|Bigl?|Bigr?|displaystyle|boxed|limits)(?![A-Za-z])", ""),
        (r"\\[()\[\]]", " ; "),
        (r"\^\s*\{?\\circ\}?", " "),
        (r"\\(?:degree|quad|qquad)(?![A-Za-z])|\\[,;:! ]|~|&", " "),
        (r"\\[td]frac(?![A-Za-z])", r"\\frac"),
        (r"\\[td]binom(?![A-Za-z])", r"\\binom"),
        (r"\\(?:times|cdot|ast)(?![A-Za-z])", " * "),
        (r"\\div(?![A-Za-z])", " / "),
        (r"\\(?:approx|simeq|cong)(?![A-Za-z])|\b(?:is|equals|=)\s*(?:approximately|about|roughly)\b", " \u2248 "),
        (r"=\s*(?:approximately|about|roughly)\b", " \u2248 "),
        (r"\\?\$", " "),
        (r"\\%", "%"),
        (r"\bpercent\b", "%"),
        (r"(?<=[\d)])\s*[xX]\s*(?=[\d(])", " * "),
        (r"\bdivided by\b", " / "),
        (r"\b(?:multiplied by|times)\b", " * "),
        (r"\bplus\b", " + "),
        (r"\bminus\b", " - "),
        (r"\bsqrt\s*(?=\()", r"\\sqrt "),
        # 60 miles/hour: a unit, not a quotient.
        (r"/\s*(?=[A-Za-z]{2,})", " per "),
        (r"\(\s*([A-Za-z]{2}[A-Za-z ]*)\)", r" \1 "),
    )
)


def normal(text: str) -> str:
    """Returns the text with one notation for every operator, and without formatting."""
    text = text.translate(_CHARACTERS)
    # GSM8K's calculator annotations sit inside the equations that they repeat.
    text = "\n".join([_ANNOTATION.sub("", text), *_ANNOTATION.findall(text)])
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text
