"""Packages that are imported once, so that no snippet has to."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import warnings

STANDARD = """array bisect calendar cmath collections copy csv dataclasses datetime decimal enum fractions functools heapq io
    itertools json locale math numbers operator pprint queue random re statistics string struct textwrap time traceback
    types typing unicodedata"""
SCIENTIFIC = ("numpy", "scipy", "mpmath", "sympy")
# If no file can be opened later, also these; packages with all their submodules.
EVERYTHING = """contextvars encodings.ascii encodings.idna encodings.latin_1 encodings.utf_16 encodings.utf_32 graphlib
    hashlib secrets abc argparse difflib inspect tokenize ast dis timeit uuid zoneinfo scipy.integrate scipy.interpolate
    scipy.linalg scipy.optimize scipy.special scipy.stats"""
PACKAGES = ("sympy", "mpmath")
NOT_WANTED = ("test", "benchmark", "__main__", "doctest", "pytorch", "tensorflow", ".this", "antlr", "timeutils")

# Warms up code with a slow first use (caches, lazy imports, buffers) for the forks.
WARM_UP = (
    """
import numpy
numpy.linalg.inv(numpy.eye(2))
numpy.linalg.eig(numpy.eye(2))
""",
    """
import sympy
x = sympy.Symbol("x")
sympy.solve(x**2 - 1, x)
sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
sympy.integrate(x**2, x)
sympy.Matrix([[1, 2], [3, 4]]).det()
sympy.sympify("x + 1/2")
""",
)
# Code with random numbers prints the same in every run and every zygote.
SEEDS = (
    "import random; random.seed(0)",
    "import numpy; numpy.random.seed(0)",
    "import sympy.core.random as r; r.seed(0)",
)


def _below(package: str) -> list[str]:
    try:
        module = importlib.import_module(package)
    except ImportError:
        return []
    found = pkgutil.walk_packages(module.__path__, package + ".", onerror=lambda name: None)
    return [entry.name for entry in found if not any(word in entry.name for word in NOT_WANTED)]


def preload(files: bool) -> None:
    """Imports the packages that snippets use; those that are not installed are left out.

    Args:
        files: Whether snippets can import the rest themselves later.
    """
    names = [*STANDARD.split(), *SCIENTIFIC]
    if not files:
        names += [*EVERYTHING.split(), *(name for package in PACKAGES for name in _below(package))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            with contextlib.suppress(Exception):  # optional back ends (jax, gmpy2, ...) fail in many ways
                importlib.import_module(name)
        for code in (*WARM_UP, *SEEDS):
            with contextlib.suppress(ImportError):
                exec(code, {})
