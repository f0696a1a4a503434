"""The prompts of ORPS: a programmer who thinks before he writes, and a critic who scores thoughts and code.

Written anew after those of zhuohaoyu/ORPS at 52e95a5, whose form they keep: the blocks, the score in `$$`, and `<|good|>`.
"""

from __future__ import annotations

import re

PROGRAMMER = """\
{question}

You are the programmer in a discussion with a critic, who will run your code. First write your thoughts as comments: how \
you understand the task, your plan, and why you chose it. Then write the code: clean and efficient, and nothing but the \
solution, without tests. Answer in this form:
# === BEGIN PROGRAMMER THOUGHTS ===
# your thoughts
# === END PROGRAMMER THOUGHTS ===
# === BEGIN SOLUTION ===
```python
your code
```
# === END SOLUTION ==="""

CRITIC = """\
Now be the critic of the thoughts and the code above. They were run with tests:
{feedback}

Write what failed and why; if nothing did, what could be faster or simpler; and what the programmer should do next, \
another approach if this one leads nowhere. Write no code. Then score thoughts and code together, from 1 (wrong and \
confused) over 3 (errors are left) to 5 (correct, efficient, clear); if nothing at all is left to improve, write <|good|> \
at the end of your thoughts. Answer in this form:
# === BEGIN CRITIC THOUGHTS ===
# your thoughts
# === END CRITIC THOUGHTS ===
# === BEGIN SCORE ===
$$the score$$
# === END SCORE ==="""

REVISE = """\
Your code was run with tests:
{feedback}

{critique}

Improve your solution, in the same form: first your thoughts, what you learned from this, then the whole code."""

GOOD = "<|good|>"

_SCORE = re.compile(r"\$\$\s*([1-5])\s*\$\$")
_BEGIN, _END = "# === BEGIN CRITIC THOUGHTS ===\n", "\n# === END CRITIC THOUGHTS ==="


def score_of(critique: str) -> int | None:
    """Returns the score in a critique, None if there is none."""
    found = _SCORE.findall(critique)
    return int(found[-1]) if found else None


def thoughts_of(critique: str) -> str:
    """Returns the thoughts in a critique; all of it if it is not in the form asked for."""
    thoughts, ended, _ = critique.partition(_BEGIN)[2].partition(_END)
    return thoughts if ended else critique.strip()
