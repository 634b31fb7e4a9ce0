#!/usr/bin/env python3
"""grpcurl, built from its newest release: a client in Go that knows only our .proto
files and speaks protobuf's JSON."""
import json
import subprocess
import unittest

import installed
from alignsae_server import SOURCE, ServerTest


class GrpcurlTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.grpcurl = installed.go("github.com/fullstorydev/grpcurl/cmd/grpcurl", "grpcurl")
        super().setUpClass()

    def call(self, method, request, *flags):
        protos = ["alignsae/v1/concept_service.proto", "alignsae/v1/model_service.proto",
                  "alignsae/v1/steering_service.proto", "grpc/health/v1/health.proto",
                  "google/rpc/error_details.proto"]
        return subprocess.run(
            [self.grpcurl, "-plaintext", "-import-path", SOURCE / "proto",
             *[word for proto in protos for word in ("-proto", proto)], *flags,
             "-d", json.dumps(request), self.server.target, method],
            capture_output=True, text=True, timeout=60, check=False)

    def answers(self, *arguments):
        done = self.call(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        decoder, left, found = json.JSONDecoder(), done.stdout.strip(), []
        while left:
            answer, end = decoder.raw_decode(left)
            found.append(answer)
            left = left[end:].lstrip()
        return found

    def test_unary_answers_as_to_python(self):
        question = self.by_name["birth_city"].example
        [read] = self.answers("alignsae.v1.ConceptService/ReadConcepts",
                              {"prompts": [{"question": question}]})
        self.assertEqual(read["readings"][0]["reading"]["topConcept"], "birth_city")
        [swap] = self.answers("alignsae.v1.SteeringService/Swap",
                              {"prompt": {"question": question}, "target": {"name": "employer"}})
        self.assertNotEqual(swap["baseline"]["text"], swap["steered"]["text"])

    def test_streams_end_with_their_summary(self):
        events = self.answers("alignsae.v1.SteeringService/Generate",
                              {"prompt": {"question": self.by_name["birth_city"].example},
                               "generation": {"maxNewTokens": 5}})
        self.assertIn("started", events[0])
        self.assertIn("summary", events[-1])
        told = sum("token" in event for event in events)
        self.assertEqual(told, events[-1]["summary"]["arms"][0]["generatedTokenCount"])

    def test_refusals_have_code_sentence_and_details(self):
        done = self.call("alignsae.v1.SteeringService/Complete",
                         {"prompt": {"text": "a"}, "generation": {"topP": 1.5}})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Code: InvalidArgument", done.stderr)
        self.assertIn("generation.top_p: must be in (0, 1], got 1.5", done.stderr)
        self.assertIn("google.rpc.ErrorInfo", done.stderr)
        self.assertIn('"reason": "INVALID_FIELD"', done.stderr)
        self.assertIn('"domain": "alignsae.v1"', done.stderr)

    def test_health(self):
        self.assertEqual(self.answers("grpc.health.v1.Health/Check", {}), [{"status": "SERVING"}])


if __name__ == "__main__":
    unittest.main(verbosity=2)
