#!/usr/bin/env python3
"""The wheel of client/python: from its source archive, in a clean environment, and with all
extras and the newest of everything."""
import os
import pathlib
import subprocess
import tempfile
import unittest

import installed
from alignsae_server import SOURCE, ServerTest

INTEGRATION, HERE = SOURCE / "tests/integration", pathlib.Path(__file__).parent

USE = """
import alignsae
client = alignsae.Client("127.0.0.1:1")
reveal_type(client.swap("q", to="employer", seed=3))
client.swap("q", to="employer", sed=3)
async def use() -> None:
    reveal_type(await alignsae.AsyncClient("127.0.0.1:1").read("q"))
"""


class PackageTest(ServerTest):
    flags = ("--whole-sae",)

    @classmethod
    def setUpClass(cls):
        cls.full, cls.clean, cls.old = installed.package()
        super().setUpClass()

    def run_in(self, python, script, **environment):
        done = subprocess.run(
            [python, script], check=False, timeout=900, capture_output=True, text=True,
            env={**os.environ, "ALIGNSAE_PACKAGE": "installed",
                 "ALIGNSAE_STUBS": str(installed.PLACE / "package-stubs"),
                 "ALIGNSAE_PROTOC": f"{self.full} -m grpc_tools.protoc", "MPLBACKEND": "Agg",
                 "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled",
                 "HF_HUB_OFFLINE": "1", **environment})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_types_are_told(self):
        """What mypy makes of calls: a user's editor sees the same."""
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder) / "use.py"
            script.write_text(USE)
            done = subprocess.run(
                [self.full, "-m", "mypy", "--ignore-missing-imports", "--cache-dir", folder,
                 "-p", "alignsae"], check=False, timeout=600, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            done = subprocess.run([self.full, "-m", "mypy", "--cache-dir", folder, script],
                                  check=False, timeout=600, capture_output=True, text=True)
        said = [line.split(": ", 1)[1] for line in done.stdout.splitlines()
                if ": " in line]
        self.assertIn('note: Revealed type is "alignsae.answers.SwapAnswer"', said)
        self.assertIn('note: Revealed type is "alignsae.answers.ReadAnswer"', said)
        self.assertEqual([line for line in said if line.startswith("error")], [
            'error: Unexpected keyword argument "sed"; did you mean "seed"?  [call-arg]'])

    def test_units_none_skipped(self):
        said = self.run_in(self.full, INTEGRATION / "python_units_test.py")
        self.assertIn("\nOK", said)
        self.assertNotIn("skipped", said)

    def test_units_with_old_libraries(self):
        self.assertIn("\nOK", self.run_in(self.old, INTEGRATION / "python_units_test.py"))

    def test_against_the_server(self):
        for python in (self.full, self.clean):
            said = self.run_in(python, INTEGRATION / "python_client_test.py")
            self.assertIn("\nOK", said)

    def test_extras(self):
        said = self.run_in(self.full, HERE / "package_extras.py",
                           PYTHONPATH=f"{INTEGRATION}:{SOURCE / 'client/python/tests'}")
        self.assertIn("\nOK", said)
        self.assertNotIn("skipped", said)

    def test_the_notebook_draws(self):
        for python, drawn in ((self.full, True), (self.clean, False), (self.old, False)):
            said = self.run_in(python, SOURCE / "client/python/examples/steer.py", PYTHONPATH="",
                               ALIGNSAE_SERVER=self.server.target)
            self.assertIn("employer at 1: ", said)
            self.assertEqual("without frames" not in said, drawn, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
