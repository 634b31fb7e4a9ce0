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
SAVE = "import sys, test_convert; test_convert.save(sys.argv[1], 1, width=int(sys.argv[2]))"
WIDTH = 128  # Of the demo's model.


class ReadmeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="alignsae-readme-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "gpt2").symlink_to(DEMO / "gpt2")
        (self.folder / "client").symlink_to(SOURCE / "client")

    def test_serve_the_papers_checkpoint(self):
        python = installed.converter()
        subprocess.run([python, "-c", SAVE, self.folder / "sae_best.pt", str(WIDTH)], check=True,
                       timeout=120, env={"PYTHONPATH": f"{SOURCE}/client/python/src:"
                                         f"{SOURCE}/client/python/tests"})
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
