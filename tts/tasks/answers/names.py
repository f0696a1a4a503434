"""Names of functions, constants and letters."""

from __future__ import annotations

from tts.tasks.answers.vocabulary import words

FUNCTIONS = words(
    "sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh coth ln lg log exp gcd lcm max min det arg Re Im "
    "sgn sqrt cbrt abs"
)
OF_MANY = words("gcd lcm max min")
"""Functions of any number of arguments; the others have one."""
ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "tg": "tan", "ctg": "cot", "arctg": "arctan"}
INVERSES = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot"}
CONSTANTS = {"pi": r"\pi", "infinity": r"\infty", "Infinity": r"\infty", "inf": r"\infty", "oo": r"\infty"}
"""Constants in plain text."""
LETTERS = words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar infty emptyset aleph"
)
"""Commands that are letters."""
ACCENTS = words("hat vec bar overline tilde dot ddot widetilde mathbb mathcal mathfrak mathscr")
"""Commands that make another letter of a letter."""
AXES = frozenset("ijk")
"""Letters that are unit vectors where they are bold or have a hat."""
