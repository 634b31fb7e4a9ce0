#!/usr/bin/env python3
"""Writes small SAEs with sae-lens, and what it computes with them.

    make_saelens_golden.py [OUT]     default: tests/golden/saelens

Each case is a directory as sae-lens writes it (cfg.json, sae_weights.safetensors) and
expected.safetensors beside it: h [N, D], z [N, F] = encode(h), reconstruction [N, D].
Two cases have a cfg.json of the flat layout from before version 6, and one with
center_writing_weights, where h is less its mean, as TransformerLens's model has it.

How to run: a Python with sae-lens from PyPI (tests/run.sh --interop makes one).
"""
import json
import pathlib
import sys

import safetensors.torch
import sae_lens
import torch
from sae_lens import (BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, JumpReLUSAE,
                      JumpReLUSAEConfig, SAE, StandardSAE, StandardSAEConfig, TopKSAE,
                      TopKSAEConfig)

D, F, N, K = 24, 40, 9, 5
HOOK = {"hook_name": "blocks.1.hook_resid_pre", "model_name": "gpt2"}


def fill(sae, generator):
    for name, parameter in sae.named_parameters():
        scale = {"threshold": 0.3, "log_threshold": 0.3}.get(name, 0.5)
        noise = scale * torch.randn(parameter.shape, generator=generator)
        parameter.copy_(noise.abs() if "threshold" in name else noise)
    return sae


def inference(cls, config, generator, **fields):
    cfg = config(d_in=D, d_sae=F, **fields)
    for key, value in HOOK.items():
        setattr(cfg.metadata, key, value)
    return fill(cls(cfg), generator)


def flat(path, **changes):
    """The layout of the public GPT-2 sets."""
    cfg = {"model_name": "gpt2-small", "hook_point": "blocks.1.hook_resid_pre",
           "hook_point_layer": 1, "hook_point_head_index": None, "d_in": D, "d_sae": F,
           "dataset_path": "Skylion007/openwebtext", "context_size": 128, "expansion_factor": 32,
           "l1_coefficient": 8e-05, "dtype": "torch.float32", "device": "cpu",
           "prepend_bos": False, **changes}
    (path / "cfg.json").write_text(json.dumps(cfg, indent=1) + "\n")


def batchtopk(generator, path):
    config = BatchTopKTrainingSAEConfig(d_in=D, d_sae=F, k=float(K))
    for key, value in HOOK.items():
        setattr(config.metadata, key, value)
    sae = fill(BatchTopKTrainingSAE(config), generator)
    sae.topk_threshold.fill_(0.8)
    sae.save_inference_model(path)


def write(root, name, seed, make, change=None, centered=False):
    generator = torch.Generator().manual_seed(seed)
    path = root / name
    path.mkdir(parents=True, exist_ok=True)
    made = make(generator, path)
    if made is not None:
        made.save_model(path)
    if change is not None:
        change(path)
    sae = SAE.load_from_disk(path, device="cpu")
    h = 1.5 * torch.randn(N, D, generator=generator) + 0.4
    x = h - h.mean(-1, keepdim=True) if centered else h
    z = sae.encode(x)
    safetensors.torch.save_file(
        {"h": h, "z": z.contiguous(), "reconstruction": sae.decode(z).contiguous()},
        path / "expected.safetensors",
        metadata={"generator": "tests/golden/make_saelens_golden.py",
                  "sae-lens": sae_lens.__version__, "torch": torch.__version__})
    print(f"{name}: {type(sae).__name__}, {(z > 0).float().mean():.2f} of the features active")


def centered(path):
    cfg = json.loads((path / "cfg.json").read_text())
    cfg["metadata"]["model_from_pretrained_kwargs"] = {"center_writing_weights": True}
    (path / "cfg.json").write_text(json.dumps(cfg))


def main():
    here = pathlib.Path(__file__).resolve().parent / "saelens"
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    torch.set_grad_enabled(False)
    standard = lambda g, _: inference(StandardSAE, StandardSAEConfig, g)
    write(root, "standard", 1, standard)
    write(root, "standard_no_b_dec", 2, lambda g, _: inference(
        StandardSAE, StandardSAEConfig, g, apply_b_dec_to_input=False))
    write(root, "topk", 3, lambda g, _: inference(TopKSAE, TopKSAEConfig, g, k=K))
    write(root, "topk_rescaled", 4, lambda g, _: inference(
        TopKSAE, TopKSAEConfig, g, k=K, rescale_acts_by_decoder_norm=True))
    write(root, "jumprelu", 5, lambda g, _: inference(JumpReLUSAE, JumpReLUSAEConfig, g))
    write(root, "batchtopk", 6, batchtopk)
    write(root, "flat", 7, standard, flat)
    write(root, "flat_topk", 8, standard, lambda path: flat(
        path, hook_point="blocks.1.hook_resid_post", activation_fn_str="topk",
        activation_fn_kwargs={"k": K}, apply_b_dec_to_input=False))
    write(root, "centered", 9, standard, centered, centered=True)


if __name__ == "__main__":
    main()
