"""Trains the embedded policy on a simulated student's solutions: `python -m policies.embedded.train`."""

from __future__ import annotations

import argparse
import logging
import random
from itertools import islice
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tts.embedded.student import STEP_SEPARATOR, Habits, compute, solve, write_sum
from tts.embedded.tokenizer import CHAT, encode
from tts.embedded.trainer import DEVICE, Example, Recipe, new_model, save, train
from tts.tasks.arithmetic import OPPOSITE, Story, stories

CHECKPOINT = Path(__file__).parent / "checkpoint"
HABITS = Habits()


class PolicyExamples:
    """Draws solutions, and early in the run mostly drills: single steps in which only the result counts."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, problems: list[Story], drills: tuple[float, float]) -> None:
        self.tokenizer = tokenizer
        self.problems = problems
        self.drills = drills

    def __call__(self, rng: random.Random, progress: float) -> Example:
        """Draws one example."""
        share = self.drills[0] if progress < 0.45 else self.drills[1]
        return self.drill(rng) if rng.random() < share else self.solution(rng)

    def solution(self, rng: random.Random) -> Example:
        """Returns a problem and the student's solution; the loss is on the solution."""
        story = rng.choice(self.problems)
        prompt = encode(self.tokenizer, CHAT.render([{"role": "user", "content": story.question()}]))
        answer = encode(self.tokenizer, STEP_SEPARATOR.join(solve(story, rng, HABITS)))
        answer.append(self.tokenizer.eos_token_id)
        return Example(prompt + answer, [0.0] * len(prompt) + [1.0] * len(answer))

    def drill(self, rng: random.Random) -> Example:
        """Returns unconnected calculations; the loss is on their results."""
        ids = encode(self.tokenizer, CHAT.start + CHAT.answer)
        weights = [0.0] * len(ids)
        for _ in range(9):
            operation = rng.choice(list(OPPOSITE))
            total, operand = rng.randint(2, 120), rng.randint(3, 59) if operation in "+-" else 2
            result = compute(total, operation, operand, rng, HABITS)
            text = write_sum(total, operation, operand, result)
            # The result and its full stop: one token a digit.
            counted = len(str(result)) + 1
            step = encode(self.tokenizer, text) + encode(self.tokenizer, STEP_SEPARATOR)
            ids += step
            weights += [0.0] * (len(step) - counted - 1) + [1.0] * counted + [0.0]
        return Example(ids, weights)


def main() -> None:
    """Reads the command line, trains and saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=float, default=14e6, help="length of the run")
    parser.add_argument("--drills", type=float, nargs=2, default=(0.3, 0.1), help="share of drills, early and late")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=DEVICE)
    parser.add_argument("--out", type=Path, default=CHECKPOINT)
    parser.add_argument("--tokenizer", type=Path, default=Path("verifiers/embedded/checkpoint"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    problems = list(islice((story for story in stories("train", 1) if story.key // 10 % 2 == 0), 60_000))
    model = new_model(tokenizer, arguments.seed).to(arguments.device)
    logging.info("%d parameters, %d ids, %d problems", model.num_parameters(), len(tokenizer), len(problems))
    source = PolicyExamples(tokenizer, problems, tuple(arguments.drills))
    recipe = Recipe(tokens=int(arguments.tokens))
    logging.info("%s %s", HABITS, recipe)
    train(model, source, recipe, arguments.seed)
    save(model, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
