"""The page at `/`: asks, and draws the search while it runs, with the components of the report's page."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

_SHARED = ("dom", "format", "critique", "tree", "problem")
"""Scripts of the report, in the order in which they are concatenated; `ask.js` comes last."""
_STYLE = "textarea { font: inherit; width: 100%; max-width: 80ch; }\n#answer:empty { display: none; }\n"
"""What the report's page has not: a field for texts, and an answer that is not there yet."""


@dataclass(frozen=True)
class Page:
    """The page, and the policy that lets a browser run its own script and no other.

    Attributes:
        html: The page.
        policy: The value of the header Content-Security-Policy.
    """

    html: str
    policy: str


def page() -> Page:
    """Returns the page: one file without a build step."""
    shared, own = resources.files("tts.report") / "static", resources.files("tts.serve") / "static"
    style = (shared / "style.css").read_text("utf-8") + _STYLE
    parts = [*((shared / f"{name}.js").read_text("utf-8") for name in _SHARED), (own / "ask.js").read_text("utf-8")]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "\n})();\n"
    html = (own / "ask.html").read_text("utf-8").replace("/* style */", style).replace("/* script */", script)
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(html, policy)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
