#!/usr/bin/env python3
"""Mixed load for long: all kinds of calls, cancels, deadlines that are too short, clients that
crash. Nothing unexpected is answered, and descriptors, threads and memory stay where they are.

    soak_test.py                    the short form: ten seconds, memory is only printed
    soak_test.py --long [MINUTES]   30 minutes: in the second half the resident memory grows
                                    by at most 0.1 MiB a minute
    --callers N                     so many callers, each with a call at a time (8)
"""
import argparse
import collections
import os
import pathlib
import random
import socket
import struct
import sys
import threading
import time
import unittest

from attack_tools import Peer, resident_mib
from alignsae_server import Server, common, generation, grpc, model, steering, swap_edit
from alignsae_server import concept as readout

PARSER = argparse.ArgumentParser()
PARSER.add_argument("--long", nargs="?", type=float, const=30)
PARSER.add_argument("--callers", type=int, default=8)
OPTIONS = PARSER.parse_args()
LONG = OPTIONS.long is not None
SECONDS = 60 * OPTIONS.long if LONG else 10
CALLERS = OPTIONS.callers
EXPECTED = {"OK", "CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}


class Caller(threading.Thread):
    """Makes calls of all kinds, one after the other, with a few names."""

    def __init__(self, server, question, names, seed):
        super().__init__(daemon=True)
        self.server, self.random = server, random.Random(seed)
        self.codes, self.unexpected = collections.Counter(), set()
        self.stop = threading.Event()
        prompt = common.Prompt(question=question)
        first, second = (common.ConceptRef(name=name) for name in names[:2])
        short = generation.GenerationConfig(max_new_tokens=8, ignore_eos=True)
        long = generation.GenerationConfig(max_new_tokens=100, ignore_eos=True)
        steer, know, about = ("/alignsae.v1." + service + "Service/"
                              for service in ("Steering", "Concept", "Model"))
        self.calls = [
            (8, steer + "Swap", steering.SwapRequest(prompt=prompt, target=second,
                                                     generation=short), False),
            (4, steer + "Complete", steering.CompleteRequest(prompt=prompt, generation=long),
             False),
            (4, steer + "Generate", steering.GenerateRequest(
                prompt=prompt, generation=long,
                interventions=[swap_edit(names[0], names[1])]), True),
            (1, steer + "SweepAlpha", steering.SweepAlphaRequest(
                prompt=prompt, targets=[first, second], alphas=[1, 2, 4], generation=short),
             True),
            (4, know + "ReadConcepts", readout.ReadConceptsRequest(prompts=[prompt] * 8), False),
            (2, know + "InspectSlots", readout.InspectSlotsRequest(prompt=prompt), False),
            (2, about + "Tokenize", model.TokenizeRequest(text="a b" * 2000), False),
            (1, about + "ListConcepts", model.ListConceptsRequest(include_evaluation=True),
             False),
            (1, about + "GetModel", model.GetModelRequest(), False)]

    def run(self):
        channel = self.connect()
        while not self.stop.is_set():
            if self.random.random() < 0.01:
                channel.close()
                channel = self.connect()
            if self.random.random() < 0.01:
                self.crash()
            self.codes[self.call(channel)] += 1
        channel.close()

    def connect(self):
        return grpc.insecure_channel(self.server.target,
                                     options=[("own", self.random.randrange(1 << 30))])

    def crash(self):
        """A client that is gone in the middle of a call."""
        peer = Peer(self.server.grpc_port)
        _, path, request, _ = self.random.choice(self.calls)
        peer.call(path, request)
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    def call(self, channel):
        _, path, request, streams = self.random.choices(
            self.calls, [weight for weight, *_ in self.calls])[0]
        make = channel.unary_stream if streams else channel.unary_unary
        stub = make(path, request_serializer=lambda data: data,
                    response_deserializer=lambda data: data)
        kind = self.random.random()
        timeout = self.random.uniform(0.001, 0.05) if kind < 0.05 else 20
        metadata = [("x-client-id", f"team-{self.random.randrange(6)}")]
        try:
            if streams:
                answer = stub(request.SerializeToString(), timeout=timeout, metadata=metadata)
                for count, _ in enumerate(answer):
                    if kind > 0.8 and count > 20:
                        answer.cancel()
            else:
                future = stub.future(request.SerializeToString(), timeout=timeout,
                                     metadata=metadata)
                if kind > 0.95:
                    time.sleep(self.random.uniform(0, 0.02))
                    future.cancel()
                future.result()
            return "OK"
        except grpc.FutureCancelledError:
            return "CANCELLED"
        except grpc.RpcError as error:
            if error.code().name not in EXPECTED:
                self.unexpected.add((path, error.code().name, error.details()))
            return error.code().name


def slope(samples):
    """Least squares of (seconds, MiB), in MiB a minute."""
    n = len(samples)
    mean_t = sum(t for t, _ in samples) / n
    mean_m = sum(m for _, m in samples) / n
    return 60 * (sum((t - mean_t) * (m - mean_m) for t, m in samples) /
                 sum((t - mean_t) ** 2 for t, _ in samples))


class SoakTest(unittest.TestCase):
    def test_it_stays_as_it_is(self):
        server = Server()
        self.addCleanup(server.close)
        api = server.api()
        rows = api.model.ListConcepts(model.ListConceptsRequest(), timeout=10
                                      ).checkpoints[0].concepts
        api.close()
        callers = [Caller(server, rows[0].example, [row.name for row in rows], seed)
                   for seed in range(CALLERS)]
        for caller in callers:
            caller.start()
        pid, begin = server.process.pid, time.monotonic()
        samples, threads, descriptors = [], [], []
        told = begin
        while time.monotonic() - begin < SECONDS:
            time.sleep(1)
            samples.append((time.monotonic() - begin, resident_mib(pid)))
            threads.append(len(os.listdir(f"/proc/{pid}/task")))
            descriptors.append(len(os.listdir(f"/proc/{pid}/fd")))
            self.assertEqual(server.http("/metrics")[0], 200)
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"{samples[-1][0] / 60:.0f} min: {samples[-1][1]:.1f} MiB, "
                      f"{threads[-1]} threads, {descriptors[-1]} descriptors",
                      file=sys.stderr, flush=True)
        for caller in callers:
            caller.stop.set()
        for caller in callers:
            caller.join(30)
        codes = sum((caller.codes for caller in callers), collections.Counter())
        half = samples[len(samples) // 2:]
        print(f"soak: {dict(codes)} in {SECONDS:.0f} s, RSS {samples[0][1]:.1f} to "
              f"{samples[-1][1]:.1f} MiB, in the second half {slope(half):+.3f} MiB/min; threads "
              f"{min(threads)} to {max(threads)}, descriptors {min(descriptors)} to "
              f"{max(descriptors)}", file=sys.stderr, flush=True)
        self.assertEqual(set().union(*(caller.unexpected for caller in callers)), set())
        self.assertGreater(codes["OK"], CALLERS)
        # A thread or a descriptor that is lost with a call would show by now.
        self.assertLessEqual(max(threads), threads[0] + 4)
        self.assertLessEqual(max(descriptors), descriptors[0] + 4 * CALLERS)
        errors = [line for line in pathlib.Path(server.log_path).read_text().splitlines()
                  if "level=error" in line]
        self.assertEqual(errors, [])
        if LONG:
            self.assertLessEqual(slope(half), 0.1)


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    unittest.main(verbosity=2)
