#!/usr/bin/env python3
"""@grpc/grpc-js and @grpc/proto-loader from npm, newest: a client in JavaScript that
shares no code with gRPC's C core."""
import json
import subprocess
import unittest

import installed
from alignsae_server import SOURCE, ServerTest

SCRIPT = """
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const [, , protos, target, question] = process.argv;
const api = grpc.loadPackageDefinition(loader.loadSync(
    ['concept', 'model', 'steering'].map((name) => `alignsae/v1/${name}_service.proto`),
    {includeDirs: [protos], keepCase: true, longs: String, enums: String, oneofs: true})).alignsae.v1;
const open = (name) => new api[name](target, grpc.credentials.createInsecure());
const call = (client, method, request) => new Promise((resolve) => client[method](
    request, (error, answer) => resolve(
        error ? {code: error.code, details: error.details} : answer)));
const events = (stream) => new Promise((resolve) => {
  const seen = [];
  stream.on('data', (event) => seen.push(event.event));
  stream.on('error', (error) => resolve({seen, code: error.code}));
  stream.on('end', () => resolve({seen, code: 0}));
});
(async () => {
  const steering = open('SteeringService');
  const prompt = {question};
  const generation = {max_new_tokens: 5, ignore_eos: true};
  const endless = steering.Generate({prompt, generation: {max_new_tokens: 90, ignore_eos: true}});
  endless.once('data', () => endless.cancel());
  const cancelled = events(endless);
  console.log(JSON.stringify({
    model: await call(open('ModelService'), 'GetModel', {}),
    read: await call(open('ConceptService'), 'ReadConcepts', {prompts: [prompt]}),
    swap: await call(steering, 'Swap', {prompt, target: {name: 'employer'}}),
    refused: await call(steering, 'Complete', {prompt, generation: {top_p: 1.5}}),
    stream: await events(steering.Generate({prompt, generation})),
    cancelled: await cancelled}));
  process.exit(0);
})();
"""


class NodeTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        place = installed.node("@grpc/grpc-js", "@grpc/proto-loader")
        script = place / "client.js"
        script.write_text(SCRIPT)
        super().setUpClass()
        done = subprocess.run(
            ["node", script, SOURCE / "proto", cls.server.target, cls.by_name["birth_city"].example],
            cwd=place, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise AssertionError(done.stderr)
        cls.said = json.loads(done.stdout)

    def test_unary(self):
        self.assertGreater(self.said["model"]["model"]["vocab_size"], 0)
        self.assertEqual(self.said["read"]["readings"][0]["reading"]["top_concept"], "birth_city")
        swap = self.said["swap"]
        self.assertNotEqual(swap["baseline"]["text"], swap["steered"]["text"])

    def test_streams(self):
        seen = self.said["stream"]["seen"]
        self.assertEqual(self.said["stream"]["code"], 0)
        self.assertEqual((seen[0], seen[-1], seen.count("token")), ("started", "summary", 5))
        self.assertEqual(self.said["cancelled"]["code"], 1)
        self.assertNotIn("summary", self.said["cancelled"]["seen"])

    def test_refusals(self):
        self.assertEqual(self.said["refused"], {
            "code": 3, "details": "generation.top_p: must be in (0, 1], got 1.5"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
