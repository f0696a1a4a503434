"""Loading a checkpoint's weights, and the check that the engine's batching suits the model."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tts.core.errors import UserError
from tts.core.setting_error import shown
from tts.core.settings import SettingError, refused
from tts.engines.local import gguf, processor
from tts.engines.local.checkpoint import not_found, opened
from tts.engines.local.config_file import check_size

if TYPE_CHECKING:
    import torch
    from transformers import AutoModel, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from tts.engines.transformers.model import CausalModel

_log = logging.getLogger(__name__)

_ALONE = threading.Lock()
"""While loading, transformers patches functions of its own for all threads (`no_tie_weights`). Of two concurrent loads
one would restore the other's patch, and every later load in the process would lack tied weights."""


def load_model(model: str, revision: str | None, dtype: str, device: str) -> CausalModel:
    """Loads a checkpoint's weights.

    Raises:
        UserError: As for `load_module`, or the model cannot be batched here.
    """
    from transformers import AutoModelForCausalLM

    return examine(load_module(AutoModelForCausalLM, model, revision, dtype, device), model)


def load_module(
    kind: type[AutoModel | AutoModelForCausalLM],
    model: str,
    revision: str | None,
    dtype: str,
    device: str,
    **options: object,
) -> PreTrainedModel:
    """Loads a checkpoint's weights into a transformers module, in evaluation mode.

    With `dtype` auto, a tiny model on a CPU is computed in float64: rounding then no longer affects samples, so that a
    run does not depend on how its requests were batched. Larger ones on a CPU are computed in the precision that suits
    the processor, and on other devices in the checkpoint's. The weights of a GGUF file are unpacked into bfloat16 there.

    Args:
        kind: transformers' class that loads it, such as `AutoModel`.
        model: A directory, a GGUF file or a hub id.
        revision: The hub revision.
        dtype: Precision of the weights, or `auto`.
        device: A torch device, or `auto`: CUDA if available, else the CPU.
        **options: Further arguments of `from_pretrained`.

    Raises:
        UserError: They cannot be loaded or are incomplete.
    """
    import torch
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    unpacked = gguf.weight_options() if gguf.is_gguf(model) else {}
    try:
        if where == "meta":
            raise ValueError("the device meta holds no weights")
        with _ALONE, opened(model, revision) as (place, located):
            if Path(place).is_dir() and not unpacked:
                _check_defaults(place, options.get("config"))
            module, info = kind.from_pretrained(
                place,
                dtype=_while_loading(model, dtype, where),
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below
                **({} if gguf.is_gguf(model) else {"use_safetensors": True}),
                **located,
                **unpacked,
                **options,
            )
        if info["missing_keys"]:
            raise ValueError(f"the weights lack {', '.join(sorted(info['missing_keys'])[:3])}")
        if info["mismatched_keys"]:
            name, held, needed = min(info["mismatched_keys"])
            raise ValueError(f"{name} has the shape {list(held)}, and config.json describes {list(needed)}")
        if unused := sorted(info["unexpected_keys"]) if kind.__name__ == "AutoModelForCausalLM" else ():
            _log.warning("%s: weights that its config.json has no place for: %d, %s", model, len(unused), unused[0])
        module = module.to(where)
        return (_suit(module) if dtype == "auto" and where == "cpu" else module).eval()
    except UserError:
        raise
    except Exception as error:
        raise not_found("model", model, error) from error


def _check_defaults(folder: str, given: object) -> None:
    """Checks a model's size with what its config leaves to transformers' defaults."""
    from transformers import AutoConfig, PretrainedConfig

    config = (
        given if isinstance(given, PretrainedConfig) else AutoConfig.from_pretrained(folder, trust_remote_code=False)
    )
    check_size(config.get_text_config(decoder=True).to_dict(), Path(folder))


def _while_loading(model: str, dtype: str, where: str) -> torch.dtype | Literal["auto"]:
    """Returns the precision to load weights in, such that none of a large model is held twice."""
    import torch

    if dtype != "auto":
        precision: torch.dtype = getattr(torch, dtype)
        return precision
    if not gguf.is_gguf(model):
        return "auto"
    if Path(model).stat().st_size < processor.TINY:
        return torch.float32
    return processor.precision() if where == "cpu" else torch.bfloat16


