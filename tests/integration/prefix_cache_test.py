#!/usr/bin/env python3
"""The same question asked again, with other interventions, by other people and after a
reload: what is computed, and that answers are those of a server that keeps nothing."""
import hashlib
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
# pylint: disable=wrong-import-position
from alignsae_server import (DEMO, Server, common, concept, eventually,  # noqa: E402
                             generation, main, model, operators, steering, swap_edit)

HEAD = 60  # Tokens of examples in front of every question.


class Asked:
    """A server and what it is asked."""

    def __init__(self, case, *flags, bundle=DEMO, metadata=()):
        self.server = Server("--weight-type=f32", *flags, bundle=bundle)
        case.addCleanup(self.server.close)
        self.api = self.server.api()
        case.addCleanup(self.api.close)
        self.metadata = list(metadata)
        rows = self.api.model.ListConcepts(model.ListConceptsRequest(), timeout=10,
                                           metadata=self.metadata)
        self.questions = [row.example for row in rows.checkpoints[0].concepts]
        ids = [self.tokens(question) for question in self.questions]
        head = [token for prompt in ids for token in prompt][:HEAD]
        self.prompts = [common.Prompt(token_ids=common.TokenIds(ids=head + prompt))
                        for prompt in ids]

    def tokens(self, question):
        answer = self.api.model.Tokenize(model.TokenizeRequest(question=question), timeout=10,
                                         metadata=self.metadata)
        return [token.id for token in answer.tokens]

    def complete(self, prompt, *edits, metadata=None):
        return self.api.steering.Complete(steering.CompleteRequest(
            prompt=prompt, interventions=edits,
            generation=generation.GenerationConfig(max_new_tokens=6)), timeout=60,
            metadata=self.metadata if metadata is None else metadata)

    def read(self, prompt):
        return self.api.concept.ReadConcepts(concept.ReadConceptsRequest(prompts=[prompt]),
                                             timeout=60, metadata=self.metadata).readings[0].reading

    def counted(self):
        """(hits, tokens saved, prompt tokens computed)"""
        return (self.server.metric("alignsae_prefix_cache_prompts_total", result="hit"),
                self.server.metric("alignsae_prefix_cache_tokens_saved_total"),
                self.server.metric("alignsae_prompt_tokens_total"))


def said(answer):
    """The tokens of every arm, and what its interventions did."""
    return [([token.id for token in arm.tokens],
             [(receipt.positions_applied, [effect.position for effect in receipt.effects])
              for receipt in arm.receipts]) for arm in answer.arms]


class PrefixCacheTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="alignsae-prefix-")
        self.addCleanup(self.folder.cleanup)

    def test_answers_are_those_of_a_server_that_keeps_nothing(self):
        shutil.copytree(DEMO, pathlib.Path(self.folder.name) / "demo")
        on = Asked(self, "--operator-listen=127.0.0.1:0", f"--bundles-dir={self.folder.name}",
                   bundle=pathlib.Path(self.folder.name) / "demo")
        off = Asked(self, "--prefix-cache-tokens=0")
        edits = [(), (swap_edit("birth_city", "employer"),),
                 (swap_edit("birth_city", "major", alpha=2.0),), ()]
        for prompt in on.prompts[:3]:
            for edit in edits:
                self.assertEqual(said(on.complete(prompt, *edit)),
                                 said(off.complete(prompt, *edit)))
            ours, plain = on.read(prompt), off.read(prompt)
            self.assertEqual((ours.position, ours.top_concept, ours.bound),
                             (plain.position, plain.top_concept, plain.bound))
            for value, other in zip(ours.values, plain.values):
                self.assertAlmostEqual(value, other, delta=1e-3)
        # The last step is counted behind its answers.
        self.assertTrue(eventually(lambda: sum(on.counted()[1:]) == off.counted()[2]))
        hits, saved, _ = on.counted()
        self.assertEqual(hits, 3 * 5 - 1)
        self.assertGreaterEqual(saved, hits * HEAD)
        self.assertEqual(off.counted()[:2], (0, 0))
        self.assertGreater(on.server.metric("alignsae_prefix_cache_tokens"), HEAD)
        self.assertRegex(on.server.log(), "prefix_cache .*most_tokens=16384")
        self.check_the_last_token_alone_is_computed(on)
        self.check_another_generation_takes_nothing(on)

    def check_the_last_token_alone_is_computed(self, asked):
        before = asked.counted()
        asked.complete(asked.prompts[0])
        after = asked.counted()
        self.assertEqual((after[0] - before[0], after[2] - before[2]), (1, 1))

    def check_another_generation_takes_nothing(self, asked):
        channel, operator = asked.server.operator()
        self.addCleanup(channel.close)
        first = said(asked.complete(asked.prompts[0]))
        operator.ReloadModel(operators.ReloadModelRequest(), timeout=120)
        before = asked.counted()
        self.assertEqual(said(asked.complete(asked.prompts[0])), first)
        self.assertEqual(asked.counted()[:2], before[:2])
        self.assertEqual(said(asked.complete(asked.prompts[0])), first)
        self.assertEqual(asked.counted()[0], before[0] + 1)

    def test_principals_take_nothing_from_each_other(self):
        folder = pathlib.Path(self.folder.name)
        names = ("anna", "ben")
        (folder / "policy.json").write_text(json.dumps({
            "format_version": 1, "groups": [{"name": "all", "rpcs": ["*"]}],
            "principals": [{"name": name, "group": "all", "token": True} for name in names]}))
        (folder / "tokens").write_text("".join(
            f"{name} {hashlib.sha256((name * 12).encode()).hexdigest()}\n" for name in names))
        anna, ben = ([("authorization", f"Bearer {name * 12}")] for name in names)
        asked = Asked(self, f"--policy={folder}/policy.json", f"--tokens={folder}/tokens",
                      metadata=anna)
        asked.complete(asked.prompts[0], metadata=anna)
        asked.complete(asked.prompts[0], metadata=ben)
        self.assertEqual(asked.counted()[0], 0)
        asked.complete(asked.prompts[0], metadata=ben)
        self.assertEqual(asked.counted()[0], 1)


if __name__ == "__main__":
    main()
