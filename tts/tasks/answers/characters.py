"""Unicode's mathematical characters in LaTeX: runs of them are one exponent, one subscript, one root's argument."""

from __future__ import annotations

import re
import unicodedata

_COMMANDS = {
    "×": "times", "⨯": "times", "·": "cdot", "⋅": "cdot", "∙": "cdot", "•": "cdot", "÷": "div", "±": "pm", "∓": "mp",
    "≤": "le", "⩽": "le", "≦": "le", "≥": "ge", "⩾": "ge", "≧": "ge", "≠": "ne", "≈": "approx", "≡": "equiv",
    "∈": "in", "∪": "cup", "∩": "cap", "∖": "setminus", "∅": "emptyset", "Ø": "emptyset",
    "⌀": "emptyset", "∞": "infty", "∣": "mid",
    "√": "surd", "∛": "surd[3]", "∜": "surd[4]", "∑": "sum", "∫": "int", "∠": "angle", "△": "triangle", "→": "to",
    "⟨": "langle", "⟩": "rangle", "〈": "langle", "〉": "rangle", "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil",
    "⌉": "rceil", "‖": "|", "∥": "|", "…": "ldots", "⋯": "ldots", "ℓ": "ell", "ℏ": "hbar",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ϵ": "epsilon", "ζ": "zeta", "η": "eta",
    "θ": "theta", "ϑ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi",
    "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi", "ϕ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma",
    "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi",
    "Ω": "Omega",
}  # fmt: skip
_SETS = dict(zip("ℝℤℕℚℂℙ", "RZNQCP", strict=True))
_CHARACTERS = str.maketrans(
    {
        **{character: rf"\{command} " for character, command in _COMMANDS.items()},
        **{character: rf"\mathbb{{{letter}}}" for character, letter in _SETS.items()},
        **dict.fromkeys("−–—‐‑‒﹣－", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f", ""),
        **dict.fromkeys("°˚º", r"^{\circ}"),
        **dict.fromkeys("’‘ʼ′", "'"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("【】「」『』", " "),
        "⁄": "/",
        "∶": ":",
        "∕": "/",
        "∗": "*",
        "µ": r"\mu ",
        "，": ",",
        "￥": "¥",
        "₤": "£",
        "𝑖": "i",
    }
)
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵃᵇᶜᵈᵉᶠᵍʰʲᵏˡᵐᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
_SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ"
_SUPERSCRIPT_RUN = re.compile(f"[{_SUPERSCRIPTS}]+")
_SUBSCRIPT_RUN = re.compile(f"[{_SUBSCRIPTS}]+")
_FRACTION = re.compile("[¼½¾⅐-⅞↉]|(?<![⁰¹²³⁴-⁹])[⁰¹²³⁴-⁹]+[⁄/][₀-₉]+")
_TIMES_TEN = re.compile(rf"(?<=\d)\s*[xX]\s*(?=10\s*(?:\^|\*\*|[{_SUPERSCRIPTS}]))")
_UNEQUAL = re.compile(r"(?<=\w )!=")
_TO = re.compile(r"(?<=\d)\s*比\s*(?=\d)")
_SQUARE = re.compile("[㎀-㏟℃℉]")


def in_latex(text: str) -> str:
    """Returns a text with Unicode's mathematical characters as LaTeX and full-width ones as plain ones."""
    text = _UNEQUAL.sub(r"\\ne ", _TIMES_TEN.sub(r"\\times ", text))
    if text.isascii():
        return text
    text = _TO.sub(":", text)
    text = _SQUARE.sub(lambda match: _once(match[0]), text)
    text = _FRACTION.sub(_fraction, text)
    text = _SUPERSCRIPT_RUN.sub(lambda match: f"^{{{_plain(match[0])}}}", text)
    text = _SUBSCRIPT_RUN.sub(lambda match: f"_{{{_plain(match[0])}}}", text)
    text = text.translate(_CHARACTERS)
    # Letters of Unicode's mathematical alphabets and full-width forms.
    return unicodedata.normalize("NFKC", text).translate(_CHARACTERS)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_CHARACTERS)


def _fraction(match: re.Match[str]) -> str:
    top, bottom = unicodedata.normalize("NFKC", match[0]).replace("⁄", "/").split("/")
    return rf"\frac{{{top}}}{{{bottom}}}"


def _once(character: str) -> str:
    """Returns the characters that one stands for (of ㎠ the letters and the superscript), without going further."""
    return "".join(chr(int(code, 16)) for code in unicodedata.decomposition(character).split() if code[0] != "<")
