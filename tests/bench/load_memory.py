#!/usr/bin/env python3
"""Time and memory of loading models of GPT-2's shapes: how far the anonymous memory at load
goes beyond what stays.

    tests/bench/load_memory.py [--shapes medium,large,xl] [--types int8,bf16] [--prepared]

Writes random weights in float32 (gpt2-xl: 6.2 GB), starts the server of ALIGNSAE_BIN on
them, looks at RssAnon in /proc every 10 ms until it is ready, asks for a few tokens, and
looks again. Columns: seconds of the log line model_loaded, of measuring the number type
(once, then cached), anonymous MiB at the highest and after it, and the ratio. The weights are
prepared anew at each start; with --prepared two more write and read prepared weights.
"""
import argparse
import json
import os
import pathlib
import shlex
import shutil
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))
# pylint: disable=wrong-import-position
from alignsae_server import DEMO, Server, common, generation, steering  # noqa: E402

SHAPES = {"small": (12, 12, 768), "medium": (24, 16, 1024), "large": (36, 20, 1280),
          "xl": (48, 25, 1600)}
VOCABULARY, CONTEXT = 50257, 1024
CHUNK = 1 << 24


def tensors(layers, width):
    yield "wte.weight", [VOCABULARY, width]
    yield "wpe.weight", [CONTEXT, width]
    for layer in range(layers):
        for name, shape in (("ln_1", [width]), ("ln_2", [width]),
                            ("attn.c_attn", [width, 3 * width]), ("attn.c_proj", [width, width]),
                            ("mlp.c_fc", [width, 4 * width]), ("mlp.c_proj", [4 * width, width])):
            yield f"h.{layer}.{name}.weight", shape
            yield f"h.{layer}.{name}.bias", shape[-1:]
    yield "ln_f.weight", [width]
    yield "ln_f.bias", [width]


def random_floats(count):
    """Of magnitude 1/64 to 1/32 and any sign: random sign and mantissa, one exponent."""
    mask = int.from_bytes(struct.pack("<I", 0x807FFFFF) * count, "little")
    exponent = int.from_bytes(struct.pack("<I", 0x3C800000) * count, "little")
    bits = int.from_bytes(os.urandom(4 * count), "little") & mask | exponent
    return bits.to_bytes(4 * count, "little")


def write_model(name, directory):
    layers, heads, width = SHAPES[name]
    directory.mkdir(parents=True)
    for file in ("vocab.json", "merges.txt"):
        shutil.copy(pathlib.Path(DEMO) / "gpt2" / file, directory)
    (directory / "config.json").write_text(json.dumps(
        {"model_type": "gpt2", "n_layer": layers, "n_head": heads, "n_embd": width,
         "n_positions": CONTEXT, "vocab_size": VOCABULARY}))
    header, sizes, offset = {}, [], 0
    for tensor, shape in tensors(layers, width):
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[tensor] = {"dtype": "F32", "shape": shape,
                          "data_offsets": [offset, offset + 4 * count]}
        sizes.append((tensor, count))
        offset += 4 * count
    text = json.dumps(header).encode()
    with open(directory / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for tensor, count in sizes:
            if ".ln_" in "." + tensor and tensor.endswith("weight"):
                out.write(struct.pack("<f", 1) * count)
                continue
            for begin in range(0, count, CHUNK):
                out.write(random_floats(min(CHUNK, count - begin)))


class Watch(threading.Thread):
    """The most anonymous memory of a process, in MiB, and what it has now."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status = pathlib.Path(f"/proc/{pid}/status")
        self.most, self.stop = 0, False
        self.start()

    def now(self):
        for line in self.status.read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) / 1024
        return 0

    def run(self):
        while not self.stop:
            try:
                self.most = max(self.most, self.now())
            except OSError:
                return
            time.sleep(0.01)


def measure(name, directory, weights, cache, prepared):
    server = Server(f"--weight-type={weights}", "--kv-slots=4", f"--cache-dir={cache}",
                    f"--prepared-cache={prepared}", bundle=directory, wait=False)
    watch = Watch(server.process.pid)
    try:
        server._wait_until_ready(600)  # pylint: disable=protected-access
        api = server.api()
        answer = api.steering.Complete(steering.CompleteRequest(
            prompt=common.Prompt(token_ids=common.TokenIds(ids=[1, 2, 3])),
            generation=generation.GenerationConfig(max_new_tokens=8, ignore_eos=True)),
            timeout=120)
        assert len(answer.arms[0].tokens) == 8
        stays = watch.now()
        watch.stop = True
        lines = [dict(word.split("=", 1) for word in shlex.split(line) if "=" in word)
                 for line in server.log().splitlines() if line.startswith("ts=")]
        loaded = next(line for line in lines if line["event"] == "model_loaded")
        measured = sum(float(line["seconds"]) for line in lines
                       if line["event"] == "weight_type_measured"
                       and line["cached"] in ("false", "0"))
        print(f"{name:7} {weights:5} {loaded['weight_type']:5} {float(loaded['seconds']):8.1f} "
              f"{measured:9.1f} {watch.most:9.0f} {stays:9.0f} {watch.most / stays:7.2f}",
              flush=True)
        api.close()
    finally:
        server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--shapes", default="medium")
    parser.add_argument("--types", default="int8,bf16,f32")
    parser.add_argument("--prepared", action="store_true")
    arguments = parser.parse_args()
    print(f"{'shape':7} {'asked':5} {'runs':5} {'load s':>8} {'measure s':>9} "
          f"{'most MiB':>9} {'stays MiB':>9} {'ratio':>7}")
    with tempfile.TemporaryDirectory(prefix="alignsae-load-") as folder:
        for name in arguments.shapes.split(","):
            directory = pathlib.Path(folder) / f"gpt2-{name}"
            write_model(name, directory)
            for weights in arguments.types.split(","):
                # Twice: with the measuring, and with its figure at hand.
                starts = ["off"] * (2 if weights != "f32" else 1)
                for prepared in starts + ["on", "on"] * arguments.prepared:
                    measure(name, directory, weights, f"{folder}/cache", prepared)
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
