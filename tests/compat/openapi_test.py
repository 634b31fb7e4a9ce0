#!/usr/bin/env python3
"""proto/openapi.json is what proto/make_openapi.py makes of the protos; its references lead
somewhere; OpenAI's fields are those that the front door reads.

    openapi_test.py SOURCE
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).absolute()


def check(proto):
    return subprocess.run(["/usr/bin/python3", proto / "make_openapi.py", "--check"], check=False,
                          capture_output=True, text=True)


def references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


class OpenApiTest(unittest.TestCase):
    def setUp(self):
        self.document = json.loads((SOURCE / "proto/openapi.json").read_text())

    def test_is_up_to_date(self):
        done = check(SOURCE / "proto")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_change_of_the_protos_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            proto = pathlib.Path(folder) / "proto"
            shutil.copytree(SOURCE / "proto", proto)
            path = proto / "alignsae/v1/common.proto"
            path.write_text(path.read_text().replace("// A list of token ids.", "// Some ids."))
            done = check(proto)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is not what the protos say", done.stderr)

    def test_references_lead_somewhere(self):
        found = set(references(self.document))
        self.assertGreater(len(found), 50)
        for reference in found:
            place = self.document
            for step in reference.removeprefix("#/").split("/"):
                self.assertIn(step, place, reference)
                place = place[step]

    def test_completions_have_the_fields_that_are_read(self):
        code = (SOURCE / "server/http/openai_request.cc").read_text()
        [known] = re.findall(r"kKnown\[\] = \{(.*?)\};", code, re.S)
        fields = self.document["components"]["schemas"]["CompletionRequest"]["properties"]
        self.assertEqual(sorted(fields), sorted(re.findall(r'"(\w+)"', known)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
