#!/usr/bin/env python3
"""Decode speed beside llama.cpp and beside Hugging Face transformers with a hook.

One machine, one run, the same random weights of GPT-2 small's shape, the same
number type, prompts of 24 tokens and 12 new ones for 1, 4, 16 and 64 sequences at
once. Not part of the tests: both peers are large installations.

  make_bench_bundle model/demo /tmp/bench-bundle
  python3 -m venv llama && llama/bin/pip install llama-cpp-python==0.3.36 gguf==0.19.0 \\
      numpy safetensors                                      # builds llama.cpp from source
  apt-get install python3-torch
  python3 -m venv --system-site-packages hf && hf/bin/pip install transformers==4.30.2 \\
      tokenizers==0.13.3 safetensors==0.3.1
  side_by_side.py --bin build/release/bin --bundle /tmp/bench-bundle \\
      --llama-python llama/bin/python --hf-python hf/bin/python

Of llama.cpp only the time inside llama_decode counts, without choosing a token; of
transformers the forward pass and the argmax; of ours whole engine steps.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

PROMPT, NEW, BATCHES = 24, 12, (1, 4, 16, 64)
REPEATS = 3


def prompt(sequence):
    return [(7919 * (sequence + 1) + 104729 * i) % 50257 for i in range(PROMPT)]


def best_rate(batch, decode):
    """Tokens a second of the best of some runs; `decode` gives the seconds of one."""
    decode()
    return batch * NEW / min(decode() for _ in range(REPEATS))


def ours(bin_folder, type_):
    run = subprocess.run(
        [pathlib.Path(bin_folder) / "engine_bench", f"--benchmark_filter=Decode/{type_}",
         "--benchmark_format=json", "--benchmark_min_time=2"],
        check=True, capture_output=True, text=True)
    rows = json.loads(run.stdout)["benchmarks"]
    return {int(row["name"].split("/")[2]): row["tokens/s"] for row in rows}


def write_gguf(bundle, path, type_):
    import gguf
    import numpy as np
    from safetensors import safe_open

    writer = gguf.GGUFWriter(path, "gpt2")
    config = json.loads((pathlib.Path(bundle) / "gpt2/config.json").read_text())
    layers, width = config["n_layer"], config["n_embd"]
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(4 * width)
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    # Token ids are given as they are: the vocabulary only has to be there.
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"<{i}>" for i in range(config["vocab_size"])])
    writer.add_token_types([1] * config["vocab_size"])
    writer.add_token_merges(["a b"])
    quantize = {"bf16": gguf.GGMLQuantizationType.BF16,
                "int8": gguf.GGMLQuantizationType.Q8_0}[type_]

    def add(name, values, matrix=False):
        values = np.ascontiguousarray(values.astype(np.float32))
        if matrix:
            writer.add_tensor(name, gguf.quants.quantize(values, quantize), raw_dtype=quantize)
        else:
            writer.add_tensor(name, values)

    with safe_open(str(pathlib.Path(bundle) / "gpt2/model.safetensors"), "numpy") as file:
        names = {name.removeprefix("transformer."): name for name in file.keys()}
        get = lambda name: file.get_tensor(names[name])
        add("token_embd.weight", get("wte.weight"), matrix=True)
        add("position_embd.weight", get("wpe.weight"))
        add("output_norm.weight", get("ln_f.weight"))
        add("output_norm.bias", get("ln_f.bias"))
        for i in range(layers):
            for ours_, theirs in (("ln_1", "attn_norm"), ("ln_2", "ffn_norm")):
                for part in ("weight", "bias"):
                    add(f"blk.{i}.{theirs}.{part}", get(f"h.{i}.{ours_}.{part}"))
            for ours_, theirs in (("attn.c_attn", "attn_qkv"), ("attn.c_proj", "attn_output"),
                                  ("mlp.c_fc", "ffn_up"), ("mlp.c_proj", "ffn_down")):
                add(f"blk.{i}.{theirs}.weight", get(f"h.{i}.{ours_}.weight").T, matrix=True)
                add(f"blk.{i}.{theirs}.bias", get(f"h.{i}.{ours_}.bias"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama(bundle, type_, threads):
    import ctypes

    import llama_cpp as lib
    import numpy as np

    path = f"/tmp/side-by-side-{os.getpid()}.gguf"
    write_gguf(bundle, path, type_)
    lib.llama_backend_init()
    model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
    os.unlink(path)
    rates = {}
    for batch_size in BATCHES:
        params = lib.llama_context_default_params()
        params.n_ctx = batch_size * 64
        params.n_batch = params.n_ubatch = max(512, batch_size * PROMPT)
        params.n_seq_max = batch_size
        params.n_threads = params.n_threads_batch = threads
        context = lib.llama_init_from_model(model, params)
        batch = lib.llama_batch_init(batch_size * PROMPT, 0, 1)
        vocabulary = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))

        def feed(rows):
            """Rows of (token, position, sequence, wants logits); the seconds it took."""
            batch.n_tokens = len(rows)
            for i, (token, position, sequence, wants) in enumerate(rows):
                batch.token[i] = token
                batch.pos[i] = position
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = sequence
                batch.logits[i] = wants
            start = time.perf_counter()
            if lib.llama_decode(context, batch) != 0:
                raise RuntimeError("llama_decode failed")
            took = time.perf_counter() - start
            choice = []
            for i, row in enumerate(rows):
                if row[3]:
                    logits = lib.llama_get_logits_ith(context, i)
                    view = np.ctypeslib.as_array(
                        ctypes.cast(logits, ctypes.POINTER(ctypes.c_float)), (vocabulary,))
                    choice.append(int(view.argmax()))
            return took, choice

        def decode():
            lib.llama_memory_clear(lib.llama_get_memory(context), True)
            rows = [(token, i, s, i == PROMPT - 1) for s in range(batch_size)
                    for i, token in enumerate(prompt(s))]
            _, tokens = feed(rows)
            seconds = 0
            for i in range(NEW):
                took, tokens = feed([(token, PROMPT + i, s, True)
                                     for s, token in enumerate(tokens)])
                seconds += took
            return seconds

        rates[batch_size] = best_rate(batch_size, decode)
        lib.llama_batch_free(batch)
        lib.llama_free(context)
    return rates


def transformers(bundle, type_, threads):
    import torch
    from transformers import GPT2LMHeadModel

    if type_ != "bf16":
        return {}
    torch.set_num_threads(threads)
    model = GPT2LMHeadModel.from_pretrained(
        str(pathlib.Path(bundle) / "gpt2"), torch_dtype=torch.bfloat16).eval()
    direction = torch.randn(model.config.n_embd, dtype=torch.bfloat16)

    def steer(module, inputs, output):
        hidden = output[0]
        hidden[:, -1] += 0 * direction
        return (hidden,) + output[1:]

    model.transformer.h[6].register_forward_hook(steer)
    rates = {}
    with torch.inference_mode():
        for batch_size in BATCHES:
            ids = torch.tensor([prompt(s) for s in range(batch_size)])

            def decode():
                out = model(ids, use_cache=True)
                start = time.perf_counter()
                for _ in range(NEW):
                    token = out.logits[:, -1].argmax(-1, keepdim=True)
                    out = model(token, past_key_values=out.past_key_values, use_cache=True)
                return time.perf_counter() - start

            rates[batch_size] = best_rate(batch_size, decode)
    return rates


def run_in(python, what, args, type_):
    done = subprocess.run(
        [python, __file__, "--only", what, "--bundle", args.bundle, "--type", type_,
         "--threads", str(args.threads)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{what} failed:\n{done.stderr[-2000:]}")
    return {int(k): v for k, v in json.loads(done.stdout.splitlines()[-1]).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--bin")
    parser.add_argument("--llama-python")
    parser.add_argument("--hf-python")
    parser.add_argument("--type", default="bf16", choices=("bf16", "int8"))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=("llama", "transformers"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        peer = llama if args.only == "llama" else transformers
        print(json.dumps(peer(args.bundle, args.type, args.threads)))
        return
    before = ours(args.bin, args.type)
    columns = {}
    if args.llama_python:
        columns["llama.cpp"] = run_in(args.llama_python, "llama", args, args.type)
    if args.hf_python:
        columns["transformers"] = run_in(args.hf_python, "transformers", args, args.type)
    after = ours(args.bin, args.type)
    print(f"{args.type}, decode tokens/s; ours before and after the others")
    print(f"{'B':>3} {'ours':>8} {'ours':>8}" + "".join(
        f" {name:>13} {'ratio':>6}" for name in columns))
    for batch in BATCHES:
        mean = (before[batch] + after[batch]) / 2
        line = f"{batch:>3} {before[batch]:>8.0f} {after[batch]:>8.0f}"
        for rates in columns.values():
            line += (f" {rates[batch]:>13.0f} {mean / rates[batch]:>6.2f}"
                     if batch in rates else f" {'-':>13} {'-':>6}")
        print(line)


if __name__ == "__main__":
    main()
