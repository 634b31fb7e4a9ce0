#!/usr/bin/env python3
"""Decode and prompt speed beside OpenVINO GenAI, llama.cpp, CTranslate2 and transformers.

One machine, one run, the same random weights of GPT-2 small's shape, the same number
type: prompts of 24 tokens and 12 new ones for 1, 4, 16 and 64 sequences at once. Not
part of the tests: the peers are large installations.

  make_bench_bundle model/demo /tmp/bench-bundle
  python3 -m venv /tmp/peers && /tmp/peers/bin/pip install torch transformers safetensors \\
      gguf openvino-genai optimum-intel ctranslate2 llama-cpp-python
  side_by_side.py --bin build/release/bin --bundle /tmp/bench-bundle \\
      --python /tmp/peers/bin/python [--peers openvino,llama] [--type int8]

llama-cpp-python builds llama.cpp from source, for this processor. PYTHON may be given for
one peer: --python llama=/tmp/llama/bin/python. A peer that fails is tried once more and
then left out with what it said.

What counts: of ours whole engine steps; of llama.cpp the time inside llama_decode, without
choosing a token; of OpenVINO the steps of its continuous batching pipeline, greedy; of
transformers the forward pass and the argmax, with a hook at one block; of CTranslate2 its
greedy generation, prompts by answers of one token. OpenVINO's int8 has int8 weights and
bfloat16 products, llama.cpp's is q8_0, CTranslate2's real int8; transformers has none here.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

PROMPT, NEW, BATCHES = 24, 12, (1, 4, 16, 64)
REPEATS = 3
WHAT = ("Decode", "Prefill")


def prompt(sequence):
    return [(7919 * (sequence + 1) + 104729 * i) % 50257 for i in range(PROMPT)]


def best_rates(batch, run):
    """Tokens a second of the best of some runs; `run` gives the seconds of the prompts
    and of the new tokens behind them."""
    run()
    prompts, decode = zip(*(run() for _ in range(REPEATS)))
    return {"Prefill": batch * PROMPT / min(prompts), "Decode": batch * NEW / min(decode)}


def ours(bin_folder, type_):
    """{what: {sequences: tokens/s}}"""
    run = subprocess.run(
        [pathlib.Path(bin_folder) / "engine_bench",
         f"--benchmark_filter=({'|'.join(WHAT)})/{type_}", "--benchmark_format=json",
         "--benchmark_min_time=1"],
        check=True, capture_output=True, text=True)
    rates = {what: {} for what in WHAT}
    for row in json.loads(run.stdout)["benchmarks"]:
        what, _, batch = row["name"].split("/")[:3]
        rates[what][int(batch)] = row["tokens/s"]
    return rates


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


def llama(bundle, type_, threads, folder):
    import ctypes

    import llama_cpp as lib
    import numpy as np

    path = f"{folder}/model.gguf"
    write_gguf(bundle, path, type_)
    lib.llama_backend_init()
    model_params = lib.llama_model_default_params()
    # Its buffers for AMX crash (llama-cpp-python 0.3.36: q8_0 always, bf16 at times).
    if hasattr(model_params, "use_extra_bufts"):
        model_params.use_extra_bufts = False
    model = lib.llama_model_load_from_file(path.encode(), model_params)
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

        def run():
            lib.llama_memory_clear(lib.llama_get_memory(context), True)
            rows = [(token, i, s, i == PROMPT - 1) for s in range(batch_size)
                    for i, token in enumerate(prompt(s))]
            prompts, tokens = feed(rows)
            seconds = 0
            for i in range(NEW):
                took, tokens = feed([(token, PROMPT + i, s, True)
                                     for s, token in enumerate(tokens)])
                seconds += took
            return prompts, seconds

        rates[batch_size] = best_rates(batch_size, run)
        lib.llama_batch_free(batch)
        lib.llama_free(context)
    return rates


def transformers(bundle, type_, threads, folder):
    import torch
    from transformers import GPT2LMHeadModel

    if type_ != "bf16":
        return {}
    torch.set_num_threads(threads)
    model = GPT2LMHeadModel.from_pretrained(str(pathlib.Path(bundle) / "gpt2"))
    model = model.to(torch.bfloat16).eval()
    direction = torch.randn(model.config.n_embd, dtype=torch.bfloat16)

    def steer(module, inputs, output):
        hidden = output[0] if isinstance(output, tuple) else output
        hidden[:, -1] += 0 * direction

    model.transformer.h[6].register_forward_hook(steer)
    rates = {}
    with torch.inference_mode():
        for batch_size in BATCHES:
            ids = torch.tensor([prompt(s) for s in range(batch_size)])

            def run():
                begin = time.perf_counter()
                out = model(ids, use_cache=True)
                start = time.perf_counter()
                for _ in range(NEW):
                    token = out.logits[:, -1].argmax(-1, keepdim=True)
                    out = model(token, past_key_values=out.past_key_values, use_cache=True)
                return start - begin, time.perf_counter() - start

            rates[batch_size] = best_rates(batch_size, run)
    return rates


def openvino(bundle, type_, threads, folder):
    import numpy as np
    import openvino as ov
    import openvino_genai as genai
    from openvino_tokenizers import convert_tokenizer
    from optimum.intel import OVModelForCausalLM
    from transformers import AutoTokenizer

    source = str(pathlib.Path(bundle) / "gpt2")
    model = OVModelForCausalLM.from_pretrained(source, export=True, compile=False,
                                               load_in_8bit=type_ == "int8")
    model.save_pretrained(folder)
    # Ids go in and come out: the tokenizer only has to be there.
    parts = convert_tokenizer(AutoTokenizer.from_pretrained(source), with_detokenizer=True)
    for part, name in zip(parts, ("tokenizer", "detokenizer")):
        ov.save_model(part, f"{folder}/openvino_{name}.xml")
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = 2  # GiB
    scheduler.max_num_batched_tokens = max(BATCHES) * PROMPT
    scheduler.max_num_seqs = max(BATCHES)
    scheduler.enable_prefix_caching = False  # The prompts come again.
    pipe = genai.ContinuousBatchingPipeline(
        folder, scheduler, "CPU",
        {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": threads})
    config = genai.GenerationConfig()
    config.max_new_tokens = NEW + 1
    config.ignore_eos = True
    config.do_sample = False
    number = 0
    rates = {}
    for batch_size in BATCHES:
        def run():
            nonlocal number
            handles = []
            for s in range(batch_size):
                handles.append(pipe.add_request(
                    number, ov.Tensor(np.array([prompt(s)], dtype=np.int64)), config))
                number += 1
            begin = time.perf_counter()
            pipe.step()  # All prompts, and the first token of each.
            start = time.perf_counter()
            steps = 0
            while pipe.has_non_finished_requests():
                pipe.step()
                steps += 1
            end = time.perf_counter()
            if steps != NEW:
                raise RuntimeError(f"{steps} steps behind the prompts, not {NEW}")
            return start - begin, end - start

        rates[batch_size] = best_rates(batch_size, run)
    return rates


def ctranslate2(bundle, type_, threads, folder):
    import ctranslate2 as lib

    source = f"{folder}/hf"
    shutil.copytree(pathlib.Path(bundle) / "gpt2", source)
    config = json.loads(pathlib.Path(source, "config.json").read_text())
    # The converter wants the names of all tokens; ids are given by these.
    names = [f"<{i}>" for i in range(config["vocab_size"])]

    class Converter(lib.converters.TransformersConverter):
        def load_model(self, model_class, model_name_or_path, **kwargs):
            return model_class.from_pretrained(model_name_or_path)

        def load_tokenizer(self, tokenizer_class, model_name_or_path, **kwargs):
            class Named:
                bos_token = eos_token = unk_token = names[-1]

                def get_vocab(self):
                    return {name: i for i, name in enumerate(names)}
            return Named()

    Converter(source).convert(f"{folder}/ct2", quantization={
        "bf16": "bfloat16", "int8": "int8"}[type_], force=True)
    generator = lib.Generator(f"{folder}/ct2", device="cpu", intra_threads=threads,
                              compute_type={"bf16": "bfloat16", "int8": "int8"}[type_])
    rates = {}
    for batch_size in BATCHES:
        tokens = [[names[i] for i in prompt(s)] for s in range(batch_size)]

        def seconds(new):
            start = time.perf_counter()
            generator.generate_batch(tokens, max_length=new, min_length=new, beam_size=1,
                                     include_prompt_in_result=False, end_token=[names[-1]])
            return time.perf_counter() - start

        def run():
            prompts = seconds(1)
            return prompts, seconds(NEW + 1) - prompts

        rates[batch_size] = best_rates(batch_size, run)
    return rates


PEERS = {"openvino": openvino, "llama": llama, "ctranslate2": ctranslate2,
         "transformers": transformers}


def run_peer(python, name, args):
    """Its rates as `ours` has them, or None."""
    said = ""
    for _ in range(2):
        done = subprocess.run(
            [python, __file__, "--only", name, "--bundle", args.bundle, "--type", args.type,
             "--threads", str(args.threads)], capture_output=True, text=True)
        if done.returncode == 0:
            by_batch = json.loads(done.stdout.splitlines()[-1])
            return {what: {int(batch): rates[what] for batch, rates in by_batch.items()}
                    for what in WHAT}
        said = f"ended with {done.returncode}: {done.stderr[-1500:]}"
    print(f"{name} is left out: it {said}", file=sys.stderr)
    return None


def print_table(args, what, before, after, columns):
    name = {"Decode": "decode", "Prefill": "prompts"}[what]
    print(f"\n{args.type}, {name}, tokens/s; ours before and after the others")
    print(f"{'B':>4} {'ours':>8} {'ours':>8}" + "".join(
        f" {peer:>13} {'ratio':>6}" for peer in columns))
    for batch in BATCHES:
        mean = (before[what][batch] + after[what][batch]) / 2
        line = f"{batch:>4} {before[what][batch]:>8.0f} {after[what][batch]:>8.0f}"
        for rates in columns.values():
            line += (f" {rates[what][batch]:>13.0f} {mean / rates[what][batch]:>6.2f}"
                     if batch in rates[what] else f" {'-':>13} {'-':>6}")
        print(line)


def pythons(given):
    """{peer: interpreter} of PYTHON and PEER=PYTHON."""
    chosen = {}
    for one in given:
        peer, _, python = one.rpartition("=")
        chosen.update({peer: python} if peer else dict.fromkeys(PEERS, python))
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--bin")
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--type", default="bf16", choices=("bf16", "int8"))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=PEERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(PEERS[args.only](args.bundle, args.type, args.threads, folder)))
        return
    interpreters = pythons(args.python)
    before = ours(args.bin, args.type)
    columns = {}
    for peer in args.peers.split(","):
        rates = run_peer(interpreters[peer], peer, args)
        if rates is not None:
            columns[peer] = rates
    after = ours(args.bin, args.type)
    for what in WHAT:
        print_table(args, what, before, after, columns)


if __name__ == "__main__":
    main()
