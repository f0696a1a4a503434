"""The student's revisions, and that the embedded policy was trained on what critique refinement sends."""

import random
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from policies.chat import ChatPolicy
from policies.embedded.train import HABITS, PolicyExamples
from search.critique_refine import CritiqueRefine
from tts.core import Verdict, Vote
from tts.embedded.student import STEP_SEPARATOR, Habits, first_error, revise, solve
from tts.embedded.tokenizer import EOS
from tts.engines.scripted import ScriptedEngine
from tts.tasks.arithmetic import stories
from tts.tasks.grading import MathGrader
from verifiers.embedded import corpus, tokenizer

seeds = st.integers(0, 10_000)


def wrong_solution(seed):
    """A problem, a wrong solution of it, and its first wrong step."""
    rng = random.Random(seed)
    for story in stories("train", seed):
        steps = solve(story, rng)
        wrong = first_error(story.problem(), steps)
        if wrong is not None:
            return story, steps, wrong
    raise AssertionError


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_a_revision_keeps_what_is_right_and_a_flawless_one_rights_the_rest(seed):
    story, steps, wrong = wrong_solution(seed)
    rng = random.Random(seed)
    assert revise(story, steps, wrong, rng)[:wrong] == steps[:wrong]
    assert first_error(story.problem(), revise(story, steps, wrong, rng, Habits(misconception=0.0, slip=0.0))) is None


def test_a_careful_student_rarely_errs_again_where_it_was_told():
    rng, again = random.Random(0), []
    for seed in range(300):
        story, steps, wrong = wrong_solution(seed)
        after = first_error(story.problem(), revise(story, steps, wrong, rng))
        again.append(after == wrong)
    assert 0 < sum(again) / len(again) < HABITS.misconception / 2


class ExactReviewer:
    """Says what the tiny GenPRM is trained to say, without noise."""

    votes = 1

    def __init__(self, story):
        self.story = story

    async def verify(self, problem, solution, prior=None):
        segments = corpus.conversation(
            self.story, solution.steps, "full", random.Random(0), corpus.Noise(miscopy=0.0, echo=0.0)
        )
        text = "".join(piece for piece, _ in segments)
        turns = tuple(part.split(EOS)[0] for part in text.split("<｜Assistant｜>")[1:])
        scores = tuple(float("{Yes}" in turn) for turn in turns)
        return Verdict(scores, (Vote(scores, turns),), "min")


@pytest.mark.parametrize("seed", range(5))
async def test_the_policy_was_trained_on_what_critique_refinement_sends(seed):
    pieces = AutoTokenizer.from_pretrained(tokenizer.CHECKPOINT, local_files_only=True)
    examples = PolicyExamples(pieces, list(islice(stories("train", seed), 1)), (0.0, 0.0), 1.0)
    example = examples.revision(random.Random(seed))
    learnt = pieces.decode([i for i, weight in zip(example.ids, example.weights, strict=True) if not weight])
    story = examples.problems[0]
    first = learnt.split("<｜Assistant｜>")[1].split(EOS)[0]

    engine = ScriptedEngine(lambda prompt, seed: first)
    policy = ChatPolicy(engine, chat="deepseek-r1", max_tokens=160)
    await CritiqueRefine(n=1, turns=1).search(story.problem(), policy, ExactReviewer(story), MathGrader())
    assert engine.requests[-1].prompt == learnt
    assert first.split(STEP_SEPARATOR)[0].startswith("Step ")
