#!/usr/bin/env python3
"""A small Swap beside neighbours who want all there is: sweeps of the longest cells, whole
inspections, the longest texts to tokenize. Every call of theirs bears a new name.

    neighbours_test.py              the short form: the demo model, KV slots that are held
    neighbours_test.py --long       GPT-2 small's shape in int8 too: p95 of 50 Swaps against
                                    the median of those alone in the same run; the neighbours
                                    are a process of their own (this file, --as KIND TARGET)

What they take is bounded by counts that the server tells, not by times: the short form
sleeps nowhere and compares no latency.
"""
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import attack_tools  # noqa: F401  Finds the package below.
from alignsae_server import (BIN, DEMO, Api, Server, common, eventually, generation, grpc,
                             model, steering)
from alignsae_server import concept as readout

LONG = "--long" in sys.argv
SWAPS = 50
NEW_NAMES = itertools.count()


def fresh_name():
    """Metadata of a client that was never seen before, by any process."""
    return [("x-client-id", f"new-{os.getpid()}-{next(NEW_NAMES)}")]


class Neighbours:
    """Threads that call again and again until the end, and count how it went."""

    def __init__(self, target):
        self.target = target
        self.codes = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = []
        self._channels = []

    def add(self, count, make_call):
        """`count` callers of `make_call(channel)()`, on a connection for each 30."""
        for i in range(count):
            if i % 30 == 0:
                channel = grpc.insecure_channel(self.target,
                                                options=[("own", len(self._channels))])
                self._channels.append(channel)
            self._threads.append(threading.Thread(target=self._run, args=(make_call(channel),),
                                                  daemon=True))
            self._threads[-1].start()

    def _run(self, call):
        while not self._stop.is_set():
            try:
                call()
                code = "OK"
            except grpc.RpcError as error:
                code = error.code().name
                if code == "UNAVAILABLE":
                    return
            with self._lock:
                self.codes[code] = self.codes.get(code, 0) + 1

    def close(self):
        self._stop.set()
        for channel in self._channels:
            channel.close()
        for thread in self._threads:
            thread.join(20)


def raw(channel, path, request):
    """Calls that read their answer as bytes: the caller shares the processors."""
    stub = channel.unary_unary(path, request_serializer=lambda data: data,
                               response_deserializer=lambda data: data)
    data = request.SerializeToString()
    return lambda: stub(data, metadata=fresh_name(), timeout=30)


def sweep(question, targets, tokens=900):
    """A call of SweepAlpha with 16 cells of `tokens` tokens each."""
    request = steering.SweepAlphaRequest(
        prompt=common.Prompt(question=question),
        targets=[common.ConceptRef(name=name) for name in targets[:4]],
        alphas=[0.5, 1, 2, 4],
        generation=generation.GenerationConfig(max_new_tokens=tokens, ignore_eos=True))

    def make(channel):
        stub = channel.unary_stream("/alignsae.v1.SteeringService/SweepAlpha",
                                    request_serializer=lambda data: data,
                                    response_deserializer=lambda data: data)
        data = request.SerializeToString()
        return lambda: sum(1 for _ in stub(data, metadata=fresh_name(), timeout=60))
    return make


def subject_of(api):
    """A question and the concepts' names."""
    rows = api.model.ListConcepts(model.ListConceptsRequest(), timeout=10).checkpoints[0].concepts
    return rows[0].example, [row.name for row in rows]


def inspections(api, tokens, top_k):
    question, _ = subject_of(api)
    answer = api.model.Tokenize(model.TokenizeRequest(text=question), timeout=10)
    ids = ([token.id for token in answer.tokens] * tokens)[:tokens]
    request = readout.InspectSlotsRequest(
        prompt=common.Prompt(token_ids=common.TokenIds(ids=ids)), top_k=top_k)
    return lambda channel: raw(channel, "/alignsae.v1.ConceptService/InspectSlots", request)


