#!/usr/bin/env python3
"""A real Prometheus scrapes the server, and promtool judges the exposition."""
import shutil
import subprocess
import unittest

import prometheus_server
from alignsae_server import ServerTest, common, concept, main, steering


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

    @unittest.skipUnless(prometheus_server.PRESENT, prometheus_server.ABSENT)
    def test_prometheus_scrapes_and_answers_queries(self):
        answer = self.work()
        prometheus = prometheus_server.Prometheus(self.server.admin_port)
        self.addCleanup(prometheus.close)
        generated = prometheus.wait_for("alignsae_generated_tokens_total")
        self.assertGreaterEqual(
            float(generated[0]["value"][1]),
            answer.baseline.generated_token_count + answer.steered.generated_token_count)
        up = prometheus.wait_for('up{job="alignsae"}')
        self.assertEqual(up[0]["value"][1], "1")
        tops = prometheus.wait_for("sum by (concept) (alignsae_concept_top_total)")
        tops = {row["metric"]["concept"]: float(row["value"][1]) for row in tops}
        for name in ("birth_city", "employer", "major"):
            self.assertGreaterEqual(tops[name], 1)
        steered = prometheus.wait_for('alignsae_steering_total{mode="SWAP"}')
        self.assertGreaterEqual(float(steered[0]["value"][1]), 1)

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