def _suit(module: PreTrainedModel) -> PreTrainedModel:
    """Gives the weights of a model on a CPU the precision that suits it."""
    import torch

    if module.num_parameters() < processor.TINY:
        return module.to(torch.float64)
    loaded, wanted = module.dtype, processor.precision()
    if loaded.itemsize > wanted.itemsize:  # whoever saved it in full precision may need that
        return module
    # Weights alone: the frequencies of positions, which are no weights, stay in float32.
    for weight in module.parameters():
        if weight.dtype == loaded:
            weight.data = weight.data.to(wanted)
    return module


def examine(module: PreTrainedModel, name: str) -> CausalModel:
    """Prepares a model for batching, after checking that batched passes give the logits of plain ones.

    Raises:
        UserError: They do not, or the model keeps a state other than keys and values.
    """
    import torch

    from tts.engines.transformers.model import CausalModel

    try:
        model = CausalModel.of(module)
        error = _batching_error(model)
        # Above rounding (0.02 to 0.06 in bfloat16), below the effect of a position wrong by one (0.14 and more).
        tolerance = max(0.005, 12 * torch.finfo(model.shapes[0].dtype).eps)
        if not error < tolerance:
            raise ValueError(f"left-padded batches change its logits by {error:.1%}")
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, NotImplementedError) as error:
        raise SettingError(
            "model", f"the transformers engine cannot batch {name}: {error}; choose the engine vllm or openai"
        ) from error
    return model.sharing_prefixes(lambda sharing: _batching_error(sharing) < tolerance)


def _batching_error(model: CausalModel) -> float:
    """Returns the difference between the logits of batched and plain passes, relative to their spread.

    Both are root mean squares: among 150,000 logits in bfloat16 some are always far off.
    """
    import torch

    from tts.engines.transformers.batch import SHARED_FROM, Batch
    from tts.engines.transformers.prefill import Start, prefill
    from tts.engines.transformers.prefix_cache import PrefixCache

    def plain(tokens: list[int]) -> torch.Tensor:
        logits: torch.Tensor = model.module(input_ids=torch.tensor([tokens], device=model.device)).logits
        return logits[0, -1].double()

    ids = [i % model.vocabulary for i in range(3, 43, 2)]
    long, short = ids[:17], ids[9:14]
    with torch.inference_mode():
        prefixes = PrefixCache(2**40)
        cache, _ = prefill(model, [Start.of(ids[:9], prefixes)])
        prefixes.insert(ids[:9], cache.read(0, 0, 9))
        cache, first = prefill(model, [Start.of(prompt, prefixes) for prompt in (short, long)])
        batch = Batch(model, 1 + SHARED_FROM)
        for row, (prompt, copies) in enumerate(((short, 1), (long, SHARED_FROM))):
            batch.add(cache.read(row, len(long) - len(prompt), len(long)), copies)
        second = batch.decode(torch.tensor([ids[17], *[ids[18]] * SHARED_FROM], device=model.device))[:2]
        expected = torch.stack([plain(tokens) for tokens in (short, long, [*short, ids[17]], [*long, ids[18]])])
        error = (torch.cat([first, second]).double() - expected).square().mean().sqrt()
        return float(error / expected.std().clamp(min=1e-6))


def resolve_context(asked: int | None, config: PretrainedConfig, name: str) -> int:
    """Returns the maximum number of tokens of prompt and completion together.

    Raises:
        UserError: More is requested than the model supports, or the model does not report its maximum.
    """
    longest: int | None = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    if asked is not None and longest is not None and asked > longest:
        raise refused("context", asked, f"it is more than the {longest} tokens of '{name}'")
    context = asked or longest
    if context is None:
        raise SettingError("context", f"'{name}' does not report its longest context; set one")
    return context


def end_tokens(model: CausalModel, tokenizer: PreTrainedTokenizerBase, name: str) -> frozenset[int]:
    """Returns the ids that end a text: the generation config's, else the tokenizer's; of a GGUF file also the usual ones.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        name: Its directory, file or hub id.

    Raises:
        UserError: The generation config names something else than tokens.
    """
    configured = model.module.generation_config.eos_token_id
    if configured is None:
        configured = tokenizer.eos_token_id
    named = configured if isinstance(configured, list | tuple) else [] if configured is None else [configured]
    if not all(type(token) is int for token in named):
        raise SettingError(
            "model", f"generation_config.json of '{name}': eos_token_id is {shown(configured)}, and no token"
        )
    return frozenset({*named} | (gguf.end_tokens(tokenizer) if gguf.is_gguf(name) else set()))
