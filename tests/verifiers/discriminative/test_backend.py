"""Tiny random models in the published layouts: batched scores are those of plain passes, one solution at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer

from tests.verifiers.discriminative.test_codecs import GIVEN, GOLDEN, free, solution
from tests.verifiers.discriminative.tiny import (
    LLAMA,
    ensemble,
    linear,
    one_layer,
    published,
    save,
    tokenizer,
    two_layers,
)
from tts.budget import Limits, scope
from tts.compose import build, shared_engine
from tts.engines.gate import Gate
from tts.engines.reading import Reading, Rows
from tts.engines.scripted import ScriptedEngine
from tts.errors import EngineError, ProblemError, UserError
from tts.roles import CheckedVerifier
from tts.types import Problem, Solution, Verdict
from verifiers.discriminative.backend import TransformersReader
from verifiers.discriminative.backend.heads import Layers, Vocabulary
from verifiers.discriminative.verifier import DiscriminativeVerifier

pytestmark = pytest.mark.integration

PROBLEM = Problem("p", "How many apples are 2 and 2? 数")
SOLUTIONS = [
    solution("Add 2 and 2.", "That is 4.", "The answer is: 4"),
    solution("4"),
    solution(*(f"{i} + {i} is {2 * i}." for i in range(40))),
    solution("Äpfel: 2 🍎 + 2 🍎", "", "= 4 🍎."),
    solution("Add 2 and 2.", "That is 5."),
    solution("Add 2 and 2.", "That is 4.", "So it is 4.", "Well.\nYes. "),
]

Plain = Callable[[Any, Path, str, Sequence[str]], list[float]]


@cache
def loaded(kind: Any, folder: Path, **more: Any) -> Any:
    """One of transformers' own classes."""
    return kind.from_pretrained(folder, **more).double().eval()


def hidden(folder: Path, ids: list[int]) -> torch.Tensor:
    """All hidden states, by a plain pass."""
    with torch.inference_mode():
        states: torch.Tensor = loaded(AutoModel, folder)(input_ids=torch.tensor([ids])).last_hidden_state[0]
    return states


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return {name: tensor.double() for name, tensor in load_file(folder / "model.safetensors").items()}


