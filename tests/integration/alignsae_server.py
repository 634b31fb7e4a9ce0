"""Starts the real server for a test and talks to it with Python's gRPC client.

Every test file runs with ALIGNSAE_BIN (where the binaries are), ALIGNSAE_SOURCE
(the repository) and ALIGNSAE_STUBS (where to generate the Python stubs); ctest
sets them. ALIGNSAE_PROTOC: the command that makes them, instead of Debian's.
"""
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

SOURCE = pathlib.Path(os.environ.get("ALIGNSAE_SOURCE", pathlib.Path(__file__).parents[2]))
BIN = pathlib.Path(os.environ.get("ALIGNSAE_BIN", SOURCE / "build/dev/bin"))
STUBS = pathlib.Path(os.environ.get("ALIGNSAE_STUBS", SOURCE / "build/dev/python-stubs"))
DEMO = SOURCE / "model/demo"


def _make_stubs():
    """Generates the stubs into a folder of this process's own, then moves it into
    place, so that tests that start together do not read half a file."""
    marker = STUBS / "alignsae/v1/steering_service_pb2_grpc.py"
    newest = max(path.stat().st_mtime for path in (SOURCE / "proto").rglob("*.proto"))
    if marker.exists() and marker.stat().st_mtime >= newest:
        return STUBS
    STUBS.parent.mkdir(parents=True, exist_ok=True)
    made = pathlib.Path(tempfile.mkdtemp(dir=STUBS.parent, prefix="stubs."))
    protos = [SOURCE / "proto/grpc/health/v1/health.proto",
              SOURCE / "proto/google/rpc/error_details.proto",
              SOURCE / "proto/google/rpc/status.proto"]
    compiler = ["protoc", "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin"]
    if "ALIGNSAE_PROTOC" in os.environ:  # Another compiler, with a plugin of its own.
        compiler = shlex.split(os.environ["ALIGNSAE_PROTOC"])
        protos += (SOURCE / "proto/alignsae/v1").glob("*.proto")
    else:
        subprocess.run([SOURCE / "client/python/make_stubs.sh", made], check=True)
    subprocess.run([*compiler, "-I", SOURCE / "proto", f"--python_out={made}",
                    f"--grpc_python_out={made}", *protos], check=True)
    # grpc.health and google.rpc must not hide grpcio's and protobuf's own packages.
    (made / "grpc").rename(made / "grpc_health")
    for path in (made / "grpc_health").rglob("*.py"):
        path.write_text(path.read_text().replace("from grpc.health", "from grpc_health.health"))
    (made / "google").rename(made / "google_rpc")
    for path in (made / "google_rpc").rglob("*.py"):
        path.write_text(path.read_text().replace("from google.rpc", "from google_rpc.rpc"))
    try:
        made.rename(STUBS)
        return STUBS
    except OSError:  # Somebody else was first, or an old folder is there.
        return made


sys.path.insert(0, str(_make_stubs()))
# pylint: disable=wrong-import-position
import grpc  # noqa: E402
from alignsae.v1 import common_pb2 as common  # noqa: E402
from alignsae.v1 import concept_service_pb2 as concept  # noqa: E402
from alignsae.v1 import concept_service_pb2_grpc as concept_grpc  # noqa: E402
from alignsae.v1 import generation_pb2 as generation  # noqa: E402
from alignsae.v1 import intervention_pb2 as intervention  # noqa: E402
from alignsae.v1 import model_service_pb2 as model  # noqa: E402
from alignsae.v1 import model_service_pb2_grpc as model_grpc  # noqa: E402
from alignsae.v1 import operator_service_pb2 as operators  # noqa: E402
from alignsae.v1 import operator_service_pb2_grpc as operator_grpc  # noqa: E402
from alignsae.v1 import steering_service_pb2 as steering  # noqa: E402
from alignsae.v1 import steering_service_pb2_grpc as steering_grpc  # noqa: E402
from grpc_health.health.v1 import health_pb2 as health  # noqa: E402
from grpc_health.health.v1 import health_pb2_grpc as health_grpc  # noqa: E402


def eventually(condition, seconds=10):
    """Whether `condition()` becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def told(answer):
    """All that a message, or a list of them, says, but for the id of its receipts, which no
    other call has."""
    return re.sub(r'receipt_id: "[0-9a-f]{16}"', "receipt_id", str(answer))


def make_certificate(directory, name):
    """A self-signed certificate of loopback in `directory`: NAME.pem and NAME.key."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.pem"],
        check=True, capture_output=True)


