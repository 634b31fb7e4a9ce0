"""Runs alignsae-train for a test, in a folder of the test's own.

Every test file runs with ALIGNSAE_BIN, where the binaries are; ctest sets it.
"""
import os
import pathlib
import subprocess
import tempfile
import unittest

TRAIN = pathlib.Path(os.environ["ALIGNSAE_BIN"]) / "alignsae-train"


class TrainTest(unittest.TestCase):
    """A test case with an empty folder, `root`, for each of its tests."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="alignsae-train-")
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)

    def train(self, *arguments, code=0):
        """What a command prints that ends with `code`: stdout of 0, else stderr."""
        done = subprocess.run([TRAIN, *arguments], capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr
