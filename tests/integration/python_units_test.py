#!/usr/bin/env python3
"""The unit tests of the Python package (client/python/tests), which has no build of its own
in a normal run. What needs more than Debian's grpcio and protobuf skips itself."""
import os
import re
import unittest

import python_package

TESTS = python_package.PYTHON / "tests"


class VersionTest(unittest.TestCase):
    def test_the_package_has_the_version_of_the_server(self):
        cmake = (python_package.SOURCE / "CMakeLists.txt").read_text()
        project = (python_package.PYTHON / "pyproject.toml").read_text()
        self.assertEqual(re.search(r"project\(alignsae VERSION ([\d.]+)", cmake)[1],
                         re.search(r'^version = "(.*)"', project, re.M)[1])


def load_tests(loader, tests, _):
    tests.addTests(loader.discover(str(TESTS), top_level_dir=str(TESTS)))
    if tests.countTestCases() < 50:
        raise RuntimeError(f"{TESTS}: only {tests.countTestCases()} tests were found")
    return tests


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    unittest.main(verbosity=2)
