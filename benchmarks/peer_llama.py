"""llama.cpp as a peer: the weights of a Mamba or Mamba-2 of ours as a GGUF file, and its logits.

Needs `llama-cpp-python` and `gguf`; both build or install from PyPI.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import torch

from resolvent.model import LanguageModel

TYPES = {
    "float32": gguf.GGMLQuantizationType.F32,
    "bfloat16": gguf.GGMLQuantizationType.BF16,
    "int8": gguf.GGMLQuantizationType.Q8_0,
}
NAMES = {"in_proj": "ssm_in", "x_proj": "ssm_x", "dt_proj": "ssm_dt", "out_proj": "ssm_out"}


def tensors(model: LanguageModel) -> Iterator[tuple[str, np.ndarray]]:
    """Names of llama.cpp and values; matrices of linear maps end in .weight and have two axes."""
    yield "token_embd.weight", model.embedding.weight.numpy()
    yield "output_norm.weight", model.norm.weight.numpy()
    for i, block in enumerate(model.blocks):
        layer, at = block.layer, f"blk.{i}."
        yield f"{at}attn_norm.weight", block.norm.weight.numpy()
        for ours, theirs in NAMES.items():
            if hasattr(layer, ours):
                yield f"{at}{theirs}.weight", getattr(layer, ours).weight.numpy()
        yield f"{at}ssm_conv1d.weight", layer.conv.weight.numpy()
        yield f"{at}ssm_conv1d.bias", layer.conv.bias.numpy()
        yield f"{at}ssm_dt.bias", layer.dt_bias.numpy()
        a, d = layer.eigenvalues.numpy(), layer.D.numpy()
        single = hasattr(layer, "heads")
        yield f"{at}ssm_a", a[:, None] if single else a
        yield f"{at}ssm_d", d[:, None] if single else d
        if single:
            yield f"{at}ssm_norm.weight", layer.norm.weight.reshape(layer.groups, -1).numpy()


@torch.no_grad()
def write(model: LanguageModel, path: Path, storage: str) -> None:
    """The model as a GGUF file, its matrices stored as one of TYPES, where their rows allow it."""
    layer = model.blocks[0].layer
    single = hasattr(layer, "heads")
    writer = gguf.GGUFWriter(str(path), "mamba2" if single else "mamba")
    writer.add_context_length(1 << 20)
    writer.add_embedding_length(model.config.d_model)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(len(model.blocks))
    writer.add_ssm_conv_kernel(layer.conv.weight.shape[1])
    writer.add_ssm_inner_size(layer.out_proj.in_features)
    writer.add_ssm_state_size(layer.state_shape()[1])
    writer.add_ssm_time_step_rank(layer.heads if single else layer.dt_proj.in_features)
    if single:
        writer.add_ssm_group_count(layer.groups)
    writer.add_layer_norm_rms_eps(model.config.norm_eps)
    writer.add_vocab_size(model.embedding.weight.shape[0])
    writer.add_tokenizer_model("none")
    for name, value in tensors(model):
        kind, value = TYPES[storage], np.ascontiguousarray(value, dtype=np.float32)
        matrix = name.endswith(".weight") and value.ndim == 2 and not value.shape[1] % 32
        if matrix and "norm" not in name and storage != "float32":
            writer.add_tensor(name, gguf.quants.quantize(value, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Peer:
    """A GGUF file in llama.cpp."""

    def __init__(self, path: Path, threads: int, tokens: int):
        self.llama = llama_cpp.Llama(
            str(path), n_ctx=4096, n_batch=tokens, n_ubatch=tokens, n_threads=threads,
            n_threads_batch=threads, verbose=False,
        )  # fmt: skip
        self.context = self.llama.ctx

    def read(self, tokens: list[int]) -> np.ndarray:
        """Logits after some tokens, in one batch."""
        given = (llama_cpp.llama_token * len(tokens))(*tokens)
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(given, len(tokens))):
            raise SystemExit("llama.cpp could not read the tokens")
        logits = llama_cpp.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(logits, (self.llama.n_vocab(),))

    def forget(self) -> None:
        """Start anew."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
