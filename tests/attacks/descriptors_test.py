#!/usr/bin/env python3
"""More connections than the process may have descriptors, at either port: the others go on,
and once they are gone newcomers are served within a second.

    descriptors_test.py             256 descriptors, 512 connections
    descriptors_test.py --long      1024 and 2048, five times
"""
import itertools
import socket
import sys
import time
import unittest

import attack_tools  # noqa: F401  Finds the package below.
from alignsae_server import Server, grpc, model

LONG = "--long" in sys.argv
DESCRIPTORS = 1024 if LONG else 256
ROUNDS = 5 if LONG else 1


def ask(api, seconds=5):
    return api.model.Tokenize(model.TokenizeRequest(text="abc"), timeout=seconds).tokens


class DescriptorsTest(unittest.TestCase):
    numbers = itertools.count()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(prefix=["prlimit", f"--nofile={DESCRIPTORS // 2}:{DESCRIPTORS}"])
        cls.addClassCleanup(cls.server.close)
        cls.api = cls.server.api()
        cls.addClassCleanup(cls.api.close)
        ask(cls.api)

    def flood(self, port):
        """2 x as many connections as there are descriptors; those that the server closes stay
        open here."""
        sockets = []
        for _ in range(2 * DESCRIPTORS):
            one = socket.socket()
            one.settimeout(2)
            try:
                one.connect(("127.0.0.1", port))
            except OSError:  # Its queue is full.
                pass
            sockets.append(one)
        return sockets

    def assertHolds(self, port):
        for _ in range(ROUNDS):
            sockets = self.flood(port)
            self.assertTrue(ask(self.api))  # A channel that was there goes on.
            for one in sockets:
                one.close()
            begin = time.monotonic()
            newcomer = self.server.api(new=next(self.numbers))
            self.assertTrue(ask(newcomer))
            took = time.monotonic() - begin
            newcomer.close()
            self.assertEqual(self.server.http("/readyz")[0], 200)
            print(f"a newcomer after {2 * DESCRIPTORS} connections: {took:.3f} s",
                  file=sys.stderr, flush=True)
            self.assertLess(took, 1)

    def test_the_limit_is_raised_as_far_as_it_may_be(self):
        with open(f"/proc/{self.server.process.pid}/limits") as limits:
            line = next(line for line in limits if line.startswith("Max open files"))
        self.assertEqual(line.split()[3:5], [str(DESCRIPTORS)] * 2)

    def test_a_flood_at_the_grpc_port(self):
        self.assertHolds(self.server.grpc_port)

    def test_a_flood_at_the_admin_port(self):
        self.assertHolds(self.server.admin_port)

    def test_the_admin_port_answers_during_a_flood_at_the_grpc_port(self):
        sockets = self.flood(self.server.grpc_port)
        self.assertEqual(self.server.http("/readyz")[0], 200)
        self.assertIn("alignsae_", self.server.http("/metrics")[1])
        for one in sockets:
            one.close()

    def test_one_too_many_is_told_to_come_back(self):
        sockets = self.flood(self.server.grpc_port)
        newcomer = self.server.api(new=next(self.numbers))
        with self.assertRaises(grpc.RpcError) as refused:
            ask(newcomer, 3)
        newcomer.close()
        for one in sockets:
            one.close()
        self.assertEqual(refused.exception.code(), grpc.StatusCode.UNAVAILABLE)


if __name__ == "__main__":
    sys.argv = [arg for arg in sys.argv if arg != "--long"]
    unittest.main(verbosity=2)
