#!/usr/bin/env python3
"""Prepared weights that are kept between starts: what was read answers as what was made, two
servers share a cache, and a damaged file is made anew, said and counted."""
import json
import os
import pathlib
import re
import shutil
import struct
import tempfile
import unittest

from alignsae_server import DEMO, Server, common, generation, main, model, steering

VOCABULARY, CONTEXT, WIDTH = 300, 64, 1024  # One block: 50 MB in float32.


def tensors():
    yield "wte.weight", [VOCABULARY, WIDTH]
    yield "wpe.weight", [CONTEXT, WIDTH]
    for name, shape in (("ln_1", [WIDTH]), ("ln_2", [WIDTH]), ("attn.c_attn", [WIDTH, 3 * WIDTH]),
                        ("attn.c_proj", [WIDTH, WIDTH]), ("mlp.c_fc", [WIDTH, 4 * WIDTH]),
                        ("mlp.c_proj", [4 * WIDTH, WIDTH])):
        yield f"h.0.{name}.weight", shape
        yield f"h.0.{name}.bias", shape[-1:]
    yield "ln_f.weight", [WIDTH]
    yield "ln_f.bias", [WIDTH]


def random_bf16(count):
    """Of magnitude 1/64 to 1/32 and any sign."""
    mask = int.from_bytes(struct.pack("<H", 0x807F) * count, "little")
    exponent = int.from_bytes(struct.pack("<H", 0x3C80) * count, "little")
    bits = int.from_bytes(os.urandom(2 * count), "little") & mask | exponent
    return bits.to_bytes(2 * count, "little")


def write_model(directory):
    directory.mkdir()
    for file in ("vocab.json", "merges.txt"):
        shutil.copy(DEMO / "gpt2" / file, directory)
    vocabulary = len(json.loads((directory / "vocab.json").read_text()))
    (directory / "config.json").write_text(json.dumps(
        {"model_type": "gpt2", "n_layer": 1, "n_head": 8, "n_embd": WIDTH,
         "n_positions": CONTEXT, "vocab_size": max(VOCABULARY, vocabulary)}))
    header, data = {}, []
    for name, shape in tensors():
        if name == "wte.weight":
            shape[0] = max(VOCABULARY, vocabulary)
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        begin = sum(map(len, data))
        data.append(struct.pack("<H", 0x3F80) * count
                    if ".ln_" in "." + name and name.endswith("weight") else random_bf16(count))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, begin + 2 * count]}
    text = json.dumps(header).encode()
    (directory / "model.safetensors").write_bytes(
        struct.pack("<Q", len(text)) + text + b"".join(data))


class PreparedTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="alignsae-prepared-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        write_model(self.folder / "model")

    def start(self, *flags, wait=True):
        # Measured kernels need not be the same in two servers, nor their last bits.
        server = Server("--weight-type=f32", "--kernel-tuning=off", "--kv-slots=2", "--threads=1",
                        f"--cache-dir={self.folder}/cache", *flags, bundle=self.folder / "model",
                        wait=wait)
        self.addCleanup(server.close)
        return server

    def answer(self, server):
        """Tokens and their log probabilities, to the last bit."""
        server._wait_until_ready()  # pylint: disable=protected-access
        api = server.api()
        self.addCleanup(api.close)
        arm = api.steering.Complete(steering.CompleteRequest(
            prompt=common.Prompt(token_ids=common.TokenIds(ids=[1, 2, 3])),
            generation=generation.GenerationConfig(max_new_tokens=8, ignore_eos=True)),
            timeout=60).arms[0]
        told = api.model.GetModel(model.GetModelRequest(), timeout=10).model.sha256
        return told, [(token.id, token.logprob) for token in arm.tokens]

    @staticmethod
    def result(server):
        [said] = re.findall(r"event=prepared_weights .*result=(\w+)", server.log())
        return said

    def test_made_once_and_read_and_made_anew_when_damaged(self):
        off = self.start("--prepared-cache=off")
        expected = self.answer(off)
        self.assertNotIn("prepared_weights", off.log())
        self.assertFalse((self.folder / "cache/prepared").exists())
        both = [self.start(wait=False) for _ in range(2)]
        self.assertEqual([self.answer(server) for server in both], [expected] * 2)
        self.assertIn("made", [self.result(server) for server in both])

        [kept] = (self.folder / "cache/prepared").iterdir()
        damaged = bytearray(kept.read_bytes())
        damaged[len(damaged) // 2] ^= 4
        kept.write_bytes(damaged)
        for want in ("remade", "read"):
            server = self.start()
            self.assertEqual(self.answer(server), expected)
            self.assertEqual(self.result(server), want)
            self.assertEqual(server.metric("alignsae_prepared_weights_info", type="f32",
                                           result=want), 1)
            self.assertEqual("must have the sum that was written beside it" in server.log(),
                             want == "remade")


if __name__ == "__main__":
    main()
