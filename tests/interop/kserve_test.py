#!/usr/bin/env python3
"""What deploy/kserve holds against KServe's own types and Kubernetes' schemas, and the server's
five calls of the Open Inference Protocol by KServe's own stubs."""
import ast
import json
import re
import shutil
import subprocess
import tempfile
import unittest

import installed
import yaml
from alignsae_server import BIN, SOURCE, ServerTest

FILES = SOURCE / "deploy/kserve"
ASK = """
import json, sys, grpc
from google.protobuf.json_format import MessageToDict
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb, grpc_predict_v2_pb2_grpc as stubs
stub = stubs.GRPCInferenceServiceStub(grpc.insecure_channel(sys.argv[1]))
def told(message):
    return MessageToDict(message, preserving_proto_field_name=True)
def failed(call, request):
    try:
        call(request, timeout=10)
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
print(json.dumps({
    "live": told(stub.ServerLive(pb.ServerLiveRequest(), timeout=10)),
    "ready": told(stub.ServerReady(pb.ServerReadyRequest(), timeout=10)),
    "server": told(stub.ServerMetadata(pb.ServerMetadataRequest(), timeout=10)),
    "model_ready": told(stub.ModelReady(pb.ModelReadyRequest(name=sys.argv[2]), timeout=10)),
    "model": told(stub.ModelMetadata(pb.ModelMetadataRequest(name=sys.argv[2]), timeout=10)),
    "unknown": failed(stub.ModelReady, pb.ModelReadyRequest(name="no-such")),
    "infer": failed(stub.ModelInfer, pb.ModelInferRequest(model_name=sys.argv[2])),
}))
"""


class Types:
    """The classes of a Python package that was made of OpenAPI schemas. Those of Kubernetes are
    not among them."""

    def __init__(self, folder):
        self.classes = {}
        for path in folder.glob("*.py"):
            self._read(path)

    def _read(self, path):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                tables = {each.targets[0].id: ast.literal_eval(each.value) for each in node.body
                          if isinstance(each, ast.Assign) and isinstance(each.value, ast.Dict)}
                if {"openapi_types", "attribute_map"} <= set(tables):
                    self.classes[node.name] = {
                        tables["attribute_map"][name]: kind
                        for name, kind in tables["openapi_types"].items()}

    def complaints(self, kind, value, path=""):
        """What of `value` is not of the class `kind`."""
        if match := re.fullmatch(r"list\[(.+)\]", kind):
            if not isinstance(value, list):
                return [f"{path}: must be a list"]
            return [told for i, each in enumerate(value)
                    for told in self.complaints(match[1], each, f"{path}[{i}]")]
        if match := re.fullmatch(r"dict\(str, (.+)\)", kind):
            if not isinstance(value, dict):
                return [f"{path}: must be an object"]
            return [told for key, each in value.items()
                    for told in self.complaints(match[1], each, f"{path}.{key}")]
        if kind not in self.classes:
            plain = {"str": str, "int": int, "bool": bool}.get(kind, object)
            return [] if isinstance(value, plain) else [f"{path}: must be {kind}, got {value!r}"]
        if not isinstance(value, dict):
            return [f"{path}: must be {kind}"]
        wrong = [f"{path}.{key}: is no field of {kind}"
                 for key in value if key not in self.classes[kind]]
        return wrong + [told for key, each in value.items() if key in self.classes[kind]
                        for told in self.complaints(self.classes[kind][key], each,
                                                    f"{path}.{key}")]


class KServeTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.kserve = installed.wheel("kserve")
        cls.types = Types(cls.kserve / "kserve/models")
        cls.python = installed.python("grpcio", "protobuf", "kubernetes-validate")
        super().setUpClass()

    def read(self, name):
        return yaml.safe_load((FILES / name).read_text())

    def test_the_objects_fit_kserves_types(self):
        for name, kind in (("serving-runtime.yaml", "V1alpha1ServingRuntime"),
                           ("inference-service.yaml", "V1beta1InferenceService")):
            self.assertEqual(self.types.complaints(kind, self.read(name)), [])
        self.assertEqual(self.pod_complaint(self.read("serving-runtime.yaml")), "")

    def pod_complaint(self, runtime):
        """What is wrong with the runtime's containers as those of a pod."""
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
               "spec": {"containers": runtime["spec"]["containers"]}}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(pod, file)
            file.flush()
            done = subprocess.run([self.python.parent / "kubernetes-validate", "--strict",
                                   file.name], capture_output=True, text=True, timeout=120,
                                  check=False)
        return done.stdout + done.stderr if done.returncode else ""

    def test_what_does_not_fit_is_noticed(self):
        text = (FILES / "serving-runtime.yaml").read_text()
        for right, wrong in (("autoSelect", "autoselect"), ("periodSeconds: 2", "periodSeconds: x"),
                             ("multiModel: false", "multiModel: 1"),
                             ("drop: [", "dropped: ["), ("protocolVersions: [grpc-v2]",
                                                         "protocolVersions: grpc-v2")):
            self.assertIn(right, text)
            changed = yaml.safe_load(text.replace(right, wrong))
            told = self.types.complaints("V1alpha1ServingRuntime", changed)
            self.assertTrue(told or self.pod_complaint(changed), wrong)

    def test_runtime_and_service_fit_the_server(self):
        runtime = self.read("serving-runtime.yaml")["spec"]
        [container] = runtime["containers"]
        told = subprocess.run([BIN / "alignsae-server", "--help"], capture_output=True, text=True,
                              check=True, timeout=60).stdout
        args = dict(arg[2:].split("=", 1) for arg in container["args"])
        for name in args:
            self.assertRegex(told, rf"--{name}\b")
        port = int(args["listen"].rsplit(":", 1)[1])
        self.assertEqual([each["containerPort"] for each in container["ports"]], [port])
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertEqual(container[probe]["grpc"]["port"], port)
        self.assertEqual(runtime["annotations"]["prometheus.kserve.io/port"],
                         args["admin-listen"].rsplit(":", 1)[1])
        predictor = self.read("inference-service.yaml")["spec"]["predictor"]
        [kind] = runtime["supportedModelFormats"]
        self.assertEqual(predictor["model"]["modelFormat"],
                         {"name": kind["name"], "version": kind["version"]})
        self.assertIn(predictor["model"]["protocolVersion"], runtime["protocolVersions"])
        self.assertGreaterEqual(predictor["terminationGracePeriodSeconds"],
                                int(args["lame-duck-seconds"]) + int(args["drain-seconds"]) + 5)
        image = yaml.safe_load((SOURCE / "deploy/k8s/deployment.yaml").read_text())
        self.assertEqual(container["image"],
                         image["spec"]["template"]["spec"]["containers"][0]["image"])

    def test_kserves_stubs_are_answered(self):
        # The stubs alone: the package wants much else.
        stubs = installed.PLACE / "kserve-stubs"
        folder = stubs / "kserve/protocol/grpc"
        folder.mkdir(parents=True, exist_ok=True)
        for path in (self.kserve / "kserve/protocol/grpc").glob("grpc_predict_v2_pb2*.py"):
            shutil.copy(path, folder)
        done = subprocess.run(
            [self.python, "-c", ASK, self.server.target, "demo"], capture_output=True, text=True,
            timeout=60, env={"PYTHONPATH": str(stubs)}, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual((told["live"], told["ready"], told["model_ready"]),
                         ({"live": True}, {"ready": True}, {"ready": True}))
        version = subprocess.run([BIN / "alignsae-server", "--version"], capture_output=True,
                                 text=True, check=True, timeout=60).stdout.split()[-1]
        self.assertEqual((told["server"]["name"], told["server"]["version"]),
                         ("alignsae-server", version))
        self.assertIn("alignsae.v1.SteeringService", told["server"]["extensions"])
        self.assertEqual(told["model"]["versions"], ["1"])
        self.assertEqual(told["model"]["inputs"],
                         [{"name": "token_ids", "datatype": "INT64", "shape": ["-1"]}])
        self.assertEqual(told["model"]["outputs"],
                         [{"name": "concept_probabilities", "datatype": "FP32",
                           "shape": [str(len(self.concepts))]}])
        self.assertEqual(told["unknown"],
                         ["NOT_FOUND", 'name: must be one that is loaded, got "no-such"'])
        self.assertEqual(told["infer"][0], "UNIMPLEMENTED")


if __name__ == "__main__":
    unittest.main(verbosity=2)
