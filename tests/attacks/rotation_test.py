#!/usr/bin/env python3
"""A hundred rotations of the certificate while calls go on, each of them a new connection."""
import sys
import unittest

import attack_tools  # noqa: F401  Finds the package below.
import lifecycle_test


class RotationTest(lifecycle_test.TlsTest):
    rotations = 100


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    suite = unittest.TestSuite([RotationTest("test_certificates_are_rotated_and_no_call_fails")])
    sys.exit(0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1)
