"""The program that `Unsafe` starts: runs pieces of code with resource limits only.

Reads `[memory bytes, CPU seconds, [piece, ...]]` as JSON from standard input, runs all pieces in one namespace,
printing only the last one's output, and writes how that one ended as JSON to the descriptor in `argv[1]`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import types

MESSAGE_LIMIT = 4096


def _run(code: str, namespace: dict[str, object]) -> dict[str, str]:
    try:
        exec(compile(code, "<string>", "exec", dont_inherit=True), namespace)
    except BaseException as error:
        return {"type": type(error).__name__, "message": str(error)[:MESSAGE_LIMIT]}
    return {}


def main() -> None:
    """Runs the program."""
    report = int(sys.argv[1])
    memory, seconds, pieces = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.argv[:] = [""]
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    for piece in pieces[:-1]:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            _run(piece, module.__dict__)
    outcome = _run(pieces[-1], module.__dict__)
    sys.stdout.flush()
    os.write(report, json.dumps(outcome).encode())
    os._exit(1 if outcome else 0)


if __name__ == "__main__":
    main()
