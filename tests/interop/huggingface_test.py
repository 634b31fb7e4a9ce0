#!/usr/bin/env python3
"""Models and tokenizers that transformers (the newest, and 4.30) wrote, served: ids,
greedy tokens and log probabilities are those of the library that wrote them."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import installed
from alignsae_server import Server
from alignsae.v1 import common_pb2 as common
from alignsae.v1 import generation_pb2 as generation
from alignsae.v1 import model_service_pb2 as model
from alignsae.v1 import steering_service_pb2 as steering

HERE = pathlib.Path(__file__).parent
TIE = 1e-4  # Greedy tokens may differ behind a lead as small as this.


class HuggingFaceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.newest, cls.old = installed.huggingface()
        folder = tempfile.TemporaryDirectory(prefix="alignsae-huggingface-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)

    def made_by(self, python, name, count=28, flags=()):
        out = self.folder / "-".join([name, *flags])
        done = subprocess.run([python, HERE / "huggingface_models.py", *flags, out], check=False,
                              timeout=600, capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": "", "HF_HUB_OFFLINE": "1"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        made = json.loads((out / "expected.json").read_text())
        print(name, "transformers", made["transformers"], "torch", made["torch"], flush=True)
        self.assertEqual(len(made["models"]), count)
        for directory, expected in made["models"].items():
            with self.subTest(writer=name, model=directory):
                self.check(out / directory, expected)

    def check(self, directory, expected):
        server = Server("--weight-type=f32", "--kv-slots=2", bundle=directory)
        api = server.api()
        try:
            self.check_texts(api, expected)
            self.check_answer(api, expected)
        finally:
            api.close()
            server.close()

    def check_texts(self, api, expected):
        for row in expected["encodings"]:
            for special, ids in ((True, row["parsed"]), (False, row["plain"])):
                if ids is None:  # This version cannot take special tokens as text.
                    continue
                request = model.TokenizeRequest(text=row["text"], parse_special=special)
                tokens = api.model.Tokenize(request, timeout=10).tokens
                self.assertEqual([token.id for token in tokens], ids, (row["text"], special))

    def check_answer(self, api, expected):
        request = steering.CompleteRequest(
            prompt=common.Prompt(token_ids=common.TokenIds(ids=expected["prompt"])),
            generation=generation.GenerationConfig(
                max_new_tokens=len(expected["greedy"]), ignore_eos=True))
        arm = api.steering.Complete(request, timeout=60).arms[0]
        self.assertEqual(len(arm.tokens), len(expected["greedy"]))
        for place, (token, want) in enumerate(zip(arm.tokens, expected["greedy"])):
            if token.id != want["id"] and want["lead"] < TIE:
                self.assertGreater(place, 8, "a tie decides too early to show anything")
                return
            self.assertEqual(token.id, want["id"], place)
            self.assertAlmostEqual(token.logprob, want["logprob"], delta=1e-4, msg=str(place))
        request = model.DetokenizeRequest(token_ids=[token.id for token in arm.tokens])
        api.model.Detokenize(request, timeout=10)  # Whatever the model says is taken.

    def test_newest(self):
        self.made_by(self.newest, "newest")

    def test_4_30(self):
        self.made_by(self.old, "4.30")

    def test_gpt_neox(self):
        self.made_by(self.newest, "newest", 5, ["--neox"])
        self.made_by(self.old, "4.30", 5, ["--neox"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
