"""The tokenizer of engines in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tts.engines.local_tokenizer import LocalTokenizer

CHECKPOINT = Path(__file__).resolve().parents[2] / "verifiers/embedded/checkpoint"
REFERENCE = AutoTokenizer.from_pretrained(CHECKPOINT)
TEXTS = ["<analyze>\n", "\\boxed{Yes}$", "```python\nprint(12 + 7)\n```\n", " ", "\n\n", "é", "<｜User｜>", "a" * 100]


@pytest.fixture(scope="module", params=[False, True])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalTokenizer:
    """One as it is, and one whose file says that texts are cut."""
    if not request.param:
        return LocalTokenizer(str(CHECKPOINT), None)
    folder = tmp_path_factory.mktemp("cutting")
    cutting = AutoTokenizer.from_pretrained(CHECKPOINT)
    cutting.save_pretrained(folder)
    (folder / "config.json").write_bytes((CHECKPOINT / "config.json").read_bytes())
    made = LocalTokenizer(str(folder), None)
    made.load().backend_tokenizer.enable_truncation(2)
    return made


@settings(max_examples=50, deadline=None)
@given(parts=st.lists(st.sampled_from(TEXTS), max_size=8))
def test_a_text_is_split_as_transformers_splits_it(tokenizer: LocalTokenizer, parts: list[str]) -> None:
    text = "".join(parts)

    assert tokenizer.split(text) == REFERENCE(text, add_special_tokens=False)["input_ids"]
