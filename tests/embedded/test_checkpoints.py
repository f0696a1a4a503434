"""The shipped checkpoints: standard, small, one tokenizer, and able to do their task."""

import asyncio
from pathlib import Path

import pytest
from transformers import AutoConfig

from benchmarks.setup import opened
from tts.core import Solution
from tts.embedded.student import first_error
from tts.statistics.metrics import first_error_score
from tts.tasks.answers import extract_answer

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINTS = {room: ROOT / room / "embedded" / "checkpoint" for room in ("policies", "verifiers")}


@pytest.mark.parametrize("room", sorted(CHECKPOINTS))
def test_a_checkpoint_is_a_small_standard_llama(room):
    config = AutoConfig.from_pretrained(CHECKPOINTS[room], local_files_only=True)
    assert config.architectures == ["LlamaForCausalLM"]
    assert config.head_dim == 32
    assert config.tie_word_embeddings
    assert config.max_position_embeddings == 2048
    assert sum(file.stat().st_size for file in CHECKPOINTS[room].iterdir()) <= 5_000_000
    assert (CHECKPOINTS[room] / "README.md").is_file()


def test_both_have_the_same_tokenizer():
    files = [(CHECKPOINTS[room] / "tokenizer.json").read_text() for room in sorted(CHECKPOINTS)]
    assert files[0] == files[1]


async def test_the_pair_does_its_task():
    """Coarse bounds that a broken checkpoint or a changed wire format misses by far; benchmarks.embedded measures."""
    async with opened("task.split=validation", "task.size=10", "task.seed=11", "verifier.votes=3") as (_, job):
        search, judged = job.search, []
        for problem in job.task.problems():
            solutions = [solution async for solution in search.policy.solutions(problem, Solution(), 8)]
            verdicts = await asyncio.gather(*(search.verifier.verify(problem, solution) for solution in solutions))
            judged += [(problem, *pair) for pair in zip(solutions, verdicts, strict=True)]
    right = [extract_answer(solution.text) == problem.answer for problem, solution, _ in judged]
    assert 0.2 < sum(right) / len(right) < 0.8
    labels = [first_error(problem, solution.steps) for problem, solution, _ in judged]
    assert first_error_score(labels, [verdict.first_error() for *_, verdict in judged]).f1 > 0.8
