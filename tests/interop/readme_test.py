#!/usr/bin/env python3
"""README's "Serve the paper's checkpoint", word for word: PyTorch saves the authors' .pt, pip
installs the converter, the server serves what it makes."""
import pathlib
import subprocess
import tempfile
import unittest

import installed
import readme_commands
from alignsae_server import DEMO, SOURCE

TITLE = "Serve the paper's checkpoint"
# What the authors' 1-hop script saves, for the width of the demo's model.
SAVE = """
import sys, torch
torch.manual_seed(0)
width, free, relations = 128, 40, 6
module = torch.nn.ModuleDict({"encoder": torch.nn.Linear(width, free + relations),
                              "decoder": torch.nn.Linear(free + relations, width)})
torch.save({"model_state_dict": module.state_dict(), "d_model": width, "n_relation": relations,
            "n_free": free, "args": {"n_free": free}, "stage": 2, "epoch": 3}, sys.argv[1])
"""


class ReadmeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="alignsae-readme-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "gpt2").symlink_to(DEMO / "gpt2")
        (self.folder / "client").symlink_to(SOURCE / "client")

    def test_serve_the_papers_checkpoint(self):
        python = installed.converter()
        subprocess.run([python, "-c", SAVE, self.folder / "sae_best.pt"], check=True, timeout=120,
                       env={})
        commands = readme_commands.block(TITLE)
        self.assertEqual([line.split()[0] for line in commands.splitlines()],
                         ["pip", "python", "alignsae-server"])
        layers = "--hidden-state 6"
        self.assertIn(layers, commands)  # The demo has 6 blocks: 0 to 5.
        commands = commands.replace(layers, "--hidden-state 3").rstrip()
        code, said = readme_commands.run(
            f"{commands} &\nalignsae concepts\nalignsae vectors sae/authors --similarity",
            self.folder, path=[python.parent], PYTHONPATH="")
        self.assertEqual(code, 0, said)
        for name in ("birth_city", "employer", "university"):
            self.assertIn(name, said)
        self.assertIn("1.0000", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
