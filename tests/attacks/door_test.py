#!/usr/bin/env python3
"""Peers that mean harm at the front door: heads and bodies that drip, connections that say
nothing, chunks of impossible sizes, requests sent ahead without end, bodies that inflate.

While they are there an honest client is served; afterwards nothing is held.

    door_test.py                the short form
    door_test.py --long         ten times as many, as tests/run.sh --long does
"""
import gzip
import http.client
import json
import select
import socket
import sys
import time
import unittest

from attack_tools import MemoryWatch, resident_mib
from alignsae_server import Server, eventually

LONG = "--long" in sys.argv
TIMES = 10 if LONG else 1
REQUEST_SECONDS = 2
PATH = "/alignsae.v1.ModelService/Tokenize"


def head(length=None, more=()):
    lines = [f"POST {PATH} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *more]
    lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def ask(body, more=()):
    return head(len(body), more) + body


class DoorAttacks(unittest.TestCase):
    def setUp(self):
        self.server = Server("--http-listen=127.0.0.1:0",
                             f"--http-request-seconds={REQUEST_SECONDS}",
                             "--http-max-connections=128")
        self.addCleanup(self.server.close)
        for _ in range(20):  # What is made at the first use is there.
            self.honest()
        self.assertTrue(eventually(lambda: self.held()["call_memory_bytes"] == 0))
        self.before = self.held()
        self.resident = resident_mib(self.server.process.pid)
        self.peers = []

    def tearDown(self):
        for peer in self.peers:
            peer.close()
        self.assertIsNone(self.server.process.poll(), self.server.log())
        if not eventually(self.is_as_before, 20):
            self.assertEqual(self.held(), self.before)
        self.assertLess(self.honest(), 2)
        self.assertLess(resident_mib(self.server.process.pid) - self.resident, 48)
        self.assertNotIn("level=error", self.server.log())

    def held(self):
        return {name: self.server.metric(f"alignsae_{name}")
                for name in ("rpc_in_flight", "call_memory_bytes", "kv_slots_in_use",
                             "queue_depth")} | {
                                 "descriptors": self.server.metric("process_open_fds")}

    def is_as_before(self):
        """A scrape more or less may be open."""
        held = self.held()
        return abs(held["descriptors"] - self.before["descriptors"]) <= 3 and all(
            held[name] == value for name, value in self.before.items() if name != "descriptors")

    def honest(self):
        """Seconds that one call takes, over a connection of its own."""
        begin = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=20)
        connection.request("POST", PATH, '{"text": "abc"}', {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        self.assertEqual(answer.status, 200, body)
        self.assertTrue(json.loads(body)["tokens"])
        return time.monotonic() - begin

    def peer(self, bytes_=b""):
        peer = socket.create_connection(("127.0.0.1", self.server.http_port), timeout=20)
        self.peers.append(peer)
        peer.sendall(bytes_)
        return peer

    def drip(self, peers, bytes_, seconds, every=0.1):
        """A byte of `bytes_` to each peer now and then; the worst time of an honest call."""
        worst, at, end = 0, 0, time.monotonic() + seconds
        left = list(peers)
        while time.monotonic() < end:
            for peer in list(left):
                try:
                    peer.send(bytes_[at % len(bytes_):][:1])
                except OSError:
                    left.remove(peer)
            at += 1
            worst = max(worst, self.honest())
            time.sleep(every)
        return worst

    def refusals(self, reason):
        return self.server.metric("alignsae_http_refused_total", reason=reason)

    def assertEnded(self, peers):
        """The server has ended every one of these connections."""
        end = time.monotonic() + 20
        for peer in peers:
            peer.settimeout(max(0.1, end - time.monotonic()))
            try:
                while peer.recv(65536):
                    pass
            except ConnectionError:
                pass  # Ended, with something of ours unread.

    def test_heads_that_drip_end_in_time_and_hold_nobody_up(self):
        before = self.refusals("time")
        peers = [self.peer(b"POST ") for _ in range(100)]
        worst = self.drip(peers, b"/x HTTP/1.1\r\nA: b\r\n", REQUEST_SECONDS + 1)
        self.assertLess(worst, 2)
        self.assertEnded(peers)
        self.assertGreaterEqual(self.refusals("time") - before, 100)

    def test_bodies_that_drip_end_in_time_and_hold_nobody_up(self):
        # Those in chunks may become as large as a body may be, and not all have room.
        def refused():
            return self.refusals("time") + self.refusals("memory")
        before = refused()
        peers = [self.peer(head(60000)) for _ in range(50)]
        peers += [self.peer(head(None) + b"ea60\r\n") for _ in range(50)]
        worst = self.drip(peers, b" ", REQUEST_SECONDS + 1)
        self.assertLess(worst, 2)
        self.assertEnded(peers)
        self.assertGreaterEqual(refused() - before, 100)

    def test_bodies_that_never_come_hold_no_more_than_the_budget(self):
        before = self.refusals("memory")
        peers = [self.peer(head(1 << 20)) for _ in range(120)]
        self.assertTrue(eventually(lambda: self.refusals("memory") - before >= 50))
        # A quarter of --call-memory-mib is for requests, three quarters of it for one host.
        self.assertLessEqual(self.server.metric("alignsae_call_memory_bytes"), 48 << 20)
        self.assertEnded(peers)

    def test_silent_connections_make_room(self):
        for _ in range(1000 * TIMES):
            self.peer()
            if len(self.peers) > 500:
                self.peers.pop(0).close()
        worst = max(self.honest() for _ in range(20))
        self.assertLess(worst, 2)

    def test_chunks_of_impossible_sizes_are_refused(self):
        sizes = [b"ffffffffffffffff", b"fffffffffffffff", b"7fffffffffffffff", b"100001", b"-1",
                 b"0x10", b"", b" ", b"1" * 300, b"+5", b"5 5", b"\xff", b"g"]
        for size in sizes:
            with self.subTest(size):
                peer = self.peer(head(None) + size + b"\r\n{}\r\n0\r\n\r\n")
                answer = peer.recv(65536)
                self.assertRegex(answer.split(b"\r\n")[0], rb"^HTTP/1.1 4(00|13) ")
                self.assertEnded([peer])
        # Frames without end around nothing.
        peer = self.peer(head(None))
        try:
            for _ in range(200 * TIMES):
                peer.sendall(b"1;" + b"x" * 200 + b"\r\n \r\n")
        except OSError:
            pass
        trailers = self.peer(head(None) + b"2\r\n{}\r\n0\r\n")
        try:
            for _ in range(200):
                trailers.sendall(b"A: " + b"b" * 100 + b"\r\n")
        except OSError:
            pass
        self.assertEnded([trailers, peer])

    def test_requests_sent_ahead_are_answered_in_turn(self):
        texts = [f"text {i}" for i in range(100)]
        peer = self.peer(b"".join(ask(json.dumps({"text": text}).encode(), (f"X-Request-Id: {i}",))
                                  for i, text in enumerate(texts)))
        reader = peer.makefile("rb")
        for i in range(len(texts)):
            self.assertEqual(reader.readline(), b"HTTP/1.1 200 OK\r\n")
            headers = http.client.parse_headers(reader)
            self.assertEqual(headers["x-request-id"], str(i))
            self.assertTrue(json.loads(reader.read(int(headers["content-length"])))["tokens"])

    def test_requests_sent_ahead_whose_answers_nobody_takes(self):
        many = ask(json.dumps({"text": "a b " * 2000}).encode()) * 200
        with MemoryWatch(self.server.process.pid) as watch:
            for _ in range(20):
                peer = self.peer()
                peer.setblocking(False)
                sent = 0
                while sent < len(many):
                    _, writable, _ = select.select([], [peer], [], 0.05)
                    if not writable:
                        break
                    try:
                        sent += peer.send(many[sent:sent + 65536])
                    except OSError:
                        break
            self.assertLess(self.honest(), 2)
            time.sleep(1)
        self.assertLess(watch.peak - watch.before, 64)

    def test_bodies_that_inflate_are_given_up_at_the_limit(self):
        bomb = gzip.compress(bytes(128 << 20))
        with MemoryWatch(self.server.process.pid) as watch:
            peers = [self.peer() for _ in range(40)]
            for peer in peers:
                peer.sendall(ask(bomb, ("Content-Encoding: gzip",)))
            for peer in peers:
                self.assertRegex(peer.recv(65536).split(b"\r\n")[0], rb"^HTTP/1.1 4(00|29) ")
            self.assertLess(self.honest(), 2)
        self.assertLess(watch.peak - watch.before, 150)


if __name__ == "__main__":
    sys.argv = [arg for arg in sys.argv if arg != "--long"]
    unittest.main(verbosity=2)
