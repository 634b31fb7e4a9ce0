#!/usr/bin/env python3
"""The clients that the README shows, in Go and in Node, each by itself in an empty folder: what
they print is what the server answers."""
import os
import shutil
import subprocess
import unittest

import installed
from alignsae_server import SOURCE, ServerTest, common, steering


class RecipesTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.question = cls.by_name["birth_city"].example
        answer = cls.api.steering.Swap(steering.SwapRequest(
            prompt=common.Prompt(question=cls.question),
            target=common.ConceptRef(name="employer")), timeout=60)
        cls.expected = ["top concept: birth_city", f"baseline: {answer.baseline.text.strip()}",
                        f"steered: {answer.steered.text.strip()}"]

    def check(self, command, **options):
        def run(target):
            return subprocess.run([*command, self.server.target, target, self.question],
                                  check=False, timeout=300, capture_output=True, text=True,
                                  **options)
        done = run("employer")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines(), self.expected)
        done = run("no_such")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no_such", done.stderr)
        self.assertRegex(done.stderr, "^(NotFound|NOT_FOUND): target")

    def test_node(self):
        place = installed.node("@grpc/grpc-js", "@grpc/proto-loader")
        self.check(["node", SOURCE / "client/node/read_and_swap.js"],
                   env={**os.environ, "NODE_PATH": str(place / "node_modules")})

    def test_go(self):
        tools = [installed.go("google.golang.org/protobuf/cmd/protoc-gen-go", "protoc-gen-go"),
                 installed.go("google.golang.org/grpc/cmd/protoc-gen-go-grpc",
                              "protoc-gen-go-grpc")]
        place = installed.PLACE / "go-recipe"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(SOURCE / "client/go", place)
        environment = {**os.environ, "ALIGNSAE_PROTO": str(SOURCE / "proto"), "GOFLAGS": "-mod=mod",
                       "PATH": f"{tools[0].parent}:{os.environ['PATH']}"}
        for command in ([place / "make_stubs.sh"], ["go", "mod", "tidy"],
                        ["go", "build", "-o", "client", "."]):
            done = subprocess.run(command, cwd=place, env=environment, check=False, timeout=900,
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.check([place / "client"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
