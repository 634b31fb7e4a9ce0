#!/usr/bin/env python3
"""Start, refusal to start, readiness, SIGTERM, reflection and TLS."""
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import grpc
from alignsae_server import (BIN, DEMO, Api, Server, common, concept, eventually, generation,
                             health, main, make_certificate, model, steering)


def question(server):
    api = server.api()
    concepts = api.model.ListConcepts(model.ListConceptsRequest(), timeout=10)
    api.close()
    return common.Prompt(question=concepts.checkpoints[0].concepts[0].example)


class StartUpTest(unittest.TestCase):
    def assertRefusesToStart(self, sentence, *args, env=None):
        done = subprocess.run([BIN / "alignsae-server", *args], capture_output=True, text=True,
                              timeout=60, env=env)
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn(sentence, done.stderr)
        # Once for people; the log may have it too.
        self.assertEqual(len([line for line in done.stderr.splitlines()
                              if sentence in line and not line.startswith("ts=")]), 1)

    def test_bad_settings_are_one_sentence_and_exit_78(self):
        self.assertRefusesToStart("--model", "--model=/no/such/directory")
        self.assertRefusesToStart("--kv-slots: must be an integer in [2, 1024], got 0",
                                  f"--model={DEMO}", "--kv-slots=0")
        self.assertRefusesToStart("--kv-tokens: must be at least the model's context of 128 "
                                  "tokens, got 127", f"--model={DEMO}", "--kv-tokens=127",
                                  "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0")
        self.assertRefusesToStart("--listen", f"--model={DEMO}", "--listen=nowhere")
        self.assertRefusesToStart("--no-such-flag", f"--model={DEMO}", "--no-such-flag")
        self.assertRefusesToStart("--drain-seconds", f"--model={DEMO}",
                                  env={"ALIGNSAE_DRAIN_SECONDS": "soon"})

    def test_a_port_that_is_taken_is_told(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assertRefusesToStart(f"127.0.0.1:{port}", f"--model={DEMO}",
                                      f"--listen=127.0.0.1:{port}", "--admin-listen=127.0.0.1:0")
            self.assertRefusesToStart(f"127.0.0.1:{port}", f"--model={DEMO}",
                                      "--listen=127.0.0.1:0", f"--admin-listen=127.0.0.1:{port}")

    def test_one_flipped_byte_of_the_weights_is_data_loss(self):
        with tempfile.TemporaryDirectory() as directory:
            copy = pathlib.Path(directory) / "bundle"
            shutil.copytree(DEMO, copy)
            weights = copy / "gpt2/model.safetensors"
            data = bytearray(weights.read_bytes())
            data[-100] ^= 1
            weights.write_bytes(data)
            self.assertRefusesToStart("sha256", f"--model={copy}", "--listen=127.0.0.1:0",
                                      "--admin-listen=127.0.0.1:0")

    def test_a_plain_gpt2_directory_generates_without_any_checkpoint(self):
        server = Server(bundle=DEMO / "gpt2")
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        answer = api.steering.Complete(steering.CompleteRequest(
            prompt=common.Prompt(text="Q: Who"), generation=generation.GenerationConfig(
                max_new_tokens=5)), timeout=20)
        self.assertGreater(answer.arms[0].generated_token_count, 0)
        with self.assertRaises(grpc.RpcError) as caught:
            api.concept.ReadConcepts(concept.ReadConceptsRequest(
                prompts=[common.Prompt(text="Q: Who")]), timeout=10)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)

    def test_environment_and_file_set_what_flags_do_not(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write("kv-slots = 3\nkv-tokens = 200\nmax-new-tokens = 17\n")
            config.flush()
            server = Server(f"--config={config.name}", env={"ALIGNSAE_MAX_NEW_TOKENS": "19",
                                                            "ALIGNSAE_KV_TOKENS": "300"})
            self.addCleanup(server.close)
            api = server.api()
            self.addCleanup(api.close)
            limits = api.model.GetModel(model.GetModelRequest(), timeout=10).limits
            self.assertEqual((limits.max_running_sequences, limits.max_new_tokens), (3, 19))
            self.assertEqual(limits.max_running_tokens, 300)
            self.assertEqual(server.metric("alignsae_kv_tokens"), 300)


class ShutdownTest(unittest.TestCase):
    def start(self, *flags):
        server = Server(*flags)
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        return server, api

    def stream(self, server, api, tokens=90):
        return api.steering.Generate(steering.GenerateRequest(
            prompt=question(server), generation=generation.GenerationConfig(
                max_new_tokens=tokens, ignore_eos=True)), timeout=50)

    def test_sigterm_finishes_what_runs_and_serves_through_the_lame_duck(self):
        server, api = self.start("--lame-duck-seconds=2", "--drain-seconds=20")
        prompt = question(server)
        streams = [self.stream(server, api) for _ in range(10)]
        for stream in streams:
            next(stream)
        server.terminate()
        deadline = time.monotonic() + 2
        while server.http("/readyz")[0] == 200 and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(server.http("/readyz")[0], 503)
        self.assertEqual(server.http("/livez")[0], 200)
        status = api.health.Check(health.HealthCheckRequest(service="readiness"), timeout=5)
        self.assertEqual(status.status, health.HealthCheckResponse.NOT_SERVING)
        status = api.health.Check(health.HealthCheckRequest(service="liveness"), timeout=5)
        self.assertEqual(status.status, health.HealthCheckResponse.SERVING)
        late = api.steering.Complete(steering.CompleteRequest(prompt=prompt), timeout=20)
        self.assertTrue(late.arms[0].text)
        for stream in streams:
            events = list(stream)
            self.assertEqual(events[-1].WhichOneof("event"), "summary")
            self.assertEqual(events[-1].summary.arms[0].generated_token_count, 90)
        self.assertEqual(server.process.wait(timeout=30), 0)

    def test_idle_server_ends_soon_after_the_lame_duck(self):
        server, _ = self.start("--lame-duck-seconds=0", "--drain-seconds=20")
        server.terminate()
        self.assertEqual(server.process.wait(timeout=10), 0)

    def test_second_sigterm_does_not_wait(self):
        server, api = self.start("--lame-duck-seconds=60")
        stream = self.stream(server, api)
        next(stream)
        server.terminate()
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(timeout=10), 1)  # It did not drain.

    def test_readiness_watch_sees_the_server_go(self):
        server, api = self.start("--lame-duck-seconds=1")
        watch = api.health.Watch(health.HealthCheckRequest(service="readiness"), timeout=30)
        self.assertEqual(next(watch).status, health.HealthCheckResponse.SERVING)
        server.terminate()
        self.assertEqual(next(watch).status, health.HealthCheckResponse.NOT_SERVING)
        self.assertEqual(server.process.wait(timeout=30), 0)


