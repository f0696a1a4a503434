"""Chat templates of checkpoints: as transformers renders them, and harmless whatever they do."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.conftest import tokenizer
from tts.core.errors import UserError
from tts.engines.local import template as rendering
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.openai.tokenizer import NamedTokenizer

TALK = [{"role": "system", "content": "Be <b> brief."}, {"role": "user", "content": "é 'q' {{ x }}\u2028\n\ud83d"}]
ENDLESS = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
    "{% endfor %}{% endfor %}{% endfor %}"
)
FEATURES = {
    "plain": "{% for m in messages %}\n  {{ m.role }}: {{ m['content'] | trim }}\n{% endfor %}",
    "tokens": "{{ bos_token }}{{ eos_token }}{{ tools }}{{ documents }}{{ add_generation_prompt }}",
    "json": "{{ messages | tojson }}{{ messages | tojson(indent=2, ensure_ascii=true, sort_keys=true) }}",
    "loop controls": "{% for m in messages %}{% if loop.last %}{% break %}{% endif %}{{ m.content }}{% endfor %}",
    "namespace": "{% set n = namespace(k=1) %}{% for m in messages %}{% set n.k = n.k + 1 %}{% endfor %}{{ n.k }}",
    "dict": "{{ dict(a=1, b='x') }}{{ dict.fromkeys(['a'], 2) }}",
    "generation": "{% for m in messages %}{% generation %}{{ m.content }}!{% endgeneration %}{% endfor %}",
    "macro": "{% macro f(m) %}<{{ m.role }}>{% endmacro %}{% for m in messages %}{{ f(m) }}{% endfor %}",
    "year": "{{ strftime_now('%Y %B') }}",
}
HOSTILE = {
    "loops": (ENDLESS, "processor time"),
    "computes": ("{{ 7 ** (7 ** 9) }}", "processor time"),
    "eats memory": ("{{ ('x' * 1000000000 ~ 'y') * 9 }}", "memory|processor time"),
    "gathers": (
        "{% set n = namespace(s='xx') %}{% for a in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
        "memory|processor time",
    ),
    "recurses": ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "calls itself"),
    "says nothing": ("{% if false %}{{ messages }}{% endif %} ", "returns no text"),
    "includes a file": ("{% include '/etc/passwd' %}", "no loader"),
    "writes much": ("{{ 'x' * 3000000 }}", "3,000,000 characters"),
    "reaches for objects": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "refuses the conversation"),
    "is broken": ("{% for %}", "refuses the conversation"),
    "objects": ("{{ raise_exception('no \x1b[31m system role') }}", r"refuses the conversation: no \\x1b"),
    "divides": ("{{ 1 / 0 }}", "ZeroDivisionError"),
    "nests": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "cannot be used|refuses"),
    "loops later": ("{% if messages | length > 1 %}" + ENDLESS + "{% endif %}x", "processor time"),
}
Make = Callable[[str], Path]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    def make(template: str) -> Path:
        tokenizer(template).save_pretrained(tmp_path)
        (tmp_path / "config.json").write_text('{"model_type": "llama"}')
        return tmp_path

    return make


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("answer", [False, True])
def test_a_conversation_is_rendered_as_by_transformers(made: Make, feature: str, answer: bool) -> None:
    local = LocalTokenizer(str(made(FEATURES[feature])), None)
    theirs = local.load().apply_chat_template(TALK, tokenize=False, add_generation_prompt=answer)

    assert local.render(TALK, answer=answer) == theirs


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_template_ends_in_one_message(made: Make, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(rendering, "SECONDS", 0.5)
    template, message = HOSTILE[kind]
    local = LocalTokenizer(str(made(template)), None)

    for _ in range(2):
        with pytest.raises(UserError, match=message) as caught:
            local.render(TALK, answer=True)
        assert "choose a chat format" in str(caught.value)
        assert len(str(caught.value)) < 1000


def test_a_served_models_tokenizer_is_as_harmless(made: Make) -> None:
    named = NamedTokenizer(str(made("{{ 'x' * 10000000000 }}")), "m")
    with pytest.raises(UserError, match="the chat template of 'm' cannot be used: it needs more than 1024 MiB"):
        named.render(TALK, answer=True)


def test_long_conversations_may_make_long_texts(made: Make) -> None:
    local = LocalTokenizer(str(made("{% for m in messages %}{{ m.content * 10 }}{% endfor %}")), None)
    assert len(local.render([{"role": "user", "content": "x" * 1_000_000}], answer=True)) == 10_000_000


def test_a_process_that_somebody_ended_is_replaced_and_none_is_left(made: Make) -> None:
    def children() -> set[int]:
        return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))

    before = children()
    local = LocalTokenizer(str(made("{{ messages[0].content }}")), None)
    first = local.render(TALK, answer=True)
    (process,) = children() - before
    assert b"HOME=" not in Path(f"/proc/{process}/environ").read_bytes()
    os.kill(process, signal.SIGKILL)
    assert local.render(TALK, answer=True) == first
    del local
    gc.collect()
    assert children() <= before
