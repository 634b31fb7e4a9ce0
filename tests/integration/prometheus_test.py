#!/usr/bin/env python3
"""A real Prometheus scrapes the server, and promtool judges the exposition."""
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

from alignsae_server import ServerTest, common, concept, main, steering


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PrometheusTest(ServerTest):
    def work(self):
        """A known amount: two readouts and one swap."""
        for name in ("birth_city", "employer"):
            self.api.concept.ReadConcepts(concept.ReadConceptsRequest(
                prompts=[self.example(name)]), timeout=10)
        return self.api.steering.Swap(steering.SwapRequest(
            prompt=self.example("major"), target=common.ConceptRef(name="employer")), timeout=20)

    @unittest.skipUnless(shutil.which("promtool"), "promtool (Debian: prometheus) is not here")
    def test_promtool_finds_nothing_to_say(self):
        self.work()
        status, text = self.server.http("/metrics")
        self.assertEqual(status, 200)
        done = subprocess.run(["promtool", "check", "metrics"], input=text,
                              capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    @unittest.skipUnless(shutil.which("prometheus"), "prometheus (Debian) is not here")
    def test_prometheus_scrapes_and_answers_queries(self):
        answer = self.work()
        with tempfile.TemporaryDirectory() as directory:
            config = pathlib.Path(directory) / "prometheus.yml"
            config.write_text(
                "global: {scrape_interval: 200ms}\n"
                "scrape_configs:\n"
                "  - job_name: alignsae\n"
                f"    static_configs: [{{targets: ['127.0.0.1:{self.server.admin_port}']}}]\n")
            port = free_port()
            with open(pathlib.Path(directory) / "log", "wb") as log:
                process = subprocess.Popen(
                    ["prometheus", f"--config.file={config}",
                     f"--storage.tsdb.path={directory}/data",
                     f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
            try:
                generated = self.wait_for(port, "alignsae_generated_tokens_total")
                self.assertGreaterEqual(
                    float(generated[0]["value"][1]),
                    answer.baseline.generated_token_count + answer.steered.generated_token_count)
                up = self.wait_for(port, 'up{job="alignsae"}')
                self.assertEqual(up[0]["value"][1], "1")
                tops = self.wait_for(port, "sum by (concept) (alignsae_concept_top_total)")
                tops = {row["metric"]["concept"]: float(row["value"][1]) for row in tops}
                for name in ("birth_city", "employer", "major"):
                    self.assertGreaterEqual(tops[name], 1)
                steered = self.wait_for(port, 'alignsae_steering_total{mode="SWAP"}')
                self.assertGreaterEqual(float(steered[0]["value"][1]), 1)
            finally:
                process.terminate()
                process.wait(timeout=20)

    def wait_for(self, port, query):
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    result = json.load(answer)["data"]["result"]
                if result:
                    return result
            except OSError:
                pass
            time.sleep(0.1)
        self.fail(f"Prometheus never had an answer to {query}")

    def test_series_do_not_grow_with_what_clients_send(self):
        self.work()
        before = len(self.server.http("/metrics")[1].splitlines())
        for i in range(50):
            call = self.api.channel.unary_unary(f"/hostile.Service{i}/Method{i}")
            try:
                call(b"", timeout=5, metadata=[("x-request-id", f"id-{i}")])
            except Exception:  # pylint: disable=broad-except
                pass
        self.work()
        after = len(self.server.http("/metrics")[1].splitlines())
        self.assertLessEqual(after - before, 40)


if __name__ == "__main__":
    main()
