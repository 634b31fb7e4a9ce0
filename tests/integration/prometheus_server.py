"""Starts Debian's Prometheus on loopback to scrape a server, and asks it."""
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

PRESENT = shutil.which("prometheus") is not None
ABSENT = "prometheus (Debian) is not here"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Prometheus:
    """Scrapes `admin_port` five times a second as job `alignsae`; rules once a second."""

    def __init__(self, admin_port, rules=()):
        self.directory = tempfile.TemporaryDirectory(prefix="alignsae-prometheus-")
        place = pathlib.Path(self.directory.name)
        config = place / "prometheus.yml"
        config.write_text(json.dumps({  # YAML, too.
            "global": {"scrape_interval": "200ms", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "alignsae", "static_configs": [
                {"targets": [f"127.0.0.1:{admin_port}"]}]}]}))
        self.port = free_port()
        with open(place / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={place}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.directory.cleanup()

    def get(self, path, **parameters):
        """`data` of an answer of the API; ValueError says what it refuses."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?" + urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # It starts.
                return None
            raise ValueError(error.read().decode()) from error
        except OSError:
            return None

    def query(self, expr):
        """The result vector; empty as long as there is none."""
        data = self.get("query", query=expr)
        return data["result"] if data else []

    def wait_for(self, expr):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            result = self.query(expr)
            if result:
                return result
            time.sleep(0.1)
        raise AssertionError(f"Prometheus never had an answer to {expr}")
