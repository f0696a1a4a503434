"""Headless Chromium, steered through a pipe."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

BINARY = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Chromium:
    """A page in a browser of its own (the DevTools protocol with --remote-debugging-pipe: file descriptors 3 and 4)."""

    def __init__(self, profile: Path) -> None:
        assert BINARY is not None
        command_read, self._commands = os.pipe()
        self._answers, answer_write = os.pipe()

        def wire() -> None:
            # The pipes' own numbers may be 3 or 4, so both are moved out of the way first.
            reading, writing = os.dup(command_read), os.dup(answer_write)
            high_read, high_write = 198, 199
            os.dup2(reading, high_read), os.dup2(writing, high_write)
            os.dup2(high_read, 3), os.dup2(high_write, 4)

        flags = (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-pipe",
        )
        self._process = subprocess.Popen(
            [BINARY, *flags, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=wire,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command_read)
        os.close(answer_write)
        self._number = 0
        self._rest = b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        [target] = [t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and returns its result; what else arrives meanwhile is kept in `events`."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = os.read(self._answers, 1 << 20)
            assert data, "the browser ended"
            self._rest += data
        message, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(message))

    def run(self, script: str) -> Any:
        """Returns the value of an expression, awaited where it is a promise."""
        result = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, address: str) -> None:
        """Opens an address and waits until the view has a heading."""
        self.send("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && document.querySelector('main h1') !== null")

    def until(self, condition: str) -> None:
        """Waits for a condition, ten seconds at most."""
        never = json.dumps(f"never: {condition}")
        waiting = f"""new Promise((done, fail) => {{
            const end = performance.now() + 10000;
            const look = () => {{
                if ({condition}) done(true);
                else if (performance.now() > end) fail({never});
                else setTimeout(look, 20);
            }};
            look();
        }})"""
        assert self.run(waiting) is True

    def press(self, key: str) -> None:
        """Presses a key on what has the focus."""
        text = {"Enter": "\r"}.get(key)
        more = {"text": text} if text else {}
        code = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}[key]
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **more)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def look(self, width: int, height: int, dark: bool = False) -> None:
        """Sets the size of the window and the colour scheme that the user prefers."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path, whole: bool = False) -> None:
        """Saves a screenshot."""
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))
