#!/usr/bin/env python3
"""@connectrpc/connect-web from npm, newest: what browsers use, over the front door and
without a proxy. Every RPC, streams, typed errors, in JSON and in binary."""
import json
import subprocess
import unittest

import installed
from alignsae_server import SOURCE, ServerTest, eventually

SCRIPT = """
import {readFileSync} from 'node:fs';
import {createFileRegistry, fromBinary, toJson} from '@bufbuild/protobuf';
import {FileDescriptorSetSchema} from '@bufbuild/protobuf/wkt';
import {createClient, Code, ConnectError} from '@connectrpc/connect';
import {createConnectTransport} from '@connectrpc/connect-web';

const [, , descriptors, baseUrl, question] = process.argv;
const registry = createFileRegistry(
    fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const errorInfo = registry.getMessage('google.rpc.ErrorInfo');

const failure = (thrown) => {
  const error = ConnectError.from(thrown);
  const [info] = error.findDetails(errorInfo);
  return {code: Code[error.code], message: error.rawMessage, reason: info?.reason,
          id: info?.metadata.request_id};
};

async function run(useBinaryFormat) {
  const transport = createConnectTransport({baseUrl, useBinaryFormat});
  const open = (name) => createClient(registry.getService(`alignsae.v1.${name}`), transport);
  const [concepts, models, steering] =
      ['ConceptService', 'ModelService', 'SteeringService'].map(open);
  const message = (name, value) => toJson(registry.getMessage(`alignsae.v1.${name}`), value);
  const prompt = {input: {case: 'question', value: question}};
  const employer = {ref: {case: 'name', value: 'employer'}};
  const generation = {maxNewTokens: 5, ignoreEos: true};
  const said = {};
  said.model = message('GetModelResponse', await models.getModel({}));
  said.concepts = message('ListConceptsResponse', await models.listConcepts({}));
  const tokens = (await models.tokenize({input: {case: 'text', value: 'Zażółć'}})).tokens;
  said.text = (await models.detokenize({tokenIds: tokens.map((token) => token.id)})).text;
  said.read = message('ReadConceptsResponse', await concepts.readConcepts({prompts: [prompt]}));
  said.inspect = message('InspectSlotsResponse', await concepts.inspectSlots({prompt}));
  said.explain = message('ExplainSlotResponse', await concepts.explainSlot(
      {slot: employer, topK: 3}));
  said.swap = message('SwapResponse', await steering.swap({prompt, target: employer}));
  let headers;
  said.complete = message('CompleteResponse', await steering.complete(
      {prompt, generation},
      {headers: {'x-request-id': 'mine'}, onHeader: (got) => { headers = got; }}));
  said.requestId = headers.get('x-request-id');
  said.generate = [];
  for await (const event of steering.generate({prompt, generation})) {
    said.generate.push(event.event.case);
  }
  said.sweep = [];
  for await (const event of steering.sweepAlpha(
      {prompt, targets: [employer], alphas: [0.5, 1], generation})) {
    said.sweep.push(event.event.case);
  }
  said.validate = [];
  for await (const event of concepts.validateBinding(
      {prompts: [{prompt, conceptName: 'birth_city'}], maxSwaps: 0})) {
    said.validate.push(event.event.case);
    said.report = message('ValidateBindingResponse', event).report;
  }
  for await (const look of concepts.watchSlots({})) {
    said.watch = message('WatchSlotsResponse', look);
    break;
  }
  said.refused = await steering.complete(
      {prompt, generation: {topP: 1.5}}, {headers: {'x-request-id': 'refused'}}).catch(failure);
  try {
    for await (const event of steering.generate({prompt, generation: {topP: 1.5}})) {
      said.refusedStream = event.event.case;
    }
  } catch (thrown) {
    said.refusedStream = failure(thrown);
  }
  said.late = await steering.swap(
      {prompt, target: employer, generation: {maxNewTokens: 90, ignoreEos: true}},
      {timeoutMs: 1}).catch(failure);
  said.cancelled = [];
  const controller = new AbortController();
  try {
    for await (const event of steering.generate(
        {prompt, generation: {maxNewTokens: 90, ignoreEos: true}},
        {signal: controller.signal})) {
      said.cancelled.push(event.event.case);
      controller.abort();
    }
  } catch (thrown) {
    said.cancelled.push(failure(thrown).code);
  }
  return said;
}

console.log(JSON.stringify({json: await run(false), binary: await run(true)}));
process.exit(0);
"""