def texts():
    request = model.TokenizeRequest(text="a b" * (65536 // 3))
    return lambda channel: raw(channel, "/alignsae.v1.ModelService/Tokenize", request)


# By kind: how many callers of what.
KINDS = {
    "sweeps": lambda api: [(2, sweep(*subject_of(api)))],
    "features and texts": lambda api: [(60, inspections(api, 128, 1000)), (60, texts())],
    "whole contexts": lambda api: [(60, inspections(api, 1000, 0))],
}


def run_as(kind, target):
    """Neighbours of the kind until standard input ends; then how their calls went."""
    neighbours = Neighbours(target)
    for count, make_call in KINDS[kind](Api(grpc.insecure_channel(target))):
        neighbours.add(count, make_call)
    sys.stdin.read()
    codes = dict(neighbours.codes)
    neighbours.close()
    print(json.dumps(codes), flush=True)


class OtherProcess:
    """Neighbours whose interpreter the test does not share."""

    def __init__(self, kind, target):
        self.process = subprocess.Popen([sys.executable, __file__, "--as", kind, target],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self):
        codes, _ = self.process.communicate(timeout=60)
        return json.loads(codes)


class NeighboursTest(unittest.TestCase):
    flags = ()
    bundle = DEMO

    def setUp(self):
        self.server = Server(*self.flags, bundle=self.bundle)
        self.addCleanup(self.server.close)
        self.api = self.server.api()
        self.addCleanup(self.api.close)
        self.question, self.names = subject_of(self.api)

    def swap(self):
        request = steering.SwapRequest(
            prompt=common.Prompt(question=self.question),
            target=common.ConceptRef(name=self.names[1]), alpha=1,
            generation=generation.GenerationConfig(max_new_tokens=8, ignore_eos=True))
        begin = time.monotonic()
        self.api.steering.Swap(request, metadata=fresh_name(), timeout=30)
        return time.monotonic() - begin

    def swaps(self, count=SWAPS):
        return sorted(self.swap() for _ in range(count))

    def in_use(self):
        return self.server.metric("alignsae_kv_slots_in_use")


class SlotsTest(NeighboursTest):
    flags = ("--kv-slots=16",)

    def test_sweeps_leave_slots_to_a_name_that_nobody_knows(self):
        neighbours = Neighbours(self.server.target)
        self.addCleanup(neighbours.close)
        neighbours.add(4, sweep(self.question, self.names, 100))
        self.assertTrue(eventually(lambda: self.in_use() >= 14))
        waits = self.server.metric("alignsae_queue_wait_seconds_count")
        for _ in range(20):
            self.swap()
            self.assertLessEqual(self.in_use(), 16)
        self.assertGreaterEqual(self.server.metric("alignsae_queue_wait_seconds_count"),
                                waits + 40)
        self.assertTrue(eventually(lambda: self.in_use() == 14))


@unittest.skipUnless(LONG, "with --long")
class LatencyTest(NeighboursTest):
    flags = ("--whole-sae",)

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="alignsae-neighbours-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.bundle = pathlib.Path(cls.folder.name) / "bench"
        subprocess.run([BIN / "make_bench_bundle", DEMO, cls.bundle], check=True, timeout=300)

    def beside(self, kind, most):
        self.swaps(5)
        alone = self.swaps()
        neighbours = OtherProcess(kind, self.server.target)
        try:
            self.assertTrue(eventually(lambda: self.in_use() > 0, 30))
            self.swaps(3)
            beside = self.swaps()
        finally:
            codes = neighbours.close()
        median, p95 = statistics.median(alone), beside[int(0.95 * len(beside))]
        print(f"{kind}: alone p50 {median * 1e3:.0f} ms, p95 {alone[47] * 1e3:.0f} ms; beside "
              f"p50 {statistics.median(beside) * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms, max "
              f"{beside[-1] * 1e3:.0f} ms: {p95 / median:.1f}x (at most {most}); theirs "
              f"{codes}", file=sys.stderr, flush=True)
        self.assertLessEqual(p95, most * median)

    def test_beside_two_clients_with_sweeps_of_16_x_900(self):
        self.beside("sweeps", 3)

    def test_beside_60_whole_inspections_and_60_long_texts(self):
        self.beside("features and texts", 5)

    def test_beside_60_inspections_of_whole_contexts(self):
        self.beside("whole contexts", 5)


if __name__ == "__main__":
    if "--as" in sys.argv:
        run_as(*sys.argv[-2:])
        sys.exit(0)
    sys.argv = [arg for arg in sys.argv if arg != "--long"]
    unittest.main(verbosity=2)
