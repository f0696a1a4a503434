"""LaTeX's commands by what they do to an answer: nothing, a blank, upright or bold letters; and those that mean the same."""

from tts.tasks.answers.vocabulary import words

LAYOUT = words(
    "big Big bigg Bigg bigl bigr bigm Bigl Bigr Bigm biggl biggr biggm Biggl Biggr Biggm displaystyle textstyle "
    "scriptstyle scriptscriptstyle limits nolimits hfill hline strut mathstrut normalsize large Large LARGE huge "
    "Huge small footnotesize tiny centering noindent mathop mathord mathrel mathbin mathopen mathclose mathinner "
    "rm sf tt cal mit boldmath bfseries itshape rmfamily upshape bf it boxed fbox framebox num ensuremath "
    "underline uline emph mathnormal mathit textit displaylines vcenter smash unboldmath selectfont nonumber "
    "notag underbrace overbrace therefore left right middle checkmark qed ! / ( ) [ ] allowbreak nobreak mathtt mathsf"
)
"""Commands that say how something looks; their arguments stay where they stand."""
BLANKS = words("quad qquad enspace thinspace medspace thickspace space nobreakspace , ; : > ~") | {
    " ",
    "\n",
}
TEXTS = words(
    "text textrm textnormal textup textsc texttt textsf mbox hbox mathrm operatorname operatorname* mathup textmd"
)
BOLD = frozenset(["mathbf", "boldsymbol", "bm", "pmb", "symbf", "mathbfit"])
BOLD_TEXTS = frozenset(["textbf"])
UNITS = frozenset(["si", "unit"])
"""Commands whose argument is a unit, in the words of siunitx; those of `QUANTITIES` have a number before it."""
QUANTITIES = frozenset(["SI", "qty"])
DROPPED = {
    "color": 1, "textcolor": 1, "colorbox": 1, "fcolorbox": 2, "bbox": 0, "phantom": 1, "hphantom": 1, "vphantom": 1,
    "hspace": 1, "hspace*": 1, "vspace": 1, "label": 1, "tag": 1, "tag*": 1, "style": 1, "class": 1, "cssId": 1,
}  # fmt: skip
"""Commands with so many arguments that say how the next one looks."""
SYNONYMS = {
    **dict.fromkeys(["dfrac", "tfrac", "cfrac", "sfrac", "nicefrac", "flatfrac", "xfrac"], "frac"),
    **dict.fromkeys(["leq", "leqslant", "leqq"], "le"),
    **dict.fromkeys(["geq", "geqslant", "geqq"], "ge"),
    **dict.fromkeys(["approxeq", "thickapprox", "simeq", "doteq"], "approx"),
    **dict.fromkeys(["dots", "dotsc", "dotsb", "cdots", "dotso"], "ldots"),
    **dict.fromkeys(["varnothing", "empty", "O"], "emptyset"),
    **dict.fromkeys(["dbinom", "tbinom"], "binom"),
    **dict.fromkeys(["backslash", "smallsetminus"], "setminus"),
    **dict.fromkeys(["degree", "textdegree"], "degree"),
    **dict.fromkeys(["lVert", "Vert"], "lvert"),
    "neq": "ne", "isin": "in", "infin": "infty", "varphi": "phi", "varepsilon": "epsilon", "vartheta": "theta",
    "centerdot": "cdot", "ctg": "cot", "tg": "tan", "arctg": "arctan", "arcctg": "arccot", "cosec": "csc", "sh": "sinh",
    "ch": "cosh", "th": "tanh", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "rVert": "rvert",
    "overrightarrow": "vec", "widehat": "hat", "mathds": "mathbb", "owns": "ni", "lbrack": "[", "cupdot": "cup",
    "bigcup": "cup", "bigcap": "cap", "uppi": "pi", "upi": "pi",
}  # fmt: skip
MARKS = {
    "{": r"\{", "lbrace": r"\{", "}": r"\}", "rbrace": r"\}", "lbrack": "[", "rbrack": "]", "lparen": "(",
    "rparen": ")", "|": "|", "vert": "|", "Vert": "|", "mid": "|", "%": "%", "&": "&", "#": "#", "_": "_", "ast": "*",
    "colon": ":", "lt": "<", "gt": ">", "coloneqq": "=", "$": "$", "textdollar": "$", "pounds": "£", "textsterling": "£",
    "euro": "€", "texteuro": "€", "yen": "¥", "cdot": "*", "div": "/", "prime": "'",
}  # fmt: skip
"""Commands that stand for a character."""
LETTERS = {"imath": "i", "jmath": "j", "i": "i", "j": "j"}
LOST_ENVIRONMENTS = words(
    "aligned align align* alignedat split gathered gather gather* equation equation* math displaymath multline "
    "center flushleft"
)
"""Environments that arrange lines."""
