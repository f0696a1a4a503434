"""Writes a checkpoint of the embedded models' kind (Llama, byte-level BPE) as a GGUF file, for llama.cpp.

    PYTHONPATH=LLAMA_CPP/gguf-py:. python -m tests.engines.gguf_file policies/embedded/checkpoint policy.gguf

llama.cpp does not know how the embedded tokenizer splits text before the merges, and makes other tokens of it. Prompts
are right if the ids are made here, with the engine's `tokenizer=CHECKPOINT`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write(checkpoint: Path, target: Path) -> None:
    """Writes `checkpoint` to `target`, in float32."""
    import gguf
    from safetensors import safe_open

    config = json.loads((checkpoint / "config.json").read_text())
    writer: Any = gguf.GGUFWriter(target, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_tokenizer(writer, gguf, json.loads((checkpoint / "tokenizer.json").read_text()), config)
    with safe_open(checkpoint / "model.safetensors", "np") as tensors:
        for name in tensors.keys():  # noqa: SIM118
            writer.add_tensor(_renamed(name), _interleaved(name, tensors.get_tensor(name), config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: Any, gguf: Any, tokenizer: dict[str, Any], config: dict[str, Any]) -> None:
    types = gguf.TokenType
    tokens = {id_: (text, types.NORMAL) for text, id_ in tokenizer["model"]["vocab"].items()}
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]] = (added["content"], types.CONTROL if added["special"] else types.USER_DEFINED)
    ordered = [tokens.get(id_, (f"[unused{id_}]", types.UNUSED)) for id_ in range(config["vocab_size"])]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([text for text, _ in ordered])
    writer.add_token_types([kind for _, kind in ordered])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(True)


_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "model.layers": "blk",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def _renamed(name: str) -> str:
    for theirs, ours in _NAMES.items():
        name = name.replace(theirs, ours)
    return name


def _interleaved(name: str, weights: NDArray[Any], config: dict[str, Any]) -> NDArray[Any]:
    """Returns query and key weights in llama.cpp's order: rotated pairs side by side instead of half a head apart."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return weights
    heads = config["num_attention_heads" if "q_proj" in name else "num_key_value_heads"]
    return np.ascontiguousarray(
        weights.reshape(heads, 2, weights.shape[0] // heads // 2, weights.shape[1])
        .swapaxes(1, 2)
        .reshape(weights.shape)
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
