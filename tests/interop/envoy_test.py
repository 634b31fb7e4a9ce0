#!/usr/bin/env python3
"""Real servers behind a real Envoy with the shipped configuration: calls go to all alike, and
nobody's call fails while servers are killed, drained and replaced."""
import collections
import struct
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

import envoy_proxy
from alignsae_server import (SOURCE, Api, Server, common, concept, eventually, generation, grpc,
                             health, model, steering)
from envoy_proxy import CLIENT_SETTINGS, Envoy

FLAGS = ("--threads=1", "--lame-duck-seconds=3", "--drain-seconds=5")
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}  # Three of them on two processors.
QUESTION = common.Prompt(question="Where was Beth Roach born?")
# What a stream that has begun may end with when its server goes: never OK without its end.
BROKEN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL}


def servers_calls(server, method):
    return server.metric("alignsae_rpc_requests_total", method=method)


class Load:
    """Callers that call again and again until they are told to stop; all calls are idempotent."""

    def __init__(self, target, callers=6, streams=2):
        self.channels = [grpc.insecure_channel(target, options=[
            ("grpc.service_config", CLIENT_SETTINGS), ("grpc.use_local_subchannel_pool", 1)])
            for _ in range(3)]
        self.stop = threading.Event()
        self.ok = collections.Counter()
        self.failed = []
        self.streams = collections.Counter()
        self.truncated = 0
        self.threads = [threading.Thread(target=self.call, args=(i,)) for i in range(callers)]
        self.threads += [threading.Thread(target=self.read, args=(i,)) for i in range(streams)]

    def call(self, i):
        api = Api(self.channels[i % 3])
        calls = [("Tokenize", lambda: api.model.Tokenize(
                     model.TokenizeRequest(text="abc"), timeout=20)),
                 ("ReadConcepts", lambda: api.concept.ReadConcepts(
                     concept.ReadConceptsRequest(prompts=[QUESTION]), timeout=20)),
                 ("Swap", lambda: api.steering.Swap(steering.SwapRequest(
                     prompt=QUESTION, target=common.ConceptRef(name="employer")), timeout=20))]
        while not self.stop.is_set():
            for name, call in calls:
                try:
                    call()
                    self.ok[name] += 1
                except grpc.RpcError as error:
                    self.failed.append((name, error.code(), error.details()))

    def read(self, i):
        api = Api(self.channels[i % 3])
        while not self.stop.is_set():
            request = steering.GenerateRequest(prompt=QUESTION, generation=generation.
                                               GenerationConfig(max_new_tokens=100,
                                                                min_new_tokens=100))
            ended, begun = False, False
            try:
                for event in api.steering.Generate(request, timeout=20):
                    begun = True
                    ended = ended or event.WhichOneof("event") == "summary"
                self.streams["OK"] += 1
                self.truncated += not ended
            except grpc.RpcError as error:
                self.streams[(begun, error.code(), error.details())] += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
        for channel in self.channels:
            channel.close()


class EnvoyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = envoy_proxy.binary()

    def fleet(self, count, change=lambda config: None):
        """`count` servers that are ready, and Envoy in front of them."""
        servers = [self.server(wait=False) for _ in range(count)]
        for server in servers:
            server._wait_until_ready()  # pylint: disable=protected-access
        envoy = Envoy(self.program, servers, change)
        self.addCleanup(envoy.close)
        self.assertTrue(eventually(lambda: envoy.healthy() == count))
        return servers, envoy

    def server(self, wait=True):
        server = Server(*FLAGS, wait=wait, env=PASSIVE)
        self.addCleanup(server.close)
        return server

    def api(self, envoy, **options):
        api = Api(grpc.insecure_channel(envoy.target, options=list(options.items())))
        self.addCleanup(api.close)
        return api

    def say(self, *words):
        print(*words, file=sys.stderr, flush=True)

    def check(self, load):
        """No idempotent call has failed, and no stream ended as if it were whole."""
        self.say("calls", dict(load.ok), "streams", {str(k): n for k, n in load.streams.items()})
        self.assertEqual(load.failed, [])
        self.assertGreater(min(load.ok[name] for name in ("Tokenize", "ReadConcepts", "Swap")), 20)
        self.assertGreater(load.streams["OK"], 0)
        self.assertEqual(load.truncated, 0)
        for end in load.streams:
            if end != "OK":
                begun, code, details = end
                self.assertIn(code, BROKEN, details)
                self.assertTrue(begun, end)  # What had not begun was tried again elsewhere.

    def test_calls_go_to_all_alike(self):
        for count in (2, 3):
            servers, envoy = self.fleet(count)
            before = [servers_calls(server, "ModelService/Tokenize") for server in servers]
            api = self.api(envoy)

            def run():
                for _ in range(500):
                    api.model.Tokenize(model.TokenizeRequest(text="abc"), timeout=20)
            threads = [threading.Thread(target=run) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            counts = [servers_calls(server, "ModelService/Tokenize") - had
                      for server, had in zip(servers, before)]
            self.say(f"{count} servers: {counts}")
            self.assertEqual(sum(counts), 3000)
            self.assertLessEqual(max(counts) / min(counts), 1.1, counts)

    def test_one_is_killed_and_one_drains_under_load(self):
        servers, envoy = self.fleet(3)
        with Load(envoy.target) as load:
            time.sleep(1.5)
            servers[0].process.kill()
            time.sleep(1.5)
            servers[1].terminate()
            self.assertTrue(eventually(lambda: envoy.healthy() == 1))
            servers[1].process.wait(timeout=20)
            time.sleep(1)
        self.check(load)
        self.assertEqual(servers[1].process.returncode, 0)
        self.assertIsNone(servers[2].process.poll())

    def test_all_are_replaced_one_by_one_under_load(self):
        servers, envoy = self.fleet(3)
        with Load(envoy.target, callers=4, streams=1) as load:
            for i in range(3):
                fresh = self.server()
                envoy.set_servers([*servers, fresh])
                self.assertTrue(eventually(lambda: envoy.healthy() == 4))
                # As in a cluster: SIGTERM first, and some time later Envoy is told.
                old, servers[i] = servers[i], fresh
                old.terminate()
                time.sleep(1)
                envoy.set_servers(servers)
                self.assertEqual(old.process.wait(timeout=20), 0)
        self.check(load)
        self.assertEqual({end for end in load.streams}, {"OK"})
        for server in servers:
            self.assertGreater(servers_calls(server, "ModelService/Tokenize"), 0)

    def test_what_is_not_for_everybody_and_what_is_too_large_stays_outside(self):
        [server], envoy = self.fleet(1)
        api = self.api(envoy)
        for path in ("/alignsae.v1.OperatorService/ListCheckpoints",
                     "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"):
            call = api.channel.unary_unary(path)
            with self.assertRaises(grpc.RpcError) as caught:
                call(b"", timeout=5)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        watch = api.health.Watch(health.HealthCheckRequest(service="readiness"), timeout=30)
        self.assertEqual(next(watch).status, health.HealthCheckResponse.SERVING)
        for name, metadata, text in (("header", [("x-a", "a" * 20000)], "abc"),
                                     ("many headers", [(f"x-{i}", "a") for i in range(200)], "abc"),
                                     ("request", [], "a" * (1 << 21))):
            with self.assertRaises(grpc.RpcError) as caught:
                api.model.Tokenize(model.TokenizeRequest(text=text), metadata=metadata, timeout=5)
            self.say(f"{name}: {caught.exception.code()} {caught.exception.details()}")
            # Others of the connection go on.
            api.model.Tokenize(model.TokenizeRequest(text="abc"), timeout=5)
        watch.cancel()
        self.assertIsNone(server.process.poll())

    def test_ids_go_through_and_callers_are_told_apart_by_address(self):
        [server], envoy = self.fleet(1)
        answer, call = self.api(envoy).model.Tokenize.with_call(
            model.TokenizeRequest(text="abc"), timeout=5,
            metadata=[("x-request-id", "mine"), ("x-client-id", "somebody else")])
        self.assertEqual(answer.info.request_id, "mine")
        self.assertEqual(dict(call.initial_metadata())["x-request-id"], "mine")
        self.assertNotIn("somebody else", server.log())

    def test_pages_call_by_grpc_web(self):
        [_], envoy = self.fleet(1, change=self.allow_origin)
        body = model.TokenizeRequest(text="abc").SerializeToString()
        asked = urllib.request.Request(
            f"http://{envoy.target}/alignsae.v1.ModelService/Tokenize",
            data=b"\0" + struct.pack(">I", len(body)) + body,
            headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1",
                     "origin": "https://app.example.org"})
        with urllib.request.urlopen(asked, timeout=5) as answer:
            self.assertEqual(answer.headers["access-control-allow-origin"],
                             "https://app.example.org")
            data = answer.read()
        size = struct.unpack(">I", data[1:5])[0]
        self.assertEqual(data[0], 0)
        self.assertEqual(len(model.TokenizeResponse.FromString(data[5:5 + size]).tokens), 2)
        self.assertEqual(data[5 + size], 0x80)  # The trailers.
        self.assertIn(b"grpc-status:0", data[5 + size:].replace(b" ", b""))
        asked.headers["Origin"] = "https://elsewhere.example.org"
        with urllib.request.urlopen(asked, timeout=5) as answer:
            self.assertNotIn("access-control-allow-origin", answer.headers)

    @staticmethod
    def allow_origin(config):
        filters = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
        [host] = filters[0]["typed_config"]["route_config"]["virtual_hosts"]
        host["typed_per_filter_config"]["envoy.filters.http.cors"]["allow_origin_string_match"] = [
            {"exact": "https://app.example.org"}]

    def test_envoy_drains(self):
        [_], envoy = self.fleet(1)
        api = self.api(envoy)
        request = steering.GenerateRequest(prompt=QUESTION, generation=generation.GenerationConfig(
            max_new_tokens=200, min_new_tokens=200))
        events = api.steering.Generate(request, timeout=20)
        next(events)
        with subprocess.Popen([SOURCE / "deploy/envoy/drain.sh", "1", "3",
                               str(envoy.admin)]) as drain:
            self.assertTrue(eventually(
                lambda: envoy.http(envoy.ready_port, "/ready")[0] == 503))
            # Not ready, and serving on: for whom endpoints have not been told yet.
            self.api(envoy, new=1).model.Tokenize(model.TokenizeRequest(text="abc"), timeout=5)
            kinds = [event.WhichOneof("event") for event in events]
            self.assertEqual(kinds[-1], "summary")
            self.assertEqual(drain.wait(timeout=20), 0)
        with self.assertRaises(grpc.RpcError) as caught:
            self.api(envoy, new=2).model.Tokenize(model.TokenizeRequest(text="abc"), timeout=5)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_without_servers_the_answer_is_unavailable_at_once(self):
        [server], envoy = self.fleet(1)
        server.terminate()
        self.assertTrue(eventually(lambda: envoy.healthy() == 0))
        self.assertEqual(envoy.http(envoy.ready_port, "/ready")[0], 503)
        with self.assertRaises(grpc.RpcError) as caught:
            self.api(envoy).model.Tokenize(model.TokenizeRequest(text="abc"), timeout=5)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
