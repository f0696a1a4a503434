"""The shared tokenizer: what is generated piece by piece has the ids of the whole text, at every cut a verifier makes."""

import random
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.embedded.student import STEP_SEPARATOR, solve
from tts.embedded.tokenizer import encode, token_id
from tts.engines.chat_format import FORMATS
from tts.tasks.arithmetic import stories
from verifiers.embedded.corpus import MODES, conversation
from verifiers.embedded.tokenizer import build
from verifiers.generative.genprm_format import (
    ANALYZE_START,
    ANALYZE_STOP,
    CODE_OUTPUT_START,
    CODE_STOP,
    OUTPUT_START,
    OUTPUT_STOP,
    VERIFY_START,
    VERIFY_STOP,
)

CHAT = FORMATS["deepseek-r1"]


@pytest.fixture(scope="module")
def tokenizer():
    return build()


def cuts(text):
    """Every place where a verifier ends or begins a piece of text."""
    places = set()
    before = (CHAT.answer, CHAT.user.format(""), CODE_OUTPUT_START, VERIFY_START, OUTPUT_START, "<analyze>")
    behind = (ANALYZE_STOP, VERIFY_STOP, OUTPUT_STOP, ")" + CODE_STOP, CODE_OUTPUT_START, VERIFY_START, OUTPUT_START)
    behind += (ANALYZE_START.split("{}")[1], CHAT.answer, "{", "Yes", "No")
    for mark, offset in [(m, 0) for m in before] + [(m, len(m)) for m in behind]:
        at = text.find(mark)
        while at >= 0:
            places.add(at + offset)
            at = text.find(mark, at + 1)
    for output in (" True", " False"):  # Behind the injected output and its closing fence.
        at = text.find(output)
        while at >= 0:
            places.add(at + len(output) + len(CODE_STOP))
            at = text.find(output, at + 1)
    # The system prompt, which quotes verdicts, is never cut.
    begin = text.index(CHAT.user.format(""))
    return sorted(place for place in places if begin <= place < len(text))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), mode=st.sampled_from(sorted(MODES)))
def test_a_conversation_cut_anywhere_a_verifier_cuts_keeps_its_ids(tokenizer, seed, mode):
    rng = random.Random(seed)
    story = next(stories("train", seed))
    text = "".join(piece for piece, _ in conversation(story, solve(story, rng), mode, rng))
    whole = encode(tokenizer, text)
    places = cuts(text)
    assert len(places) > 5
    for place in places:
        assert encode(tokenizer, text[:place]) + encode(tokenizer, text[place:]) == whole, text[place - 30 : place + 30]
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    assert [i for piece in pieces for i in encode(tokenizer, piece)] == whole


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_solution_cut_behind_any_step_keeps_its_ids(tokenizer, seed):
    story = next(stories("train", seed))
    steps = solve(story, random.Random(seed))
    prompt = CHAT.render([{"role": "user", "content": story.question()}])
    whole = encode(tokenizer, prompt + STEP_SEPARATOR.join(steps))
    for cut in range(1, len(steps)):
        head = prompt + STEP_SEPARATOR.join(steps[:cut]) + STEP_SEPARATOR
        assert encode(tokenizer, head) + encode(tokenizer, STEP_SEPARATOR.join(steps[cut:])) == whole


@settings(max_examples=60, deadline=None)
@given(text=st.text())
def test_any_text_survives(tokenizer, text):
    assert tokenizer.decode(encode(tokenizer, text)) == text


@settings(max_examples=40, deadline=None)
@given(number=st.integers(-999, 9999))
def test_a_digit_is_a_token(tokenizer, number):
    assert len(encode(tokenizer, str(number))) == len(str(number))


@pytest.mark.parametrize(
    "text", ["{", "Yes", "No", *ANALYZE_START.split("{}"), VERIFY_START, OUTPUT_START, CHAT.answer]
)
def test_what_the_read_out_and_the_wire_format_need_is_one_token(tokenizer, text):
    assert token_id(tokenizer, text) >= 0


def test_a_text_of_several_tokens_has_no_single_id(tokenizer):
    with pytest.raises(ValueError, match="12"):
        token_id(tokenizer, "12")


@settings(max_examples=30, deadline=None)
@given(
    turns=st.lists(st.text(st.characters(exclude_categories=["C"])), min_size=1, max_size=4),
    system=st.none() | st.just("You judge."),
    answer=st.booleans(),
)
def test_the_chat_template_is_the_chat_format(tokenizer, turns, system, answer):
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": role, "content": text} for role, text in zip(["user", "assistant"] * 2, turns, strict=False)]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer)
    assert rendered == CHAT.render(messages, answer=answer)


def test_building_it_again_gives_the_same_tokenizer(tokenizer):
    assert build().backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_common_conversations_are_short(tokenizer):
    """A judged step costs about twenty drawn tokens: what follows the forced starts and the injected output."""
    drawn = steps_judged = 0
    rng = random.Random(0)
    for story in islice(stories("train", 3), 100):
        steps = solve(story, rng)
        for text, _ in conversation(story, steps, "full", rng):
            head, _, tail = text.partition(VERIFY_START)
            forced = ANALYZE_START.format(1) if "<analyze>" in head else ""
            drawn += len(encode(tokenizer, head)) - len(encode(tokenizer, forced)) if forced else 0
            drawn += len(encode(tokenizer, tail)) - 1 if tail else 0
            drawn += len(encode(tokenizer, text)) - 1 if VERIFY_STOP in text else 0
        steps_judged += len(steps)
    assert drawn / steps_judged < 25
