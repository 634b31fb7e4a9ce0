#!/usr/bin/env python3
"""The dashboards against Grafana's published schema, as strictly as its own Go types read it."""
import json
import pathlib
import subprocess
import tempfile
import unittest

import installed

SOURCE = pathlib.Path(__file__).parents[2]
BOARDS = sorted((SOURCE / "deploy/grafana/dashboards").glob("*.json"))


class GrafanaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.check = installed.go_program(SOURCE / "tests/interop/grafana",
                                         "github.com/grafana/grafana-foundation-sdk/go")

    def complaints(self, *paths):
        done = subprocess.run([self.check, *paths], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1 if done.stdout else 0, done.stderr)
        return done.stdout

    def test_dashboards_fit_the_schema(self):
        self.assertEqual(len(BOARDS), 2)
        self.assertEqual(self.complaints(*BOARDS), "")

    def test_what_does_not_fit_is_noticed(self):
        board = json.loads(BOARDS[0].read_text())
        board["panels"][1]["gridPos"]["w"] = "wide"
        board["panels"][2]["colour"] = "red"
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(board, file)
            file.flush()
            said = self.complaints(file.name)
        self.assertIn("panels[1]", said)
        self.assertIn("unexpected field 'colour'", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
