#!/usr/bin/env python3
"""The chart, rendered by Helm with every file of values: each object against its schema, flags
against the server, and the default against the plain manifests of deploy/k8s."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import installed
import yaml
from alignsae_server import BIN, SOURCE

CHART = SOURCE / "deploy/helm/alignsae"
VALUES = sorted(path for path in (SOURCE / "deploy/helm/values").glob("*.yaml")
                if path.stem != "prometheus-adapter")  # Another chart's.
# No schema is at hand for it; its test is below.
UNCHECKED = {"ScaledObject"}


class HelmTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.helm = installed.go("helm.sh/helm/v3/cmd/helm", "helm")
        cls.validator = installed.python("kubernetes-validate").parent / "kubernetes-validate"
        cls.check = installed.go_program(
            SOURCE / "tests/interop/manifests",
            "github.com/envoyproxy/go-control-plane/envoy",
            "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring",
            "sigs.k8s.io/gateway-api@v1.6.3",  # Newer ones want a newer Go.
            "sigs.k8s.io/yaml")
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)

    def run_helm(self, *words):
        return subprocess.run([self.helm, *words], capture_output=True, text=True, timeout=120)

    def text(self, *flags, chart=CHART):
        done = self.run_helm("template", "alignsae", chart, "--namespace=alignsae",
                             "--kube-version=1.31.0", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def objects(self, *flags):
        return [document for document in yaml.safe_load_all(self.text(*flags)) if document]

    def one(self, kind, *flags, name="alignsae-server"):
        [found] = [each for each in self.objects(*flags)
                   if each["kind"] == kind and each["metadata"]["name"] == name]
        return found

    def test_every_object_of_every_values_file_fits_its_schema(self):
        self.assertGreaterEqual(len(VALUES), 9)
        for values in VALUES:
            path = pathlib.Path(self.directory.name) / values.name
            path.write_text(self.text(f"--values={values}"))
            told = subprocess.run([self.validator, "--strict", path], capture_output=True,
                                  text=True, timeout=120)
            said = told.stdout + told.stderr
            self.assertEqual(told.returncode, 0, said)
            unknown = set(re.findall(r"Couldn't find schema for kind (\w+)", said))
            known = subprocess.run([self.check, path], capture_output=True, text=True, timeout=60)
            self.assertEqual((known.returncode, known.stdout), (0, ""))
            checked = set(re.findall(r": (\w+): fits", known.stderr))
            self.assertEqual(unknown - checked - UNCHECKED, set(), values.name)
            self.assertEqual("EnvoyConfig" in checked, values.stem == "edge")

    def test_objects_beside_the_chart_fit_their_schemas(self):
        for path in (*(SOURCE / "deploy/k8s").glob("*.yaml"),
                     SOURCE / "deploy/helm/load-bundle.yaml"):
            if path.name == "kustomization.yaml":
                continue
            told = subprocess.run([self.validator, "--strict", path], capture_output=True,
                                  text=True, timeout=120)
            self.assertEqual(told.returncode, 0, told.stdout + told.stderr)

    def test_what_does_not_fit_is_noticed(self):
        for wrong, right in (("lb_policy: LEAST", "lb_policy: LEST"),
                             ("max_request_headers_kb: 16", "max_request_headers_kb: 0"),
                             ("lb_endpoints:", "lb_endpoint:")):
            path = pathlib.Path(self.directory.name) / "wrong.yaml"
            text = self.text("--set=envoy.enabled=true")
            self.assertIn(wrong, text)
            path.write_text(text.replace(wrong, right))
            self.assertEqual(subprocess.run([self.check, path], capture_output=True).returncode, 1,
                             right)

    def test_lint_is_clean(self):
        for values in VALUES:
            done = self.run_helm("lint", "--strict", CHART, f"--values={values}")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_values_that_the_chart_does_not_know_are_refused(self):
        for wrong in ("replica=3", "config.model=/m", "autoscaling.by=cpu", "tls.ca=x",
                      "config.drain-seconds=-1"):
            done = self.run_helm("template", "a", CHART, "--kube-version=1.31.0", f"--set={wrong}")
            self.assertNotEqual(done.returncode, 0, wrong)
            self.assertIn("schema", done.stderr, wrong)

    def test_every_flag_is_one_of_the_server(self):
        told = subprocess.run([BIN / "alignsae-server", "--help"], capture_output=True, text=True,
                              check=True, timeout=60).stdout
        for values in VALUES:
            pod = self.one("Deployment", f"--values={values}")["spec"]["template"]["spec"]
            args = pod["containers"][0]["args"]
            names = [arg.split("=")[0] for arg in args]
            self.assertEqual(len(set(names)), len(names), args)
            for name in names:
                self.assertRegex(told, rf"{name}\b")

    def test_by_default_it_is_what_the_plain_manifests_are(self):
        def bare(thing):
            """Without what only Helm adds."""
            if isinstance(thing, list):
                words = all(isinstance(each, str) for each in thing)  # Flags have no order.
                return sorted(thing) if words else [bare(each) for each in thing]
            if not isinstance(thing, dict):
                return thing
            extra = re.compile(r"helm\.sh/|app\.kubernetes\.io/(instance|version|managed-by|"
                               r"component)$|imagePullPolicy$")
            return {key: bare(value) for key, value in thing.items() if not extra.match(key)}

        plain = [document for path in (SOURCE / "deploy/k8s").glob("*.yaml")
                 for document in yaml.safe_load_all(path.read_text())
                 if document["kind"] not in ("Namespace", "Kustomization")]
        for each in plain:
            same = self.one(each["kind"], name=each["metadata"]["name"])
            self.assertEqual(bare(same), bare({**each, "metadata": {
                "labels": {"app.kubernetes.io/name": "alignsae-server"}, **each["metadata"]}}))
        self.assertEqual(len(plain), len(self.objects()))

    def test_a_packed_chart_has_rules_and_dashboards(self):
        done = self.run_helm("package", CHART, f"--destination={self.directory.name}")
        self.assertEqual(done.returncode, 0, done.stderr)
        [packed] = pathlib.Path(self.directory.name).glob("*.tgz")
        flags = [f"--values={SOURCE / 'deploy/helm/values/monitoring.yaml'}"]
        self.assertEqual(self.text(*flags, chart=packed), self.text(*flags))

    def test_rules_and_dashboards_are_those_of_the_repository(self):
        flags = [f"--values={SOURCE / 'deploy/helm/values/monitoring.yaml'}"]
        groups = [group for path in sorted((SOURCE / "deploy/prometheus/rules").glob("*.yaml"))
                  for group in yaml.safe_load(path.read_text())["groups"]]
        self.assertEqual(self.one("PrometheusRule", *flags)["spec"]["groups"], groups)
        boards = self.one("ConfigMap", *flags, name="alignsae-server-dashboards")["data"]
        for path in (SOURCE / "deploy/grafana/dashboards").glob("*.json"):
            self.assertEqual(json.loads(boards.pop(path.name)), json.loads(path.read_text()))
        self.assertEqual(boards, {})

    def test_with_tls_the_admin_port_is_probed(self):
        pod = self.one("Deployment", "--set=tls.secret=s")["spec"]["template"]["spec"]
        [container] = pod["containers"]
        for probe, path in (("startupProbe", "/readyz"), ("readinessProbe", "/readyz"),
                            ("livenessProbe", "/livez")):
            self.assertEqual(container[probe]["httpGet"], {"port": "admin", "path": path})
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        for arg in container["args"]:
            if arg.startswith("--tls"):
                self.assertTrue(arg.split("=")[1].startswith(mounts["tls"] + "/"))

    def test_autoscalers_own_the_number_of_pods(self):
        for form, kind in (("adapter", "HorizontalPodAutoscaler"), ("keda", "ScaledObject")):
            flags = [f"--values={SOURCE / f'deploy/helm/values/autoscaling-{form}.yaml'}"]
            self.assertNotIn("replicas", self.one("Deployment", *flags)["spec"])
            spec = self.one(kind, *flags)["spec"]
            self.assertEqual(spec["scaleTargetRef"]["name"], "alignsae-server")
            if form == "keda":
                [trigger] = spec["triggers"]
                self.assertEqual((trigger["type"], trigger["metricType"]), ("prometheus", "Value"))
                self.assertEqual(set(trigger["metadata"]), {"serverAddress", "query", "threshold"})
                self.assertEqual(trigger["metadata"]["threshold"], "0.7")
            else:
                [metric] = spec["metrics"]
                self.assertEqual(metric["external"]["target"], {"type": "Value", "value": "700m"})

    def test_the_front_door_has_its_port_everywhere_and_asks_for_no_certificate(self):
        flags = [f"--values={SOURCE / 'deploy/helm/values/front-door.yaml'}"]
        [container] = self.one("Deployment", *flags)["spec"]["template"]["spec"]["containers"]
        self.assertIn("--http-listen=0.0.0.0:8080", container["args"])
        self.assertIn({"name": "http", "containerPort": 8080}, container["ports"])
        self.assertIn({"name": "http", "port": 8080, "targetPort": "http"},
                      self.one("Service", *flags)["spec"]["ports"])
        rules = self.one("NetworkPolicy", *flags)["spec"]["ingress"]
        self.assertEqual([rule["ports"][0]["port"] for rule in rules], [50051, 8080, 9464])
        done = self.run_helm("template", "a", CHART, "--kube-version=1.31.0", *flags,
                             "--set=tls.secret=s")
        self.assertIn("http.enabled: must be false with tls.clientCertificates", done.stderr)

    def test_with_envoy_nobody_else_reaches_the_server(self):
        policy = self.one("NetworkPolicy", "--set=envoy.enabled=true")["spec"]["ingress"][0]
        labels = self.one("Deployment", "--set=envoy.enabled=true", name="alignsae-envoy")
        labels = labels["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(policy["from"], [{"podSelector": {"matchLabels": labels}}])


if __name__ == "__main__":
    if shutil.which("go") is None:
        print("go: is not installed here; skipped")
        raise SystemExit(77)
    unittest.main(verbosity=2)
