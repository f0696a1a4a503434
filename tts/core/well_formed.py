r"""Text that can be encoded.

JSON, and servers that cut text between two code units, yield halves of surrogate pairs (`"\ud83d"`). A Python string can
contain them, but no encoding can. They are replaced where text enters: in the rows of files, and in the constructors of
`Problem`, `Solution`, `Vote` and `Completion`, whoever calls them. Everything written to files is checked again, for other
text such as the error message of a server.
"""

from __future__ import annotations

from tts.core.json import Json


def well_formed(text: str) -> str:
    """Replaces each half of a surrogate pair by U+FFFD; two halves that form a pair become one character."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def well_formed_json(value: Json) -> Json:
    """Applies `well_formed` to all strings of a JSON value, including keys."""
    match value:
        case str():
            return well_formed(value)
        case list():
            return [well_formed_json(part) for part in value]
        case dict():
            return {well_formed(key): well_formed_json(part) for key, part in value.items()}
    return value
