#!/usr/bin/env python3
"""Several servers behind one client: calls take them in turn, and go on when one dies. Also the
recipe in C++."""
import json
import os
import subprocess
import tempfile
import unittest

from alignsae_server import BIN, Server, common, eventually, main, steering


class ServersTest(unittest.TestCase):
    def setUp(self):
        self.servers = [Server() for _ in range(2)]
        for server in self.servers:
            self.addCleanup(server.close)
        self.target = ",".join(server.target for server in self.servers)

    @staticmethod
    def calls(server, method):
        return server.metric("alignsae_rpc_requests_total", method=method)

    def load(self, seconds, *words):
        with tempfile.TemporaryDirectory() as folder:
            report = os.path.join(folder, "report.json")
            done = subprocess.run(
                [BIN / "alignsae-load", f"--server={self.target}", f"--seconds={seconds}",
                 "--warmup-seconds=0", "--concurrency=4", "--connections=2", f"--json={report}",
                 "--health-seconds=0", *words], capture_output=True, text=True, timeout=120,
                check=False)
            with open(report, encoding="utf-8") as file:
                return done, json.load(file)

    def test_the_load_goes_to_both_in_turn(self):
        done, report = self.load(1.5, "--mix=tokenize", "--clients=2", "--client-id=me")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(list(report["codes"]), ["OK"])
        self.assertEqual(sorted(report["clients"]), ["me-0", "me-1"])
        counts = [self.calls(server, "ModelService/Tokenize") for server in self.servers]
        self.assertGreater(min(counts), 20, counts)
        self.assertLess(max(counts) / min(counts), 1.2, counts)

    def test_every_rpc_can_be_mixed(self):
        done, report = self.load(
            4, "--mix=read,inspect,stream,swap,complete,generate,sweep,model,concepts,tokenize,"
            "detokenize", "-n4", "--deadline-seconds=30")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(list(report["codes"]), ["OK"], report["codes"])
        self.assertEqual(len(report["latency"]), 11, sorted(report["latency"]))

    def test_calls_of_the_command_line_go_on_when_one_dies(self):
        question = "Where was Beth Roach born?"
        lines = (question + "\n") * 6
        words = [BIN / "alignsae", f"--server={self.target}", "read", "--json", "--file=-"]
        done = subprocess.run(words, input=lines, capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        method = "ConceptService/ReadConcepts"
        for server in self.servers:
            eventually(lambda server=server: self.calls(server, method) == 3)
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as client:
            def ask():
                client.stdin.write(question + "\n")
                client.stdin.flush()
                return json.loads(client.stdout.readline())
            for _ in range(4):
                self.assertIn("readings", ask())
            self.servers[0].process.kill()
            for _ in range(10):
                self.assertIn("readings", ask())
            _, told = client.communicate(timeout=30)
            self.assertEqual(client.returncode, 0, told)

    def test_the_recipe_in_cpp(self):
        question = "Where was Beth Roach born?"
        api = self.servers[1].api()
        self.addCleanup(api.close)
        answer = api.steering.Swap(steering.SwapRequest(
            prompt=common.Prompt(question=question),
            target=common.ConceptRef(name="employer")), timeout=60)
        done = subprocess.run([BIN / "read_and_swap", self.target, "employer", question],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines(), [
            "top concept: birth_city", f"baseline: {answer.baseline.text.strip()}",
            f"steered: {answer.steered.text.strip()}"])
        done = subprocess.run([BIN / "read_and_swap", self.target, "no_such", question],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^NOT_FOUND: target.*no_such")


if __name__ == "__main__":
    main()
