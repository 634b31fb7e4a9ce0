#!/usr/bin/env python3
"""Engine steps on a GPU beside Hugging Face transformers on the same card, in one run.

Random weights of GPT-2 small's shape; decode of 12 tokens behind prompts of 24 and 960,
and prompts alone. Of transformers the forward pass and the argmax count, eager, with its
default attention and dynamic cache; median of five passes, as in gpu_bench. Needs
PyTorch with CUDA and transformers; not part of the tests.

  side_by_side_gpu.py build/torch/bin/gpu_bench
"""
import json
import statistics
import subprocess
import sys
import time

import torch
import transformers

NEW, PASSES = 12, 5
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def median_seconds(run):
    seconds = []
    for i in range(PASSES + 2):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        if i >= 2:
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def peer(model, what, batch, length):
    """Seconds of what gpu_bench calls `what`; None where it has no like."""
    ids = torch.randint(50257, (batch, length), device="cuda")
    if what == "prompt":
        return median_seconds(lambda: model(ids, use_cache=True, logits_to_keep=1)
                              .logits[:, -1].argmax(-1).tolist())
    if what != "decode":
        return None
    seconds = []

    def run():
        out = model(ids, use_cache=True, logits_to_keep=1)
        token = out.logits[:, -1].argmax(-1, keepdim=True)
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(NEW):
            out = model(token, past_key_values=out.past_key_values, use_cache=True)
            token = out.logits[:, -1].argmax(-1, keepdim=True)
            token.tolist()  # As a server must, to stream and to stop.
        seconds.append(time.perf_counter() - start)

    for _ in range(PASSES + 2):
        run()
    return statistics.median(seconds[2:])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(f"{torch.cuda.get_device_name()}, LibTorch {torch.__version__}, "
          f"transformers {transformers.__version__}")
    run = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True)
    ours = [json.loads(line) for line in run.stdout.splitlines()]
    print(f"{'type':5} {'what':8} {'B':>4} {'prompt':>6} {'ms':>9} {'tokens/s':>9} "
          f"{'transformers':>13} {'ratio':>6}")
    with torch.inference_mode():
        for type_, dtype in TYPES.items():
            model = transformers.GPT2LMHeadModel(transformers.GPT2Config()).eval().to(
                "cuda", dtype)
            for row in (row for row in ours if row["type"] == type_):
                seconds = peer(model, row["what"], row["batch"], row["prompt"])
                theirs = ("", "") if seconds is None else (
                    f"{row['tokens_per_second'] * row['ms'] / 1e3 / seconds:.0f}",
                    f"{seconds * 1e3 / row['ms']:.2f}")
                print(f"{type_:5} {row['what']:8} {row['batch']:>4} {row['prompt']:>6} "
                      f"{row['ms']:>9.3f} {row['tokens_per_second']:>9.0f} "
                      f"{theirs[0]:>13} {theirs[1]:>6}", flush=True)


if __name__ == "__main__":
    main()
