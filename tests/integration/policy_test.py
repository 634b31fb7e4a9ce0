#!/usr/bin/env python3
"""Who may do what: the real server with a policy, called by every kind of principal at every
RPC and every route of the front door; mutual TLS, a proxy, reloads, audit and replay."""
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import alignsae_server as api
from alignsae_server import BIN, Server, eventually, grpc, main

from alignsae.v1 import find_alpha_pb2 as find
from alignsae.v1 import swap_matrix_pb2 as matrix

READS = ["ConceptService/*", "ModelService/*"]
POLICY = {
    "format_version": 1,
    "groups": [
        {"name": "readers", "rpcs": READS},
        {"name": "editors", "rpcs": ["*"],
         "steer": {"concepts": ["employer"], "sources": ["*"], "modes": ["SWAP"],
                   "alpha": [0, 2]}},
        {"name": "owners", "rpcs": ["*", "OperatorService/*",
                                    "ServerReflection/ServerReflectionInfo"],
         "steer": {"concepts": ["*"], "modes": ["*"], "vectors": True}},
        {"name": "few", "rpcs": ["ModelService/GetModel"],
         "quota": {"requests_per_minute": 2}}],
    "principals": [
        {"name": name, "group": group, "token": True}
        for name, group in (("rita", "readers"), ("edgar", "editors"), ("olga", "owners"),
                            ("fay", "few"))]}
OPEN, DENIED, UNKNOWN = "open", "denied", "unknown"


def token(name):
    return f"token-of-{name}-0123456789"


def expected(principal, rpc):
    """What the policy says of a call, told once more."""
    if principal in (None, "wrong"):
        return UNKNOWN
    service = rpc.split("/")[0]
    if principal == "olga":
        return OPEN
    if service == "OperatorService":
        return DENIED
    return OPEN if principal == "edgar" or service != "SteeringService" else DENIED


def all_rpcs():
    """(service, method) of the whole API, by its descriptors."""
    for module in (api.concept, api.steering, api.model, api.operators):
        for service in module.DESCRIPTOR.services_by_name.values():
            yield from ((service, method) for method in service.methods)


def is_stream(method):
    return method.output_type.name in ("GenerateResponse", "SweepAlphaResponse",
                                       "SwapMatrixResponse", "WatchSlotsResponse", "ReadConceptsStreamResponse",
                                       "ValidateBindingResponse")


