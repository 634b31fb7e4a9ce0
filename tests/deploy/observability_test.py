#!/usr/bin/env python3
"""Rules, alerts, runbook and dashboards agree with each other and with the metrics."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import yaml

SOURCE = pathlib.Path(__file__).parents[2]
HERE = SOURCE / "tests/deploy"
PROMETHEUS = SOURCE / "deploy/prometheus"
GRAFANA = SOURCE / "deploy/grafana"
RULES = sorted((PROMETHEUS / "rules").glob("*.yaml"))
RULE_TESTS = sorted(HERE.glob("rules*_test.yaml"))


def rules(kind):
    """Every rule of `kind` (`alert` or `record`)."""
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"]
            for rule in group["rules"] if kind in rule]


def boards():
    return {path.name: json.loads(path.read_text())
            for path in sorted((GRAFANA / "dashboards").glob("*.json"))}


def expressions():
    for rule in rules("expr"):
        yield rule["expr"]
    for board in boards().values():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield target["expr"]
        for variable in board["templating"]["list"]:
            yield variable.get("definition", "")


@unittest.skipUnless(shutil.which("promtool"), "promtool (Debian: prometheus) is not here")
class PromtoolTest(unittest.TestCase):
    def promtool(self, *words):
        done = subprocess.run(["promtool", *words], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_configuration_and_rules_are_clean(self):
        self.promtool("check", "config", PROMETHEUS / "prometheus.yaml")
        self.promtool("check", "rules", *RULES)

    def test_alerts_fire_when_they_must(self):
        self.promtool("test", "rules", *RULE_TESTS)


class AlertsTest(unittest.TestCase):
    def test_each_one_is_seen_to_fire_and_none_only_that(self):
        fire, silent = set(), set()
        for path in RULE_TESTS:
            for case in yaml.safe_load(path.read_text())["tests"]:
                for check in case.get("alert_rule_test", ()):
                    (fire if check["exp_alerts"] else silent).add(check["alertname"])
        names = {rule["alert"] for rule in rules("alert")}
        self.assertEqual(fire, names)
        self.assertLessEqual(silent, names)

    def test_each_one_has_a_severity_and_its_section_of_the_runbook(self):
        text = (PROMETHEUS / "RUNBOOK.md").read_text()
        sections = re.findall(r"(?m)^## (\w+)$", text)
        self.assertEqual(sorted(sections), sorted({rule["alert"] for rule in rules("alert")}))
        for rule in rules("alert"):
            self.assertIn(rule["labels"]["severity"], ("page", "ticket"))
            self.assertEqual(rule["annotations"]["runbook"],
                             f"deploy/prometheus/RUNBOOK.md#{rule['alert'].lower()}")

    def test_the_runbook_names_panels_that_are_there(self):
        titles = {f"{board['title'].split(': ')[1]} / {panel['title']}".lower()
                  for board in boards().values() for panel in board["panels"]}
        named = re.findall(r"\*((?:Concepts|Service) / [^*]+)\*",
                           (PROMETHEUS / "RUNBOOK.md").read_text())
        self.assertGreater(len(named), 5)
        for name in named:
            self.assertIn(name.lower(), titles)


class MetricsTest(unittest.TestCase):
    def test_every_metric_that_is_asked_for_is_one_of_the_server(self):
        source = "".join(path.read_text() for path in (SOURCE / "server/metrics").glob("*.cc"))
        there = set(re.findall(r'"([a-z_]+)"', source))
        asked = {name for expr in expressions()
                 for name in re.findall(r"\balignsae_([a-z_]+)", expr)}
        self.assertGreater(len(asked), 30)
        for name in asked:
            base = re.sub(r"_(bucket|count|sum)$", "", name)
            self.assertIn(base, there)

    def test_every_recorded_series_that_is_asked_for_is_recorded(self):
        recorded = {rule["record"] for rule in rules("record")}
        asked = {name for expr in expressions()
                 for name in re.findall(r"\balignsae:\w+:\w+", expr)}
        self.assertLessEqual(asked, recorded)
        self.assertGreater(len(asked), 10)


class DashboardsTest(unittest.TestCase):
    def test_files_are_what_the_generator_writes(self):
        done = subprocess.run([sys.executable, GRAFANA / "generate.py", "--check"],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_every_panel_says_what_it_shows(self):
        for name, board in boards().items():
            for panel in board["panels"]:
                if panel["type"] != "row":
                    self.assertTrue(panel["title"] and panel["targets"], name)
                    self.assertTrue(panel["description"], (name, panel["title"]))

    def test_panels_have_their_own_id_and_place(self):
        for name, board in boards().items():
            taken = set()
            for panel in board["panels"]:
                at = panel["gridPos"]
                self.assertLessEqual(at["x"] + at["w"], 24)
                cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                         for y in range(at["y"], at["y"] + at["h"])}
                self.assertFalse(taken & cells, (name, panel["title"]))
                taken |= cells
            ids = [panel["id"] for panel in board["panels"]]
            self.assertEqual(len(set(ids)), len(ids))

    def test_every_variable_of_a_query_is_defined(self):
        for board in boards().values():
            defined = {variable["name"] for variable in board["templating"]["list"]}
            used = set(re.findall(r"\$\{?(\w+)", json.dumps(board)))
            self.assertEqual({name for name in used if not name.startswith("__")}, defined)


if __name__ == "__main__":
    unittest.main(verbosity=2)
