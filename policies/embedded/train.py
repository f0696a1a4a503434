"""Trains the embedded policy on a simulated student's solutions and revisions: `python -m policies.embedded.train`."""

from __future__ import annotations

import argparse
import logging
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from policies.revision_prompt import PROMPT
from tts.embedded.critique import analysis
from tts.embedded.student import STEP_SEPARATOR, Habits, compute, first_error, revise, solve, write_sum
from tts.embedded.tokenizer import CHAT, encode
from tts.embedded.trainer import DEVICE, Example, Recipe, new_model, save, train
from tts.tasks.arithmetic import OPPOSITE, Story, stories

CHECKPOINT = Path(__file__).parent / "checkpoint"
HABITS = Habits()


class PolicyExamples:
    """Draws drills (single steps in which only the result counts), revisions and solutions.

    Args:
        tokenizer: The tokenizer.
        problems: The problems to solve.
        drills: Share of drills, before and after 45 % of the run.
        revisions: Share of revisions among the examples that are not drills.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        problems: list[Story],
        drills: tuple[float, float],
        revisions: float = 0.0,
    ) -> None:
        self.tokenizer = tokenizer
        self.problems = problems
        self.drills = drills
        self.revisions = revisions

    def __call__(self, rng: random.Random, progress: float) -> Example:
        """Draws one example."""
        share = self.drills[0] if progress < 0.45 else self.drills[1]
        if rng.random() < share:
            return self.drill(rng)
        return self.revision(rng) if self.revisions and rng.random() < self.revisions else self.solution(rng)

    def solution(self, rng: random.Random) -> Example:
        """Returns a problem and the student's solution; the loss is on the solution."""
        story = rng.choice(self.problems)
        return self._example([user(story.question())], solve(story, rng, HABITS))

    def revision(self, rng: random.Random) -> Example:
        """Returns a wrong solution, its critique as in `critique_refine`, and its revision; the loss is on the revision."""
        wrong = None
        while wrong is None:
            story = rng.choice(self.problems)
            steps = solve(story, rng, HABITS)
            wrong = first_error(story.problem(), steps)
        critique = analysis(story.clause(wrong), story.instructions[wrong].operation)
        turns = [
            user(story.question()),
            {"role": "assistant", "content": STEP_SEPARATOR.join(steps)},
            user(PROMPT.format(step=steps[wrong], critique=critique)),
        ]
        return self._example(turns, revise(story, steps, wrong, rng, HABITS))

    def _example(self, turns: list[dict[str, str]], steps: list[str]) -> Example:
        prompt = encode(self.tokenizer, CHAT.render(turns))
        answer = encode(self.tokenizer, STEP_SEPARATOR.join(steps))
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
            # The result and its full stop: one token per digit.
            counted = len(str(result)) + 1
            step = encode(self.tokenizer, text) + encode(self.tokenizer, STEP_SEPARATOR)
            ids += step
            weights += [0.0] * (len(step) - counted - 1) + [1.0] * counted + [0.0]
        return Example(ids, weights)


def user(content: str) -> dict[str, str]:
    """Returns a user's turn."""
    return {"role": "user", "content": content}


def copy_layers(source: LlamaForCausalLM, model: LlamaForCausalLM, keep: Sequence[int]) -> None:
    """Copies embeddings, the last norm and some layers of a model of the same width into a model with so many layers."""
    own = {f"model.layers.{place}.": f"model.layers.{layer}." for place, layer in enumerate(keep)}
    weights = source.state_dict()
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            begun = next((name.replace(new, old, 1) for new, old in own.items() if name.startswith(new)), name)
            weight.copy_(weights[begun])


def main() -> None:
    """Reads the command line, trains in two phases and saves.

    The second phase teaches revisions after the first has taught solutions: when both were trained together, solutions
    still copied badly from the question after 20 million tokens.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=float, default=14e6, help="length of the first phase: drills and solutions")
    parser.add_argument("--drills", type=float, nargs=2, default=(0.3, 0.1), help="share of drills, early and late")
    parser.add_argument(
        "--revision-tokens", type=float, default=4e6, help="length of the second phase: revisions as well"
    )
    parser.add_argument("--revisions", type=float, default=0.35, help="share of revisions among non-drills")
    parser.add_argument("--width", type=int, default=128, help="of the model, a multiple of 32")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--begin", type=Path, help="a checkpoint whose layers the model begins with, instead of none")
    parser.add_argument("--keep", type=int, nargs="+", default=(0, 3), help="which of them, as many as --layers")
    parser.add_argument("--float32", action="store_true", help="no bfloat16, which is slower on many CPUs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=DEVICE)
    parser.add_argument("--out", type=Path, default=CHECKPOINT)
    parser.add_argument("--tokenizer", type=Path, default=Path("verifiers/embedded/checkpoint"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    problems = list(islice((story for story in stories("train", 1) if story.key // 10 % 2 == 0), 60_000))
    model = new_model(tokenizer, arguments.seed, arguments.width, arguments.layers).to(arguments.device)
    if arguments.begin is not None:
        copy_layers(LlamaForCausalLM.from_pretrained(arguments.begin), model, arguments.keep)
    logging.info("%d parameters, %d ids, %d problems", model.num_parameters(), len(tokenizer), len(problems))
    (early, late), half = arguments.drills, not arguments.float32
    phases = (
        (PolicyExamples(tokenizer, problems, (early, late)), Recipe(int(arguments.tokens), half=half)),
        (
            PolicyExamples(tokenizer, problems, (late, late), arguments.revisions),
            Recipe(int(arguments.revision_tokens), muon_lr=0.01, adamw_lr=1.5e-3, constant=0.2, half=half),
        ),
    )
    for number, (source, recipe) in enumerate(phases):
        logging.info("%s %s", HABITS, recipe)
        train(model, source, recipe, arguments.seed + number)
    save(model, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
