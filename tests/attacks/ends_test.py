#!/usr/bin/env python3
"""How the server ends: nobody is told CANCELLED, it ends in its time whatever its peers and
its log's reader do, and signals that are no end are none.

    ends_test.py                    the short form: one drain
    ends_test.py --long             ten drains, 40 callers
"""
import collections
import os
import signal
import sys
import threading
import time
import unittest

import attack_tools  # noqa: F401  Finds the package below.
from alignsae_server import Server, common, eventually, generation, grpc, model, steering

LONG = "--long" in sys.argv
CALLERS = 40 if LONG else 16


class EndsTest(unittest.TestCase):
    def drain(self):
        """Callers that call on and on, on channels that connect anew, while it drains."""
        server = Server("--lame-duck-seconds=0.5", "--drain-seconds=10")
        self.addCleanup(server.close)
        api = server.api()
        question = api.model.ListConcepts(model.ListConceptsRequest(), timeout=10
                                          ).checkpoints[0].concepts[0].example
        api.close()
        request = steering.CompleteRequest(
            prompt=common.Prompt(question=question),
            generation=generation.GenerationConfig(max_new_tokens=20, ignore_eos=True))
        codes, lock = collections.Counter(), threading.Lock()
        stop = threading.Event()

        def call_on(i):
            own = server.api(own=i)
            while not stop.is_set():
                try:
                    own.steering.Complete(request, timeout=20,
                                          metadata=[("x-client-id", str(i))])
                    code = "OK"
                except grpc.RpcError as error:
                    code = error.code().name
                with lock:
                    codes[code] += 1
                if code == "UNAVAILABLE":
                    time.sleep(0.01)
            own.close()

        threads = [threading.Thread(target=call_on, args=(i,)) for i in range(CALLERS)]
        for thread in threads:
            thread.start()
        self.assertTrue(eventually(lambda: codes["OK"] > 2 * CALLERS))
        begin = time.monotonic()
        server.terminate()
        self.assertEqual(server.process.wait(timeout=20), 0)
        took = time.monotonic() - begin
        time.sleep(0.2)  # Some calls come after the end, too.
        stop.set()
        for thread in threads:
            thread.join()
        print(f"drain: {dict(codes)} in {took:.1f} s", file=sys.stderr, flush=True)
        self.assertLessEqual(set(codes), {"OK", "UNAVAILABLE"})
        self.assertGreater(codes["UNAVAILABLE"], 0)

    def test_a_drain_tells_nobody_cancelled(self):
        for _ in range(10 if LONG else 1):
            self.drain()

    def test_sigterm_while_it_loads_ends_it_within_a_second(self):
        for wait in (0, 0.05, 0.2, 0.5) if LONG else (0.1,):
            server = Server(wait=False)
            self.addCleanup(server.close)
            # Its handlers are there once the ports are.
            self.assertTrue(eventually(server.port_file.exists))
            time.sleep(wait)
            loading = server._read_ports() and server.http("/readyz")[0] != 200
            begin = time.monotonic()
            server.terminate()
            code = server.process.wait(timeout=20)
            took = time.monotonic() - begin
            print(f"SIGTERM {wait} s after the ports: exit {code} in {took:.2f} s, "
                  f"{'loading' if loading else 'ready'}", file=sys.stderr, flush=True)
            if loading:
                self.assertEqual(code, 0)
                self.assertLess(took, 1)

    @unittest.skipUnless(LONG, "with --long")
    def test_killed_under_load_it_serves_again_as_soon_as_it_has_started(self):
        begin = time.monotonic()
        server = Server()
        cold = time.monotonic() - begin
        for _ in range(20):
            api = server.api()
            calls = [api.model.Tokenize.future(model.TokenizeRequest(text="a b" * 5000),
                                               timeout=10) for _ in range(32)]
            server.process.kill()
            server.process.wait()
            server.directory.cleanup()
            for call in calls:
                self.assertIn(call.code(), (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE))
            api.close()
            begin = time.monotonic()
            server = Server()
            took = time.monotonic() - begin
            print(f"killed: serves after {took:.1f} s, cold start {cold:.1f} s",
                  file=sys.stderr, flush=True)
            self.assertLess(took, cold + 2)
        server.close()

    def test_hup_and_usr1_change_nothing(self):
        server = Server()
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        for sent in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP):
            server.process.send_signal(sent)
            api.model.Tokenize(model.TokenizeRequest(text="abc"), timeout=5)
        self.assertIsNone(server.process.poll())

    def test_a_log_that_nobody_reads_stalls_neither_calls_nor_the_end(self):
        read, write = os.pipe()
        server = Server("--lame-duck-seconds=0.1", "--drain-seconds=2", stderr=write)
        self.addCleanup(os.close, read)
        self.addCleanup(server.close)
        os.close(write)
        api = server.api()
        # 64 KiB of a pipe hold some 370 lines.
        for _ in range(2000 if LONG else 600):
            api.model.Tokenize(model.TokenizeRequest(text="abc"), timeout=5)
        self.assertEqual(server.http("/readyz")[0], 200)
        self.assertTrue(eventually(
            lambda: server.metric("alignsae_log_lines_dropped_total") >= 0))
        api.close()
        begin = time.monotonic()
        server.terminate()
        self.assertEqual(server.process.wait(timeout=20), 0)
        self.assertLess(time.monotonic() - begin, 0.1 + 2 + 5)


if __name__ == "__main__":
    sys.argv = [arg for arg in sys.argv if arg != "--long"]
    unittest.main(verbosity=2)
