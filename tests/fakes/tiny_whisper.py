"""A Whisper model of random weights: it says nonsense, but loads and answers as a real one, so that the code runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_WIDTH, _HEADS, _MELS, _ENCODER_STEPS, _DECODER_STEPS = 32, 2, 80, 1500, 448
_SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
_TIMES = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]


def make_model(directory: Path) -> Path:
    """Write a converted model and its tokenizer; some 100 kB."""
    from ctranslate2.specs import WhisperSpec

    tokens = _tokenizer(directory)
    spec = WhisperSpec(1, _HEADS, 1, _HEADS)
    _fill(spec, len(tokens), np.random.default_rng(7))
    spec.config.alignment_heads = [(0, 0), (0, 1)]
    spec.config.suppress_ids, spec.config.suppress_ids_begin, spec.config.lang_ids = [], [], []
    spec.register_vocabulary(tokens)
    spec.validate()
    spec.save(str(directory))
    return directory


def _tokenizer(directory: Path) -> list[str]:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(letters)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True) for token in [*_SPECIAL, *_TIMES]])
    made.save(str(directory / "tokenizer.json"))
    return [*letters, *_SPECIAL, *_TIMES]


def _fill(spec: Any, words: int, chance: np.random.Generator) -> None:
    def weights(*shape: int) -> Any:
        return (chance.standard_normal(shape) * 0.3).astype(np.float32)

    def norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)

    def linear(layer: Any, out: int, into: int) -> None:
        layer.weight, layer.bias = weights(out, into), weights(out)

    def attention(layer: Any, *, of_itself: bool) -> None:
        norm(layer.layer_norm)
        sizes = [3 * _WIDTH, _WIDTH] if of_itself else [_WIDTH, 2 * _WIDTH, _WIDTH]
        for part, size in zip(layer.linear, sizes, strict=True):
            linear(part, size, _WIDTH)

    def block(layer: Any) -> None:
        attention(layer.self_attention, of_itself=True)
        if hasattr(layer, "attention"):
            attention(layer.attention, of_itself=False)
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, 4 * _WIDTH, _WIDTH)
        linear(layer.ffn.linear_1, _WIDTH, 4 * _WIDTH)

    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = weights(_WIDTH, _MELS, 3), weights(_WIDTH)
    encoder.conv2.weight, encoder.conv2.bias = weights(_WIDTH, _WIDTH, 3), weights(_WIDTH)
    encoder.position_encodings.encodings = weights(_ENCODER_STEPS, _WIDTH)
    decoder.position_encodings.encodings = weights(_DECODER_STEPS, _WIDTH)
    decoder.embeddings.weight = weights(words, _WIDTH)
    decoder.projection.weight = decoder.embeddings.weight
    for part in (encoder, decoder):
        norm(part.layer_norm)
        for layer in part.layer:
            block(layer)
