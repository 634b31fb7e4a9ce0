#!/usr/bin/env python3
"""Peers that misuse HTTP/2. What gRPC 1.51 bounds is asserted: the server lives, serves
afterwards and ends in its time. What it does not bound (memory and newcomers while frames
pour in) is measured and printed: that is what a proxy in front is for (server/README.md).

    http2_test.py                   the short form: half a second of each
    http2_test.py --long            ten seconds of each, four connections
"""
import contextlib
import itertools
import struct
import sys
import threading
import time
import unittest

import attack_tools as h2
from attack_tools import MemoryWatch, Peer, resident_mib
from alignsae_server import Server, eventually, grpc, health, model

LONG = "--long" in sys.argv
SECONDS = 10 if LONG else 0.5
PEERS = 4 if LONG else 1
TOKENIZE = "/alignsae.v1.ModelService/Tokenize"


class Http2Test(unittest.TestCase):
    numbers = itertools.count()

    def setUp(self):
        self.server = Server("--lame-duck-seconds=0.1", "--drain-seconds=2")
        self.addCleanup(self.server.close)
        self.port = self.server.grpc_port
        self.watched = [self.server.process.pid]

    def api(self, number):
        return self.server.api(new=number)

    def check(self, watches, waits):
        """What else holds after an attack; `waits`: seconds that newcomers waited, None for ever.
        Behind a proxy there is more (tests/interop/envoy_attacks_test.py)."""

    def ask(self, seconds):
        """Seconds that a newcomer's call took; None: no answer."""
        api = self.api(next(self.numbers))
        begin = time.monotonic()
        try:
            api.model.Tokenize(model.TokenizeRequest(text="abc"), timeout=seconds)
            return time.monotonic() - begin
        except grpc.RpcError:
            return None
        finally:
            api.close()

    def pour(self, name, make, **peers):
        """`make(peer)` gives the bytes to send next, again and again on every connection."""
        stop = threading.Event()
        sent = [0] * PEERS

        def run(i):
            while not stop.is_set():
                try:
                    peer = Peer(self.port, **peers)
                except OSError:
                    continue
                try:
                    while not stop.is_set():
                        data = make(peer)
                        peer.send(data)
                        peer.drain()
                        sent[i] += len(data)
                except OSError:  # The server has closed it.
                    pass
                peer.close()

        threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(PEERS)]
        waits = []
        watches = [MemoryWatch(pid) for pid in self.watched]
        with contextlib.ExitStack() as stack:
            for watch in watches:
                stack.enter_context(watch)
            for thread in threads:
                thread.start()
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                waits.append(self.ask(20))
            stop.set()
            for thread in threads:
                thread.join(30)
            after = self.ask(30)
        answered = [wait for wait in waits if wait is not None]
        memory = ", ".join(f"{watch.before:.0f} to {watch.peak:.0f} MiB, now "
                           f"{resident_mib(watch.pid):.0f}" for watch in watches)
        print(f"{name}: {sum(sent) >> 20} MiB in {SECONDS} s, RSS {memory}; newcomers "
              f"{len(answered)} of {len(waits)}, slowest "
              f"{max(answered, default=float('nan')):.2f} s, afterwards "
              f"{after if after is None else round(after, 2)} s",
              file=sys.stderr, flush=True)
        self.assertIsNone(self.server.process.poll())
        self.assertIsNotNone(after)
        self.check(watches, waits)

    def assertEndsInTime(self):
        begin = time.monotonic()
        self.server.terminate()
        self.server.process.wait(timeout=60)
        took = time.monotonic() - begin
        print(f"SIGTERM: {took:.1f} s", file=sys.stderr, flush=True)
        self.assertLess(took, 0.1 + 2 + 5 + 1)

    def test_rapid_reset(self):
        headers = h2.grpc_headers(TOKENIZE)

        def resets(peer):
            data = b""
            for _ in range(200):
                stream = peer.next_stream
                peer.next_stream += 2
                data += h2.frame(h2.HEADERS, h2.END_HEADERS, stream, headers)
                data += h2.frame(h2.RST_STREAM, 0, stream, struct.pack(">I", 8))
            return data
        self.pour("rapid reset", resets)
        self.assertEndsInTime()

    def test_continuation_without_end(self):
        block = h2.literal("x-a", "a" * 16000)

        def frames(peer):
            if peer.next_stream == 1:
                peer.next_stream = 3
                return h2.frame(h2.HEADERS, 0, 1, h2.grpc_headers(TOKENIZE))
            return h2.frame(h2.CONTINUATION, 0, 1, block) * 8
        self.pour("CONTINUATION", frames)
        self.assertEndsInTime()

    def test_window_updates(self):
        update = h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 1000
        self.pour("WINDOW_UPDATE", lambda peer: update)

    def test_settings_and_pings(self):
        frames = (h2.frame(h2.SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) +
                  h2.frame(h2.PING, 0, 0, b"12345678")) * 500
        self.pour("SETTINGS and PING", lambda peer: frames)

    def test_streams_that_are_half_open(self):
        peers = [Peer(self.port) for _ in range(100 if LONG else 10)]
        with MemoryWatch(self.watched[0]) as watch:
            for peer in peers:
                with contextlib.suppress(OSError):  # More streams than are allowed.
                    for _ in range(128):
                        peer.send(h2.frame(h2.HEADERS, h2.END_HEADERS, peer.next_stream,
                                           h2.grpc_headers(TOKENIZE)))
                        peer.next_stream += 2
            took = self.ask(5)
            time.sleep(0.2)
        print(f"half open: {128 * len(peers)} streams, RSS {watch.before:.0f} to "
              f"{watch.peak:.0f} MiB, a newcomer {took:.2f} s", file=sys.stderr, flush=True)
        self.assertIsNotNone(took)
        self.check([watch], [took])
        for peer in peers:
            peer.close()

    def test_watches_of_invented_names_leave_a_place(self):
        api = self.api(next(self.numbers))
        self.addCleanup(api.close)
        invented = [api.health.Watch(health.HealthCheckRequest(service=f"no-{i}"))
                    for i in range(300)]
        own = self.api(next(self.numbers))
        self.addCleanup(own.close)
        honest = own.health.Watch(health.HealthCheckRequest(service="readiness"), timeout=10)
        self.assertEqual(next(honest).status, health.HealthCheckResponse.SERVING)
        for watch in [honest, *invented]:
            watch.cancel()
        self.assertTrue(eventually(lambda: self.ask(5) is not None))


if __name__ == "__main__":
    sys.argv = [arg for arg in sys.argv if arg != "--long"]
    unittest.main(verbosity=2)
