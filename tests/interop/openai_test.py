#!/usr/bin/env python3
"""The newest openai package of PyPI against /v1 of the front door: completions whole and
streamed, logprobs, steering in `extra_body`, its typed errors."""
import json
import subprocess
import unittest

import installed
from alignsae_server import ServerTest, generation, model, steering

SCRIPT = """
import json, sys
import openai
url, question = sys.argv[1:]
client = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
model = client.models.list().data[0].id
ask = dict(model=model, prompt=question, temperature=0, max_tokens=12)
whole = client.completions.create(**ask, logprobs=2)
stream = list(client.completions.create(**ask, stream=True,
                                        stream_options={"include_usage": True}))
swap = {"mode": "INTERVENTION_MODE_SWAP", "source": {"name": "birth_city"},
        "target": {"name": "employer"}, "alpha": 1}
steered = client.completions.create(**ask, extra_body={"steering": [swap]})
samples = client.completions.create(**{**ask, "temperature": 1.5}, n=3, seed=1, stop=["."])
errors = {}
for name, fields in (("field", {"presence_penalty": 1}), ("model", {"model": "gpt-4"})):
    try:
        client.completions.create(**{**ask, **fields})
    except openai.APIStatusError as error:
        errors[name] = [type(error).__name__, error.param, error.code]
print(json.dumps({
    "whole": whole.model_dump(), "usage": stream[-1].usage.model_dump(),
    "streamed": "".join(c.text for chunk in stream for c in chunk.choices),
    "ends": [c.finish_reason for chunk in stream for c in chunk.choices if c.finish_reason],
    "steered": steered.choices[0].text, "receipts": steered.choices[0].model_extra["steering"],
    "samples": [choice.index for choice in samples.choices], "errors": errors}))
"""


class OpenAiTest(ServerTest):
    flags = ("--http-listen=127.0.0.1:0",)

    @classmethod
    def setUpClass(cls):
        python = installed.python("openai")
        super().setUpClass()
        cls.expected = cls.api.steering.Complete(steering.CompleteRequest(
            prompt=cls.example(cls), generation=generation.GenerationConfig(max_new_tokens=12)),
            timeout=20)
        pieces = cls.api.model.Detokenize(
            model.DetokenizeRequest(token_ids=cls.expected.prompt_token_ids), timeout=10)
        done = subprocess.run(
            [python, "-c", SCRIPT, f"http://127.0.0.1:{cls.server.http_port}", pieces.text],
            capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise AssertionError(done.stderr)
        cls.said = json.loads(done.stdout)

    def test_completions(self):
        choice = self.said["whole"]["choices"][0]
        self.assertEqual(choice["text"], self.expected.arms[0].text)
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(len(choice["logprobs"]["top_logprobs"][0]), 2)
        self.assertEqual(self.said["streamed"], choice["text"])
        self.assertEqual(self.said["ends"], ["stop"])
        for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
            self.assertEqual(self.said["usage"][name], self.said["whole"]["usage"][name])
        self.assertEqual(self.said["samples"], [0, 1, 2])

    def test_steering(self):
        self.assertNotEqual(self.said["steered"], self.said["streamed"])
        self.assertEqual(self.said["receipts"][0]["targetConcept"], "employer")

    def test_errors(self):
        self.assertEqual(self.said["errors"], {
            "field": ["BadRequestError", "presence_penalty", "INVALID_FIELD"],
            "model": ["NotFoundError", "model", "model_not_found"]})


if __name__ == "__main__":
    unittest.main(verbosity=2)
