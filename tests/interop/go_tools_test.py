#!/usr/bin/env python3
"""ghz and grpc-health-probe, built from their newest releases, against the server."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import installed
from alignsae_server import SOURCE, ServerTest


class GoToolsTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.ghz = installed.go("github.com/bojand/ghz/cmd/ghz", "ghz")
        cls.probe = installed.go("github.com/grpc-ecosystem/grpc-health-probe",
                                 "grpc-health-probe")
        super().setUpClass()

    def load(self, *flags):
        """ghz's report of 20 reads by 4 callers."""
        request = {"prompts": [{"question": self.by_name["birth_city"].example}]}
        done = subprocess.run(
            [self.ghz, "--insecure", "--call", "alignsae.v1.ConceptService/ReadConcepts", "-n",
             "20", "-c", "4", "-O", "json", "-d", json.dumps(request), *flags,
             self.server.target], check=False, timeout=120, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def test_ghz_by_reflection_and_by_the_description_of_the_protos(self):
        with tempfile.TemporaryDirectory() as folder:
            protoset = pathlib.Path(folder) / "api.binpb"
            subprocess.run([sys.executable, SOURCE / "client/python/build_api.py", protoset],
                           check=True, timeout=60)
            for flags in ((), ("--protoset", protoset)):
                report = self.load(*flags)
                self.assertEqual(report["statusCodeDistribution"], {"OK": 20})

    def test_the_probe_knows_every_service(self):
        for service in ("", "readiness", "liveness", "alignsae.v1.SteeringService"):
            done = subprocess.run([self.probe, f"-addr={self.server.target}",
                                   f"-service={service}"], check=False, timeout=60,
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("SERVING", done.stdout + done.stderr)
        done = subprocess.run([self.probe, f"-addr={self.server.target}", "-service=no_such"],
                              check=False, timeout=60, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
