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
ids = client.completions.create(**{**ask, "prompt": [1, 2, 3]}, n=2, logprobs=0)
echoed = client.completions.create(**{**ask, "max_tokens": 3}, echo=True, logprobs=2)
echoed_stream = list(client.completions.create(**{**ask, "max_tokens": 3}, echo=True, logprobs=2,
                                               stream=True))
first = json.loads(sys.stdin.read())
banned = client.completions.create(**ask, logprobs=0, logit_bias={str(first): -100})
longer = client.completions.create(**{**ask, "max_tokens": 40}, extra_body={"min_tokens": 30})
varied = client.completions.create(**{**ask, "max_tokens": 40}, frequency_penalty=2,
                                   presence_penalty=1, extra_body={"min_tokens": 40})
errors = {}
for name, fields in (("field", {"presence_penalty": 3}), ("model", {"model": "gpt-4"})):
    try:
        client.completions.create(**{**ask, **fields})
    except openai.APIStatusError as error:
        errors[name] = [type(error).__name__, error.param, error.code]
print(json.dumps({
    "whole": whole.model_dump(), "usage": stream[-1].usage.model_dump(),
    "streamed": "".join(c.text for chunk in stream for c in chunk.choices),
    "ends": [c.finish_reason for chunk in stream for c in chunk.choices if c.finish_reason],
    "steered": steered.choices[0].text, "receipts": steered.choices[0].model_extra["steering"],
    "ids": [choice.text for choice in ids.choices],
    "echoed": echoed.choices[0].model_dump(),
    "echoed_tokens": [token for chunk in echoed_stream for c in chunk.choices if c.logprobs
                      for token in c.logprobs.token_logprobs],
    "banned": banned.choices[0].logprobs.tokens, "longer": longer.usage.completion_tokens,
    "longer_text": longer.choices[0].text, "varied": varied.choices[0].text,
    "samples": [choice.index for choice in samples.choices], "errors": errors}))
"""


class OpenAiTest(ServerTest):
    flags = ("--http-listen=127.0.0.1:0",)

    @classmethod
    def setUpClass(cls):
        python = installed.python("openai")
        super().setUpClass()
        cls.expected = cls.api.steering.Complete(steering.CompleteRequest(
            prompt=cls.example(cls), generation=generation.GenerationConfig(
                max_new_tokens=12, prompt_logprobs=2)), timeout=20)
        pieces = cls.api.model.Detokenize(
            model.DetokenizeRequest(token_ids=cls.expected.prompt_token_ids), timeout=10)
        done = subprocess.run(
            [python, "-c", SCRIPT, f"http://127.0.0.1:{cls.server.http_port}", pieces.text],
            input=str(cls.expected.arms[0].tokens[0].id), capture_output=True, text=True,
            timeout=120, check=False)
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

    def test_an_echo_has_the_logprobs_of_the_prompt(self):
        prompt = self.expected.arms[0].prompt_tokens
        scores = self.said["echoed"]["logprobs"]
        self.assertEqual(len(scores["tokens"]), len(prompt) + 3)
        self.assertEqual(scores["tokens"][:len(prompt)],
                         [token.piece.decode() for token in prompt])
        self.assertIsNone(scores["token_logprobs"][0])
        for got, token in zip(scores["token_logprobs"][1:], prompt[1:]):
            self.assertAlmostEqual(got, token.logprob, places=5)
        self.assertEqual(scores["token_logprobs"], self.said["echoed_tokens"])
        self.assertEqual("".join(scores["tokens"]), self.said["echoed"]["text"])

    def test_ids_bias_penalties_and_least_length(self):
        self.assertEqual(len(self.said["ids"]), 2)
        self.assertEqual(self.said["ids"][0], self.said["ids"][1])  # Greedy.
        self.assertNotEqual(self.said["banned"][0],
                            self.expected.arms[0].tokens[0].piece.decode())
        self.assertGreaterEqual(self.said["longer"], 30)
        self.assertNotEqual(self.said["varied"], self.said["longer_text"])

    def test_steering(self):
        self.assertNotEqual(self.said["steered"], self.said["streamed"])
        self.assertEqual(self.said["receipts"][0]["targetConcept"], "employer")

    def test_errors(self):
        self.assertEqual(self.said["errors"], {
            "field": ["BadRequestError", "presence_penalty", "INVALID_FIELD"],
            "model": ["NotFoundError", "model", "model_not_found"]})


if __name__ == "__main__":
    unittest.main(verbosity=2)
