#!/usr/bin/env python3
"""The image and the manifests agree with the binary, and with good practice."""
import json
import re
import shutil
import subprocess
import unittest

import yaml
from alignsae_server import BIN, SOURCE

K8S = SOURCE / "deploy/k8s"
CHART = SOURCE / "deploy/helm/alignsae"
STUDY = SOURCE / "deploy/study/job.yaml"
# prometheus-adapter.yaml is for another chart.
VALUES = [CHART / "values.yaml", *(path for path in (SOURCE / "deploy/helm/values").glob("*.yaml")
                                   if path.stem != "prometheus-adapter")]
HEALTH_SERVICES = {"liveness", "readiness", ""}


def documents():
    return [document for path in sorted(K8S.glob("*.yaml"))
            for document in yaml.safe_load_all(path.read_text())]


def one(kind):
    found = [d for d in documents() if d["kind"] == kind]
    assert len(found) == 1, (kind, len(found))
    return found[0]


class ManifestsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.help = subprocess.run([BIN / "alignsae-server", "--help"], capture_output=True,
                                  text=True, check=True, timeout=60).stdout
        cls.pod = one("Deployment")["spec"]["template"]["spec"]
        cls.container = cls.pod["containers"][0]
        cls.dockerfile = (SOURCE / "docker/Dockerfile").read_text()
        cls.args = dict(arg[2:].split("=", 1) for arg in cls.container["args"])

    @unittest.skipUnless(shutil.which("yamllint"), "yamllint (Debian) is not here")
    def test_yaml_is_clean(self):
        files = [*K8S.glob("*.yaml"), SOURCE / "docker/compose.yaml",
                 *(SOURCE / "deploy/prometheus").rglob("*.yaml"),
                 *(SOURCE / "deploy/grafana").rglob("*.yaml"), CHART / "Chart.yaml",
                 SOURCE / "deploy/helm/load-bundle.yaml", STUDY, *VALUES]
        done = subprocess.run(
            ["yamllint", "-d", "{extends: relaxed, rules: {line-length: {max: 100}}}", *files],
            capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_every_flag_of_the_deployment_is_one_of_the_binary(self):
        for flag in self.args:
            self.assertRegex(self.help, rf"--{flag}\b")

    def test_every_variable_of_the_image_is_one_of_the_binary(self):
        names = re.findall(r"\bALIGNSAE_[A-Z_]+", self.dockerfile)
        self.assertGreaterEqual(len(names), 3)
        for name in names:
            if name not in ("ALIGNSAE_TESTS", "ALIGNSAE_PAGE"):  # CMake options of the build stage.
                self.assertIn(name, self.help)

    def test_ports_agree(self):
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        self.assertEqual(int(self.args["listen"].rsplit(":", 1)[1]), ports["grpc"])
        self.assertEqual(int(self.args["admin-listen"].rsplit(":", 1)[1]), ports["admin"])
        self.assertIn(f"127.0.0.1:{ports['grpc']}", self.help)  # The defaults.
        self.assertIn(f"127.0.0.1:{ports['admin']}", self.help)
        self.assertIn(f"EXPOSE {ports['grpc']} {ports['admin']}", self.dockerfile)
        for service in (d for d in documents() if d["kind"] == "Service"):
            for port in service["spec"]["ports"]:
                self.assertEqual(ports[port["targetPort"]], port["port"])
        scrape = yaml.safe_load((SOURCE / "deploy/prometheus/prometheus.yaml").read_text())
        target = scrape["scrape_configs"][0]["static_configs"][0]["targets"][0]
        self.assertEqual(int(target.rsplit(":", 1)[1]), ports["admin"])

    def test_probes_name_health_services_on_the_grpc_port(self):
        probes = {name: self.container[name]["grpc"]
                  for name in ("startupProbe", "readinessProbe", "livenessProbe")}
        for probe in probes.values():
            self.assertEqual(probe["port"], 50051)
            self.assertIn(probe["service"], HEALTH_SERVICES)
        self.assertEqual(probes["livenessProbe"]["service"], "liveness")
        self.assertEqual(probes["readinessProbe"]["service"], "readiness")

    def test_grace_periods_cover_lame_duck_and_drain(self):
        needed = int(self.args["lame-duck-seconds"]) + int(self.args["drain-seconds"]) + 5
        self.assertGreaterEqual(self.pod["terminationGracePeriodSeconds"], needed)
        compose = yaml.safe_load((SOURCE / "docker/compose.yaml").read_text())
        grace = compose["services"]["alignsae"]["stop_grace_period"]
        self.assertGreaterEqual(int(grace.rstrip("s")), needed)

    def test_pod_is_restricted(self):
        self.assertTrue(self.pod["securityContext"]["runAsNonRoot"])
        self.assertGreater(self.pod["securityContext"]["runAsUser"], 0)
        self.assertEqual(self.pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
        self.assertFalse(self.pod["automountServiceAccountToken"])
        context = self.container["securityContext"]
        self.assertFalse(context["allowPrivilegeEscalation"])
        self.assertTrue(context["readOnlyRootFilesystem"])
        self.assertEqual(context["capabilities"]["drop"], ["ALL"])
        self.assertRegex(self.dockerfile, rf"(?m)^USER {self.pod['securityContext']['runAsUser']}:")

    def test_selectors_match_the_pods_labels(self):
        labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(one("Deployment")["spec"]["selector"]["matchLabels"], labels)
        self.assertEqual(one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"], labels)
        self.assertEqual(one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"], labels)
        for service in (d for d in documents() if d["kind"] == "Service"):
            self.assertEqual(service["spec"]["selector"], labels)

    def test_the_job_of_a_study_has_a_shard_for_each_pod_and_known_flags(self):
        job = yaml.safe_load(STUDY.read_text())
        told = subprocess.run([BIN / "alignsae-train", "study", "--help"], capture_output=True,
                              text=True, check=True, timeout=60).stdout
        pod = job["spec"]["template"]["spec"]
        container = pod["containers"][0]
        command, plan, *flags = container["args"]
        self.assertEqual(command, "study")
        self.assertRegex(told, rf"\b{plan}\b")
        flags = dict(flag[2:].split("=", 1) for flag in flags)
        for flag in flags:
            self.assertRegex(told, rf"--{flag}\b")
        self.assertEqual(job["spec"]["completionMode"], "Indexed")
        self.assertEqual(job["spec"]["completions"], job["spec"]["parallelism"])
        self.assertEqual(flags["shard"], f"$(JOB_COMPLETION_INDEX)/{job['spec']['completions']}")
        self.assertEqual([entry["name"] for entry in container["env"]], ["JOB_COMPLETION_INDEX"])
        [mount] = container["volumeMounts"]
        for path in ("data", "model", "work"):
            self.assertTrue(flags[path].startswith(mount["mountPath"] + "/"), path)
        self.assertIn("AS train", self.dockerfile)
        self.assertTrue(pod["securityContext"]["runAsNonRoot"])
        self.assertEqual(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
        self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
        self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
        self.assertEqual(container["securityContext"]["capabilities"]["drop"], ["ALL"])

    def test_kustomization_lists_every_manifest(self):
        listed = set(yaml.safe_load((K8S / "kustomization.yaml").read_text())["resources"])
        there = {path.name for path in K8S.glob("*.yaml")} - {"kustomization.yaml"}
        self.assertEqual(listed, there)


class ChartTest(unittest.TestCase):
    """What can be seen of the chart without Helm, which Debian has not; tests/interop renders
    it."""

    @classmethod
    def setUpClass(cls):
        cls.help = subprocess.run([BIN / "alignsae-server", "--help"], capture_output=True,
                                  text=True, check=True, timeout=60).stdout
        cls.values = yaml.safe_load((CHART / "values.yaml").read_text())

    def test_every_flag_is_one_of_the_binary(self):
        text = (CHART / "templates/deployment.yaml").read_text()
        flags = set(re.findall(r"(?m)^ *- --([a-z-]+)=", text))
        self.assertGreaterEqual(flags, {"model", "listen", "admin-listen", "tls-client-ca"})
        for path in VALUES:
            flags |= set(yaml.safe_load(path.read_text()).get("config", ()))
        for flag in flags:
            self.assertRegex(self.help, rf"--{flag}\b")

    def test_its_version_is_the_servers(self):
        told = subprocess.run([BIN / "alignsae-server", "--version"], capture_output=True,
                              text=True, check=True, timeout=60).stdout
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        self.assertEqual(chart["appVersion"], told.split()[-1])

    def test_the_schema_has_every_value_and_no_other(self):
        schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
        self.assertEqual(set(schema) - {"global"}, set(self.values))
        for name, value in self.values.items():
            if schema[name].get("additionalProperties") is False:
                self.assertEqual(set(schema[name]["properties"]), set(value), name)

    def test_files_of_values_set_what_the_chart_has(self):
        for path in VALUES:
            for name, value in yaml.safe_load(path.read_text()).items():
                self.assertIn(name, self.values, path.name)
                if name not in ("config", "env", "resources") and isinstance(value, dict):
                    self.assertLessEqual(set(value), set(self.values[name]), (path.name, name))

    def test_rules_and_dashboards_are_not_copies(self):
        for name, where in (("rules", "deploy/prometheus/rules"),
                            ("dashboards", "deploy/grafana/dashboards")):
            self.assertEqual((CHART / "files" / name).resolve(), (SOURCE / where).resolve())


if __name__ == "__main__":
    unittest.main(verbosity=2)
