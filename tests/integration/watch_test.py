#!/usr/bin/env python3
"""WatchSlots over gRPC, over the front door and by `alignsae watch`: what is counted, once a
second, and how a watch ends."""
import http.client
import json
import struct
import subprocess
import threading
import time

import grpc
from alignsae_server import (BIN, Server, ServerTest, concept, eventually, generation,
                             main, steering, swap_edit)
from front_door_test import FrontDoorTestCase, envelope
from google.protobuf import json_format


class WatchTest(FrontDoorTestCase):
    flags = ("--http-listen=127.0.0.1:0", "--max-watchers=3", "--max-deadline-seconds=5")

    def watch(self, count, timeout=30, **fields):
        """The first `count` messages."""
        stream = self.api.concept.WatchSlots(concept.WatchSlotsRequest(**fields),
                                             timeout=timeout)
        messages = []
        for message in stream:
            messages.append(message)
            if len(messages) == count:
                stream.cancel()
                break
        return messages

    def alone(self):
        """Waits until nobody watches: a cancelled watch ends a moment later."""
        self.assertTrue(eventually(lambda: self.server.metric(
            "alignsae_rpc_in_flight", method="ConceptService/WatchSlots") == 0))

    def ask(self, times=1):
        self.api.concept.ReadConcepts(concept.ReadConceptsRequest(
            prompts=[self.example() for _ in range(times)]), timeout=30)
        self.api.steering.Complete(steering.CompleteRequest(
            prompt=self.example("employer"), interventions=[swap_edit("employer", "major")],
            generation=generation.GenerationConfig(max_new_tokens=2)), timeout=30)

    def test_counts_are_those_of_the_traffic_and_of_the_metrics(self):
        self.alone()
        stream = self.api.concept.WatchSlots(concept.WatchSlotsRequest(), timeout=30)
        first = next(stream)
        began = time.monotonic()
        self.ask(times=5)
        later = [next(stream), next(stream)]
        self.assertLess(abs(time.monotonic() - began - 1.5), 1.2)
        stream.cancel()
        before = {row.name: row for row in first.total.concepts}
        after = {row.name: row for row in later[-1].total.concepts}
        for name, top in (("birth_city", 5), ("employer", 1), ("major", 0)):
            self.assertEqual(after[name].top_count - before[name].top_count, top, name)
            self.assertEqual(after[name].count - before[name].count, 6)
            self.assertEqual(sum(after[name].ratio_counts), after[name].count)
            self.assertEqual(after[name].top_count, self.server.metric(
                "alignsae_concept_top_total", concept=name))
        self.assertEqual(sum(one.recent.prompts for one in later), 6)
        self.assertEqual(later[-1].total.prompts - first.total.prompts, 6)
        self.assertEqual(after["employer"].steered_from - before["employer"].steered_from, 1)
        self.assertEqual(after["major"].steered_to - before["major"].steered_to, 1)
        [pair] = [pair for one in later for pair in one.recent.steered]
        self.assertEqual((pair.source, pair.target, pair.count), ("employer", "major", 1))
        for one in later:
            self.assertAlmostEqual(one.seconds, 1, delta=0.5)
        self.assertEqual(later[0].info.checkpoint, "main")
        self.assertAlmostEqual(sum(one.share for one in first.reference), 1)
        self.assertNotIn(self.example().question, str(later))

    def test_the_door_says_the_same(self):
        self.alone()
        [expected] = self.watch(1)
        self.alone()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("POST", "/alignsae.v1.ConceptService/WatchSlots", envelope(b"{}"),
                           {"Content-Type": "application/connect+json"})
        answer = connection.getresponse()
        flags, size = struct.unpack(">BI", answer.read(5))
        message = json_format.Parse(answer.read(size), concept.WatchSlotsResponse())
        self.assertEqual((flags, message.total), (0, expected.total))
        answer.close()
        connection.close()
        self.alone()  # The closed socket ended it.

    def test_a_watch_ends_well_before_the_longest_deadline(self):
        self.alone()
        began = time.monotonic()
        looks = list(self.api.concept.WatchSlots(concept.WatchSlotsRequest()))
        self.assertLess(time.monotonic() - began, 5.5)
        self.assertIn(len(looks), (3, 4, 5))
        self.assertTrue(eventually(lambda: self.server.metric(
            "alignsae_rpc_requests_total", method="ConceptService/WatchSlots", code="OK") >= 1))

    def test_one_too_many_is_refused(self):
        self.alone()
        streams = [self.api.concept.WatchSlots(concept.WatchSlotsRequest(), timeout=20)
                   for _ in range(3)]
        for stream in streams:
            next(stream)
        self.assertRefused(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "server: must have at most 3 watchers (--max-watchers), and has them; ask again "
            "later", self.api.concept.WatchSlots, concept.WatchSlotsRequest())
        for stream in streams:
            stream.cancel()

    def test_an_unknown_checkpoint_is_refused(self):
        self.assertRefused(grpc.StatusCode.NOT_FOUND,
                           'checkpoint: must be one of main, got "no_such"',
                           self.api.concept.WatchSlots,
                           concept.WatchSlotsRequest(checkpoint="no_such"))

    def test_cli(self):
        self.alone()
        command = [BIN / "alignsae", "--server", self.server.target, "watch"]
        done = subprocess.run([*command, "--count", "1"], check=True, text=True, timeout=30,
                              capture_output=True)
        self.assertRegex(done.stdout, r"^main: \d+ prompts in \d\.\d s, none bound on \d+, \d+ outside; ")
        for name in self.by_name:
            self.assertIn(name, done.stdout)
        self.alone()
        # Longer than a call may take: it goes on with the next one.
        done = subprocess.run([*command, "--count", "6", "--json"], check=True, text=True,
                              timeout=60, capture_output=True)
        self.assertEqual(len([json.loads(line) for line in done.stdout.splitlines()]), 6)


class DrainTest(ServerTest):
    def test_watchers_hold_up_no_drain(self):
        with_watch = Server("--lame-duck-seconds=0", "--drain-seconds=20")
        self.addCleanup(with_watch.directory.cleanup)
        api = with_watch.api()
        self.addCleanup(api.close)
        stream = api.concept.WatchSlots(concept.WatchSlotsRequest(), timeout=30)
        next(stream)
        ended = []

        def read():
            try:
                list(stream)
            except grpc.RpcError as error:
                ended.append((error.code(), error.details()))

        reader = threading.Thread(target=read)
        reader.start()
        began = time.monotonic()
        with_watch.terminate()
        self.assertEqual(with_watch.process.wait(timeout=30), 0)
        reader.join(10)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(ended[0][0], grpc.StatusCode.UNAVAILABLE)
        self.assertIn("drained=yes", with_watch.log())


if __name__ == "__main__":
    main()
