#!/usr/bin/env python3
"""Writes tests/golden/gpt_neox/: small random GPT-NeoXs and what transformers computes.

Each case is a directory as Hugging Face writes it and expected.safetensors beside it, laid
out as make_gpt2_golden.py says, with two more:

  attn_out, mlp_out  [L, T, D] F32  what each half of a block adds

`parallel` has a tokenizer too, and encodings.json: texts and the ids that the library
gives. How to run: as make_gpt2_golden.py.
"""

import json
import pathlib
import shutil

import safetensors.torch
import torch
import transformers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from make_gpt2_golden import MIN_DISTINCT, MIN_MARGIN, VERSION, greedy
from random_gpt_neox import TEXTS, draw_weights, make_tokenizer

CASES = {
    # As Pythia: a quarter of each head turns, the halves of a block side by side.
    "parallel": dict(  # Layers and width as TinyBundle (tests/support), whose SAEs fit it.
        config=dict(num_hidden_layers=4, num_attention_heads=2, hidden_size=32,
                    intermediate_size=76, max_position_embeddings=128, vocab_size=288,
                    rotary_pct=0.25),
        prompt=19, tokenizer=True),
    "sequential": dict(
        config=dict(num_hidden_layers=4, num_attention_heads=3, hidden_size=36,
                    intermediate_size=50, max_position_embeddings=160, vocab_size=211,
                    rotary_pct=1.0, rotary_emb_base=500, use_parallel_residual=False,
                    hidden_act="gelu_new", layer_norm_eps=1e-3),
        dtype=torch.float16, prompt=70),
    "tied_silu": dict(
        config=dict(num_hidden_layers=5, num_attention_heads=2, hidden_size=40,
                    intermediate_size=77, max_position_embeddings=100, vocab_size=149,
                    rotary_pct=0.5, rotary_emb_base=20000, tie_word_embeddings=True,
                    hidden_act="silu"),
        dtype=torch.bfloat16, prompt=26),
}


def save(model, case, directory):
    shutil.rmtree(directory, ignore_errors=True)
    model.to(case.get("dtype", torch.float32)).save_pretrained(directory,
                                                               safe_serialization=True)
    (directory / "generation_config.json").unlink(missing_ok=True)


def save_tokenizer(directory):
    tokenizer = make_tokenizer()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>",
        pad_token="<|padding|>").save_pretrained(directory)
    (directory / "encodings.json").write_text(json.dumps(
        [{"text": text, "ids": tokenizer.encode(text).ids} for text in TEXTS], indent=1) + "\n")


def parts(model, ids):
    """What each half of each block adds to the stream, [L, T, D] twice."""
    seen = {"attention": [], "mlp": []}
    hooks = []
    for layer in model.gpt_neox.layers:
        hooks.append(layer.attention.register_forward_hook(
            lambda _, __, out: seen["attention"].append(out[0][0])))
        hooks.append(layer.mlp.register_forward_hook(
            lambda _, __, out: seen["mlp"].append(out[0])))
    model(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return torch.stack(seen["attention"]), torch.stack(seen["mlp"])


def make(name, case, root):
    for seed in range(400):
        generator = torch.Generator().manual_seed(seed)
        config = GPTNeoXConfig(bos_token_id=None, eos_token_id=None, **case["config"])
        model = GPTNeoXForCausalLM(config)
        draw_weights(model, generator)
        model.tie_weights()
        save(model, case, root / name)
        model = GPTNeoXForCausalLM.from_pretrained(root / name,
                                                   torch_dtype=torch.float32).eval()
        ids = torch.randint(config.vocab_size, (case["prompt"],), generator=generator).tolist()
        text, margin = greedy(model, ids)
        if len(set(text)) < MIN_DISTINCT or margin < MIN_MARGIN:
            continue
        if case.get("tokenizer"):
            save_tokenizer(root / name)
        out = model(torch.tensor([ids]), output_hidden_states=True)
        attn_out, mlp_out = parts(model, ids)
        safetensors.torch.save_file(
            {"input_ids": torch.tensor(ids), "logits": out.logits[0].contiguous(),
             "hidden_states": torch.cat(out.hidden_states).contiguous(),
             "attn_out": attn_out.contiguous(), "mlp_out": mlp_out.contiguous(),
             "greedy": torch.tensor(text)},
            root / name / "expected.safetensors",
            metadata={"golden_version": VERSION,
                      "generator": "tests/golden/make_gpt_neox_golden.py",
                      "transformers": transformers.__version__, "torch": torch.__version__,
                      "seed": str(seed)})
        print(f"{name}: seed {seed}, {len(set(text))} different tokens, margin {margin:.1e}, "
              f"largest hidden {max(h.abs().max().item() for h in out.hidden_states):.1f}")
        return
    raise SystemExit(f"{name}: no seed gave a text with enough variety")


def main():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    root = pathlib.Path(__file__).resolve().parent / "gpt_neox"
    for name, case in CASES.items():
        make(name, case, root)


if __name__ == "__main__":
    main()
