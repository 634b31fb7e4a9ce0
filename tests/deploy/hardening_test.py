#!/usr/bin/env python3
"""What the linker and the compiler do against faults in memory is in the binaries.

    hardening_test.py BIN
"""
import pathlib
import re
import subprocess
import sys
import unittest

BIN = pathlib.Path(sys.argv.pop()) if len(sys.argv) > 1 else pathlib.Path("build/dev/bin")
BINARIES = ["alignsae-server", "alignsae", "alignsae-train", "alignsae-load"]


def readelf(*flags, binary):
    return subprocess.run(["readelf", "--wide", *flags, BIN / binary], check=True,
                          capture_output=True, text=True).stdout


class HardeningTest(unittest.TestCase):
    def each(self):
        for binary in BINARIES:
            with self.subTest(binary):
                yield binary

    def test_lies_at_an_address_of_its_own(self):
        for binary in self.each():
            self.assertRegex(readelf("--file-header", binary=binary), r"Type:\s+DYN")

    def test_symbols_are_bound_at_the_start_and_read_only_after(self):
        for binary in self.each():
            self.assertIn("GNU_RELRO", readelf("--program-headers", binary=binary))
            self.assertRegex(readelf("--dynamic", binary=binary), r"FLAGS_1\).*\bNOW\b.*\bPIE\b")

    def test_the_stack_holds_no_code(self):
        for binary in self.each():
            stack = re.search(r"GNU_STACK.*", readelf("--program-headers", binary=binary))
            self.assertNotIn("E", stack[0].replace("GNU_STACK", ""))

    def test_stacks_and_lengths_are_checked(self):
        for binary in self.each():
            symbols = readelf("--dyn-syms", binary=binary)
            self.assertIn("__stack_chk_fail", symbols)
            self.assertRegex(symbols, r"__\w+_chk@")


if __name__ == "__main__":
    unittest.main()
