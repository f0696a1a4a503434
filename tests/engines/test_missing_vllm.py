"""What a user sees who has no vLLM."""

from __future__ import annotations

import pytest

from tts.core.errors import UserError
from tts.engines.vllm import VLLMEngine


def test_the_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts.engines.vllm.llm.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"'vllm': pip install 'tts-search\[vllm\]'"):
        VLLMEngine("nobody/nothing")
