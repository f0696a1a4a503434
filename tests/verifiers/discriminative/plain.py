"""What published models score, by plain passes of transformers' own classes, as their official code computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForTokenClassification

from tests.verifiers.discriminative.tiny import ensemble, one_layer, two_layers

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
