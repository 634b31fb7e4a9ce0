#!/usr/bin/env python3
"""Both gates and ValidateBinding on the shipped bundle: what its readings say of prompts that
ask nothing, the figures of a validation over gRPC, the front door and the command line, and
--require-binding."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import grpc
from alignsae_server import BIN, DEMO, Server, common, concept, main
from alignsae.v1 import validation_pb2 as validation
from front_door_test import FrontDoorTestCase

SOURCE = pathlib.Path(os.environ["ALIGNSAE_SOURCE"])


def silent(reading):
    return not reading.bound or reading.outside


class ValidateTest(FrontDoorTestCase):
    flags = ("--http-listen=127.0.0.1:0",)

    def validate(self, timeout=60, **fields):
        return list(self.api.concept.ValidateBinding(
            validation.ValidateBindingRequest(**fields), timeout=timeout))

    def cli(self, *args, code=0):
        done = subprocess.run([f"{BIN}/alignsae", "--server", self.server.target, *args],
                              capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def read(self, questions):
        answer = self.api.concept.ReadConcepts(concept.ReadConceptsRequest(
            prompts=[common.Prompt(question=question) for question in questions]), timeout=60)
        return [row.reading for row in answer.readings]

    def test_readings_keep_silent_where_nothing_is_asked(self):
        lines = (SOURCE / "model/train/data/negatives.jsonl").read_text().splitlines()
        none = [line["pattern"].replace("{name}", "Beth Roach")
                for line in map(json.loads, lines) if line["split"] == "test"]
        readings = [reading for begin in range(0, len(none), 32)
                    for reading in self.read(none[begin:begin + 32])]
        self.assertEqual(len(readings), 160)
        self.assertTrue(all(reading.HasField("outside") for reading in readings))
        for reading in readings:
            self.assertEqual(reading.outside, reading.outside_ratio > 1)
        self.assertGreaterEqual(sum(map(silent, readings)), 0.95 * len(readings))
        # The first gate alone lets more of them through.
        self.assertLess(sum(not reading.bound for reading in readings),
                        sum(map(silent, readings)))
        [asked] = self.read(["Tell me Beth Roach's birthday."])
        self.assertFalse(silent(asked))
        self.assertIn("bound)", self.cli("read", "Tell me Beth Roach's birthday."))
        self.assertIn("outside of what the checkpoint knows",
                      self.cli("read", "What is the capital of Italy?"))

    def test_the_stored_prompts_and_their_figures(self):
        events = self.validate(max_swaps=60)
        started, report = events[0].started, events[-1].report
        self.assertTrue(started.stored)
        self.assertEqual(started.swap_count, 60)
        self.assertEqual(started.prompt_count, 20 * 48 + 160)
        self.assertEqual(report.read.tries, 960)
        self.assertGreaterEqual(report.read.rate, 0.99)
        self.assertGreaterEqual(report.swap.rate, 0.85)
        self.assertGreaterEqual(report.abstention.rate, 0.95)
        self.assertLessEqual(report.silent_right.rate, 0.08)
        self.assertLessEqual(report.bound_wrong.rate, 0.005)
        self.assertTrue(report.tells_outside)
        for i, one in enumerate(report.concepts):
            self.assertEqual(sum(one.top_counts), 160, one.name)
            self.assertEqual(one.top_counts[i], one.read.successes)
        self.assertEqual(self.server.metric("alignsae_validated_binding", checkpoint="main"),
                         report.read.rate)

    def test_a_prompt_file_by_command_line(self):
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch) / "own.jsonl"
            path.write_text(json.dumps({
                "prompt": "Q: Tell me Beth Roach's birthday.\nA:", "concept": "birth_date",
                "position": {"text": "birthday."}, "split": "test"}) + "\n")
            *_, last = self.cli("--json", "validate", str(path)).splitlines()
            self.assertEqual(json.loads(last)["report"]["read"]["tries"], "1")
            text = self.cli("validate", str(path))
            self.assertIn("asks a concept: its slot is on top", text)
            self.assertIn("birth_city", text)
            path.write_text('{"prompt": "a", "concept": "cty"}\n')
            self.assertIn('must be a concept of the checkpoint, got "cty"',
                          self.cli("validate", str(path), code=66))
            path.write_text('{"prompt": "a"}\n')
            self.assertIn("own.jsonl:1: concept", self.cli("validate", str(path), code=64))

    def test_a_deadline_ends_it(self):
        with self.assertRaises(grpc.RpcError) as refused:
            self.validate(timeout=0.05, max_swaps=4096)
        self.assertEqual(refused.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_a_bundle_that_does_not_bind_is_not_served(self):
        good = Server("--require-binding=0.98")
        self.addCleanup(good.close)
        self.assertGreaterEqual(good.metric("alignsae_validated_binding", checkpoint="main"),
                                0.98)
        with tempfile.TemporaryDirectory() as scratch:
            bundle = pathlib.Path(scratch) / "mixed"
            shutil.copytree(DEMO, bundle)
            stored = bundle / "sae/main/validation.jsonl"
            lines = [json.loads(line) for line in stored.read_text().splitlines()]
            for line in lines:
                if line["concept"] == "employer":
                    line["concept"] = "major"
                    line.pop("targets")
            stored.write_text("".join(json.dumps(line) + "\n" for line in lines))
            done = subprocess.run(
                [f"{BIN}/alignsae-server", f"--model={bundle}/gpt2", f"--sae={bundle}/sae/main",
                 "--require-binding=0.98", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"],
                capture_output=True, text=True, timeout=100, check=False)
            self.assertEqual(done.returncode, 78)
            self.assertIn("must read at least 0.98 of its stored prompts right", done.stderr)
            self.assertIn("got 0.83", done.stderr)


if __name__ == "__main__":
    main()
