#!/usr/bin/env python3
"""Writes inner.safetensors beside some models of tests/golden/gpt2: what transformers computes
at the hook points inside its blocks, and what comes of an edit there.

  attn_out, resid_mid, mlp_out  [L, T, D] F32 of `input_ids` of expected.safetensors
  edit                          [D] F32
  edited                        [3, V] F32 logits of the last position, with `edit` added from
                                position T // 2 on at attn_out[1], resid_mid[1], mlp_out[1]
  steered                       [A, 8] I64 greedy continuation under each of ARMS, which edits
                                the tokens that it generates too
  steered_logprobs              [A, 8] F32 of these tokens

How to run: as make_gpt2_golden.py, whose models it reads.
"""
import pathlib

import safetensors.torch
import torch
import transformers
from transformers import GPT2LMHeadModel

CASES = ("default", "bf16_erf", "inverse_layer_scale")
KINDS = ("attn_out", "resid_mid", "mlp_out")
EDITED_BLOCK = 1
NEW_TOKENS = 8
MIN_LEAD = 2e-3  # No greedy choice is closer than this.
# How many times `edit` is added where, each from position T // 2 on; the last arm has two.
ARMS = ({}, {("attn_out", 1): 1.0}, {("resid_mid", 1): -1.0}, {("mlp_out", 1): 1.0},
        {("attn_out", 1): -0.5, ("mlp_out", 1): 1.5})


def run(model, ids, change):
    """The logits [T, V]; `change(kind, layer, x)` sees [T, D] at every hook point and gives what
    goes on from there, or None."""
    def replaced(kind, layer, x):
        new = change(kind, layer, x[0])
        return x if new is None else new[None]

    handles = []
    for layer, block in enumerate(model.transformer.h):
        def attention(_, __, out, layer=layer):
            return (replaced("attn_out", layer, out[0]),) + tuple(out[1:])

        def mlp(_, __, out, layer=layer):
            return replaced("mlp_out", layer, out)
        handles += [block.attn.register_forward_hook(attention),
                    block.mlp.register_forward_hook(mlp)]
        # resid_mid is what ln_2 is given, and what the MLP's part is added to: an edit of it is
        # one of both.
        def mid(_, args, layer=layer):
            new = change("resid_mid", layer, args[0][0])
            if new is not None:
                args[0].copy_(new[None])
        handles.append(block.ln_2.register_forward_pre_hook(mid))
    try:
        return model(torch.tensor([ids])).logits[0]
    finally:
        for handle in handles:
            handle.remove()


def steer(model, ids, arm, edit):
    """(tokens, log probabilities) of a greedy continuation under `arm`."""
    first, tokens, logprobs = len(ids) // 2, [], []

    def add(kind, layer, x):
        if (kind, layer) not in arm:
            return None
        x = x.clone()
        x[first:] += arm[kind, layer] * edit
        return x
    for _ in range(NEW_TOKENS):
        best = run(model, ids + tokens, add)[-1].log_softmax(-1).topk(2)
        assert best.values[0] - best.values[1] > MIN_LEAD, (arm, tokens)
        tokens.append(int(best.indices[0]))
        logprobs.append(best.values[0].item())
    return tokens, logprobs


def make(directory):
    model = GPT2LMHeadModel.from_pretrained(directory, torch_dtype=torch.float32).eval()
    ids = safetensors.torch.load_file(directory / "expected.safetensors")["input_ids"].tolist()
    seen = {kind: {} for kind in KINDS}

    def keep(kind, layer, x):
        seen[kind][layer] = x.clone()
    plain = run(model, ids, keep)
    edit = torch.randn(model.config.n_embd, generator=torch.Generator().manual_seed(7))
    edited = []
    for kind in KINDS:
        def add(at, layer, x, kind=kind):
            if (at, layer) != (kind, EDITED_BLOCK):
                return None
            x = x.clone()
            x[len(ids) // 2:] += edit
            return x
        edited.append(run(model, ids, add)[-1])
        assert (edited[-1] - plain[-1]).abs().max() > 0.05, kind
    tensors = {kind: torch.stack([seen[kind][layer] for layer in range(model.config.n_layer)])
               for kind in KINDS}
    # Nothing is between the parts but their sum.
    hidden = safetensors.torch.load_file(directory / "expected.safetensors")["hidden_states"]
    assert torch.allclose(tensors["resid_mid"][0], hidden[0] + tensors["attn_out"][0], atol=1e-5)
    assert torch.allclose(hidden[1], tensors["resid_mid"][0] + tensors["mlp_out"][0], atol=1e-5)
    steered, logprobs = zip(*(steer(model, ids, arm, edit) for arm in ARMS))
    assert len(set(map(tuple, logprobs))) == len(ARMS), steered
    safetensors.torch.save_file(
        {**tensors, "edit": edit, "edited": torch.stack(edited),
         "steered": torch.tensor(steered), "steered_logprobs": torch.tensor(logprobs)}, directory / "inner.safetensors",
        metadata={"golden_version": "1", "generator": "tests/golden/make_inner_golden.py",
                  "transformers": transformers.__version__, "torch": torch.__version__})
    print(directory.name, {kind: f"{tensors[kind].abs().max():.1f}" for kind in KINDS})


def main():
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    for name in CASES:
        make(pathlib.Path(__file__).resolve().parent / "gpt2" / name)


if __name__ == "__main__":
    main()