def write(path, text):
    """As a whole, as people replace such files."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(path)


class PolicyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="alignsae-policy-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.policy, cls.audit = cls.folder / "policy.json", cls.folder / "audit.log"
        write(cls.policy, json.dumps(POLICY))
        write(cls.folder / "tokens", "".join(
            f"{row['name']} {hashlib.sha256(token(row['name']).encode()).hexdigest()}\n"
            for row in POLICY["principals"]))
        cls.server = Server(f"--policy={cls.policy}", f"--tokens={cls.folder}/tokens",
                            f"--audit-log={cls.audit}", "--http-listen=127.0.0.1:0",
                            "--operator-listen=127.0.0.1:0")
        cls.addClassCleanup(cls.server.close)
        cls.channel = grpc.insecure_channel(cls.server.target)
        cls.addClassCleanup(cls.channel.close)
        cls.operator = grpc.insecure_channel(f"127.0.0.1:{cls.server.operator_port}")
        cls.addClassCleanup(cls.operator.close)
        cls.steering = api.steering_grpc.SteeringServiceStub(cls.channel)
        listed = api.model_grpc.ModelServiceStub(cls.channel).ListConcepts(
            api.model.ListConceptsRequest(), metadata=cls.shown("rita"), timeout=10)
        cls.question = {row.name: row.example
                        for row in listed.checkpoints[0].concepts}["birth_city"]

    @staticmethod
    def shown(principal):
        return [] if principal is None else [("authorization", f"Bearer {token(principal)}")]

    def swap(self, principal, target="employer", **fields):
        return self.steering.Swap(api.steering.SwapRequest(
            prompt=api.common.Prompt(question=self.question),
            target=api.common.ConceptRef(name=target), **fields),
            metadata=self.shown(principal), timeout=30)

    def refused(self, code, principal, **fields):
        with self.assertRaises(grpc.RpcError) as caught:
            self.swap(principal, **fields)
        self.assertEqual(caught.exception.code(), code)
        return caught.exception.details()

    def code_of(self, service, method, principal):
        """The status of a call with an empty request."""
        path = f"/{service.full_name}/{method.name}"
        channel = self.operator if service.name == "OperatorService" else self.channel
        options = {"metadata": self.shown(principal), "timeout": 10}
        try:
            if method.name == "ReadConceptsStream":
                list(channel.stream_stream(path)(iter([]), **options))
            elif is_stream(method):
                call = channel.unary_stream(path)(b"", **options)
                next(iter(call))
                call.cancel()
            else:
                channel.unary_unary(path)(b"", **options)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def held(self):
        """What a refusal must leave as it was."""
        return [self.server.metric(name) for name in (
            "alignsae_prompt_tokens_total", "alignsae_steering_total",
            "alignsae_kv_slots_in_use", "alignsae_queue_wait_seconds_count",
            "alignsae_call_memory_bytes")]

    def test_every_rpc_is_open_to_whom_the_policy_says(self):
        for principal in (None, "wrong", "rita", "edgar", "olga"):
            before = self.held()
            for service, method in all_rpcs():
                rpc = f"{service.name}/{method.name}"
                if principal == "olga" and rpc in (
                        "OperatorService/ReloadModel", "OperatorService/UnloadModel",
                        "OperatorService/SetRollout"):
                    continue  # It would.
                code = self.code_of(service, method, principal)
                said = {grpc.StatusCode.UNAUTHENTICATED: UNKNOWN,
                        grpc.StatusCode.PERMISSION_DENIED: DENIED}.get(code, OPEN)
                self.assertEqual(said, expected(principal, rpc), (principal, rpc, code))
            if principal in (None, "wrong"):
                self.assertEqual(self.held(), before)

    def http(self, path, principal=None, method="POST", kind="application/json", body=b"{}"):
        headers = {"Content-Type": kind} if method == "POST" else {}
        headers.update({key.title(): value for key, value in self.shown(principal)})
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.server.http_port}{path}", method=method, headers=headers,
            data=body if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def test_every_route_of_the_door_is_open_to_whom_the_policy_says(self):
        for principal in (None, "wrong", "rita", "edgar"):
            for service, method in all_rpcs():
                rpc = f"{service.name}/{method.name}"
                if service.name == "OperatorService" or method.name in (
                        "ReadConceptsStream", "WatchSlots", "ValidateBinding"):
                    continue  # Not at the door; has no end to wait for.
                path = f"/alignsae.v1.{rpc}"
                if is_stream(method):
                    status, _, body = self.http(path, principal, kind="application/connect+json",
                                                body=b"\0\0\0\0\2{}")
                    self.assertEqual(status, 200)
                    code = json.loads(body[5:])["error"]["code"]
                else:
                    status, headers, body = self.http(path, principal)
                    code = json.loads(body).get("code")
                    self.assertEqual(status == 401, headers["WWW-Authenticate"] == "Bearer")
                    self.assertEqual({401: "unauthenticated", 403: "permission_denied"}.get(
                        status, code), code)
                said = {"unauthenticated": UNKNOWN, "permission_denied": DENIED}.get(code, OPEN)
                self.assertEqual(said, expected(principal, rpc), (principal, rpc, code))
            status = {None: 401, "wrong": 401, "rita": 403, "edgar": 200}[principal]
            completion = json.dumps({"model": "demo", "prompt": "a", "max_tokens": 1}).encode()
            self.assertEqual(self.http("/v1/completions", principal, body=completion)[0], status)
            self.assertEqual(self.http("/v1/models", principal, method="GET")[0],
                             200 if principal == "rita" else status)
        for path in ("/", "/openapi.json"):
            self.assertEqual(self.http(path, method="GET")[0], 200)
        # Through OpenAI's words the same decision, with OpenAI's names.
        steered = {"model": "demo", "prompt": "a", "max_tokens": 1, "steering": [
            {"mode": "INTERVENTION_MODE_SWAP", "target": {"name": "major"}}]}
        status, _, body = self.http("/v1/completions", "edgar", body=json.dumps(steered).encode())
        error = json.loads(body)["error"]
        self.assertEqual((status, error["param"], error["code"]),
                         (403, "steering[0].target", "POLICY"))

    def test_health_asks_nobody_and_reflection_everybody(self):
        stub = api.health_grpc.HealthStub(self.channel)
        self.assertEqual(stub.Check(api.health.HealthCheckRequest(), timeout=5).status, 1)
        for version in ("v1", "v1alpha"):
            listing = self.channel.stream_stream(
                f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
            for principal, code in ((None, grpc.StatusCode.UNAUTHENTICATED),
                                    ("edgar", grpc.StatusCode.PERMISSION_DENIED)):
                with self.assertRaises(grpc.RpcError) as caught:
                    list(listing(iter([b"\x3a\x00"]), metadata=self.shown(principal), timeout=5))
                self.assertEqual(caught.exception.code(), code)
            answers = list(listing(iter([b"\x3a\x00"]), metadata=self.shown("olga"), timeout=5))
            self.assertIn(b"alignsae.v1.SteeringService", answers[0])

    def test_a_steering_call_is_judged_by_concept_mode_and_alpha(self):
        denied = grpc.StatusCode.PERMISSION_DENIED
        self.assertEqual(
            self.refused(denied, "edgar", target="major"),
            'target: must be one of employer (steer.concepts of group editors), got "major"')
        before = self.held()
        self.assertEqual(
            self.refused(denied, "edgar", alpha=2.5),
            "alpha: must be in [0, 2] active means (steer.alpha of group editors), got 2.5")
        self.assertEqual(self.held(), before)
        for request, sentence in (
                (matrix.SwapMatrixRequest(),
                 'concepts: must be one of employer (steer.concepts of group editors), got '),
                (find.FindAlphaRequest(target=api.common.ConceptRef(name="employer"),
                                       goal=find.AlphaGoal(answer="x")),
                 "min_alpha and max_alpha: must be in [0, 2] active means "
                 "(steer.alpha of group editors), got ")):
            request.prompt.question = self.question
            with self.assertRaises(grpc.RpcError) as caught:
                if isinstance(request, find.FindAlphaRequest):
                    self.steering.FindAlpha(request, metadata=self.shown("edgar"), timeout=30)
                else:
                    list(self.steering.SwapMatrix(request, metadata=self.shown("edgar"),
                                                  timeout=30))
            self.assertEqual(caught.exception.code(), denied)
            self.assertIn(sentence, caught.exception.details())
        self.assertEqual(self.held(), before)
        answer = self.swap("edgar", alpha=2)
        self.assertEqual(len(answer.steered.receipts[0].receipt_id), 16)
        self.assertTrue(self.swap("olga", target="major", alpha=3).steered.receipts)
        self.assertIn("principal=edgar", self.server.log())

    def test_a_quota_is_told_with_the_time(self):
        stub = api.model_grpc.ModelServiceStub(self.channel)
        for _ in range(2):
            stub.GetModel(api.model.GetModelRequest(), metadata=self.shown("fay"), timeout=5)
        with self.assertRaises(grpc.RpcError) as caught:
            stub.GetModel(api.model.GetModelRequest(), metadata=self.shown("fay"), timeout=5)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertIn("quota: must be at most 2 requests a minute", caught.exception.details())
        pushback = dict(caught.exception.trailing_metadata())["grpc-retry-pushback-ms"]
        self.assertGreater(int(pushback), 1000)

    def test_the_audit_has_a_line_for_each_steering_call_and_no_text(self):
        receipt = self.swap("edgar").steered.receipts[0].receipt_id
        self.refused(grpc.StatusCode.UNAUTHENTICATED, "wrong")
        lines = []

        def told():
            lines[:] = [json.loads(line) for line in self.audit.read_text().splitlines()]
            return any(line.get("receipt_id") == receipt for line in lines) and any(
                line["outcome"] == "UNAUTHENTICATED" for line in lines)

        self.assertTrue(eventually(told))
        line = next(line for line in lines if line.get("receipt_id") == receipt)
        self.assertEqual(
            (line["principal"], line["rpc"], line["outcome"], line["generation_id"]),
            ("edgar", "SteeringService/Swap", "OK", 1))
        edit = line["interventions"][0]
        self.assertEqual((edit["mode"], edit["concept"], edit["position_count"]),
                         ("SWAP", "employer", 1))
        self.assertGreater(line["norm_ratio"], 0)
        text = self.audit.read_text() + self.server.log()
        self.assertNotIn(self.question.split()[-2], text)
        self.assertNotIn("token-of", text)
        self.assertEqual(self.audit.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.server.metric("alignsae_audit_lines_lost_total"), 0)

    def test_a_new_policy_is_taken_and_a_bad_one_changes_nothing(self):
        self.addCleanup(write, self.policy, json.dumps(POLICY))
        write(self.policy, "{")
        self.assertTrue(eventually(lambda: self.server.metric(
            "alignsae_policy_reloads_total", result="failed") >= 1))
        self.assertIn("event=policy_reload_failed", self.server.log())
        self.swap("edgar")
        changed = json.loads(json.dumps(POLICY))
        changed["groups"][1]["steer"]["concepts"] = ["major"]
        reloads = self.server.metric("alignsae_policy_reloads_total", result="ok")
        write(self.policy, json.dumps(changed))
        self.assertTrue(eventually(lambda: self.server.metric(
            "alignsae_policy_reloads_total", result="ok") > reloads))
        self.swap("edgar", target="major")
        self.refused(grpc.StatusCode.PERMISSION_DENIED, "edgar")
        write(self.policy, json.dumps(POLICY))
        self.assertTrue(eventually(lambda: self.server.metric(
            "alignsae_policy_reloads_total", result="ok") > reloads + 1))

    def cli(self, *args, code=0, principal="edgar", env=None, server=None):
        path = self.folder / f"token-{principal}"
        path.write_text(token(principal) + "\n")
        flags = [] if env else [f"--token-file={path}"]
        done = subprocess.run(
            [BIN / "alignsae", f"--server={server or self.server.target}", *flags, *args],
            capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_the_command_line_shows_its_token(self):
        self.cli("swap", self.question, "--to=employer")
        self.cli("swap", self.question, "--to=employer", env={"ALIGNSAE_TOKEN": token("edgar")})
        self.assertIn("PERMISSION_DENIED", self.cli("swap", self.question, "--to=employer",
                                                    principal="rita", code=77))
        self.cli("model", code=77, env={"ALIGNSAE_TOKEN": "wrong"})
        # Nobody else's token is given away.
        self.assertIn("must not travel in the open",
                      self.cli("model", server="192.0.2.1:50051", code=64))

    def test_the_load_generator_shows_its_token_too(self):
        path = self.folder / "token-rita"
        path.write_text(token("rita") + "\n")

        def load(*flags, server=self.server.target):
            return subprocess.run(
                [BIN / "alignsae-load", f"--server={server}", "--seconds=0.3",
                 "--warmup-seconds=0", "--concurrency=2", "--mix=read", *flags],
                capture_output=True, text=True, timeout=60)
        shown = load(f"--token-file={path}")
        self.assertEqual(shown.returncode, 0, shown.stdout + shown.stderr)
        refused = load()
        self.assertEqual(refused.returncode, 69, refused.stdout)
        self.assertIn("UNAUTHENTICATED", refused.stderr)
        self.assertIn("must not travel in the open",
                      load(f"--token-file={path}", server="192.0.2.1:50051").stderr)

    def test_a_saved_answer_is_computed_again(self):
        saved = self.folder / "saved.json"
        for command in (["swap", self.question, "--to=employer", "--logprobs=3"],
                        ["generate", self.question, "--edit=swap:birth_city>employer@1.5",
                         "--both", "--temperature=1.2", "--seed=7"]):
            self.cli(*command, f"--save={saved}")
            self.assertIn("the same: 2 arms", self.cli("replay", str(saved)))
        original = json.loads(saved.read_text())
        swept = self.folder / "sweep.json"
        self.cli("sweep", self.question, "--to=employer", "--alphas=0.5,1", "--logprobs=2",
                 f"--save={swept}")
        self.assertIn("the same: 3 arms", self.cli("replay", str(swept)))
        sweep = json.loads(swept.read_text())
        sweep["answer"]["cells"][2]["result"]["tokens"][0]["id"] += 1
        swept.write_text(json.dumps(sweep))
        self.assertIn("arms[2].tokens[0].id was", self.cli("replay", str(swept), code=65))
        sweep["rpc"] = "Tokenize"
        swept.write_text(json.dumps(sweep))
        self.assertIn("Swap, Complete or SweepAlpha", self.cli("replay", str(swept), code=64))

        def with_change(change):
            other = json.loads(json.dumps(original))
            change(other)
            saved.write_text(json.dumps(other))

        def one_token(other):
            other["answer"]["arms"][1]["tokens"][0]["id"] += 1

        def one_logprob(other):
            first = other["answer"]["arms"][0]["tokens"][1]
            first["logprob"] = first.get("logprob", 0) + 2e-4

        def another_model(other):
            other["model"]["bundleSha256"] = "0" * 64

        with_change(one_token)
        self.assertIn("arms[1].tokens[0].id was", self.cli("replay", str(saved), code=65))
        with_change(one_logprob)
        self.assertIn("arms[0].tokens[1].logprob was", self.cli("replay", str(saved), code=65))
        with_change(another_model)
        self.assertIn("model.bundle_sha256: must be what answered",
                      self.cli("replay", str(saved), code=78))


class MutualTlsTest(unittest.TestCase):
    """Principals by their certificates, and by the name that a proxy forwards."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="alignsae-mtls-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        cls.openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=ca",
                    "-keyout", "ca.key", "-out", "ca.pem")
        for name, subject in (("server", "IP:127.0.0.1"), ("anna", "URI:spiffe://example.org/anna"),
                              ("bert", "URI:spiffe://example.org/bert"),
                              ("envoy", "DNS:envoy.example.org")):
            cls.openssl("req", *key, "-subj", f"/CN={name}", "-addext",
                        f"subjectAltName={subject}", "-keyout", f"{name}.key",
                        "-out", f"{name}.csr")
            cls.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                        "-days", "2", "-copy_extensions", "copy", "-out", f"{name}.pem")
        (cls.folder / "policy").write_text(json.dumps({
            "format_version": 1, "groups": [{"name": "readers", "rpcs": READS}],
            "principals": [
                {"name": "anna", "group": "readers",
                 "certificates": ["spiffe://example.org/anna"]},
                {"name": "staff", "group": "readers", "forwarded": ["*@example.org"]}],
            "proxies": ["envoy.example.org"]}))
        cls.server = Server(*(f"--{flag}={cls.folder}/{name}" for flag, name in (
            ("tls-cert", "server.pem"), ("tls-key", "server.key"), ("tls-client-ca", "ca.pem"),
            ("policy", "policy"))))
        cls.addClassCleanup(cls.server.close)

    @classmethod
    def openssl(cls, *args):
        subprocess.run(["openssl", *args], cwd=cls.folder, check=True, capture_output=True)

    def code(self, name, *metadata):
        pems = [(self.folder / path).read_bytes() for path in ("ca.pem", f"{name}.key",
                                                               f"{name}.pem")]
        credentials = grpc.ssl_channel_credentials(*pems)
        with grpc.secure_channel(self.server.target, credentials) as channel:
            try:
                api.model_grpc.ModelServiceStub(channel).GetModel(
                    api.model.GetModelRequest(), timeout=10, metadata=metadata)
            except grpc.RpcError as error:
                return error.code()
        return grpc.StatusCode.OK

    def test_a_certificate_names_its_principal(self):
        self.assertEqual(self.code("anna"), grpc.StatusCode.OK)
        # Of the same authority, and nobody to the policy.
        self.assertEqual(self.code("bert"), grpc.StatusCode.UNAUTHENTICATED)
        self.assertIn("principal=anna", self.server.log())

    def test_only_a_proxy_of_the_policy_forwards_a_name(self):
        eva = ("x-forwarded-user", "eva@example.org")
        self.assertEqual(self.code("envoy", eva), grpc.StatusCode.OK)
        self.assertIn("principal=staff/eva@example.org", self.server.log())
        for name, metadata in (("anna", [eva]), ("envoy", []),
                               ("envoy", [("x-forwarded-user", "eva@other.org")]),
                               ("envoy", [("x-forwarded-user", "mallory@x"), eva])):
            self.assertEqual(self.code(name, *metadata), grpc.StatusCode.UNAUTHENTICATED)

    def test_probes_need_no_certificate(self):
        self.assertEqual(self.server.http("/readyz")[0], 200)


if __name__ == "__main__":
    main()
