#!/usr/bin/env python3
"""Every query of the dashboards has data in a real Prometheus under load, and a shift of
traffic from one concept to another raises the drift that the alert looks at."""
import json
import math
import re
import time
import unittest

import grpc
import prometheus_server
from alignsae_server import (SOURCE, ServerTest, common, concept, generation, intervention, main,
                             steering, swap_edit)

RULES = sorted((SOURCE / "deploy/prometheus/rules").glob("*.yaml"))
BOARDS = sorted((SOURCE / "deploy/grafana/dashboards").glob("*.json"))
# Needs a day of data; promtool tests it.
AFTER_A_DAY = "alignsae:concept_shift:psi1h"
VALUES = {"$__rate_interval": "10s", "$__range": "1m", "$job": ".*", "$checkpoint": ".*",
          "$concept": ".*"}
PATIENCE = 90  # Seconds.


def queries():
    """(dashboard and panel, query) of every target, with Grafana's variables filled in."""
    for path in BOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                expr = target["expr"]
                for name, value in VALUES.items():
                    expr = expr.replace(name, value)
                yield f"{path.stem}: {panel['title']}", expr


def has_data(result):
    return any(not math.isnan(float(row["value"][1])) for row in result)


@unittest.skipUnless(prometheus_server.PRESENT, prometheus_server.ABSENT)
class DashboardsTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prometheus = prometheus_server.Prometheus(cls.server.admin_port, RULES)
        cls.addClassCleanup(cls.prometheus.close)
        # What comes before the first scrape is no increase.
        cls.prometheus.wait_for("alignsae_concept_top_total")

    def read(self, name, prompts):
        self.api.concept.ReadConcepts(
            concept.ReadConceptsRequest(prompts=[self.example(name)] * prompts), timeout=20)

    def work(self):
        """A little of everything that a panel shows."""
        for name in self.by_name:
            self.read(name, 2)
        self.api.steering.Swap(steering.SwapRequest(
            prompt=self.example("major"), target=common.ConceptRef(name="employer")), timeout=20)
        without_effect = intervention.Intervention(
            mode=intervention.INTERVENTION_MODE_ADD, target=common.ConceptRef(name="major"),
            alpha=0)
        list(self.api.steering.Generate(steering.GenerateRequest(
            prompt=self.example("employer"), interventions=[
                swap_edit("employer", "university"), without_effect],
            generation=generation.GenerationConfig(max_new_tokens=6, concept_trace=True)),
            timeout=20))
        cancelled = self.api.steering.Generate(steering.GenerateRequest(
            prompt=self.example("employer"), generation=generation.GenerationConfig(
                max_new_tokens=60, ignore_eos=True)), timeout=20)
        next(cancelled)
        cancelled.cancel()
        with self.assertRaises(grpc.RpcError):
            self.api.steering.Swap(steering.SwapRequest(), timeout=20)

    def test_1_every_query_has_data_under_load(self):
        waiting = dict.fromkeys(queries())
        self.assertGreater(len(waiting), 50)
        self.assertFalse([query for query in waiting if "$" in query[1]])
        deadline = time.monotonic() + PATIENCE
        while waiting and time.monotonic() < deadline:
            self.work()
            waiting = {query: None for query in waiting
                       if not has_data(self.prometheus.query(query[1]))}
            if not [expr for _, expr in waiting if not expr.startswith(AFTER_A_DAY)]:
                break
        self.assertEqual([expr.split("{")[0] for _, expr in waiting], [AFTER_A_DAY])

    def test_2_a_shift_between_concepts_raises_the_drift_alert(self):
        """From an even mix, as in the evaluation, to one concept alone."""
        drift = "alignsae:concept_drift:psi1h"
        for name in self.by_name:
            self.read(name, 20)
        [even] = self.prometheus.wait_for(f"{drift} < 0.1")
        self.assertEqual(even["metric"]["checkpoint"], "main")
        self.assertEqual(self.alerts(), set())
        for _ in range(20):
            self.read("birth_city", 64)
        self.prometheus.wait_for(f"{drift} > 0.25")
        self.prometheus.wait_for('ALERTS{alertname="AlignsaeConceptDrift",checkpoint="main"}')
        self.assertEqual(self.alerts(), {"AlignsaeConceptDrift"})

    def alerts(self):
        """Of concepts, that are pending or fire; load and busy machines raise others."""
        data = self.prometheus.get("alerts")
        return {alert["labels"]["alertname"] for alert in data["alerts"]
                if re.search("Concept|Binding|Unbound", alert["labels"]["alertname"])}


if __name__ == "__main__":
    main()