class ConnectWebTest(ServerTest):
    flags = ("--http-listen=127.0.0.1:0",)

    @classmethod
    def setUpClass(cls):
        place = installed.node("@connectrpc/connect", "@connectrpc/connect-web",
                               "@bufbuild/protobuf")
        (place / "connect_web.mjs").write_text(SCRIPT)
        protos = [*(SOURCE / "proto/alignsae/v1").glob("*.proto"),
                  *(SOURCE / "proto/google/rpc").glob("*.proto")]
        subprocess.run(["protoc", "-I", SOURCE / "proto", "--include_imports",
                        f"--descriptor_set_out={place}/protos.binpb", *protos], check=True)
        super().setUpClass()
        done = subprocess.run(
            ["node", "connect_web.mjs", "protos.binpb",
             f"http://127.0.0.1:{cls.server.http_port}", cls.by_name["birth_city"].example],
            cwd=place, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise AssertionError(done.stderr)
        cls.said = json.loads(done.stdout)

    def test_both_formats_say_the_same(self):
        one, two = self.said["json"], self.said["binary"]
        self.assertEqual(one["concepts"]["checkpoints"], two["concepts"]["checkpoints"])
        for name in ("text", "requestId", "generate", "sweep"):
            self.assertEqual(one[name], two[name], name)
        for name in ("baseline", "steered"):
            self.assertEqual(one["swap"][name]["text"], two["swap"][name]["text"])

    def test_unary(self):
        for said in self.said.values():
            self.assertGreater(said["model"]["model"]["vocabSize"], 0)
            self.assertEqual(len(said["concepts"]["checkpoints"][0]["concepts"]), 6)
            self.assertEqual(said["text"], "Zażółć")
            self.assertEqual(said["read"]["readings"][0]["reading"]["topConcept"], "birth_city")
            self.assertGreater(len(said["inspect"]["tokens"]), 3)
            self.assertNotEqual(said["swap"]["baseline"]["text"], said["swap"]["steered"]["text"])
            self.assertEqual(len(said["complete"]["arms"][0]["tokens"]), 5)
            self.assertEqual(said["explain"]["conceptName"], "employer")
            self.assertEqual(len(said["explain"]["withLnF"]["top"]), 3)

    def test_streams(self):
        for said in self.said.values():
            self.assertEqual([row["name"] for row in said["watch"]["total"]["concepts"]],
                             [row.name for row in self.concepts])
            seen = said["generate"]
            self.assertEqual((seen[0], seen[-1], seen.count("token")), ("started", "summary", 5))
            self.assertEqual(said["sweep"], ["started", "cell", "cell", "cell", "summary"])
            self.assertEqual((said["validate"][0], said["validate"][-1]), ("started", "report"))
            self.assertEqual(said["report"]["read"]["successes"], "1")
            self.assertEqual(said["cancelled"][0], "started")
            self.assertEqual(said["cancelled"][-1], "Canceled")
            self.assertNotIn("summary", said["cancelled"])
        self.assertTrue(eventually(lambda: self.server.metric("alignsae_kv_slots_in_use") == 0))

    def test_errors_are_typed(self):
        for said in self.said.values():
            refused = {"code": "InvalidArgument", "reason": "INVALID_FIELD",
                       "message": "generation.top_p: must be in (0, 1], got 1.5"}
            self.assertEqual(said["refused"], {**refused, "id": "refused"})
            self.assertEqual({**said["refusedStream"], "id": 0}, {**refused, "id": 0})
            self.assertEqual(said["late"]["code"], "DeadlineExceeded")


if __name__ == "__main__":
    unittest.main(verbosity=2)
