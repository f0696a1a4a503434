"""Fine-tuning on conversations, and preferences between them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.train.helpers import QUESTION, TINY, held_out, labelled, lines, needs_train, trained, weights, written
from verifiers.generative.genprm_format import SYSTEM_CRITIQUE, first_turn

pytestmark = [pytest.mark.integration, needs_train]

OPENING = (
    "<analyze>\nLet's analyze the Paragraph {} step by step: so add.\n</analyze>\n<output>\n"
    "**Judgement**: $\\boxed{{{}}}$\n"
)
JUDGE = ("verifier.verify=false", "verifier.execute=false", "verifier.votes=1", "verifier.max_tokens=60")


def conversations() -> list[dict[str, Any]]:
    """GenPRM's judgements of the solutions of `labelled`."""
    rows = []
    for row in labelled(8):
        messages = [{"role": "system", "content": SYSTEM_CRITIQUE}]
        for number, (step, label) in enumerate(zip(row["steps"], row["labels"], strict=True), 1):
            asked = step if messages[1:] else first_turn("question", QUESTION, step)
            verdict = OPENING.format(number, "Yes" if label == 1 else "No") + "</output>\n"
            messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": verdict}]
        rows.append({"id": row["id"], "messages": messages})
    return rows


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return written(tmp_path / "train.jsonl", conversations())


def test_judgements_are_learnt_and_read_back_as_genprm(tmp_path: Path, rows: Path) -> None:
    held = written(tmp_path / "labels.jsonl", labelled(8))
    settings = (
        "sandbox=none",
        "trainer.batch=8",
        "trainer.epochs=40",
        "trainer.log_every=10",
        "trainer.learning_rate=2e-3",
    )
    summary = trained(tmp_path / "run", *settings, *JUDGE, f"data.path={rows}", *held_out(held))
    assert summary["accuracy"] > 0.99
    assert summary["f1"] == 1.0
    assert summary["evaluation"]["n_errors"] == 0
    steps = [row["step"] for row in lines(tmp_path / "run" / "metrics.jsonl")]
    assert steps == [10, 20, 30, 40]


def test_the_loss_is_that_of_transformers(tmp_path: Path, rows: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from tests.train.helpers import config_of
    from tts.train.job import compose_train

    config, identity = config_of(*TINY, f"data.path={rows}")
    job = compose_train(config, identity)
    torch.manual_seed(0)
    model = job.base.load(AutoModelForCausalLM, dtype=torch.float32)
    for batch in (job.data.examples[:1], job.data.examples):
        made = dict(job.method.collate(batch))
        # Their labels are those of the token itself, ours of the next one.
        theirs = torch.nn.functional.pad(made["labels"], (1, 0), value=-100)[:, :-1]
        expected = model(made["input_ids"], attention_mask=made["attention_mask"], labels=theirs).loss
        number = (made["labels"] != -100).sum()
        assert torch.isclose(job.method.loss(model, made).total / number, expected, atol=1e-5)


def test_a_preference_raises_the_margin(tmp_path: Path) -> None:
    prompt = [{"role": "user", "content": QUESTION}]
    pairs = [
        {
            "id": str(number),
            "prompt": [*prompt, {"role": "assistant", "content": f"{number}"}, {"role": "user", "content": "Right?"}],
            "chosen": [{"role": "assistant", "content": "Yes"}],
            "rejected": [{"role": "assistant", "content": "No"}],
        }
        for number in range(8)
    ]
    path = written(tmp_path / "pairs.jsonl", pairs)
    settings = ("method=preference", "trainer.batch=8", "trainer.epochs=8", "trainer.log_every=1", "sandbox=none")
    summary = trained(tmp_path / "run", *settings, "trainer.learning_rate=1e-3", f"data.path={path}")
    assert summary["labels"] == {"pairs": 8}
    first, *_, last = lines(tmp_path / "run" / "metrics.jsonl")
    assert first["loss"] == pytest.approx(0.6931, abs=1e-3)  # before any update there is no margin
    assert first["accuracy"] == 0.0
    assert last["accuracy"] == 1.0
    assert last["loss"] < 0.5


@pytest.mark.skipif(find_spec("peft") is None, reason="adapters need peft: pip install 'tts-search[train]'")
def test_adapters_are_merged_into_what_is_written(tmp_path: Path, rows: Path) -> None:
    lora = ("trainer=lora", "trainer.precision=float32", "trainer.gradient_checkpointing=false", "trainer.epochs=2")
    own = ("trainer.batch=8", "trainer.device_batch=8", "trainer.learning_rate=0.01", "sandbox=none")
    summary = trained(tmp_path / "run", *lora, *own, "trainer.lora.rank=2", f"data.path={rows}")
    assert summary["trained_parameters"] < summary["parameters"] / 10
    found = weights(tmp_path / "run")
    assert not any("lora" in name for name in found)
    from verifiers.embedded import train

    before = Path(train.__file__).parent / "checkpoint" / "model.safetensors"
    from safetensors.torch import load_file

    base = load_file(before)
    assert found.keys() == base.keys()
    changed = {name for name in base if not found[name].equal(base[name])}
    assert changed == {name for name in base if "_proj" in name}
