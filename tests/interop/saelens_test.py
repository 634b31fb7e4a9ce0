#!/usr/bin/env python3
"""SAELens both ways: what sae-lens writes is served with its features, and what
`alignsae-train export-sae` writes it loads with equal values."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import installed
from alignsae_server import BIN, DEMO, Server
from alignsae.v1 import common_pb2 as common
from alignsae.v1 import concept_service_pb2 as concept

VALUES = pathlib.Path(__file__).parent / "saelens_values.py"


class SaeLensTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.python, _ = installed.huggingface()
        folder = tempfile.TemporaryDirectory(prefix="alignsae-saelens-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)

    def values(self, *words):
        done = subprocess.run([self.python, VALUES, *words], check=False, timeout=900,
                              capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": "", "HF_HUB_OFFLINE": "1"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(done.stdout.strip(), flush=True)

    def test_what_sae_lens_writes_is_served(self):
        self.values("serve", self.folder)
        expected = json.loads((self.folder / "expected.json").read_text())
        self.assertEqual(len(expected["features"]), 9)
        saes = [f"--sae={self.folder / 'sae' / name}" for name in expected["features"]]
        server = Server("--weight-type=f32", "--kv-slots=2", *saes, bundle=self.folder / "model")
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        for name, rows in expected["features"].items():
            with self.subTest(sae=name):
                answer = api.concept.InspectSlots(concept.InspectSlotsRequest(
                    prompt=common.Prompt(token_ids=common.TokenIds(ids=expected["prompt"])),
                    checkpoint=name, top_k=40), timeout=30)
                self.assertEqual(len(answer.tokens), len(rows))
                for position, row in zip(answer.tokens, rows):
                    found = {f.feature: f.value for f in position.features.top_features}
                    self.assertTrue(any(row))
                    for feature, value in enumerate(row):
                        self.assertAlmostEqual(found.get(feature, 0), value, delta=1e-4)

    def test_what_is_exported_loads_there(self):
        for source in sorted((DEMO / "sae").iterdir()):
            out = self.folder / "export" / source.name
            subprocess.run([BIN / "alignsae-train", "export-sae", f"--sae={source}",
                            f"--out={out}"], check=True, timeout=60)
            self.values("load", out, source)


if __name__ == "__main__":
    unittest.main(verbosity=2)
