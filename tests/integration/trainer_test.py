#!/usr/bin/env python3
"""alignsae-train as a person runs it: every command on a model that is far too
small to learn anything, what they leave, their exit codes, and a stop by signal."""
import json
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
# pylint: disable=wrong-import-position
from alignsae_train import TRAIN, TrainTest  # noqa: E402

DATA = {"people": 4, "biographies-per-person": 2}
LM = {"layers": 2, "heads": 2, "width": 16, "context": 160, "vocab-size": 512, "epochs": 2,
      "warmup-steps": 4, "biography-batch": 6, "question-batch": 12, "seed": 3}
SAE = {"free-features": 16, "stage1-epochs": 2, "stage2-epochs": 40, "learning-rate": 0.01,
       "value-hidden": 4, "init": "class_means"}
EVAL = {"alphas": "0.5,1", "modes": "SWAP", "rows": 16, "max-tokens": 3}


def flags(fields, prefix=""):
    return [f"--{prefix}{name}={value}" for name, value in fields.items()]


class TrainerTest(TrainTest):
    def pipeline(self, **fields):
        return ["pipeline", "--preset=tiny", "--threads=1", f"--work={self.root}/work",
                f"--out={self.root}/bundle", "--layers=0", "--baselines=none",
                *flags(DATA, "data-"), *flags({**LM, **fields}, "lm-"), *flags(SAE, "sae-"),
                *flags(EVAL, "eval-")]

    def test_the_commands_one_after_the_other(self):
        root = self.root
        self.train("data", "--preset=tiny", f"--out={root}/data", *flags(DATA))
        people = (root / "data/people.jsonl").read_text().splitlines()
        self.assertEqual([json.loads(line)["asked"] for line in people].count(True), 2)
        self.train("lm", "--preset=tiny", "--threads=1", f"--data={root}/data",
                   f"--out={root}/lm", *flags(LM))
        self.assertEqual(json.loads((root / "lm/lm.json").read_text())["options"]["width"], 16)
        self.assertEqual(len((root / "lm/log.jsonl").read_text().splitlines()), 2)
        sae = ["sae", "--preset=tiny", "--threads=1", f"--data={root}/data",
               f"--model={root}/lm/gpt2", f"--out={root}/sae", *flags(SAE)]
        # After so few epochs a slot may be left that does not write.
        self.train(*sae, "--hook=resid_post", "--layer=1", "--allow-unwritten")
        rows = [json.loads(line) for line in (root / "sae/log.jsonl").read_text().splitlines()]
        self.assertEqual([row["epoch"] for row in rows], list(range(1, 43)))
        self.assertEqual([row["stage"] for row in rows], [1] * 2 + [2] * 40)
        self.assertTrue((root / "sae/sae_weights.safetensors").exists())
        self.assertIn("--layer: must be in [0, 1], got 2; the model has 2 blocks",
                      self.train(*sae, "--layer=2", code=2))

    def test_questions_of_two_steps_from_facts_to_swaps(self):
        root = self.root
        self.train("data", "--facts=hops", f"--out={root}/hops", "--hop-names=12",
                   "--hop-relations=4", "--hop-facts=40", "--hop-questions=100", "--hop-phi=1")
        self.train("lm", "--threads=1", f"--data={root}/hops", f"--out={root}/lm", *flags(LM))
        result = json.loads((root / "lm/lm.json").read_text())
        self.assertIn("friend", result["accuracy_never_asked"])
        prompts = f"--prompts={root}/hops/prompts.jsonl"
        self.train("sae", "--threads=1", prompts, f"--model={root}/lm/gpt2", f"--out={root}/sae",
                   "--layer=1", *flags(SAE))
        self.train("eval", prompts, f"--model={root}/lm/gpt2", f"--sae={root}/sae", "--rows=16",
                   f"--json={root}/eval.json")
        self.assertGreater(json.loads((root / "eval.json").read_text())["swap"]["all"]["n"], 100)
        self.assertIn("hops", self.train("pipeline", "--data-facts=hops", f"--work={root}/work",
                                         f"--out={root}/bundle", code=2))

    def test_countries_and_many_relations_train_a_model(self):
        root = self.root
        for facts, relation in (("countries", "capital"), ("relations", "boat")):
            self.train("data", f"--facts={facts}", f"--out={root}/{facts}", *flags(DATA))
            self.train("lm", "--threads=1", f"--data={root}/{facts}", f"--out={root}/{facts}_lm",
                       *flags({**LM, "epochs": 1, "context": 400}))
            result = json.loads((root / f"{facts}_lm/lm.json").read_text())
            self.assertIn(relation, result["accuracy_asked"])

    def study(self, plan, *arguments):
        """The command line of a study of `plan`, on a model made for it."""
        root = self.root
        self.train("data", "--preset=tiny", f"--out={root}/data", *flags(DATA))
        self.train("lm", "--preset=tiny", "--threads=1", f"--data={root}/data",
                   f"--out={root}/lm", *flags(LM), "--keep-every=1")
        path = root / "plan.json"
        path.write_text(json.dumps({
            "base": {name.replace("-", "_"): value for name, value in SAE.items()},
            "eval": {name.replace("-", "_"): value for name, value in EVAL.items()}, **plan}))
        return ["study", str(path), "--preset=tiny", "--threads=1", f"--data={root}/data",
                f"--model={root}/lm/gpt2", *arguments]

    def summary(self, work, plan):
        return json.loads((self.root / work / plan / "study.json").read_text())

    def test_a_study_in_four_processes_one_of_them_killed_is_the_study(self):
        root = self.root
        study = self.study({"name": "sparse", "axes": {"sparse": [0, 0.01, 0.1]}}, "--seeds=2")

        def shard(i):
            # pylint: disable-next=consider-using-with
            return subprocess.Popen([TRAIN, *study, f"--work={root}/shards", f"--shard={i}/4"],
                                    stdout=subprocess.DEVNULL)
        shards = [shard(i) for i in range(4)]  # As an array counts: from 0.
        deadline = time.monotonic() + 120
        while not any((root / "shards/work").glob("*")) and time.monotonic() < deadline:
            time.sleep(0.005)
        shards[1].kill()
        self.assertIn(shards[1].wait(), (0, -signal.SIGKILL))
        shards[1] = shard(1)
        self.assertEqual([each.wait(240) for each in shards], [0] * 4)
        self.train(*study, f"--work={root}/whole")
        self.assertIn(f"{root}/shards/sparse/report.md",
                      self.train("study", "report", f"--work={root}/shards"))
        self.assertEqual(self.summary("shards", "sparse"), self.summary("whole", "sparse"))
        whole = self.summary("whole", "sparse")
        self.assertEqual((whole["missing"], len(whole["settings"])), (0, 3))
        cells = {path: path.stat().st_mtime_ns for path in (root / "whole/cells").iterdir()}
        self.assertEqual(len(cells), 6)
        # Only what is missing is measured again: by its own command, or by the whole one.
        cell = whole["settings"][0]["cells"][1]
        self.assertIn(f"--cell {cell['id']}", cell["command"])
        for again in (f"--cell={cell['id']}", "--shard=1/1"):
            lost = root / "whole/cells" / f"{cell['id']}.json"
            lost.unlink()
            self.train(*study, f"--work={root}/whole", again)
            changed = {path for path, when in cells.items() if path.stat().st_mtime_ns != when}
            self.assertEqual(changed, {lost})
        self.assertEqual(self.summary("shards", "sparse"), self.summary("whole", "sparse"))
        self.assertIn("shard: must be i/n", self.train(*study, f"--work={root}/x", "--shard=3/2",
                                                       code=2))
        self.assertIn("cell: must be the id", self.train(*study, f"--work={root}/x", "--cell=7",
                                                         code=1))
        self.assertIn("must be the --work of a study",
                      self.train("study", "report", f"--work={root}/y", code=1))
        self.assertIn("either --data or --prompts",
                      self.train("study", "losses", f"--work={root}/x", code=2))

    def test_a_study_of_methods_epochs_and_few_labels(self):
        study = self.study({"name": "methods", "variants": {
            "few labels": {"labels": 4}, "epoch 1": {"epoch": 1, "concepts": 3},
            "means": {"method": "class_means", "measure": "robustness"},
            "probe": {"method": "linear_probe"}, "chance": {"method": "random_directions"},
            "feature": {"method": "separating_feature"},
            "effect": {"method": "output_feature", "free_features": 60}}}, "--seeds=1")
        report = self.train(*study, f"--work={self.root}/work")
        settings = {row["settings"]["variant"]: row
                    for row in self.summary("work", "methods")["settings"]}
        for name, row in settings.items():
            self.assertTrue("swap" in row or row["refused"], name)
        means = settings["means"]
        self.assertEqual(means["groups"]["two asked"]["read"]["n"], 4 * 30)
        self.assertIn("confidence, quarter 4", means["groups"])
        self.assertIn("answers", settings["epoch 1"])
        self.assertEqual(settings["epoch 1"]["read"]["n"] * 2, means["read"]["n"])
        self.assertIn("recon", settings["few labels"]["terms"])
        self.assertIn("## Groups of prompts", report)
        # The same on labelled prompts, where nobody is asked about.
        study = [part for part in study if not part.startswith("--data")]
        (self.root / "plan.json").write_text(json.dumps({
            "name": "own", "eval": {"alphas": "1", "max_tokens": 3, "sample": 6},
            "axes": {"method": ["class_means"]}}))
        self.train(*study, f"--prompts={self.root}/data/prompts.jsonl", f"--work={self.root}/work")
        [row] = self.summary("work", "own")["settings"]
        self.assertEqual(row["read"]["n"], 6 * 4)  # Six wordings, four people.
        self.assertEqual(row["swap"]["n"], 6 * 4 * 5)

    def test_baselines_are_checkpoints_that_a_bundle_takes(self):
        self.study({"name": "none"})
        parts = []
        for name in ("class_means", "linear_probe", "separating_feature", "output_feature"):
            parts += ["--sae", f"{self.root}/{name}"]
            self.train("baseline", name, "--preset=tiny", "--threads=1",
                       f"--data={self.root}/data", f"--model={self.root}/lm/gpt2",
                       f"--out={self.root}/{name}", *flags({**SAE, "free-features": 60}))
        self.train("bundle", f"--model={self.root}/lm/gpt2", *parts, f"--out={self.root}/bundle")
        manifest = json.loads((self.root / "bundle/bundle.json").read_text())
        self.assertEqual([len(sae["concepts"]) for sae in manifest["saes"]], [6] * 4)
        self.assertIn("must have --data", self.train(
            "baseline", "output_feature", f"--prompts={self.root}/data/prompts.jsonl",
            f"--model={self.root}/lm/gpt2", f"--out={self.root}/x", code=2))
        for command in (["sae"], ["baseline", "class_means"]):  # One pair of flags.
            site = [*command, "--preset=tiny", f"--data={self.root}/data",
                    f"--model={self.root}/lm/gpt2", f"--out={self.root}/x"]
            self.assertIn("--hook: nowhere not in {resid_pre,",
                          self.train(*site, "--hook=nowhere", code=2))
            self.assertIn("--layer: must be in [0, 1], got 2; the model has 2 blocks",
                          self.train(*site, "--layer=2", code=2))
        self.assertFalse((self.root / "x").exists())

    def test_pipeline_and_eval(self):
        self.train(*self.pipeline())
        bundle = self.root / "bundle"
        stored = json.loads((bundle / "bundle.json").read_text())["evaluation"]
        self.train("eval", f"--bundle={bundle}", "--threads=1", *flags(EVAL), "--compare=0",
                   f"--json={self.root}/eval.json")
        fresh = json.loads((self.root / "eval.json").read_text())
        self.assertEqual(fresh["test"], stored["test"])
        self.assertIn("Swap success, test wordings",
                      self.train("eval", f"--bundle={bundle}", "--stored"))
        table = self.train("bundle", "certify", str(bundle), "--threads=1")
        self.assertIn("checkpoint main at resid_post[0]", table)
        for entry in json.loads((bundle / "bundle.json").read_text())["saes"][0]["concepts"]:
            self.assertIn(f"{entry['certificate']['cosine']:.3f}", table)
        again = self.train(*self.pipeline())
        self.assertEqual(again.count("done before, unchanged"), 4)  # data, lm, sae, evaluation.

    def test_a_stop_by_signal_goes_on_to_the_same_bits(self):
        self.train(*self.pipeline(epochs=6))
        whole = (self.root / "bundle/gpt2/model.safetensors").read_bytes()
        command = self.pipeline(epochs=6)
        command[command.index(f"--work={self.root}/work")] = f"--work={self.root}/other"
        process = subprocess.Popen([TRAIN, *command], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        for line in process.stdout:
            if line.startswith("epoch 2/"):
                process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 0)
        process.stdout.close()
        self.assertTrue((self.root / "other/lm/training.safetensors").exists())
        self.train(*command)
        self.assertEqual((self.root / "bundle/gpt2/model.safetensors").read_bytes(), whole)

    def test_what_is_wrong_is_told_with_the_right_code(self):
        self.assertTrue(self.train("pipeline", "--preset=no_such", code=2))
        self.assertTrue(self.train("no_such_command", code=2))
        self.assertIn("heads", self.train(*self.pipeline(heads=3), code=2))
        self.assertIn("bundle.json", self.train("eval", f"--bundle={self.root}", code=1))
        self.assertIn("bundle.json", self.train("bundle", "certify", self.root, code=1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
