#!/usr/bin/env python3
"""The newest lm-evaluation-harness (lm_eval of PyPI) against /v1/completions: a task from a
local file, offline; its log-likelihoods are those of transformers on the same weights."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import installed
from alignsae_server import DEMO, ServerTest, model

TASK = """task: alignsae_local
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: loglikelihood
doc_to_text: "{{{{prompt}}}}"
doc_to_target: "{{{{target}}}}"
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""
LIKELIHOODS = """
import json, sys
import torch, transformers
directory, asked = sys.argv[1], json.loads(sys.stdin.read())
tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
model = transformers.AutoModelForCausalLM.from_pretrained(directory).float().eval()
answers = []
for row in asked:
    whole = tokenizer(row["prompt"] + row["target"]).input_ids
    begin = len(tokenizer(row["prompt"]).input_ids)
    with torch.no_grad():
        scores = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
    steps = range(begin, len(whole))
    answers.append([sum(scores[i - 1, whole[i]].item() for i in steps),
                    all(scores[i - 1].argmax().item() == whole[i] for i in steps)])
print(json.dumps(answers))
"""


class LmEvalTest(ServerTest):
    flags = ("--http-listen=127.0.0.1:0", "--weight-type=f32")

    @classmethod
    def setUpClass(cls):
        cls.python = installed.lm_eval()
        super().setUpClass()
        cls.model = cls.api.model.GetModel(model.GetModelRequest(), timeout=10).model

    def run_python(self, *words, **options):
        done = subprocess.run(
            [self.python, *words], capture_output=True, text=True, timeout=600, check=False,
            env={**os.environ, "PYTHONPATH": "", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1",
                 "HF_HOME": self.folder, "TOKENIZERS_PARALLELISM": "false"}, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def rows(self):
        rows = []
        for concept in self.concepts:
            prompt = self.model.prompt_template.replace("{question}", concept.example)
            rows += [{"prompt": prompt, "target": target}
                     for target in (" Ada", " of the university", " 1987, in the north.", "?")]
        return rows

    def evaluate(self, data, *arguments):
        """(log-likelihood, whether greedy) of each row, as lm_eval logs them."""
        (self.folder / "alignsae_local.yaml").write_text(TASK.format(data=data))
        out = tempfile.mkdtemp(dir=self.folder)
        model_args = ",".join((
            f"model={self.model.name}", f"tokenizer={DEMO}/gpt2", "max_retries=1",
            f"base_url=http://127.0.0.1:{self.server.http_port}/v1/completions", *arguments))
        self.run_python("-m", "lm_eval", "--model", "local-completions", "--model_args",
                        model_args, "--tasks", "alignsae_local", "--include_path", self.folder,
                        "--output_path", out, "--log_samples")
        [samples] = pathlib.Path(out).rglob("samples_*.jsonl")
        lines = sorted(map(json.loads, samples.read_text().splitlines()),
                       key=lambda line: line["doc_id"])
        found = [line["resps"][0][0] for line in lines]
        return [(float(likelihood), str(greedy) == "True") for likelihood, greedy in found]

    def test_log_likelihoods_are_those_of_transformers(self):
        with tempfile.TemporaryDirectory(prefix="alignsae-lm-eval-") as folder:
            self.folder = pathlib.Path(folder)
            rows = self.rows()
            data = self.folder / "rows.jsonl"
            data.write_text("".join(json.dumps(row) + "\n" for row in rows))
            expected = json.loads(self.run_python("-c", LIKELIHOODS, f"{DEMO}/gpt2",
                                                  input=json.dumps(rows)))
            for how in ("tokenized_requests=True", "tokenized_requests=False"):
                found = self.evaluate(data, how)
                self.assertEqual(len(found), len(rows))
                worst = 0
                for row, got, (likelihood, greedy) in zip(rows, found, expected):
                    self.assertAlmostEqual(got[0], likelihood, delta=1e-4, msg=(how, row))
                    self.assertEqual(got[1], greedy, (how, row))
                    worst = max(worst, abs(got[0] - likelihood))
                print(f"lm_eval, {how}: {len(rows)} log-likelihoods, worst difference {worst:.1e}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
