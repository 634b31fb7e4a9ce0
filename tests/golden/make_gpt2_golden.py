#!/usr/bin/env python3
"""Writes tests/golden/gpt2/: small random GPT-2s and what transformers computes.

Each case is a directory as Hugging Face writes it (config.json,
model.safetensors) and expected.safetensors beside it:

  input_ids      [T]           I64
  logits         [T, V]        F32
  hidden_states  [L + 1, T, D] F32; the last entry is after ln_f, as always in
                               transformers
  greedy         [64]          I64 continuation of input_ids

Weights are drawn wide, and a seed is taken only if the greedy text has at least
20 different tokens and no step is decided by less than 2e-3: a loop or a tie
would not notice a wrong forward pass, or blame a right one.

How to run (Debian 12, whose LibTorch the project uses):
  apt-get install python3-torch python3-venv
  python3 -m venv --system-site-packages venv
  venv/bin/pip install transformers==4.30.2 tokenizers==0.13.3 safetensors==0.3.1
  venv/bin/python tests/golden/make_gpt2_golden.py
"""

import pathlib
import shutil

import safetensors.torch
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

from random_gpt2 import draw_weights

# Raise it when the layout of the files changes; the test refuses another one.
VERSION = "1"
NEW_TOKENS = 64
MIN_DISTINCT = 20
MIN_MARGIN = 2e-3

CASES = {
    "default": dict(
        config=dict(n_layer=3, n_head=4, n_embd=32, n_positions=96,
                    vocab_size=211),
        prompt=17),
    "f16_odd_vocabulary": dict(
        config=dict(n_layer=4, n_head=3, n_embd=24, n_inner=50,
                    n_positions=128, vocab_size=257),
        dtype=torch.float16, prompt=23),
    "bf16_erf": dict(
        config=dict(n_layer=2, n_head=1, n_embd=20, n_inner=64,
                    n_positions=80, vocab_size=103,
                    activation_function="gelu"),
        dtype=torch.bfloat16, prompt=9),
    "inverse_layer_scale": dict(
        config=dict(n_layer=5, n_head=6, n_embd=36, n_positions=100,
                    vocab_size=149, scale_attn_by_inverse_layer_idx=True,
                    layer_norm_epsilon=1e-3),
        prompt=30),
    "separate_head_relu": dict(
        config=dict(n_layer=3, n_head=2, n_embd=28, n_inner=33,
                    n_positions=77, vocab_size=181, tie_word_embeddings=False,
                    activation_function="relu"),
        prompt=13),
    # Named as the files that OpenAI published: no prefix, mask buffers inside.
    "bare_names_unscaled": dict(
        config=dict(n_layer=2, n_head=5, n_embd=40, n_inner=80,
                    n_positions=90, vocab_size=127, scale_attn_weights=False,
                    activation_function="gelu_pytorch_tanh"),
        bare=True, prompt=26),
    "deeper": dict(
        config=dict(n_layer=7, n_head=8, n_embd=48, n_positions=160,
                    vocab_size=499),
        prompt=90),
}


def save(model, case, directory):
    shutil.rmtree(directory, ignore_errors=True)
    model.to(case.get("dtype", torch.float32)).save_pretrained(
        directory, safe_serialization=True)
    (directory / "generation_config.json").unlink(missing_ok=True)
    if not case.get("bare"):
        return
    path = directory / "model.safetensors"
    tensors = {name.removeprefix("transformer."): tensor
               for name, tensor in safetensors.torch.load_file(path).items()}
    context = model.config.n_positions
    for layer in range(model.config.n_layer):
        mask = torch.ones(context, context).tril().view(1, 1, context, context)
        tensors[f"h.{layer}.attn.bias"] = mask.to(torch.uint8)
        tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})


def greedy(model, ids):
    """The continuation and the smallest lead of a chosen token."""
    text, margin = list(ids), float("inf")
    for _ in range(NEW_TOKENS):
        logits = model(torch.tensor([text])).logits[0, -1]
        best = logits.topk(2).values
        margin = min(margin, (best[0] - best[1]).item())
        text.append(int(logits.argmax()))
    generated = model.generate(
        torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)),
        do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=None,
        pad_token_id=0)[0].tolist()
    assert generated == text, "generate() and recomputation differ"
    return text[len(ids):], margin


def make(name, case, root):
    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        config = GPT2Config(bos_token_id=None, eos_token_id=None,
                            **case["config"])
        model = GPT2LMHeadModel(config)
        draw_weights(model, generator)
        save(model, case, root / name)
        model = GPT2LMHeadModel.from_pretrained(
            root / name, torch_dtype=torch.float32).eval()
        ids = torch.randint(config.vocab_size, (case["prompt"],),
                            generator=generator).tolist()
        text, margin = greedy(model, ids)
        if len(set(text)) < MIN_DISTINCT or margin < MIN_MARGIN:
            continue
        out = model(torch.tensor([ids]), output_hidden_states=True)
        safetensors.torch.save_file(
            {"input_ids": torch.tensor(ids),
             "logits": out.logits[0].contiguous(),
             "hidden_states": torch.cat(out.hidden_states).contiguous(),
             "greedy": torch.tensor(text)},
            root / name / "expected.safetensors",
            metadata={"golden_version": VERSION,
                      "generator": "tests/golden/make_gpt2_golden.py",
                      "transformers": transformers.__version__,
                      "torch": torch.__version__,
                      "seed": str(seed)})
        print(f"{name}: seed {seed}, {len(set(text))} different tokens, "
              f"margin {margin:.1e}, largest hidden "
              f"{max(h.abs().max().item() for h in out.hidden_states):.1f}")
        return
    raise SystemExit(f"{name}: no seed gave a text with enough variety")


def main():
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    root = pathlib.Path(__file__).resolve().parent / "gpt2"
    for name, case in CASES.items():
        make(name, case, root)


if __name__ == "__main__":
    main()
