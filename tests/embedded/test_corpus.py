"""The GenPRM corpus is in the wire format, its verdicts follow its code, and its noise is what it says."""

import contextlib
import io
import random
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.embedded.student import first_error, solve
from tts.embedded.tokenizer import CHAT
from tts.tasks.arithmetic import stories
from verifiers.embedded.corpus import MODES, Noise, conversation
from verifiers.generative.genprm_format import CODE_OUTPUT, last_code, read_verdict

seeds = st.integers(0, 10_000)
EXACT = Noise(miscopy=0.0, echo=0.0)


def judgements(segments):
    """The assistant's turns of a conversation."""
    text = "".join(piece for piece, _ in segments)
    end = CHAT.assistant.split("{}")[1]
    return [part.split(end)[0] for part in text.split(CHAT.answer)[1:]]


def verdicts(segments):
    return [read_verdict(turn, 0, None, "hard") for turn in judgements(segments)]


def reviewed(seed, mode, noise=None):
    rng = random.Random(seed)
    story = next(stories("train", seed))
    steps = solve(story, rng)
    return story, steps, conversation(story, steps, mode, rng, noise)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from(sorted(MODES)))
def test_without_noise_the_first_no_is_the_first_error(seed, mode):
    story, steps, segments = reviewed(seed, mode, EXACT)
    found = verdicts(segments)
    assert len(found) == len(steps)
    assert (found.index(0.0) if 0.0 in found else None) == first_error(story.problem(), steps)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from(["full", "verify"]))
def test_the_code_prints_what_the_conversation_shows_and_the_verdict_follows_it(seed, mode):
    """In one namespace per conversation, as real Python runs it."""
    _, _, segments = reviewed(seed, mode, Noise(miscopy=0.3, echo=0.3))
    namespace = {}
    for turn, verdict in zip(judgements(segments), verdicts(segments), strict=True):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(last_code(turn), namespace)  # Written by the corpus, not by a model.
        output = printed.getvalue().strip()
        assert CODE_OUTPUT.format(output) in turn
        assert verdict == float(output.endswith("True"))


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_noise_differs_between_votes_and_is_rare(seed):
    story = next(stories("train", seed))
    steps = solve(story, random.Random(seed))
    exact = verdicts(conversation(story, steps, "full", random.Random(0), EXACT))
    noisy = [verdicts(conversation(story, steps, "full", random.Random(vote))) for vote in range(40)]
    right = sum(vote == exact for vote in noisy)
    assert right >= 20
    assert judgements(conversation(story, steps, "full", random.Random(1), Noise(1, 0))) != judgements(
        conversation(story, steps, "full", random.Random(2), Noise(1, 0))
    )


def test_only_the_assistants_turns_are_learnt_and_printed_output_by_its_weight():
    rng = random.Random(0)
    for story in islice(stories("train", 0), 20):
        segments = conversation(story, solve(story, rng), "full", rng, output_weight=0.25)
        for text, weight in segments:
            if text.endswith((" True", " False")):
                assert weight == 0.25
            else:
                assert weight == (0.0 if text.endswith(CHAT.answer) or text.startswith(CHAT.start) else 1.0)


def test_a_step_in_another_form_is_refused():
    story = next(stories("train", 0))
    with pytest.raises(ValueError, match="so what"):
        conversation(story, ["so what"], "full", random.Random(0))
