"""The tokenizer of the embedded models: a small byte-level BPE with the DeepSeek-R1 tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tts.engines.chat_format import FORMATS, ChatFormat

CHAT: ChatFormat = FORMATS["deepseek-r1"]
BOS = CHAT.start
EOS = CHAT.assistant.split("{}")[1]
USER = CHAT.user.split("{}")[0]
ASSISTANT = CHAT.answer
PAD = "<｜▁pad▁｜>"

# A piece is a single digit, a brace, a punctuation mark, or a run of anything else. Merges never cross pieces, so a
# whole clause can become one token, the same everywhere, and yet text cut after a clause has the ids of its parts.
_PIECE = r"\d|[{}]|[.,:?]+ ?|[^\d{}.,:?\n]+|\n"

CHAT_TEMPLATE = (
    "{{ 'BOS' }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ 'USER' + message['content'] }}"
    "{% elif message['role'] == 'assistant' %}{{ 'ASSISTANT' + message['content'] + 'EOS' }}"
    "{% else %}{{ message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT' }}{% endif %}"
)
for _name, _tag in (("BOS", BOS), ("EOS", EOS), ("USER", USER), ("ASSISTANT", ASSISTANT)):
    CHAT_TEMPLATE = CHAT_TEMPLATE.replace(_name, _tag)


def train_tokenizer(texts: Iterable[str], phrases: Sequence[str], size: int) -> PreTrainedTokenizerFast:
    r"""Trains the tokenizer.

    Args:
        texts: The corpus, without chat tags.
        phrases: Strings that are always one token each: fixed strings of a wire format, at whose ends a prompt may be
            cut.
        size: Total number of ids.
    """
    special = [PAD, BOS, EOS, USER, ASSISTANT]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECE), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(phrases),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=special,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_without(texts, phrases), trainer)
    tokenizer.add_tokens([AddedToken(phrase, special=False, normalized=False) for phrase in phrases])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[USER, ASSISTANT],
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
        chat_template=CHAT_TEMPLATE,
    )


def _without(texts: Iterable[str], phrases: Sequence[str]) -> Iterable[str]:
    """Yields the texts between the phrases, split like the added tokens do, longest phrases first."""
    ordered = sorted(phrases, key=len, reverse=True)
    for text in texts:
        parts = [text]
        for phrase in ordered:
            parts = [piece for part in parts for piece in part.split(phrase)]
        yield from filter(None, parts)


def encode(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """Returns the ids of a text with special tokens spelled out; none are added."""
    ids: list[int] = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """Returns the id of a text that is one token.

    Raises:
        ValueError: It is not one token.
    """
    ids = encode(tokenizer, token)
    if len(ids) != 1:
        raise ValueError(f"{token!r} is {len(ids)} tokens")
    return ids[0]
