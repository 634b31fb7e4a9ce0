#!/usr/bin/env python3
"""ReadConceptsStream against the real server: the answers of the unary call, a corpus over one
call, and its end by cancel, by drain and by a client that goes."""
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile

import python_package  # noqa: F401  pylint: disable=unused-import
from alignsae_server import Server, ServerTest, concept, eventually, main
import grpc

from alignsae import batch, tasks

STREAM = {"method": "ConceptService/ReadConceptsStream"}


def requests_of(prompts, size):
    for start in range(0, len(prompts), size):
        yield concept.ReadConceptsStreamRequest(
            read=concept.ReadConceptsRequest(prompts=prompts[start:start + size]))


class ReadStreamTest(ServerTest):
    def prompts(self, count):
        return [self.example(self.concepts[i % len(self.concepts)].name) for i in range(count)]

    def in_flight(self):
        return self.server.metric("alignsae_rpc_in_flight")

    def test_the_answers_are_those_of_the_unary_call(self):
        prompts = self.prompts(200)
        answers = {answer.index: answer.answer
                   for answer in self.api.concept.ReadConceptsStream(requests_of(prompts, 7))}
        self.assertEqual(sorted(answers), list(range(29)))
        for i in (0, 13, 28):
            alone = self.api.concept.ReadConcepts(concept.ReadConceptsRequest(
                prompts=prompts[i * 7:i * 7 + 7]), timeout=30)
            self.assertEqual([(reading.reading.top_concept, list(reading.prompt_token_ids))
                              for reading in answers[i].readings],
                             [(reading.reading.top_concept, list(reading.prompt_token_ids))
                              for reading in alone.readings])
            for mine, other in zip(answers[i].readings, alone.readings):
                for a, b in zip(mine.reading.values, other.reading.values):
                    self.assertAlmostEqual(a, b, places=2)
        eventually(lambda: self.in_flight() == 0)

    def test_a_request_that_fails_ends_nothing_else(self):
        bad = concept.ReadConceptsStreamRequest(read=concept.ReadConceptsRequest(
            prompts=[self.example()], checkpoint="nope"))
        [good] = requests_of(self.prompts(2), 2)
        answers = sorted(self.api.concept.ReadConceptsStream(iter([good, bad, good])),
                         key=lambda answer: answer.index)
        self.assertEqual([answer.WhichOneof("result") for answer in answers],
                         ["answer", "error", "answer"])
        self.assertEqual((answers[1].error.code, answers[1].error.reason), (5, "UNKNOWN_NAME"))

    def test_a_cancel_leaves_nothing_behind(self):
        for _ in range(5):
            call = self.api.concept.ReadConceptsStream(requests_of(self.prompts(1000), 16))
            next(call)
            call.cancel()
        eventually(lambda: self.in_flight() == 0)
        eventually(lambda: self.server.metric("alignsae_kv_slots_in_use") == 0)

    def test_a_client_that_dies_leaves_nothing_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus = pathlib.Path(folder) / "corpus.jsonl"
            corpus.write_text("".join(json.dumps({"question": self.by_name["major"].example}) + "\n"
                                      for _ in range(50000)))
            out = pathlib.Path(folder) / "out.jsonl"
            command = [sys.executable, "-m", "alignsae.batch", corpus, "--out", out, "--quiet",
                       "--server", self.server.target]
            with subprocess.Popen(command, env={
                    **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}) as process:
                eventually(lambda: out.exists() and out.stat().st_size > 0, 30)
                self.assertEqual(self.server.metric("alignsae_rpc_in_flight", **STREAM), 1)
                process.kill()
        eventually(lambda: self.in_flight() == 0, 20)

    def test_a_corpus_goes_over_one_call(self):
        before = self.server.metric("alignsae_rpc_requests_total", **STREAM)
        names = [row.name for row in self.concepts]
        with tempfile.TemporaryDirectory() as folder:
            corpus = pathlib.Path(folder) / "corpus.jsonl"
            corpus.write_text("".join(
                json.dumps({"i": i, "question": self.by_name[names[i % 6]].example}) + "\n"
                for i in range(600)))
            out = pathlib.Path(folder) / "out.jsonl"
            report = batch.run(corpus, out, tasks.Read(), self.server.target, progress=False)
            self.assertEqual((report.rows, report.errors), (600, 0))
            lines = [json.loads(line) for line in out.read_text().splitlines()]
        self.assertEqual([line["i"] for line in lines], list(range(600)))
        self.assertTrue(all(line["answer"]["top_concept"] == names[line["i"] % 6]
                            for line in lines))
        eventually(lambda: self.server.metric(
            "alignsae_rpc_requests_total", **STREAM) == before + 1)

    def test_a_drain_ends_streams_that_wait_and_says_why(self):
        server = Server("--lame-duck-seconds=0", "--drain-seconds=20")
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        feed = queue.Queue()
        call = api.concept.ReadConceptsStream(iter(feed.get, None))
        [request] = requests_of(self.prompts(3), 3)
        feed.put(request)
        self.assertEqual(len(next(call).answer.readings), 3)
        server.terminate()
        with self.assertRaises(grpc.RpcError) as caught:
            next(call)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        feed.put(None)
        # The idle stream held nothing up: well before the drain's 20 s.
        self.assertEqual(server.process.wait(timeout=10), 0)


if __name__ == "__main__":
    main()
