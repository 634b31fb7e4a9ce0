#!/usr/bin/env python3
"""A client with stubs of the first release calls the server of today: what it asks is
answered, and what is new does not disturb it."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
BASELINE = HERE / "v0_1"
sys.path.insert(0, str(HERE.parent / "integration"))

# A process of its own: two versions of one package cannot live in one.
CLIENT = """
import sys, grpc
sys.path.insert(0, sys.argv[1])
from alignsae.v1 import common_pb2 as common, concept_service_pb2 as concept
from alignsae.v1 import concept_service_pb2_grpc as concept_grpc
from alignsae.v1 import generation_pb2 as generation, model_service_pb2 as model
from alignsae.v1 import model_service_pb2_grpc as model_grpc
from alignsae.v1 import steering_service_pb2 as steering
from alignsae.v1 import steering_service_pb2_grpc as steering_grpc

channel = grpc.insecure_channel(sys.argv[2])
models = model_grpc.ModelServiceStub(channel)
concepts = concept_grpc.ConceptServiceStub(channel)
steer = steering_grpc.SteeringServiceStub(channel)

assert "bundle_sha256" not in model.Model.DESCRIPTOR.fields_by_name
got = models.GetModel(model.GetModelRequest(), timeout=30)
assert len(got.model.sha256) == 64 and got.model.n_layer > 0, got
listed = models.ListConcepts(model.ListConceptsRequest(), timeout=30)
rows = {row.name: row for row in listed.checkpoints[0].concepts}
question = rows["birth_city"].example
prompt = common.Prompt(question=question)
tokens = models.Tokenize(model.TokenizeRequest(text=question), timeout=30).tokens
back = models.Detokenize(
    model.DetokenizeRequest(token_ids=[token.id for token in tokens]), timeout=30)
assert back.text == question, back
read = concepts.ReadConcepts(
    concept.ReadConceptsRequest(prompts=[prompt]), timeout=30)
assert "birth_city" in str(read), read
swap = steer.Swap(steering.SwapRequest(
    prompt=prompt, target=common.ConceptRef(name="employer")), timeout=60)
assert str(swap), swap
whole = steer.Complete(steering.CompleteRequest(prompt=prompt), timeout=60)
assert whole.arms, whole
streamed = list(steer.Generate(steering.GenerateRequest(prompt=prompt), timeout=60))
assert len(streamed) >= 2, streamed
sweep = list(steer.SweepAlpha(steering.SweepAlphaRequest(
    prompt=prompt, targets=[common.ConceptRef(name="employer")], alphas=[1]), timeout=60))
assert sweep
try:
    models.Detokenize(model.DetokenizeRequest(token_ids=[-1]), timeout=30)
    raise AssertionError("a bad id was taken")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
print("old client: every RPC answered")
"""


class OldClientTest(unittest.TestCase):
    def test_every_rpc_of_the_first_release_is_answered(self):
        from alignsae_server import Server
        with tempfile.TemporaryDirectory(prefix="alignsae-compat-") as stubs:
            protos = [str(path) for path in BASELINE.glob("alignsae/v1/*.proto")]
            subprocess.run(
                ["protoc", "-I", BASELINE, f"--python_out={stubs}", f"--grpc_python_out={stubs}",
                 "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin", *protos],
                check=True)
            server = Server("--whole-sae")
            self.addCleanup(server.close)
            done = subprocess.run([sys.executable, "-c", CLIENT, stubs, server.target],
                                  check=False, capture_output=True, text=True, timeout=200,
                                  env={**os.environ, "PYTHONPATH": ""})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr + server.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
