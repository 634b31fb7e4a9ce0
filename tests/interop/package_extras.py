"""What the extras of the Python package do with the real server; package_test.py runs it in
an environment that has them: Ray, PyTorch, transformers."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from alignsae_server import DEMO, Server, ServerTest  # Before alignsae, which finds its stubs.
import alignsae
import numpy
import ray
import test_convert
import torch
from alignsae import checkpoints, ray_data, tasks
from transformers import GPT2LMHeadModel

PROMPT = [5, 17, 200, 33, 260, 9]
LAYER = 2


class RayTest(ServerTest):
    def test_a_dataset_is_asked_by_actors(self):
        self.assertEqual(os.environ["RAY_USAGE_STATS_ENABLED"], "0")
        folder = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False,
                 _node_ip_address="127.0.0.1", _temp_dir=folder.name)
        self.addCleanup(ray.shutdown)
        rows = [{"i": i, "question": row.example if i != 7 else ""}
                for i, row in enumerate(self.concepts * 10)]
        answered = ray_data.map_rows(ray.data.from_items(rows), tasks.Read(), self.server.target,
                                     batch_size=8).take_all()
        answered.sort(key=lambda row: row["i"])
        self.assertEqual(len(answered), len(rows))
        with alignsae.Client(self.server.target) as client:
            alone = tasks.process(client, tasks.Read(), rows)
        for ours, row in zip(alone, answered):
            if row["i"] == 7:
                self.assertIsNone(row["answer"])
                self.assertEqual(row["error"]["code"], "INVALID_ARGUMENT")
                continue
            self.assertIsNone(row["error"])
            self.assertEqual(row["answer"]["top_concept"], self.concepts[row["i"] % 6].name)
            self.assertEqual(row["answer"]["top_concept"], ours["answer"]["top_concept"])
            for name, value in ours["answer"]["values"].items():
                self.assertAlmostEqual(row["answer"]["values"][name], value, places=3)


class ConvertedTest(unittest.TestCase):
    """A checkpoint in the authors' form, on the demo's model: the server computes what their
    module does with transformers' hidden states."""

    @classmethod
    def setUpClass(cls):
        torch.set_grad_enabled(True)  # The fixture trains a step.
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.modules, flags = {}, ["--weight-type=f32", "--kv-slots=3", "--whole-sae"]
        for hops in (1, 2):
            path = pathlib.Path(folder.name) / f"hop{hops}.pt"
            cls.modules[f"hop{hops}"] = test_convert.save(path, hops, width=128, seed=hops)
            out = pathlib.Path(folder.name) / f"hop{hops}"
            subprocess.run([sys.executable, "-m", "alignsae.convert", path, "--out", out,
                            f"--hidden-state={LAYER}"], check=True, timeout=120)
            flags.append(f"--sae={out}")
        torch.set_grad_enabled(False)
        model = GPT2LMHeadModel.from_pretrained(DEMO / "gpt2").eval()
        cls.h = model(torch.tensor([PROMPT]), output_hidden_states=True).hidden_states[LAYER][0]
        cls.server = Server(*flags, bundle=DEMO / "gpt2")
        cls.addClassCleanup(cls.server.close)
        cls.client = alignsae.Client(cls.server.target)
        cls.addClassCleanup(cls.client.close)

    def test_features_and_reconstruction_are_those_of_the_module(self):
        for name, module in self.modules.items():
            z, back = module(self.h)
            answer = self.client.inspect(PROMPT, checkpoint=name, top_k=z.shape[1])
            errors = (back - self.h).norm(dim=1) / self.h.norm(dim=1)
            self.assertEqual(len(answer.tokens), len(PROMPT))
            self.assertLess(z.min(), 0)  # Nothing cut it off.
            for token, row, error in zip(answer.tokens, z, errors):
                found = {f.feature: f.value for f in token.features.top_features}
                for feature, value in enumerate(row.tolist()):
                    self.assertAlmostEqual(found.get(feature, 0), value, delta=1e-4)
                self.assertAlmostEqual(token.features.reconstruction_error, error.item(),
                                       delta=1e-4)
                free = len(row) - len(answer.concepts)
                self.assertEqual([c.slot for c in answer.concepts], list(range(free, len(row))))
                numpy.testing.assert_allclose(token.reading.values, row[free:], atol=1e-4)

    def test_steering_writes_the_module_s_column(self):
        for name, module in self.modules.items():
            slot = test_convert.FREE + 2
            concept = self.client.concepts(name).checkpoints[0].concepts[2].name
            answer = self.client.complete(PROMPT, alignsae.Edit("swap", concept, source=slot + 1),
                                          checkpoint=name, max_new_tokens=2)
            effect = answer.arms[0].receipts[0].effects[0]
            z = module(self.h)[0][-1]
            columns = module.decoder.weight.T
            change = (1 - z[slot]) * columns[slot] - z[slot + 1] * columns[slot + 1]
            self.assertAlmostEqual(effect.change_norm, change.norm().item(), delta=1e-4)


class VectorsTest(ServerTest):
    def test_a_direction_is_what_the_server_adds(self):
        [directory] = (DEMO / "sae").iterdir()
        found = checkpoints.load_directions(directory)
        with alignsae.Client(self.server.target) as client:
            for name in found.slots:
                answer = client.complete(self.by_name["major"].example, f"add:{name}@1.5",
                                         max_new_tokens=1)
                self.assertAlmostEqual(
                    answer.arms[0].receipts[0].effects[0].change_norm,
                    float(numpy.linalg.norm(found.direction(name, 1.5))), places=3)

    def test_a_direction_does_what_its_concept_does(self):
        [directory] = (DEMO / "sae").iterdir()
        found = checkpoints.load_directions(directory)
        prompt = self.by_name["major"].example
        own = alignsae.Edit("add", vector=found.direction("employer", 2),
                            hook=f"{found.hook}[{found.layer}]")
        with alignsae.Client(self.server.target) as client:
            self.assertEqual(client.complete(prompt, own).text,
                             client.complete(prompt, "add:employer@2").text)

    def test_the_command_writes_and_compares(self):
        [directory] = (DEMO / "sae").iterdir()
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "v.gguf"
            behind = pathlib.Path(folder) / "behind"  # A block, as a control vector must be.
            shutil.copytree(directory, behind)
            text = (behind / "cfg.json").read_text()
            self.assertIn("blocks.0.hook_resid_mid", text)
            (behind / "cfg.json").write_text(
                text.replace("blocks.0.hook_resid_mid", "blocks.1.hook_resid_post"))
            said = subprocess.run(
                [pathlib.Path(sys.executable).with_name("alignsae-vectors"), behind,
                 "--concept=employer",
                 f"--out={out}", "--nearest=3"], check=True, capture_output=True, text=True,
                timeout=60).stdout
            self.assertEqual(len(said.splitlines()), 3)
            self.assertEqual(out.stat().st_size, 736)  # As pip's gguf writes one of 128 values.


if __name__ == "__main__":
    unittest.main(verbosity=2)
