#!/usr/bin/env python3
"""The HTTP/2 attacks of tests/attacks against a server behind Envoy with the shipped
configuration: neither takes more than 200 MiB, newcomers are served throughout, and SIGTERM ends
the server in its promise.

    envoy_attacks_test.py            four connections, three seconds of each
    envoy_attacks_test.py --long     ten seconds of each
"""
import itertools
import sys
import unittest

import envoy_proxy
from alignsae_server import SOURCE, Api, Server, grpc, model
from envoy_proxy import Envoy

sys.path.insert(0, str(SOURCE / "tests/attacks"))
import attack_tools as h2  # noqa: E402
import http2_test  # noqa: E402
from attack_tools import MemoryWatch, Peer, frame, grpc_headers  # noqa: E402

http2_test.SECONDS = 10 if "--long" in sys.argv else 3
http2_test.PEERS = 4
GROWTH_MIB = 200
NEWCOMER_SECONDS = 5
FLAGS = ("--threads=1", "--lame-duck-seconds=0.1", "--drain-seconds=2")


class EnvoyAttacksTest(http2_test.Http2Test):
    """All tests of Http2Test, with bounds on what it only prints."""

    numbers = itertools.count()

    @classmethod
    def setUpClass(cls):
        cls.program = envoy_proxy.binary()

    def setUp(self):
        self.server = Server(*FLAGS, env={"OMP_WAIT_POLICY": "PASSIVE"})
        self.addCleanup(self.server.close)
        self.envoy = Envoy(self.program, [self.server])
        self.addCleanup(self.envoy.close)
        self.port = self.envoy.port
        self.watched = [self.envoy.process.pid, self.server.process.pid]

    def api(self, number):
        return Api(grpc.insecure_channel(self.envoy.target, options=[("new", number)]))

    def check(self, watches, waits):
        self.assertIsNone(self.envoy.process.poll(), self.envoy.log())
        for watch in watches:
            self.assertLessEqual(watch.peak - watch.before, GROWTH_MIB)
        for wait in waits:
            self.assertIsNotNone(wait, "a newcomer was not served")
            self.assertLess(wait, NEWCOMER_SECONDS)

    def test_streams_that_nobody_reads(self):
        """Window 0: answers that are not taken lie somewhere, and not without bound."""
        request = model.TokenizeRequest(text="a b " * 8000)

        def calls(peer):
            peer.next_stream += 2
            return b"".join((
                frame(h2.HEADERS, h2.END_HEADERS, peer.next_stream - 2,
                      grpc_headers("/alignsae.v1.ModelService/Tokenize")),
                *(frame(h2.DATA, 0, peer.next_stream - 2, h2.message(request)[at:at + 16384])
                  for at in range(0, len(h2.message(request)), 16384)),
                frame(h2.DATA, h2.END_STREAM, peer.next_stream - 2)))
        self.pour("unread", calls, window=0)

    def test_headers_that_are_too_large_or_too_many(self):
        for name, more in (("40 KB", [("x-a", "a" * 40000)]),
                           ("many", [(f"x-{i}", "a") for i in range(5000)])):
            block = grpc_headers(http2_test.TOKENIZE, more)

            def headers(peer, block=block):
                stream = peer.next_stream
                peer.next_stream += 2
                data = frame(h2.HEADERS, 0, stream, block[:16384])
                rest = range(16384, len(block), 16384)
                for at in rest:
                    data += frame(h2.CONTINUATION, h2.END_HEADERS if at == rest[-1] else 0, stream,
                                  block[at:at + 16384])
                return data
            self.pour(name, headers, acknowledge=False)

    def test_more_streams_than_are_allowed(self):
        """20,000 half open ones on one connection that never acknowledges the limit."""
        with MemoryWatch(self.envoy.process.pid) as watch:
            peer = Peer(self.port, acknowledge=False)
            try:
                for i in range(20000):
                    peer.send(frame(h2.HEADERS, h2.END_HEADERS, 2 * i + 1,
                                    grpc_headers(http2_test.TOKENIZE)))
            except OSError:  # Envoy has closed it.
                pass
            took = self.ask(NEWCOMER_SECONDS)
            peer.close()
        self.assertIsNotNone(took)
        self.assertLessEqual(watch.peak - watch.before, GROWTH_MIB)


if __name__ == "__main__":
    sys.argv = [arg for arg in sys.argv if arg != "--long"]
    unittest.main(verbosity=2)
