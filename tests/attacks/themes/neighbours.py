"""Damage to the pieces that come later. Where a fork is shared by nobody, there is nobody to damage."""

from __future__ import annotations

import platform

from tests.attacks.attack import attempt, nuisance

_FUTEX = 202 if platform.machine() == "x86_64" else 98

ATTACKS = {
    "poison the built-in functions": nuisance(
        "import builtins\nbuiltins.len = lambda x: -1\nbuiltins.print = lambda *arguments: None"
    ),
    "delete the built-in functions": nuisance("import builtins\nfor name in dir(builtins): delattr(builtins, name)"),
    "poison a package": nuisance(
        """
        import fractions, sys
        fractions.Fraction.__add__ = lambda self, other: 666
        if "sympy" in sys.modules:
            sys.modules["sympy"].Integer.__add__ = lambda self, other: 666
        """
    ),
    "take a package away": nuisance("import sys\nfor name in list(sys.modules): sys.modules[name] = None"),
    "poison the imports": nuisance("import builtins\nbuiltins.__import__ = None"),
    "trace what follows": nuisance(
        """
        import sys
        def trace(frame, event, argument):
            if frame.f_code.co_filename == "<string>":
                raise RuntimeError
        sys.settrace(trace)
        """
    ),
    "leave a thread behind": nuisance(
        "import fractions, time\ntime.sleep(0.2)\nprint('BREACH' if hasattr(fractions, 'later') else 'held')",
        before="""
        import fractions, threading
        threading.Timer(0.05, lambda: setattr(fractions, "later", 1)).start()
        """,
    ),
    "lower the limits of what follows": nuisance(
        "try: block = bytearray(1 << 24)\nexcept MemoryError: print('BREACH')",
        before="import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 20, 1 << 20))",
    ),
    "leave flags on the shared input": nuisance(
        "import fcntl, os\nprint('BREACH' if fcntl.fcntl(0, fcntl.F_GETFL) & os.O_NONBLOCK else 'held')",
        before="import fcntl, os\nfcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK)",
    ),
    "wake others by way of a library's page": attempt(
        f"""
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        page = ctypes.cast(libc.getpid, ctypes.c_void_p)
        assert libc.syscall({_FUTEX}, ctypes.c_void_p(page.value & -4), 1, 1, None, None, 0) >= 0
        """
    ),
    "shorten the stack": nuisance("import sys\nsys.setrecursionlimit(30)"),
    "redirect the output": nuisance(
        """
        import contextlib
        contextlib.redirect_stdout.__enter__ = lambda self: None
        """
    ),
}