class Api:
    """One channel with a stub of every service."""

    def __init__(self, channel):
        self.channel = channel
        self.model = model_grpc.ModelServiceStub(channel)
        self.concept = concept_grpc.ConceptServiceStub(channel)
        self.steering = steering_grpc.SteeringServiceStub(channel)
        self.health = health_grpc.HealthStub(channel)

    def close(self):
        self.channel.close()


class Server:
    """A server process of our own on free loopback ports. `prefix`: a command that starts it
    (prlimit); `stderr`: where its log goes instead of a file."""

    def __init__(self, *flags, bundle=DEMO, wait=True, env=None, prefix=(), stderr=None):
        self.directory = tempfile.TemporaryDirectory(prefix="alignsae-test-")
        self.log_path = pathlib.Path(self.directory.name) / "log"
        self.port_file = pathlib.Path(self.directory.name) / "ports.json"
        command = [*prefix, BIN / "alignsae-server", f"--model={bundle}", "--listen=127.0.0.1:0",
                   "--admin-listen=127.0.0.1:0", f"--port-file={self.port_file}", *flags]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=stderr or log,
                env={**os.environ, **(env or {})})
        self.grpc_port = self.admin_port = self.http_port = self.operator_port = None
        if wait:
            self._wait_until_ready()

    def _wait_until_ready(self, seconds=120):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended: {self.log()}")
            if self._read_ports() and self.http("/readyz")[0] == 200:
                return
            time.sleep(0.02)
        raise AssertionError(f"the server was not ready in time: {self.log()}")

    def _read_ports(self):
        if self.grpc_port is None and self.port_file.exists():
            ports = json.loads(self.port_file.read_text())
            self.grpc_port, self.admin_port = ports["grpc"], ports["admin"]
            self.http_port = ports.get("http")  # With --http-listen.
            self.operator_port = ports.get("operator")  # With --operator-listen.
        return self.grpc_port is not None

    @property
    def target(self):
        return f"127.0.0.1:{self.grpc_port}"

    def api(self, **options):
        return Api(grpc.insecure_channel(self.target, options=list(options.items())))

    def operator(self):
        """(channel, stub) of the port for operators."""
        channel = grpc.insecure_channel(f"127.0.0.1:{self.operator_port}")
        return channel, operator_grpc.OperatorServiceStub(channel)

    def http(self, path):
        """(status, text) of the admin port."""
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.admin_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metric(self, name, **labels):
        """Sum of the samples of `name` whose labels contain `labels`."""
        total = 0.0
        found = False
        for line in self.http("/metrics")[1].splitlines():
            match = re.match(r"^([a-zA-Z_:][\w:]*)(\{(.*)\})? (\S+)", line)
            if not match or match[1] != name:
                continue
            have = dict(re.findall(r'(\w+)="([^"]*)"', match[3] or ""))
            if all(have.get(key) == value for key, value in labels.items()):
                total += float(match[4])
                found = True
        if not found:
            raise AssertionError(f"no sample {name}{labels}")
        return total

    def log(self):
        return self.log_path.read_text(errors="replace")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Ends the process at once; returns its exit code."""
        # Signals that wait are one: until the first is taken, a second is lost.
        for _ in range(60):
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                continue
        self.process.kill()
        self.process.wait()
        raise AssertionError("the server does not end at a second SIGTERM")

    def close(self):
        self.stop()
        self.directory.cleanup()


class ServerTest(unittest.TestCase):
    """A test case with one server for all its tests."""

    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.flags)
        cls.addClassCleanup(cls.server.close)
        cls.api = cls.server.api()
        cls.addClassCleanup(cls.api.close)
        concepts = cls.api.model.ListConcepts(model.ListConceptsRequest(), timeout=10)
        cls.concepts = list(concepts.checkpoints[0].concepts)
        cls.by_name = {row.name: row for row in cls.concepts}

    def example(self, name="birth_city"):
        return common.Prompt(question=self.by_name[name].example)

    def assertRefused(self, code, sentence, call, request, timeout=10):
        """`call(request)` must fail with exactly this code and text."""
        with self.assertRaises(grpc.RpcError) as caught:
            answer = call(request, timeout=timeout)
            if hasattr(answer, "__iter__"):
                list(answer)
        self.assertEqual((caught.exception.code(), caught.exception.details()),
                         (code, sentence))
        return caught.exception


def swap_edit(source, target, alpha=1.0, **fields):
    return intervention.Intervention(
        mode=intervention.INTERVENTION_MODE_SWAP,
        source=common.ConceptRef(name=source), target=common.ConceptRef(name=target),
        alpha=alpha, **fields)


def main():
    unittest.main(verbosity=2)
