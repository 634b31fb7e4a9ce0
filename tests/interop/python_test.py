#!/usr/bin/env python3
"""The newest grpcio and protobuf of PyPI, with stubs made by the newest grpcio-tools:
the integration tests of the RPCs, of bad input and of the door, run by them."""
import os
import pathlib
import shutil
import subprocess
import unittest

import installed

SOURCE = pathlib.Path(os.environ["ALIGNSAE_SOURCE"])


class PythonTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.python = installed.python("grpcio", "grpcio-tools", "protobuf")
        cls.stubs = installed.PLACE / "python-stubs"
        shutil.rmtree(cls.stubs, ignore_errors=True)

    def run_with_it(self, test):
        # alignsae_server.py makes the stubs with the compiler it is told.
        done = subprocess.run(
            [self.python, SOURCE / "tests/integration" / f"{test}_test.py"], check=False,
            timeout=600, capture_output=True, text=True,
            env={**os.environ, "ALIGNSAE_STUBS": str(self.stubs),
                 "ALIGNSAE_PROTOC": f"{self.python} -m grpc_tools.protoc"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("\nOK", done.stderr)

    def test_rpc(self):
        self.run_with_it("rpc")

    def test_bad_input(self):
        self.run_with_it("bad_input")

    def test_door_simulation(self):
        self.run_with_it("door_simulation")


if __name__ == "__main__":
    unittest.main(verbosity=2)
