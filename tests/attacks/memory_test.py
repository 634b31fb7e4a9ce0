#!/usr/bin/env python3
"""Answers that nobody takes, or not fast enough, hold no more memory than the budget.

    memory_test.py              the short form
    memory_test.py --long       480 calls, and 25,000 of ListConcepts, as tests/run.sh --long does
"""
import collections
import sys
import threading
import time
import unittest

from attack_tools import MemoryWatch, Peer, resident_mib
from alignsae_server import Server, eventually, grpc, model

LONG = "--long" in sys.argv
CALLS = 480 if LONG else 160
TEXT = "a b" * (65536 // 3)  # Nearly a token for each byte.
TOKENIZE = "/alignsae.v1.ModelService/Tokenize"
LIST = "/alignsae.v1.ModelService/ListConcepts"


class MemoryTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)
        api = self.server.api()
        self.addCleanup(api.close)
        api.model.Tokenize(model.TokenizeRequest(text="warm"), timeout=10)
        self.api = api

    def assertServes(self):
        self.assertIsNone(self.server.process.poll())
        self.assertTrue(eventually(self.serves, 20))

    def serves(self):
        try:
            answer = self.api.model.Tokenize(model.TokenizeRequest(text="abc"), timeout=5,
                                             metadata=[("x-client-id", "another")])
            return len(answer.tokens) > 0
        except grpc.RpcError:
            return False

    def report(self, name, watch, **more):
        print(f"{name}: RSS {watch.before:.0f} MiB, peak {watch.peak:.0f} MiB, "
              f"at the end {resident_mib(watch.pid):.0f} MiB", more,
              file=sys.stderr, flush=True)

    def test_a_client_that_reads_gets_an_answer_or_a_refusal_for_each_call(self):
        codes = collections.Counter()
        reasons = set()
        lock = threading.Lock()
        channels = [grpc.insecure_channel(self.server.target, options=[("n", i)])
                    for i in range(4)]
        stubs = [type(self.api)(channel) for channel in channels]
        left = threading.Semaphore(0)

        def ended(call):
            with lock:
                codes[call.code().name] += 1
                if call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                    reasons.update(key for key, _ in call.trailing_metadata())
            left.release()

        with MemoryWatch(self.server.process.pid) as watch:
            calls = []
            for i in range(CALLS):
                call = stubs[i % 4].model.Tokenize.future(
                    model.TokenizeRequest(text=TEXT), timeout=50)
                call.add_done_callback(ended)
                calls.append(call)
            for _ in range(CALLS):
                self.assertTrue(left.acquire(timeout=60))
        back = watch.back_within(60, growth=1.25)  # Its connections are still open.
        self.report("reading client", watch, codes=dict(codes), back=back)
        for channel in channels:
            channel.close()
        self.assertLessEqual(set(codes), {"OK", "RESOURCE_EXHAUSTED"})
        self.assertGreater(codes["OK"], CALLS // 2)
        if reasons:
            self.assertIn("grpc-retry-pushback-ms", reasons)
        self.assertLess(watch.peak, 1024)
        self.assertIsNotNone(back)
        self.assertServes()

    def unread(self, name, peers, calls, path, request):
        with MemoryWatch(self.server.process.pid) as watch:
            open_peers = [Peer(self.server.grpc_port, window=0) for _ in range(peers)]
            for i in range(calls):
                open_peers[i % peers].call(path, request)
                if i % 64 == 0:
                    for peer in open_peers:
                        peer.drain()
            time.sleep(2)
            # An honest client of another name is served meanwhile.
            self.assertServes()
            back = watch.back_within(60)
        self.report(name, watch, back=back,
                    held=self.server.metric("alignsae_call_memory_bytes"))
        self.assertLess(watch.peak, 1024)
        self.assertIsNotNone(back)  # While the peers are still there.
        self.assertTrue(eventually(
            lambda: self.server.metric("alignsae_call_memory_bytes") == 0, 20))
        for peer in open_peers:
            peer.close()
        self.assertServes()

    def test_tokenize_that_nobody_reads(self):
        self.unread("unread Tokenize", 4, CALLS, TOKENIZE, model.TokenizeRequest(text=TEXT))

    def test_list_concepts_that_nobody_reads(self):
        self.unread("unread ListConcepts", 200 if LONG else 20, 25000 if LONG else 2000, LIST,
                    model.ListConceptsRequest())


if __name__ == "__main__":
    sys.argv = [arg for arg in sys.argv if arg != "--long"]
    unittest.main(verbosity=2)
