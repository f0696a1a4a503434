"""Trains the embedded GenPRM on reviews of students' and the policy's solutions: `python -m verifiers.embedded.train`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
from functools import cached_property
from itertools import islice
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tts.embedded.student import STEP_SEPARATOR, Habits, parse_step, solve
from tts.embedded.tokenizer import CHAT, encode
from tts.embedded.trainer import DEVICE, Example, Recipe, new_model, save, train
from tts.engines.generating import Request, Sampling
from tts.engines.transformers import TransformersEngine
from tts.tasks.arithmetic import Story, stories
from verifiers.embedded.corpus import MODES, Mode, Noise, conversation

log = logging.getLogger(__name__)

CHECKPOINT = Path(__file__).parent / "checkpoint"


class OwnSolutions:
    """Solutions of the trained policy that are in the student's form, sampled on first use.

    Args:
        policy: The policy's checkpoint.
        problems: The problems, sampled four times each.
        device: The device on which the policy runs.
    """

    def __init__(self, policy: Path, problems: list[Story], device: str) -> None:
        self.policy = policy
        self.problems = problems
        self.device = device

    @cached_property
    def pairs(self) -> list[tuple[Story, list[str]]]:
        """The problems and their solutions' steps."""
        rows = asyncio.run(self._sample())
        kept = [(story, steps) for story, steps in rows if all(parse_step(step) for step in steps)]
        log.info("%d of the policy's own %d solutions are in the student's form", len(kept), len(rows))
        return kept

    async def _sample(self) -> list[tuple[Story, list[str]]]:
        engine = TransformersEngine(str(self.policy), dtype="float32", device=self.device)
        await engine.start()

        async def sample(seed: int, story: Story) -> list[tuple[Story, list[str]]]:
            prompt = CHAT.render([{"role": "user", "content": story.question()}])
            request = Request(prompt, Sampling(max_tokens=200), tuple(range(4 * seed, 4 * seed + 4)))
            finished = sorted([c async for c in engine.generate(request)], key=lambda completion: completion.index)
            return [(story, completion.text.split(STEP_SEPARATOR)) for completion in finished]

        rows = await asyncio.gather(*(sample(seed, story) for seed, story in enumerate(self.problems)))
        await engine.close()
        return [pair for row in rows for pair in row]


class ReviewExamples:
    """Draws reviews: of students' solutions, and in the second half of the run mostly of the policy's own."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, problems: list[Story], own: OwnSolutions, output_weight: float
    ) -> None:
        self.tokenizer = tokenizer
        self.problems = problems
        self.own = own
        self.output_weight = output_weight

    def __call__(self, rng: random.Random, progress: float) -> Example:
        """Draws one review; the loss is on the assistant's turns."""
        if progress >= 0.5 and rng.random() < 0.6:
            story, steps = rng.choice(self.own.pairs)
        else:
            story = rng.choice(self.problems)
            steps = solve(story, rng)
        mode: Mode = rng.choices(list(MODES), list(MODES.values()))[0]
        ids: list[int] = []
        weights: list[float] = []
        for text, weight in conversation(story, steps, mode, rng, output_weight=self.output_weight):
            piece = encode(self.tokenizer, text)
            ids += piece
            weights += [weight] * len(piece)
        return Example(ids, weights)


def main() -> None:
    """Reads the command line, trains and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=float, default=8e6, help="length of the run")
    parser.add_argument("--own", type=int, default=2000, help="problems whose policy solutions are used")
    parser.add_argument("--output-weight", type=float, default=0.1, help="weight of the code's output in the loss")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=DEVICE)
    parser.add_argument("--policy", type=Path, default=Path("policies/embedded/checkpoint"))
    parser.add_argument("--out", type=Path, default=CHECKPOINT)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    problems = list(islice((story for story in stories("train", 2) if story.key // 10 % 2 == 1), 60_000))
    own = OwnSolutions(arguments.policy, problems[: arguments.own], arguments.device)
    model = new_model(tokenizer, arguments.seed).to(arguments.device)
    log.info("%d parameters, %d ids, %d problems", model.num_parameters(), len(tokenizer), len(problems))
    source = ReviewExamples(tokenizer, problems, own, arguments.output_weight)
    recipe = Recipe(tokens=int(arguments.tokens))
    log.info("%s %s %s", Habits(), Noise(), recipe)
    train(model, source, recipe, arguments.seed)
    save(model, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
