#!/usr/bin/env python3
"""Each kind of break is found, and what an older client does not notice is not one."""
import pathlib
import tempfile
import unittest

import check_protos

GOOD = """
syntax = "proto3";
package alignsae.v1;
enum Mode { MODE_UNSPECIFIED = 0; MODE_ADD = 1; }
message Inner { int32 value = 1; }
message Ask { string text = 1; repeated int32 ids = 2; oneof what { Inner inner = 3; } }
service Asker { rpc Answer(Ask) returns (Inner); }
"""


class CheckProtosTest(unittest.TestCase):
    def breaks(self, old, new):
        sets = []
        for text in (GOOD, GOOD.replace(old, new)):
            with tempfile.TemporaryDirectory() as directory:
                path = pathlib.Path(directory) / "alignsae/v1/ask.proto"
                path.parent.mkdir(parents=True)
                path.write_text(text)
                sets.append(check_protos.read(directory))
        return list(check_protos.breaks(*sets))

    def test_each_kind_of_break_is_found(self):
        for old, new in {
                "repeated int32 ids = 2;": "",
                "string text = 1;": "string text = 4;",
                "string text = 1": "bytes text = 1",
                "string text": "string words",
                "repeated int32": "int32",
                "oneof what { Inner inner = 3; }": "Inner inner = 3;",
                "MODE_ADD = 1;": "",
                "MODE_ADD": "MODE_PLUS",
                "rpc Answer(Ask) returns (Inner);": "",
                "returns (Inner)": "returns (stream Inner)",
                "(Ask)": "(Inner)"}.items():
            with self.subTest(old=old):
                self.assertNotEqual(self.breaks(old, new), [])

    def test_additions_and_moves_are_none(self):
        for old, new in {
                "string text = 1;": "string text = 1; string more = 9;",
                "MODE_ADD = 1;": "MODE_ADD = 1; MODE_SET = 2;",
                "message Inner": "message New { } message Inner",
                "returns (Inner);": "returns (Inner); rpc More(Ask) returns (Ask);"}.items():
            with self.subTest(old=old):
                self.assertEqual(self.breaks(old, new), [])


if __name__ == "__main__":
    unittest.main()