class HealthTest(unittest.TestCase):
    def test_unknown_service_is_not_found_and_watched_as_unknown(self):
        server = Server()
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        with self.assertRaises(grpc.RpcError) as caught:
            api.health.Check(health.HealthCheckRequest(service="no.such.Service"), timeout=5)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        watch = api.health.Watch(health.HealthCheckRequest(service="no.such.Service"), timeout=5)
        self.assertEqual(next(watch).status, health.HealthCheckResponse.SERVICE_UNKNOWN)
        watch.cancel()


LIST_SERVICES = b"\x3a\x00"  # ServerReflectionRequest{list_services: ""}


class ReflectionTest(unittest.TestCase):
    def ask(self, server, version):
        with grpc.insecure_channel(server.target) as channel:
            call = channel.stream_stream(
                f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
            return next(call(iter([LIST_SERVICES]), timeout=5))

    def test_is_off_as_asked(self):
        server = Server("--reflection=false")
        self.addCleanup(server.close)
        with self.assertRaises(grpc.RpcError) as caught:
            self.ask(server, "v1")
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_lists_the_services_at_loopback_by_both_names(self):
        server = Server()
        self.addCleanup(server.close)
        for version in ("v1", "v1alpha"):
            answer = self.ask(server, version)
            for service in (b"alignsae.v1.ConceptService", b"alignsae.v1.SteeringService",
                            b"alignsae.v1.ModelService", b"grpc.health.v1.Health"):
                self.assertIn(service, answer)


class TlsTest(unittest.TestCase):
    rotations = 4

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        for name in ("server", "client", "stranger"):
            make_certificate(cls.directory.name, name)

    @classmethod
    def path(cls, name):
        return str(pathlib.Path(cls.directory.name) / name)

    def read(self, name):
        return pathlib.Path(self.path(name)).read_bytes()

    def get_model(self, server, identity=None):
        credentials = grpc.ssl_channel_credentials(
            self.read("server.pem"),
            self.read(f"{identity}.key") if identity else None,
            self.read(f"{identity}.pem") if identity else None)
        with grpc.secure_channel(server.target, credentials) as channel:
            return Api(channel).model.GetModel(model.GetModelRequest(), timeout=10)

    def start(self, *flags):
        server = Server(f"--tls-cert={self.path('server.pem')}",
                        f"--tls-key={self.path('server.key')}", *flags)
        self.addCleanup(server.close)
        return server

    def test_serves_over_tls_and_not_in_the_clear(self):
        server = self.start()
        self.assertGreater(self.get_model(server).model.n_layer, 0)
        api = server.api()
        self.addCleanup(api.close)
        with self.assertRaises(grpc.RpcError) as caught:
            api.model.GetModel(model.GetModelRequest(), timeout=5)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_mutual_tls_lets_in_only_the_known_client(self):
        server = self.start(f"--tls-client-ca={self.path('client.pem')}")
        self.assertGreater(self.get_model(server, "client").model.n_layer, 0)
        for identity in (None, "stranger"):
            with self.assertRaises(grpc.RpcError) as caught:
                self.get_model(server, identity)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_certificates_are_rotated_and_no_call_fails(self):
        folder = pathlib.Path(self.directory.name) / "mounted"
        folder.mkdir()

        def mount(name, suffix):
            link = folder / f"new.{suffix}"
            link.symlink_to(self.path(f"{name}.{suffix}"))
            link.rename(folder / f"tls.{suffix}")

        for suffix in ("pem", "key"):
            mount("server", suffix)
        server = Server(f"--tls-cert={folder}/tls.pem", f"--tls-key={folder}/tls.key")
        self.addCleanup(server.close)
        # Whichever of them the server shows is trusted; every call is a connection.
        credentials = grpc.ssl_channel_credentials(
            b"".join(self.read(f"{name}.pem") for name in ("server", "client", "stranger")))
        failed, called, stop = [], [0], threading.Event()

        def call():
            while not stop.is_set():
                with grpc.secure_channel(server.target, credentials, options=[
                        ("grpc.use_local_subchannel_pool", 1)]) as channel:
                    try:
                        Api(channel).model.GetModel(model.GetModelRequest(), timeout=10)
                        called[0] += 1
                    except grpc.RpcError as error:
                        failed.append(error)

        callers = [threading.Thread(target=call) for _ in range(2)]
        for caller in callers:
            caller.start()
        try:
            for turn in range(1, self.rotations + 1):
                name = ("server", "client", "stranger")[turn % 3]
                mount(name, "pem")  # For a moment the key is another one's.
                time.sleep(0.1 * (turn % 5))
                mount(name, "key")
                self.assertTrue(eventually(
                    lambda: server.metric("alignsae_tls_reloads_total", result="ok") == turn))
                shown = ssl.get_server_certificate(("127.0.0.1", server.grpc_port))
                self.assertEqual(ssl.PEM_cert_to_DER_cert(shown), ssl.PEM_cert_to_DER_cert(
                    self.read(f"{name}.pem").decode()))
            before = called[0]
            (folder / "tls.pem").unlink()
            self.assertTrue(eventually(
                lambda: server.metric("alignsae_tls_reloads_total", result="failed") >= 1
                and called[0] > before + 3))
        finally:
            stop.set()
            for caller in callers:
                caller.join()
        print(f"{self.rotations} rotations, {called[0]} calls, {len(failed)} failed",
              file=sys.stderr)
        self.assertEqual(failed, [])
        self.assertGreater(server.metric("alignsae_tls_certificate_not_after_seconds"),
                           time.time())

    def test_a_key_that_is_not_the_certificates_stops_the_start(self):
        done = subprocess.run(
            [BIN / "alignsae-server", f"--model={DEMO}", "--listen=127.0.0.1:0",
             "--admin-listen=127.0.0.1:0", f"--tls-cert={self.path('server.pem')}",
             f"--tls-key={self.path('client.key')}"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 78)
        self.assertIn("--tls-key", done.stderr)


if __name__ == "__main__":
    main()
