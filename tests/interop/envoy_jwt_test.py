#!/usr/bin/env python3
"""A real Envoy with deploy/envoy/jwt.yaml in front of a server with a policy: an identity
provider's token becomes a principal, and nothing else does."""
import base64
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import time
import unittest

import envoy_proxy
import yaml
from alignsae_server import (SOURCE, Server, eventually, grpc, health, health_grpc, main, model,
                             model_grpc)

POLICY = {"format_version": 1,
          "groups": [{"name": "readers", "rpcs": ["ConceptService/*", "ModelService/*"]}],
          "principals": [{"name": "staff", "group": "readers", "forwarded": ["*@example.org"]}],
          "proxies": ["envoy.example.org"]}


def coded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class EnvoyJwtTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program = envoy_proxy.binary()
        folder = tempfile.TemporaryDirectory(prefix="alignsae-jwt-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.make_certificates()
        (cls.folder / "policy").write_text(json.dumps(POLICY))
        cls.server = Server(*(f"--{flag}={cls.folder}/{name}" for flag, name in (
            ("tls-cert", "server.pem"), ("tls-key", "server.key"), ("tls-client-ca", "ca.pem"),
            ("policy", "policy"))))
        cls.addClassCleanup(cls.server.close)
        cls.port = free_port()
        text = (SOURCE / "deploy/envoy/jwt.yaml").read_text()
        for there, here in (("/etc/envoy/jwks.json", "jwks.json"),
                            ("/etc/envoy/tls/tls.crt", "envoy.pem"),
                            ("/etc/envoy/tls/tls.key", "envoy.key"),
                            ("/etc/envoy/tls/ca.crt", "ca.pem")):
            assert there in text
            text = text.replace(there, f"{cls.folder}/{here}")
        config = yaml.safe_load(text)
        [listener] = config["static_resources"]["listeners"]
        listener["address"]["socket_address"]["port_value"] = cls.port
        [cluster] = config["static_resources"]["clusters"]
        endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        endpoint["address"]["socket_address"] = {"address": "127.0.0.1",
                                                 "port_value": cls.server.grpc_port}
        (cls.folder / "envoy.yaml").write_text(yaml.safe_dump(config))
        with open(cls.folder / "log", "wb") as log:
            cls.envoy = subprocess.Popen(
                [program, "-c", cls.folder / "envoy.yaml", "--concurrency", "1",
                 "--disable-hot-restart"], stdout=log, stderr=log)
        cls.addClassCleanup(cls.envoy.wait)
        cls.addClassCleanup(cls.envoy.kill)
        cls.channel = grpc.insecure_channel(f"127.0.0.1:{cls.port}")
        cls.addClassCleanup(cls.channel.close)
        if not eventually(cls.is_up, 20):
            raise AssertionError((cls.folder / "log").read_text())

    @classmethod
    def openssl(cls, *args, **options):
        return subprocess.run(["openssl", *args], cwd=cls.folder, check=True,
                              capture_output=True, **options).stdout

    @classmethod
    def make_certificates(cls):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        cls.openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key",
                    "-out", "ca.pem")
        for name, subject in (("server", "DNS:alignsae-server.alignsae.svc"),
                              ("envoy", "DNS:envoy.example.org")):
            cls.openssl("req", *key, "-subj", f"/CN={name}", "-addext",
                        f"subjectAltName={subject}", "-keyout", f"{name}.key", "-out",
                        f"{name}.csr")
            cls.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                        "-days", "2", "-copy_extensions", "copy", "-out", f"{name}.pem")
        for name in ("provider", "other"):
            cls.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                        f"{name}.key")
        point = cls.openssl("ec", "-in", "provider.key", "-pubout", "-outform", "DER")[-64:]
        (cls.folder / "jwks.json").write_text(json.dumps({"keys": [
            {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "k",
             "x": coded(point[:32]), "y": coded(point[32:])}]}))

    def token(self, key="provider", **claims):
        head = {"alg": "ES256", "kid": "k", "typ": "JWT"}
        body = {"iss": "https://login.example.org", "aud": "alignsae", "sub": "1",
                "exp": int(time.time()) + 300, "email": "eva@example.org", **claims}
        signed = ".".join(coded(json.dumps(part).encode()) for part in (head, body))
        der = self.openssl("asn1parse", "-inform", "DER", input=self.openssl(
            "dgst", "-sha256", "-sign", f"{key}.key", input=signed.encode())).decode()
        numbers = re.findall(r"INTEGER\s*:([0-9A-F]+)", der)
        signature = b"".join(int(number, 16).to_bytes(32, "big") for number in numbers)
        return f"{signed}.{coded(signature)}"

    @classmethod
    def is_up(cls):
        try:
            return health_grpc.HealthStub(cls.channel).Check(
                health.HealthCheckRequest(), timeout=2).status == 1
        except grpc.RpcError:
            return False

    def code(self, token=None, *metadata):
        shown = [("authorization", f"Bearer {token}")] if token else []
        try:
            model_grpc.ModelServiceStub(self.channel).GetModel(
                model.GetModelRequest(), timeout=10, metadata=[*shown, *metadata])
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    def test_a_token_of_the_provider_is_a_principal(self):
        self.assertEqual(self.code(self.token()), grpc.StatusCode.OK)
        self.assertIn("principal=staff/eva@example.org", self.server.log())

    def test_a_name_that_the_caller_sends_is_nobodys_word(self):
        eve = ("x-forwarded-user", "eve@example.org")
        self.assertEqual(self.code(self.token(), eve), grpc.StatusCode.OK)
        self.assertEqual(self.code(None, eve), grpc.StatusCode.UNAUTHENTICATED)
        # A token without the claim: the caller's word does not take its place.
        self.assertEqual(self.code(self.token(email=None), eve),
                         grpc.StatusCode.UNAUTHENTICATED)
        self.assertNotIn("eve@example.org", self.server.log())

    def test_nothing_else_is(self):
        unknown = grpc.StatusCode.UNAUTHENTICATED
        for token in (None, "word", self.token(key="other"), self.token(exp=1),
                      self.token(iss="https://other"), self.token(email="eva@other.org")):
            self.assertEqual(self.code(token), unknown, token)


if __name__ == "__main__":
    main()
