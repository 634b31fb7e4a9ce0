#!/usr/bin/env python3
"""Peers of the admin port that drip, idle and ask for many ranges: probes and scrapes are
answered within a second.

    admin_test.py                   the short form
    admin_test.py --long            for 30 s, with 1,000 idle connections
"""
import socket
import sys
import threading
import time
import unittest
import urllib.request

from attack_tools import MemoryWatch
from alignsae_server import Server

LONG = "--long" in sys.argv


class AdminTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)

    def assertAnswers(self, times):
        for _ in range(times):
            for path in ("/readyz", "/metrics"):
                begin = time.monotonic()
                self.assertEqual(self.server.http(path)[0], 200)
                self.assertLess(time.monotonic() - begin, 1)

    def connect(self):
        one = socket.create_connection(("127.0.0.1", self.server.admin_port), timeout=2)
        self.addCleanup(one.close)
        return one

    def test_beside_sockets_that_drip(self):
        stop = threading.Event()

        def drip():
            # A byte now and then, and a new connection when the server has closed one.
            while not stop.is_set():
                one = socket.create_connection(("127.0.0.1", self.server.admin_port), timeout=2)
                try:
                    for byte in b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 1000:
                        one.sendall(bytes([byte]))
                        if stop.wait(0.05):
                            break
                except OSError:
                    pass
                one.close()

        threads = [threading.Thread(target=drip) for _ in range(16 if LONG else 8)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + (30 if LONG else 1)
        while time.monotonic() < end:
            self.assertAnswers(5)
        stop.set()
        for thread in threads:
            thread.join()

    def test_beside_idle_connections(self):
        idle = [self.connect() for _ in range(1000 if LONG else 200)]
        self.assertAnswers(20 if LONG else 5)
        for one in idle:
            one.close()

    def test_ranges_are_not_heard(self):
        whole = self.server.http("/metrics")[1]
        with MemoryWatch(self.server.process.pid) as watch:
            for _ in range(6):
                request = urllib.request.Request(
                    f"http://127.0.0.1:{self.server.admin_port}/metrics",
                    headers={"Range": "bytes=" + ",".join(["0-"] * 700)})
                with urllib.request.urlopen(request, timeout=5) as answer:
                    self.assertEqual(answer.status, 200)
                    self.assertLess(len(answer.read()), 2 * len(whole))
        self.assertLess(watch.peak, watch.before + 16)


if __name__ == "__main__":
    sys.argv = [arg for arg in sys.argv if arg != "--long"]
    unittest.main(verbosity=2)
