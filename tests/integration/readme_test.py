#!/usr/bin/env python3
"""README's "Concepts of your own" and "Serve a SAELens SAE", word for word: the first on its
example, the second on the demo's model and its SAE as sae-lens would have saved it. Where the
commands need PyTorch: tests/interop/readme_test.py."""
import json
import re
import unittest

import own_concepts_test
import readme_commands
from alignsae_server import DEMO, SOURCE
from alignsae_train import TrainTest

TITLE = "Serve a SAELens SAE"


class ReadmeTest(TrainTest):
    def run_readme(self, commands):
        code, said = readme_commands.run(commands, self.root)
        self.assertEqual(code, 0, said)
        return said

    def test_concepts_of_your_own_read_what_it_says(self):
        (self.root / "model").symlink_to(SOURCE / "model")
        title = "Concepts of your own"
        said = self.run_readme(readme_commands.block(title))
        right, tries = map(int, re.search(r"reads (\d+) of (\d+)",
                                          readme_commands.section(title)).groups())
        rate, measured = re.search(r"concept read +([\d.]+) .* of (\d+)", said).groups()
        self.assertEqual(int(measured), tries)
        # Another processor's last bits may turn a close call.
        self.assertLessEqual(abs(round(float(rate) * tries) - right), 1)
        self.assertIn("top concept: order", said)

    def test_serve_a_saelens_sae_and_calibrate_it(self):
        (self.root / "gpt2").symlink_to(DEMO / "gpt2")
        self.train("export-sae", f"--sae={DEMO}/sae/main", f"--out={self.root}/sae")
        said = self.run_readme(readme_commands.block(TITLE))
        self.assertIn("city #3: what a value of 1 writes", said)
        self.assertIn("read at resid_mid[0]", said)
        self.assertRegex(said, r"largest features\n +0 +'A' .*#\d+=")

        (self.root / "sae/labels.jsonl").unlink()  # Nobody named its features.
        (self.root / "labelled.jsonl").write_text("".join(
            json.dumps(line) + "\n" for line in own_concepts_test.question_lines(people=3)))
        said = self.run_readme(readme_commands.inline(TITLE, "alignsae-train calibrate"))
        labels = (self.root / "calibrated/labels.jsonl").read_text().splitlines()
        self.assertEqual(len(labels), 6)
        self.assertTrue(all("active_mean" in json.loads(line) for line in labels))


if __name__ == "__main__":
    unittest.main(verbosity=2)
