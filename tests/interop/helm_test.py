#!/usr/bin/env python3
"""The chart, rendered by Helm with every file of values: each object against its schema, pods
against the restricted profile, flags against the server, the default against the plain manifests
of deploy/k8s, and the kustomize overlays, built, against the chart."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest

import installed
import yaml
from alignsae_server import BIN, SOURCE

CHART = SOURCE / "deploy/helm/alignsae"
VALUES = sorted(path for path in (SOURCE / "deploy/helm/values").glob("*.yaml")
                if path.stem != "prometheus-adapter")  # Another chart's.
OVERLAYS = SOURCE / "deploy/k8s/overlays"


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


class HelmTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.helm = installed.go("helm.sh/helm/v3/cmd/helm", "helm")
        cls.validator = installed.python("kubernetes-validate").parent / "kubernetes-validate"
        cls.check = installed.go_program(
            SOURCE / "tests/interop/manifests",
            "github.com/envoyproxy/go-control-plane/envoy",
            "github.com/kedacore/keda/v2",
            "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring",
            "k8s.io/pod-security-admission",
            "sigs.k8s.io/gateway-api@v1.6.3",  # Newer ones want a newer Go.
            "sigs.k8s.io/yaml")
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)

    def run_helm(self, *words):
        return subprocess.run([self.helm, *words], capture_output=True, text=True, timeout=120)

    def text(self, *flags, chart=CHART):
        done = self.run_helm("template", "alignsae", chart, "--namespace=alignsae",
                             "--kube-version=1.33.0", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def objects(self, *flags):
        return [document for document in yaml.safe_load_all(self.text(*flags)) if document]

    def one(self, kind, *flags, name="alignsae-server"):
        [found] = [each for each in self.objects(*flags)
                   if each["kind"] == kind and each["metadata"]["name"] == name]
        return found

    def test_every_object_of_every_values_file_fits_its_schema(self):
        self.assertGreaterEqual(len(VALUES), 13)
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
            self.assertEqual(unknown - checked, set(), values.name)
            self.assertIn("Deployment", checked)  # Restricted.
            self.assertEqual("EnvoyConfig" in checked, values.stem == "edge")

    def test_objects_beside_the_chart_fit_their_schemas(self):
        for path in (*(SOURCE / "deploy/k8s").glob("*.yaml"),
                     SOURCE / "deploy/helm/load-bundle.yaml", SOURCE / "deploy/study/job.yaml"):
            if path.name == "kustomization.yaml":
                continue
            told = subprocess.run([self.validator, "--strict", path], capture_output=True,
                                  text=True, timeout=120)
            self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
            known = subprocess.run([self.check, path], capture_output=True, text=True, timeout=60)
            self.assertEqual((known.returncode, known.stdout), (0, ""))

    def test_what_does_not_fit_is_noticed(self):
        for wrong, right in (("FULL_SCAN", "FULL_SKAN"),
                             ("max_request_headers_kb: 12", "max_request_headers_kb: 0"),
                             ("lb_endpoints:", "lb_endpoint:"),
                             ("runAsNonRoot: true", "runAsNonRoot: false"),
                             ('drop: ["ALL"]', 'drop: ["KILL"]'),
                             ("emptyDir:\n            sizeLimit: 64Mi", "hostPath:\n            path: /"),
                             ("enableServiceLinks", "enableServiceLink")):
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
        plain = [document for path in (SOURCE / "deploy/k8s").glob("*.yaml")
                 for document in yaml.safe_load_all(path.read_text())
                 if document["kind"] not in ("Namespace", "Kustomization")]
        for each in plain:
            same = self.one(each["kind"], name=each["metadata"]["name"])
            self.assertEqual(bare(same), bare({**each, "metadata": {
                "labels": {"app.kubernetes.io/name": "alignsae-server"}, **each["metadata"]}}))
        self.assertEqual(len(plain), len(self.objects()))

    def test_the_overlays_are_the_charts(self):
        done = subprocess.run([SOURCE / "deploy/k8s/render.py", f"--helm={self.helm}", "--check"],
                              capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_kustomize_builds_every_overlay_to_what_the_chart_renders(self):
        # Newer ones want a newer Go.
        kustomize = installed.go("sigs.k8s.io/kustomize/kustomize/v5", "kustomize", "v5.7.1")

        def built(folder):
            done = subprocess.run([kustomize, "build", folder], capture_output=True, text=True,
                                  timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            return {(each["kind"], each["metadata"]["name"]): each
                    for each in yaml.safe_load_all(done.stdout)}
        self.assertIn(("Deployment", "alignsae-server"), built(SOURCE / "deploy/k8s"))
        self.assertEqual({path.name for path in OVERLAYS.iterdir()},
                         {path.stem for path in VALUES})
        for values in VALUES:
            overlay = built(OVERLAYS / values.stem)
            namespace = overlay.pop(("Namespace", "alignsae"))
            self.assertEqual(namespace["metadata"]["labels"],
                             {"pod-security.kubernetes.io/enforce": "restricted"})
            for each in self.objects(f"--values={values}"):
                same = overlay.pop((each["kind"], each["metadata"]["name"]))
                self.assertEqual(bare(same), bare(each), values.name)
            self.assertEqual(overlay, {}, values.name)

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

    def test_envoys_configuration_is_the_one_that_is_tested(self):
        shipped = yaml.safe_load((SOURCE / "deploy/envoy/envoy.yaml").read_text())
        data = self.one("ConfigMap", "--set=envoy.enabled=true", name="alignsae-envoy")["data"]
        self.assertEqual(yaml.safe_load(data["envoy.yaml"]), shipped)
        self.assertEqual(data["drain.sh"].strip(),
                         (SOURCE / "deploy/envoy/drain.sh").read_text().strip())
        data = self.one("ConfigMap", "--set=envoy.enabled=true,envoy.tlsSecret=t,tls.secret=s",
                        "--set=envoy.allowedOrigins={https://a.example.org}", name="alignsae-envoy")
        config = yaml.safe_load(data["data"]["envoy.yaml"])
        [chain] = config["static_resources"]["listeners"][0]["filter_chains"]
        self.assertTrue(chain.pop("transport_socket")["typed_config"]["@type"].endswith(
            "DownstreamTlsContext"))
        cluster = config["static_resources"]["clusters"][0]
        self.assertTrue(cluster.pop("transport_socket")["typed_config"]["@type"].endswith(
            "UpstreamTlsContext"))
        host = chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0]
        cors = host["typed_per_filter_config"]["envoy.filters.http.cors"]
        self.assertEqual(cors["allow_origin_string_match"], [{"exact": "https://a.example.org"}])
        cors["allow_origin_string_match"] = []
        self.assertEqual(config, shipped)

    def test_envoys_grace_covers_its_drain(self):
        pod = self.one("Deployment", "--set=envoy.enabled=true", name="alignsae-envoy")
        spec = pod["spec"]["template"]["spec"]
        text = (SOURCE / "deploy/envoy/drain.sh").read_text()
        takes = sum(int(n) for n in re.findall(r"=\$\{[12]:-(\d+)\}", text))
        self.assertGreaterEqual(spec["terminationGracePeriodSeconds"], takes + 5)
        self.assertEqual(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"],
                         ["bash", "/etc/envoy/drain.sh"])

    def test_a_bundle_comes_from_one_place(self):
        for name, volume in (("own-bundle", "persistentVolumeClaim"), ("oci-artifact", "image"),
                             ("fetched-bundle", "emptyDir")):
            spec = self.one("Deployment", f"--values={SOURCE}/deploy/helm/values/{name}.yaml")
            spec = spec["spec"]["template"]["spec"]
            [found] = [each for each in spec["volumes"] if each["name"] == "bundle"]
            self.assertIn(volume, found)
            [mount] = [each for each in spec["containers"][0]["volumeMounts"]
                       if each["name"] == "bundle"]
            self.assertTrue(mount["readOnly"])
            self.assertEqual((mount["mountPath"], mount["subPath"]), ("/models/bundle", "forms"))
        done = self.run_helm("template", "a", CHART, "--kube-version=1.33.0",
                             "--set=bundle.claim=c,bundle.artifact.reference=r")
        self.assertIn("bundle: must have at most one of", done.stderr)
        done = self.run_helm("template", "a", CHART, "--kube-version=1.33.0",
                             "--set=bundle.fetch.url=https://a/b.tar")
        self.assertIn("bundle.fetch.sha256: must be the archive's", done.stderr)

    def test_a_fetched_bundle_is_unpacked_only_if_it_is_the_one_that_is_meant(self):
        """The init container's own script, run here."""
        values = f"--values={SOURCE}/deploy/helm/values/fetched-bundle.yaml"
        [init] = self.one("Deployment", values)["spec"]["template"]["spec"]["initContainers"]
        archive = pathlib.Path(self.directory.name) / "bundle.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(SOURCE / "model/demo", "forms")
        right = hashlib.sha256(archive.read_bytes()).hexdigest()
        for sha256, code in ((right, 0), ("0" * 64, 1)):
            with tempfile.TemporaryDirectory() as folder:
                done = subprocess.run(
                    [*init["command"], *init["args"]], capture_output=True, text=True, timeout=60,
                    env={**os.environ, "URL": archive.as_uri(), "SHA256": sha256, "TO": folder},
                    check=False)
                self.assertEqual(done.returncode, code, done.stderr)
                there = {path.name for path in pathlib.Path(folder).iterdir()}
                self.assertEqual(there, {"forms"} if code == 0 else set())
                if code == 0:
                    self.assertTrue((pathlib.Path(folder) / "forms/bundle.json").exists())

    def test_named_namespaces_call_it(self):
        values = f"--values={SOURCE}/deploy/helm/values/client-namespaces.yaml"
        rule = self.one("NetworkPolicy", values)["spec"]["ingress"][0]
        self.assertEqual(rule["from"], [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
            for name in ("search", "evaluation")])
        done = self.run_helm("template", "a", CHART, "--kube-version=1.33.0",
                             "--set=networkPolicy.clients=null")
        self.assertIn("networkPolicy: must name clients or clientNamespaces", done.stderr)


if __name__ == "__main__":
    if shutil.which("go") is None:
        print("go: is not installed here; skipped")
        raise SystemExit(77)
    unittest.main(verbosity=2)
