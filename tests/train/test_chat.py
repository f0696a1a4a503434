"""The loss is on the assistant's turns and the token that ends each, and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifiers.discriminative.tiny import CHATML, LLAMA, Local, tokenizer
from tts.core.errors import UserError
from tts.engines.chat_format import FORMATS
from tts.train.chat import Chat
from tts.train.sequences import IGNORED

GENERATION = CHATML.replace(
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}",
    "{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}",
)
ENDS = {
    "deepseek-r1": "<｜end▁of▁sentence｜>",
    "chatml": "<|im_end|>",
    "llama-3": "<|eot_id|>",
    "gemma-3": "<end_of_turn>",
}
TOKENS = [
    *("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
    *("<bos>", "<start_of_turn>", "<end_of_turn>"),
]

# Contents without the formats' own tags; a template may strip them, so that they neither begin nor end with a space.
contents = st.text(st.characters(exclude_characters="<|｜", exclude_categories=["Cs"]), min_size=1).map(str.strip)
turns = st.lists(st.tuples(contents.filter(bool), contents.filter(bool)), min_size=1, max_size=4)


def local(template: str = CHATML) -> Local:
    made = tokenizer(template)
    made.add_special_tokens({"additional_special_tokens": TOKENS}, False)
    return Local(made)


LOCAL = {"formats": local(), "llama": local(LLAMA), "generation": local(GENERATION)}


def messages(pairs: Sequence[tuple[str, str]], system: bool = True) -> list[dict[str, str]]:
    found = [{"role": "system", "content": "Judge every step."}] if system else []
    for asked, answered in pairs:
        found += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return found


def trained(name: str, held: Local, said: list[dict[str, str]], known: int = 0) -> str:
    """Returns the text that carries loss; every label is the id that follows its position."""
    encoded = Chat(name, held).encode(said, known)
    labels = encoded.labels.tolist()
    assert labels[-1] == IGNORED
    assert all(label in (IGNORED, after) for label, after in zip(labels, encoded.ids[1:], strict=False))
    text: str = held.load().decode([label for label in labels if label != IGNORED])
    return text


@pytest.mark.parametrize("name", ENDS)
@given(turns, st.booleans())
def test_the_formats(name: str, pairs: list[tuple[str, str]], system: bool) -> None:
    expected = "".join(answered + ENDS[name] for _, answered in pairs)
    assert trained(name, LOCAL["formats"], messages(pairs, system)) == expected


@given(turns)
def test_a_template_that_strips(pairs: list[tuple[str, str]]) -> None:
    padded = [(asked, f" {answered}\n") for asked, answered in pairs]
    expected = "".join(answered + "<|eot_id|>" for _, answered in pairs)
    assert trained("template", LOCAL["llama"], messages(padded)) == expected


@given(turns)
def test_it_is_what_transformers_marks_where_a_template_says_so(pairs: list[tuple[str, str]]) -> None:
    held, said = LOCAL["generation"], messages(pairs)
    encoded = Chat("template", held).encode(said)
    marked = held.load().apply_chat_template(said, return_dict=True, return_assistant_tokens_mask=True)
    assert encoded.ids.tolist() == marked["input_ids"]
    assert [label != IGNORED for label in [IGNORED, *encoded.labels.tolist()][:-1]] == list(
        map(bool, marked["assistant_masks"])
    )


def test_a_format_without_tags_ends_with_the_tokenizers_end() -> None:
    assert trained("plain", LOCAL["formats"], messages([("Is it right?", " Yes")])) == " Yes<|im_end|>"


def test_known_turns_carry_no_loss() -> None:
    said = messages([("1", "Yes"), ("2", "No"), ("3", "Yes")])
    assert trained("chatml", LOCAL["formats"], said, known=4) == "No<|im_end|>Yes<|im_end|>"


def test_a_template_that_rewrites_earlier_turns_is_refused() -> None:
    template = CHATML.replace("m['content']", "(m['content'] if loop.last else m['content'].split('</think>')[-1])")
    said = messages([("1", "<think>so</think>Yes"), ("2", "No")])
    with pytest.raises(UserError, match="shows an assistant's turn otherwise once another turn follows"):
        Chat("template", local(template)).encode(said)


def test_a_tokenizer_without_the_formats_tokens_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"none of the special tokens of the chat format deepseek-r1; .* base\.add_tokens"
    ):
        Chat("deepseek-r1", Local(tokenizer())).check()
    for name in FORMATS:
        Chat(name, LOCAL["formats"]).check()


def test_a_tokenizer_without_a_template_is_refused() -> None:
    made = tokenizer()
    made.chat_template = None
    with pytest.raises(UserError, match="has no chat template"):
        Chat("template", Local(made)).check()