def dense(states: torch.Tensor, held: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    return states @ held[f"{name}.weight"].T + held[f"{name}.bias"]


def logits(folder: Path, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = loaded(AutoModelForCausalLM, folder)(input_ids=torch.tensor([ids])).logits[0]
    return result


def chat(tokens: Any, *turns: tuple[str, str], **more: Any) -> str:
    text: str = tokens.apply_chat_template([{"role": r, "content": c} for r, c in turns], tokenize=False, **more)
    return text


def encode(tokens: Any, text: str) -> list[int]:
    ids: list[int] = tokens(text, add_special_tokens=False)["input_ids"]
    return ids


def separated(head: Callable[[torch.Tensor, Path], torch.Tensor], system: str | None) -> Plain:
    def plain(tokens: Any, folder: Path, question: str, steps: Sequence[str]) -> list[float]:
        turns = [("user", question), ("assistant", "".join(f"{step}<extra_0>" for step in steps))]
        ids = encode(tokens, chat(tokens, *([("system", system)] if system else []), *turns))
        mask = torch.tensor(ids) == tokens.convert_tokens_to_ids("<extra_0>")
        return head(hidden(folder, ids)[mask], folder).tolist()

    return plain


def two_class(states: torch.Tensor, folder: Path) -> torch.Tensor:
    held = tensors(folder)
    return dense(dense(states, held, "score.0").relu(), held, "score.2").softmax(-1)[:, 1]


def five_heads(states: torch.Tensor, folder: Path) -> torch.Tensor:
    held, heads = tensors(folder), []
    for i in range(5):
        values = states
        for layer in ("nn1", "nn2", "nn_out"):
            weight, bias = (held[f"score.model.{layer}.{part}"][i] for part in ("weight", "bias"))
            values = (values.relu() if layer != "nn1" else values) @ weight + bias
        heads.append(values[:, 0].sigmoid())
    return torch.stack(heads).mean(0)


def shepherd(tokens: Any, folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    text = question + " " + "\n".join(f"Step {i}: {step} ки" for i, step in enumerate(steps, 1))
    ids = [tokens.bos_token_id, *encode(tokens, text)]
    pair = [encode(tokens, label)[0] for label in "+-"]
    mask = torch.tensor(ids) == encode(tokens, "ки")[0]
    return logits(folder, ids)[:, pair].softmax(-1)[mask, 0].tolist()


def rlhflow(tokens: Any, folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    """A pass for every step, as the official code has it."""
    turns: list[tuple[str, str]] = []
    scores = []
    for i, step in enumerate(steps):
        turns += [("user", step if i else f"{question} {step}"), ("assistant", "+")]
        pair = [encode(tokens, label)[-1] for label in "+-"]
        scores.append(float(logits(folder, encode(tokens, chat(tokens, *turns)))[-3, pair].softmax(-1)[0]))
    return scores


def skywork(tokens: Any, folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    ids, flags = encode(tokens, tokens.bos_token + question + "\n"), []
    for step in steps:
        ids += [*encode(tokens, step.replace("\n", " ")), encode(tokens, "\n")[-1]]
        flags.append(len(ids) - 1)
    return dense(hidden(folder, ids)[flags], tensors(folder), "v_head.summary")[:, 0].sigmoid().tolist()


def trl(tokens: Any, folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    model, scores = loaded(AutoModelForTokenClassification, folder, num_labels=2), []
    for i in range(1, len(steps) + 1):
        ids = encode(tokens, "\n\n".join((question, *steps[:i])) + "\n\n")
        with torch.inference_mode():
            scores.append(float(model(input_ids=torch.tensor([ids])).logits[0, -1].softmax(-1)[1]))
    return scores


def universal(tokens: Any, folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    asked = f"{question}\n\n###\n\nThe reference answer is: There is no reference answer for this question."
    turns, held, scores = [("system", "You are a helpful assistant."), ("user", asked)], tensors(folder), []
    for i in range(1, len(steps) + 1):
        said = encode(tokens, "\n\n".join(steps[:i]) + "\n\n")
        ids = [*encode(tokens, chat(tokens, *turns, add_generation_prompt=True)), *said, tokens.eos_token_id]
        state = hidden(folder, ids)[-1:]
        scores.append(float(dense(dense(state, held, "score.0").relu(), held, "score.2").sigmoid()))
    return scores


def reasoneval(tokens: Any, folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    """The official code for the 7B model, whose padding token is the begin-of-text token."""
    mark = tokens.pad_token_id
    text = f"Question:\n{question}\nAnswer:\nLet's think step by step.\n{tokens.pad_token}"
    ids = [tokens.bos_token_id, *encode(tokens, text + "".join(step + tokens.pad_token for step in steps))]
    kept, places = [], []
    for place, token in enumerate(ids):
        if token == mark:
            places.append(place - 1 - len(places))
        else:
            kept.append(token)
    states = hidden(folder, [tokens.bos_token_id, *kept])[places[2:]]
    return dense(states, tensors(folder), "score_head").softmax(-1)[:, 1:].sum(-1).tolist()


def reasonflux(tokens: Any, folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    state = hidden(folder, encode(tokens, question + "\n\n".join(steps)))[-1:]
    held = {f"head.{name}": tensor.double() for name, tensor in torch.load(folder / "reward_head.pt").items()}
    return [float(dense(state, held, "head").sigmoid())]


def eurus(tokens: Any, folder: Path, question: str, steps: Sequence[str]) -> list[float]:
    """As the model card's example computes it."""
    steps = [f"Step {i}: {step}" for i, step in enumerate(steps, 1)]

    def text(count: int) -> str:
        return chat(tokens, ("user", question), ("assistant", "\n\n".join(steps[:count])))

    ids = torch.tensor(encode(tokens, text(len(steps))))
    ends = [
        len(encode(tokens, text(i).strip() + ("\n\n" if i not in (0, len(steps)) else ""))) - 2
        for i in range(len(steps) + 1)
    ]
    mask = torch.zeros(len(ids)).double()
    mask[ends[0] :] = 1
    own, other = (
        logits(place, ids.tolist())[:-1].log_softmax(-1).gather(1, ids[1:, None])[:, 0]
        for place in (folder, folder.parent / "reference")
    )
    return (0.001 * (own - other) * mask[1:]).cumsum(-1)[ends[1:]].sigmoid().tolist()


ACTPRM_SYSTEM = (
    "You are a helpful and harmless assistant. "
    "You should think step-by-step and put your final answer within \\boxed{}."
)
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
CASES: dict[str, tuple[str, Callable[[int], dict[str, Any]] | None, Plain]] = {
    "qwen2.5-math-prm-7b": ("qwen2", two_layers(2), separated(two_class, SYSTEM)),
    "reasonflux-prm-7b": ("qwen2", two_layers(2), separated(two_class, None)),
    "actprm": (
        "qwen2",
        ensemble,
        separated(
            five_heads,
            ACTPRM_SYSTEM,
        ),
    ),
    "math-shepherd": ("mistral", None, shepherd),
    "rlhflow-prm-mistral": ("llama", None, rlhflow),
    "skywork-prm-7b": ("qwen2", one_layer("v_head.summary", 1), skywork),
    "trl-prm": ("qwen2", one_layer("score", 2), trl),
    "universal-prm": ("qwen2", two_layers(1), universal),
    "reasoneval-7b": ("mistral", one_layer("score_head", 3), reasoneval),
    "reasonflux-prm-1.5b": ("llama", one_layer("unused", 1), reasonflux),
    "eurusprm-stage1": ("qwen2", None, eurus),
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the folder of a random checkpoint in the layout of a published model."""
    made: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            model, extra, _ = CASES[name]
            template = {"template": LLAMA} if name.startswith("rlhflow") else {}
            tokens = tokenizer(words=("ки",), **template, **GIVEN.get(name, {}))
            made[name] = save(folder / "model", tokens, model, extra)
            if name == "eurusprm-stage1":
                save(folder / "reference", tokens, model, seed=1)
            if name == "reasonflux-prm-1.5b":
                torch.save(
                    {k.split(".")[-1]: v for k, v in linear("head", 32, 1).items()}, made[name] / "reward_head.pt"
                )
        return made[name]

    return get


def reader(name: str, folder: Path, **more: Any) -> TransformersReader:
    """The preset's engine, on a tiny checkpoint."""
    inherited = {"record", "prompt_price", "completion_price"}
    node = {key: value for key, value in published(name)["engine"].items() if key not in inherited}
    node |= {"model": str(folder), "device": "cpu", **more}
    if "reference" in node and node["reference"] is not None:
        node["reference"] = str(folder.parent / "reference")
    made: TransformersReader = build(node, "verifier.engine")
    return made


def verifier(name: str, engine: TransformersReader) -> DiscriminativeVerifier:
    return DiscriminativeVerifier(Gate(engine, "verifier"), free(name), published(name)["aggregator"])  # type: ignore[arg-type]


def judge(made: DiscriminativeVerifier, *solutions: Solution) -> list[Verdict]:
    """Judges all of them at once."""

    async def main() -> list[Verdict]:
        made.check()
        return await asyncio.gather(*(made.verify(PROBLEM, s) for s in solutions))

    return asyncio.run(main())


@contextmanager
def passes(engine: TransformersReader) -> Iterator[list[tuple[int, int]]]:
    """Collects `(rows, columns)` of every forward pass."""
    assert engine._worker is not None
    shapes: list[tuple[int, int]] = []
    module = engine._worker._scorers[0]._backbone.module  # type: ignore[attr-defined]
    hook = module.register_forward_pre_hook(
        lambda _, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    yield shapes
    hook.remove()


@pytest.mark.parametrize("name", CASES)
def test_scores_are_those_of_a_plain_model(name: str, checkpoints: Callable[[str], Path]) -> None:
    folder = checkpoints(name)
    tokens, plain = AutoTokenizer.from_pretrained(folder), CASES[name][2]
    engine = reader(name, folder)
    made = verifier(name, engine)
    for verdict, wanted in zip(judge(made, *SOLUTIONS), SOLUTIONS, strict=True):
        steps = [step.strip() for step in wanted.steps] if "1.5b" not in name else wanted.steps
        expected = plain(tokens, folder, PROBLEM.question, steps)
        assert verdict.scores == pytest.approx(expected, abs=1e-5)
        # Or positions could be mixed up unseen. An empty step may have its neighbour's score.
        assert len({round(score, 7) for score in expected}) >= len(expected) - 1
    asyncio.run(engine.close())


@pytest.mark.parametrize("side", ["left", "right"])
def test_scores_are_those_of_a_batch_padded_on_either_side(side: str, checkpoints: Callable[[str], Path]) -> None:
    """Padded with the token that ends a text, and once with the separator itself."""
    name = "qwen2.5-math-prm-7b"
    folder = checkpoints(name)
    engine = reader(name, folder)
    verdicts = judge(verifier(name, engine), *SOLUTIONS)
    asyncio.run(engine.close())
    for padding in ("<|im_end|>", "<extra_0>"):
        tokens = AutoTokenizer.from_pretrained(folder, padding_side=side, pad_token=padding)
        texts = [
            chat(
                tokens,
                ("system", SYSTEM),
                ("user", PROBLEM.question),
                ("assistant", "".join(f"{t.strip()}<extra_0>" for t in s.steps)),
            )
            for s in SOLUTIONS
        ]
        batch = tokens(texts, padding=True, return_tensors="pt", add_special_tokens=False)
        mask = batch["attention_mask"]
        model = loaded(AutoModel, folder)
        with torch.inference_mode():
            places = (mask.cumsum(-1) - 1).clamp(min=0)
            states = model(batch["input_ids"], attention_mask=mask, position_ids=places).last_hidden_state
        at = (batch["input_ids"] == tokens.convert_tokens_to_ids("<extra_0>")) & mask.bool()
        for row, verdict in enumerate(verdicts):
            assert verdict.scores == pytest.approx(two_class(states[row][at[row]], folder).tolist(), abs=1e-5)


@pytest.fixture(scope="module")
def engines(checkpoints: Callable[[str], Path]) -> Iterator[Callable[..., TransformersReader]]:
    """Returns started engines with a Qwen2.5-Math-PRM, one for each way to set one up."""
    made: dict[Any, TransformersReader] = {}

    def get(**settings: Any) -> TransformersReader:
        key = tuple(sorted(settings.items()))
        if key not in made:
            made[key] = reader("qwen2.5-math-prm-7b", checkpoints("qwen2.5-math-prm-7b"), **settings)
            asyncio.run(made[key].start())
        return made[key]

    yield get
    for engine in made.values():
        asyncio.run(engine.close())


readings = st.builds(
    lambda tokens, places: Reading(tuple(tokens), tuple(sorted({place % len(tokens) for place in places}))),
    st.lists(st.integers(3, 5), min_size=1, max_size=12).map(lambda tail: [9, 8, 7, 6, 5, 4] * 8 + tail)
    | st.lists(st.integers(3, 250), min_size=1, max_size=30),
    st.lists(st.integers(0, 99), min_size=1, max_size=4),
)


@settings(max_examples=30, deadline=None)
@given(
    wanted=st.lists(st.lists(readings, min_size=1, max_size=8), min_size=1, max_size=3),
    batching=st.sampled_from([(64, 16384, 1), (2, 64, 1), (64, 100, 0), (64, 16384, 512)]),
)
def test_what_is_read_does_not_depend_on_what_else_is(
    engines: Any, wanted: list[list[Reading]], batching: tuple[int, int, int]
) -> None:
    rows, tokens, cache = batching
    engine = engines(batch_size=rows, batch_tokens=tokens, prefix_cache_mb=cache)
    alone = engines(batch_size=1, prefix_cache_mb=0)

    async def read(source: TransformersReader, some: list[Reading]) -> list[Rows]:
        return await asyncio.gather(*map(source.read, some))

    for some in wanted:
        for got, reading in zip(asyncio.run(read(engine, some)), some, strict=True):
            (expected,) = asyncio.run(read(alone, [reading]))
            assert len(got) == len(reading.positions)
            assert [value for row in got for value in row] == pytest.approx(
                [v for row in expected for v in row], abs=1e-9
            )


def test_what_arrives_together_is_read_together_and_its_common_beginning_once(engines: Any) -> None:
    engine = engines(prefix_cache_mb=64)
    begin = (7,) * 300
    wanted = [Reading((*begin, *range(10, 30 + i), i), (320 + i,)) for i in range(20)]

    async def main(source: TransformersReader) -> None:
        await asyncio.gather(*map(source.read, wanted))

    with passes(engine) as shapes:
        asyncio.run(main(engine))
        assert len(shapes) == 2  # what they share, then the rest
        assert sum(rows * columns for rows, columns in shapes) < 400 + 20 * 45
        shapes.clear()
        asyncio.run(main(engine))
        assert sum(rows * columns for rows, columns in shapes) == 20  # all is known, up to the token that is read


def test_beginnings_of_each_other_are_read_in_one_pass(engines: Any) -> None:
    engine = engines(prefix_cache_mb=0)
    whole = tuple(range(20, 60))

    async def main() -> list[Rows]:
        parts = [Reading(whole[: 8 * i], (8 * i - 1,)) for i in range(1, 6)]
        return await asyncio.gather(*map(engine.read, [*parts, Reading(whole, (7, 15))]))

    with passes(engine) as shapes:
        *parts, both = asyncio.run(main())
    assert shapes == [(1, 40)]
    assert [v for row in both for v in row] == pytest.approx([v for rows in parts[:2] for v in rows[0]], abs=1e-9)


@pytest.mark.parametrize(
    "name", ["qwen2.5-math-prm-7b", "trl-prm", "universal-prm", "eurusprm-stage1", "skywork-prm-7b"]
)
def test_a_verdict_on_the_beginning_is_gone_on_from(name: str, checkpoints: Callable[[str], Path]) -> None:
    engine = reader(name, checkpoints(name))
    steps = SOLUTIONS[5].steps
    made = verifier(name, engine)

    async def main() -> None:
        verdict, problem = None, Problem("p", PROBLEM.question)
        for count in range(1, len(steps) + 1):
            with scope() as spent:
                verdict = await made.verify(problem, solution(*steps[:count]), verdict)
            assert spent.usage["verifier"].verifications == 1
        whole = await verifier(name, engine).verify(Problem("q", PROBLEM.question), solution(*steps))
        assert verdict is not None
        assert verdict.scores == pytest.approx(whole.scores, abs=1e-9)
        # Nothing is left to judge, and nothing is asked.
        with scope() as spent:
            again = await made.verify(problem, solution(*steps), verdict)
        assert again.scores == verdict.scores
        assert (spent.usage["verifier"].verifications, spent.usage["verifier"].calls) == (0, 0)
        # The same solution a second time costs nothing either, whoever asks.
        with scope() as spent:
            await made.verify(problem, solution(*steps))
        assert spent.usage["verifier"].verifications == len(steps)
        await engine.close()

    asyncio.run(main())


def test_a_verdict_on_something_else_is_not_gone_on_from(checkpoints: Callable[[str], Path]) -> None:
    name = "reasonflux-prm-1.5b"
    engine = reader(name, checkpoints(name))
    made = verifier(name, engine)

    async def main() -> None:
        three, four = solution("It is 3"), solution("It is 4")
        other = await made.verify(PROBLEM, three)
        verdict = await made.verify(PROBLEM, four, other)
        assert verdict.scores == (await made.verify(PROBLEM, four)).scores != other.scores
        await engine.close()

    asyncio.run(main())


def test_with_a_verdict_on_the_beginning_only_the_new_step_is_computed(engines: Any) -> None:
    engine = engines(prefix_cache_mb=64)
    made = verifier("qwen2.5-math-prm-7b", engine)

    async def main() -> None:
        first = await made.verify(PROBLEM, solution("Think hard about it.", "Twice."))
        with passes(engine) as shapes:
            await made.verify(PROBLEM, solution("Think hard about it.", "Twice.", "Four."), first)
        # Five letters and the separator.
        assert shapes == [(1, 6)]

    asyncio.run(main())


def test_what_is_read_is_paid(engines: Any) -> None:
    engine = engines()
    made = verifier("qwen2.5-math-prm-7b", engine)
    problem = Problem("paid", "Q")
    gate = Gate(engine, "verifier", None, 3.0, 0.0)  # type: ignore[arg-type]
    priced = DiscriminativeVerifier(gate, free("qwen2.5-math-prm-7b"), "min")
    (reading,) = free("qwen2.5-math-prm-7b").render(engine.tokenizer, "Q", SOLUTIONS[0]).readings
    tokens = reading.positions[-1] + 1

    async def main() -> None:
        with scope() as spent:
            await asyncio.gather(priced.verify(problem, SOLUTIONS[0]), priced.verify(problem, SOLUTIONS[0]))
        usage = spent.usage["verifier"]
        assert (usage.calls, usage.prompt_tokens, usage.completion_tokens, usage.verifications) == (1, tokens, 0, 6)
        assert usage.flops == 2 * tokens * engine.parameters
        assert usage.dollars == pytest.approx(3e-6 * tokens)
        assert usage.seconds > 0
        # A used-up budget gives verdicts without scores.
        with scope("problem", Limits(flops=usage.flops)):
            checked = CheckedVerifier(made)
            assert None not in (await checked.verify(Problem("x", "Q"), SOLUTIONS[0])).scores
            assert set((await checked.verify(Problem("x", "Q"), SOLUTIONS[1])).scores) == {None}

    asyncio.run(main())
    weights = sum(t.numel() for t in AutoModel.from_pretrained(engine.name).parameters())
    assert engine.parameters == weights + 32 * 32 + 32 + 2 * 32 + 2


def test_a_window_that_slides_over_what_is_known(tmp_path: Path) -> None:
    """The first Mistrals see 4,096 tokens back; here eight."""
    folder = save(tmp_path, tokenizer(), "mistral", two_layers(2), sliding_window=8)
    engine = reader("qwen2.5-math-prm-7b", folder)
    made, tokens = verifier("qwen2.5-math-prm-7b", engine), AutoTokenizer.from_pretrained(folder)
    plain, steps = separated(two_class, SYSTEM), SOLUTIONS[0].steps

    async def main() -> None:
        verdict = await made.verify(PROBLEM, solution(*steps[:1]))
        verdict = await made.verify(PROBLEM, solution(*steps), verdict)
        assert verdict.scores == pytest.approx(plain(tokens, folder, PROBLEM.question, steps), abs=1e-5)
        await engine.close()

    asyncio.run(main())


def test_mistakes_of_the_configuration(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    folder = checkpoints("qwen2.5-math-prm-7b")

    def refused(says: str, model: Path = folder, **settings: Any) -> None:
        engine = TransformersReader(**{"model": str(model), "head": Layers(["score.0", "score.2"]), **settings})
        with pytest.raises(UserError, match=says):
            asyncio.run(engine.start())

    refused(
        r"no weights called 'v_head\.summary\.\*'.*it has score\.0\.bias, score\.0\.weight",
        head=Layers(["v_head.summary"]),
    )
    refused(r"'score\.2' of .* is no linear layer from 2 values on", head=Layers(["score.0", "score.2", "score.2"]))
    refused(r"has no file reward_head\.pt", head=Layers([""], "reward_head.pt"))
    refused(r"cannot load the model .*lm_head", head=Vocabulary())
    refused(r"architecture=qwen9", architecture="qwen9")
    refused(r"context: 9999 is more than the 4096 tokens", context=9999)
    other = save(tmp_path / "other", tokenizer(words=("zzz", "ки")), "qwen2")
    (tmp_path / "shepherd").symlink_to(checkpoints("math-shepherd"))
    refused(
        r"reference=.*'ки' has another id", tmp_path / "shepherd", head=Vocabulary("logprobs"), reference=str(other)
    )
    with pytest.raises(UserError, match="batch_tokens=0"):
        TransformersReader(str(folder), Layers(["score"]), batch_tokens=0)
    with pytest.raises(UserError, match="no checkpoint directory"):
        TransformersReader("./nowhere", Layers(["score"]))


def test_a_backbone_that_its_config_calls_by_another_name(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    import json
    import shutil

    source = checkpoints("qwen2.5-math-prm-7b")
    folder = Path(shutil.copytree(source, tmp_path / "renamed"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "qwen2_rm"}))
    engine, plain = reader("qwen2.5-math-prm-7b", folder, architecture="qwen2"), reader("qwen2.5-math-prm-7b", source)
    scores = [judge(verifier("qwen2.5-math-prm-7b", e), SOLUTIONS[0])[0].scores for e in (engine, plain)]
    assert scores[0] == scores[1]
    for e in (engine, plain):
        asyncio.run(e.close())


def test_what_cannot_be_read_is_said(engines: Any) -> None:
    engine = engines(context=200)
    made = verifier("qwen2.5-math-prm-7b", engine)
    with pytest.raises(ExceptionGroup) as raised:
        judge(made, SOLUTIONS[2])
    assert raised.group_contains(EngineError, match=r"makes \d+ tokens, and the context is 200")
    with pytest.raises(ProblemError, match="step 1 holds '<extra_0>'"):
        judge(made, solution("<extra_0>"))
    with pytest.raises(UserError, match="asks about labels"):
        asyncio.run(engine.read(Reading((1, 2), (1,), ((3, 4),))))
    writes = DiscriminativeVerifier(Gate(ScriptedEngine(lambda prompt, seed: ""), "verifier"), made._codec, "min")
    with pytest.raises(UserError, match=r"verifier\.engine: 'scripted' .* writes text"):
        writes.check()
    assert judge(made, solution())[0].scores == ()


async def test_closing_fails_what_is_pending(checkpoints: Callable[[str], Path]) -> None:
    name = "qwen2.5-math-prm-7b"
    engine = reader(name, checkpoints(name))
    await engine.start()
    assert engine._worker is not None
    worker = engine._worker
    pending = [asyncio.ensure_future(engine.read(Reading((5, 6), (1,)))) for _ in range(3)]
    await asyncio.sleep(0)
    await engine.close()
    ended = await asyncio.gather(*pending, return_exceptions=True)
    assert all(isinstance(one, EngineError | tuple) for one in ended)
    assert not worker._thread.is_alive()
    # It starts again when next used.
    assert len(await engine.read(Reading((5, 6), (1,)))) == 1
    await engine.close()


@pytest.mark.parametrize("name", [*GOLDEN, "visualprm", "eurusprm-stage1", "eurusprm-stage2", "implicitprm"])
def test_every_presets_engine_takes_its_settings(name: str) -> None:
    node = published(name, "verifier.engine.model=some/model")["engine"]
    assert isinstance(shared_engine(node, "verifier.engine"), TransformersReader)
    if published(name)["engine"]["model"] == "???":
        with pytest.raises(UserError, match=r"verifier\.engine: model: no model is named"):
            shared_engine(published(name)["engine"], "verifier.engine")


def test_the_preview_shows_what_is_read_and_loads_no_weights(
    checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    name = "qwen2.5-math-prm-7b"
    engine = reader(name, checkpoints(name))
    text = verifier(name, engine).preview(PROBLEM, SOLUTIONS[3])
    assert "Äpfel: 2 🍎 + 2 🍎⟦<extra_0>⟧⟦<extra_0>⟧= 4 🍎.⟦<extra_0>⟧<|im_end|>" in text
    assert engine._worker is None
