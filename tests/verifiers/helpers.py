"""A sandbox without a jail, for tests whose code is given by the test itself."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field

from tts.sandbox.base import Execution, Sandbox


@dataclass
class InProcessChain:
    namespace: dict[str, object] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    before: tuple[str, ...] = ()

    @property
    def history(self) -> tuple[str, ...]:
        return (*self.before, *self.pieces)

    async def run(self, code: str) -> Execution:
        self.pieces.append(code)
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                exec(compile(code, "<string>", "exec"), self.namespace)
        except Exception as error:
            return Execution(out.getvalue(), err.getvalue(), error_type=type(error).__name__, error_message=str(error))
        return Execution(out.getvalue(), err.getvalue())

    async def close(self) -> None:
        pass


@dataclass
class InProcessSandbox(Sandbox):
    """Runs the code of tests in this process: never give it code that a model wrote."""

    executes: bool = True
    layers: tuple[str, ...] = ()
    chains: list[InProcessChain] = field(default_factory=list)

    async def start(self) -> None:
        pass

    async def run(self, code: str) -> Execution:
        return await InProcessChain().run(code)

    def chain(self, history: tuple[str, ...] = ()) -> InProcessChain:
        assert self.executes
        chain = InProcessChain(before=history)
        for piece in history:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
                exec(compile(piece, "<string>", "exec"), chain.namespace)
        self.chains.append(chain)
        return chain

    async def close(self) -> None:
        pass
