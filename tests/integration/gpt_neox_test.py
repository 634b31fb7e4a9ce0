#!/usr/bin/env python3
"""A GPT-NeoX that transformers wrote, with concepts of one's own: trained on, made into a
bundle, served, read and steered, in every number type."""
import json
import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
# pylint: disable=wrong-import-position
from alignsae_server import Server, common, concept, generation, model, steering  # noqa: E402
from alignsae_train import TrainTest  # noqa: E402

GOLDEN = pathlib.Path(os.environ["ALIGNSAE_SOURCE"]) / "tests/golden/gpt_neox/parallel"
WORDS = {"train": ("sees", "knows", "asks", "hears"), "validation": ("calls", "helps"),
         "test": ("meets", "finds")}
NAMES = ("Ann", "Bob", "Cid", "Dot", "Eve", "Fay")


class GptNeoXTest(TrainTest):
    def prompts(self):
        file = self.root / "prompts.jsonl"
        file.write_text("".join(
            json.dumps({"prompt": f"{name} {verb} {end}", "concept": kind, "split": split,
                        "group": f"{kind} {verb}"}) + "\n"
            for split, verbs in WORDS.items() for verb in verbs for name in NAMES
            for kind, end in (("city", "the city"), ("one", "a caf\u00e9"))), encoding="utf-8")
        return file

    def test_trained_served_read_and_steered(self):
        prompts = self.prompts()
        path = self.root / "neox"
        path.mkdir()
        for name in ("config.json", "model.safetensors", "tokenizer.json",
                     "tokenizer_config.json"):
            shutil.copy(GOLDEN / name, path)
        flags = ["--threads=1", "--free-features=16", "--batch-size=16",
                 "--learning-rate=0.01", "--stage1-epochs=5", "--stage2-epochs=40"]
        self.assertIn("resid_mid", self.train(
            "sae", f"--model={path}", f"--prompts={prompts}", f"--out={self.root}/no",
            "--layer=1", "--hook=resid_mid", *flags, code=2))
        self.train("sae", f"--model={path}", f"--prompts={prompts}", f"--out={self.root}/own",
                   "--layer=1", *flags)
        figures = self.root / "figures.json"
        self.train("eval", f"--model={path}", f"--sae={self.root}/own",
                   f"--prompts={prompts}", f"--json={figures}")
        self.assertEqual(json.loads(figures.read_text())["read"]["rate"], 1)
        bundle = self.root / "bundle"
        self.train("bundle", f"--model={path}", f"--sae={self.root}/own",
                   f"--prompts={prompts}", f"--out={bundle}")
        for weights in ("f32", "bf16", "int8"):
            with self.subTest(weights):
                self.serve(bundle, weights)

    def serve(self, bundle, weights):
        server = Server(f"--weight-type={weights}", bundle=bundle)
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        about = api.model.GetModel(model.GetModelRequest()).model
        self.assertEqual((about.n_layer, about.d_model), (4, 32))
        # Composed and not, the text is the same.
        texts = ["Ann meets a caf\u00e9", "Ann meets a cafe\u0301", "Ann meets the city"]
        tokens = [[token.id for token in api.model.Tokenize(
            model.TokenizeRequest(text=text)).tokens] for text in texts]
        self.assertEqual(tokens[0], tokens[1])
        read = api.concept.ReadConcepts(concept.ReadConceptsRequest(
            prompts=[common.Prompt(text=text) for text in texts])).readings
        self.assertEqual([row.reading.top_concept for row in read], ["one", "one", "city"])
        swap = api.steering.Swap(steering.SwapRequest(
            prompt=common.Prompt(text=texts[2]), target=common.ConceptRef(name="one"), alpha=8,
            generation=generation.GenerationConfig(max_new_tokens=12, ignore_eos=True)),
            timeout=20)
        [receipt] = swap.steered.receipts
        self.assertEqual(receipt.positions_applied, 1)
        self.assertGreater(receipt.effects[0].change_norm, 0)
        self.assertNotEqual([token.id for token in swap.baseline.tokens],
                            [token.id for token in swap.steered.tokens])


if __name__ == "__main__":
    unittest.main()
