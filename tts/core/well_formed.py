r"""Text that every file, terminal and model can take.

JSON and servers that cut text between two code units give halves of surrogate pairs (`"\ud83d"`), which Python's strings
hold and no encoding does. They are replaced where text comes in: in the rows of files, and wherever a problem, a solution, a
vote or a completion is made, whoever made it. What is written to files passes here once more, for text that is none of
these, such as a server's error message.
"""

from __future__ import annotations

from tts.core.json import Json


def well_formed(text: str) -> str:
    """Returns a text with U+FFFD in the place of each half of a surrogate pair; halves that belong together become one."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def well_formed_json(value: Json) -> Json:
    """Returns a JSON value whose texts, keys included, are well-formed."""
    match value:
        case str():
            return well_formed(value)
        case list():
            return [well_formed_json(part) for part in value]
        case dict():
            return {well_formed(key): well_formed_json(part) for key, part in value.items()}
    return value
