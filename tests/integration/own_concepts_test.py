#!/usr/bin/env python3
"""Concepts of one's own: labelled prompts become a checkpoint of the demo's model, its
figures, a bundle, and slots that the server reads. And what is wrong with a prompt file
is said with its line, before anything is written."""
import json
import os
import pathlib
import sys
import unittest
from concurrent import futures

sys.path.insert(0, str(pathlib.Path(__file__).parent))
# pylint: disable=wrong-import-position
from alignsae_server import (DEMO, Server, common, concept, intervention, model,
                             steering) # noqa: E402
from alignsae_train import TrainTest  # noqa: E402

FORMS = pathlib.Path(os.environ["ALIGNSAE_SOURCE"]) / "model/train/examples/request_form.jsonl"
MODEL = pathlib.Path(DEMO) / "gpt2"
FLAGS = ["--threads=1", "--free-features=128", "--batch-size=16", "--learning-rate=0.005",
         "--stage1-epochs=10", "--stage2-epochs=60", "--prefix=0.1", "--write=1"]
LAST_TOKEN = ["--hook=resid_mid", "--layer=0"]  # Behind it the first MLP looks the answer up.
# Behind it the first attention moves the name to where it is asked about.
NAME = ["--hook=resid_pre", "--layer=0", "--init=class_means"]


# Of each relation's wordings in the demo's files, so many: enough to bind, quick to try.
SPLITS = {"sae_train": ("train", 4), "validation": ("validation", 2), "test": ("test", 2)}


def wordings():
    """(split of a labelled prompt, wording), spread evenly over each split's families."""
    known = [json.loads(line) for line in
             (pathlib.Path(DEMO) / "eval/wordings.jsonl").read_text().splitlines()]
    for relation in dict.fromkeys(wording["relation"] for wording in known):
        for name, (split, count) in SPLITS.items():
            of_split = [wording for wording in known
                        if (wording["relation"], wording["split"]) == (relation, name)]
            for wording in of_split[::len(of_split) // count]:
                yield split, wording


def demo_people(count):
    lines = (pathlib.Path(DEMO) / "eval/people.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines[:count]]


def question_lines(people):
    """Of the demo's people, as labelled prompts with answers and swaps."""
    return [{"prompt": f"Q: {wording['pattern'].replace('{name}', person['name'])}\nA:",
             "concept": wording["relation"], "split": split,
             "group": f"{wording['relation']} {wording['wording']}",
             "answer": person["facts"][wording["relation"]],
             "targets": {name: fact for name, fact in person["facts"].items()
                         if name != wording["relation"]}}
            for person in demo_people(people) for split, wording in wordings()]


class OwnConceptsTest(TrainTest):
    def sae(self, prompts, *flags, site=LAST_TOKEN, code=0):
        return self.train("sae", f"--model={MODEL}", f"--prompts={prompts}",
                          f"--out={self.root}/form", *FLAGS, *site, *flags, code=code)

    def write(self, *lines):
        path = self.root / "prompts.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def test_from_labelled_prompts_to_served_slots(self):
        self.sae(FORMS)
        figures = self.root / "figures.json"
        table = self.train("eval", f"--model={MODEL}", f"--sae={self.root}/form",
                           f"--prompts={FORMS}", f"--json={figures}")
        self.assertIn("concept read", table)
        read = json.loads(figures.read_text())["read"]
        self.assertEqual(read["n"], 12)  # 3 forms, 2 held-out wordings, 2 people.
        self.assertGreaterEqual(read["rate"], 0.8)  # 11 of 12 when it was written.
        self.assertLess(read["low"], read["rate"])

        bundle = self.root / "forms"
        self.train("bundle", f"--model={MODEL}", f"--sae={self.root}/form",
                   f"--prompts={FORMS}", f"--out={bundle}")
        manifest = json.loads((bundle / "bundle.json").read_text())
        self.assertEqual(manifest["evaluation"]["prompts"], json.loads(figures.read_text()))
        self.assertEqual(len(manifest["prompts"]), 12)
        server = Server(bundle=bundle)
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        [own] = api.model.ListConcepts(model.ListConceptsRequest()).checkpoints
        self.assertEqual([entry.name for entry in own.concepts],
                         ["question", "order", "statement"])
        for entry in own.concepts:  # Nobody measured swaps, the rest needs no answers.
            self.assertGreater(entry.certificate.cosine, 0.6)
            self.assertAlmostEqual(entry.certificate.predicted_alpha,
                                   1 / entry.certificate.written_share)
            self.assertFalse(entry.certificate.HasField("measured_swap"))
            measured = manifest["evaluation"]["prompts"]["concepts"][entry.name]
            self.assertAlmostEqual(entry.certificate.cosine, measured["cosine"])
            self.assertAlmostEqual(entry.certificate.written_share, measured["written_share"])
        before = (bundle / "bundle.json").read_bytes()
        self.train("bundle", "certify", str(bundle), f"--prompts={FORMS}")
        self.assertEqual((bundle / "bundle.json").read_bytes(), before)
        self.assertIn("--prompts", self.train("bundle", "certify", str(bundle), code=1))
        answer = api.concept.ReadConcepts(concept.ReadConceptsRequest(
            prompts=[common.Prompt(text=prompt["text"]) for prompt in manifest["prompts"]]))
        right = sum(row.reading.top_concept == prompt["concept"]
                    for row, prompt in zip(answer.readings, manifest["prompts"], strict=True))
        # The served number type may differ in a close call.
        self.assertLessEqual(abs(right - read["rate"] * read["n"]), 1)

    def test_several_concepts_and_positions_in_one_prompt(self):
        lines = []
        for split, verbs in (("train", ("likes", "sees", "meets", "asks", "calls", "helps")),
                             ("validation", ("knows", "hears")), ("test", ("finds", "visits"))):
            for verb in verbs:
                for first, second in (("Beth", "Carl"), ("Carl", "Beth"), ("Beth", "Dora"),
                                      ("Dora", "Carl")):
                    lines.append({"prompt": f"{first} {verb} {second}", "split": split,
                                  "concept": [f"subject/{first}", f"object/{second}"],
                                  "targets": {"object/Carl" if second == "Dora" else
                                              "object/Dora": "somebody"}})
                lines.append({"prompt": f"nobody {verb} anybody", "split": split,
                              "concept": None, "position": {"text": "anybody"}})
        prompts = self.write(*lines)
        self.sae(prompts)
        self.train("eval", f"--model={MODEL}", f"--sae={self.root}/form",
                   f"--prompts={prompts}", f"--json={self.root}/figures.json")
        figures = json.loads((self.root / "figures.json").read_text())
        self.assertEqual(figures["read"]["n"], 16)  # Two facets of 8 test prompts.
        self.assertGreaterEqual(figures["concepts"]["object/Carl"]["read"]["rate"], 0.75)
        self.assertEqual(figures["negatives"], 2)
        # A swap takes away what the prompt has of the target's own facet.
        self.assertEqual(figures["swap"]["all"]["n"], 8)
        self.assertEqual(set(figures["swap"]["targets"]), {"object/Carl", "object/Dora"})

    def questions(self, people):
        return self.write(*question_lines(people))

    def names(self, people):
        """Who is asked about, of the demo's people: concepts at all tokens of a name."""
        known = demo_people(people)
        return self.write(*(
            {"prompt": f"Q: {wording['pattern'].replace('{name}', person['name'])}\nA:",
             "concept": person["name"], "split": split,
             "group": f"{wording['relation']} {wording['wording']} {person['name']}",
             "position": {"text": person["name"]},
             "answer": person["facts"][wording["relation"]],
             "targets": {other["name"]: other["facts"][wording["relation"]]
                         for other in known if other is not person}}
            for person in known for split, wording in wordings()))

    def test_names_are_learned_read_and_swapped_over_all_their_tokens(self):
        prompts = self.names(people=4)
        self.sae(prompts, "--span=mean", site=NAME)
        figures = self.root / "figures.json"
        self.train("eval", f"--model={MODEL}", f"--sae={self.root}/form",
                   f"--prompts={prompts}", "--alpha=2", f"--json={figures}")
        measured = json.loads(figures.read_text())
        self.assertEqual(measured["read"]["rate"], 1)
        # 0.597 of 144 when it was written; another processor's last bits move it.
        self.assertEqual(measured["swap"]["all"]["n"], 144)
        self.assertGreater(measured["swap"]["all"]["rate"], 0.5)
        bundle = self.root / "people"
        self.train("bundle", f"--model={MODEL}", f"--sae={self.root}/form",
                   f"--prompts={prompts}", f"--out={bundle}")
        server = Server("--require-binding=0.98", bundle=bundle)
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        [checkpoint] = api.model.GetModel(model.GetModelRequest()).checkpoints
        self.assertEqual(checkpoint.trained_positions, model.TRAINED_POSITIONS_SPAN)
        asked = json.loads(prompts.read_text().splitlines()[-1])
        prompt, name = common.Prompt(text=asked["prompt"]), asked["concept"]
        tokens = api.concept.InspectSlots(concept.InspectSlotsRequest(
            prompt=prompt, top_k=0,
            positions=intervention.PositionSelection(text=name))).tokens
        self.assertGreater(len(tokens), 1)

        def read(**fields):
            [row] = api.concept.ReadConcepts(concept.ReadConceptsRequest(
                prompts=[prompt], position_text=name, **fields)).readings
            return row.reading
        mean = read()
        self.assertEqual((mean.mean_of, mean.position, mean.top_concept),
                         (len(tokens), tokens[-1].reading.position, name))
        for field in ("values", "probabilities"):  # The scalar reference.
            for i, value in enumerate(getattr(mean, field)):
                each = [getattr(token.reading, field)[i] for token in tokens]
                self.assertAlmostEqual(value, sum(each) / len(each), places=5)
        last = read(span_reading=concept.SPAN_READING_LAST)
        self.assertEqual(last.mean_of, 0)
        self.assertEqual(list(last.values), list(tokens[-1].reading.values))

        other = next(iter(asked["targets"]))
        answer = api.steering.Swap(steering.SwapRequest(
            prompt=prompt, target=common.ConceptRef(name=other),
            positions=intervention.PositionSelection(text=name)), timeout=20)
        [receipt] = answer.steered.receipts
        self.assertEqual([effect.position for effect in receipt.effects],
                         [token.reading.position for token in tokens])

    def test_a_name_of_two_tokens_is_swapped_by_a_concept_for_each(self):
        """One direction for both tokens gives 0.597 of the same tries (above)."""
        whole = [json.loads(line) for line in self.names(people=4).read_text().splitlines()]
        prompts = self.write(*(
            {"prompt": line["prompt"], "split": line["split"], "concept": f"{line['concept']} {k}",
             "group": f"{line['group']} {k}", "position": {"text": word}}
            for line in whole for k, word in enumerate(line["concept"].split())))
        self.sae(prompts, site=NAME)
        bundle = self.root / "tokens"
        self.train("bundle", f"--model={MODEL}", f"--sae={self.root}/form",
                   f"--prompts={prompts}", f"--out={bundle}")
        server = Server(bundle=bundle)
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        tries = [(line, other) for line in whole if line["split"] == "test"
                 for other in line["targets"]]

        def swapped(line, other):
            edits = [intervention.Intervention(
                mode=intervention.INTERVENTION_MODE_SWAP, alpha=1,
                source=common.ConceptRef(name=f"{line['concept']} {k}"),
                target=common.ConceptRef(name=f"{other} {k}"),
                positions=intervention.PositionSelection(text=word))
                for k, word in enumerate(line["concept"].split())]
            [arm] = api.steering.Complete(steering.CompleteRequest(
                prompt=common.Prompt(text=line["prompt"]), interventions=edits),
                timeout=20).arms
            return arm.text.strip() == line["targets"][other]
        with futures.ThreadPoolExecutor(8) as pool:
            right = sum(pool.map(swapped, *zip(*tries)))
        self.assertEqual(len(tries), 144)
        self.assertGreater(right / len(tries), 0.9)  # 0.951 when it was written.

    def test_residuals_larger_than_the_memory_for_them(self):
        prompts = self.questions(people=90)  # 2,160 rows of 512 bytes.
        self.train("sae", f"--model={MODEL}", f"--prompts={prompts}", f"--out={self.root}/form",
                   "--threads=1", *LAST_TOKEN, "--free-features=128", "--batch-size=64",
                   "--learning-rate=0.005", "--stage1-epochs=2", "--stage2-epochs=6",
                   "--residual-memory=1")
        self.assertEqual(sorted(path.name for path in (self.root / "form").iterdir()),
                         ["cfg.json", "log.jsonl", "sae_weights.safetensors",
                          "value_heads.safetensors"])
        figures = self.root / "figures.json"
        self.train("eval", f"--model={MODEL}", f"--sae={self.root}/form",
                   f"--prompts={self.questions(people=3)}", f"--json={figures}")
        self.assertGreater(json.loads(figures.read_text())["read"]["rate"], 0.95)

    def test_somebody_elses_sae_gets_concepts_by_which_swap_works(self):
        prompts = self.questions(people=10)
        foreign, named = self.root / "foreign", self.root / "named"
        self.train("export-sae", f"--sae={DEMO}/sae/main", f"--out={foreign}")
        (foreign / "labels.jsonl").unlink()  # Nobody named its features.
        table = self.train("calibrate", f"--model={MODEL}", f"--sae={foreign}",
                           f"--prompts={prompts}", f"--out={named}")
        labels = [json.loads(line) for line in
                  (named / "labels.jsonl").read_text().splitlines()]
        for label in labels:
            self.assertIn(f"{label['name']} ", table)
            self.assertGreater(label["active_mean"], label["threshold"])
        self.assertEqual(len({label["feature"] for label in labels}), 6)
        self.assertFalse((foreign / "labels.jsonl").exists())
        figures = self.root / "figures.json"
        self.train("eval", f"--model={MODEL}", f"--sae={named}", f"--prompts={prompts}",
                   f"--json={figures}")
        measured = json.loads(figures.read_text())
        self.assertEqual(measured["swap"]["all"]["n"], 600)  # 10 people, 12 wordings, 5 targets.
        self.assertGreater(measured["read"]["rate"], 0.95)
        self.assertGreater(measured["swap"]["all"]["rate"], 0.88)  # 0.94 when it was written.

        server = Server(f"--sae={named}", bundle=MODEL)
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        lines = [json.loads(line) for line in prompts.read_text().splitlines()]
        asked = next(line for line in lines if line["concept"] == "birth_city")
        answer = api.steering.Swap(steering.SwapRequest(
            prompt=common.Prompt(text=asked["prompt"]),
            target=common.ConceptRef(name="employer")), timeout=20)
        self.assertEqual(answer.baseline.text.strip(), asked["answer"])
        self.assertEqual(answer.steered.text.strip(), asked["targets"]["employer"])
        self.assertIn("got one of alignsae-train", self.train(
            "calibrate", f"--model={MODEL}", f"--sae={DEMO}/sae/main", f"--prompts={prompts}",
            f"--out={self.root}/again", code=1))

    def test_a_bad_file_is_refused_with_its_line_and_leaves_nothing(self):
        good = [json.loads(line) for line in FORMS.read_text().splitlines()]
        for change, sentence in (
                ({"prompt": "x", "concept": "wish"},
                 ":75: group: must be at least 3 of each concept, got 1 of \"wish\""),
                ({"prompt": "word " * 400, "concept": None},
                 ":75: prompt: must have 1 to 128 tokens, got "),
                ({"prompt": "x", "concept": None, "position": 7},
                 ":75: position: must be in [-"),
                ({"prompt": "x", "concept": "order", "split": "test"},
                 ":75: split: must be on every line or on none")):
            with self.subTest(sentence):
                prompts = self.write(*good, change)
                self.assertIn(f"{prompts}{sentence}", self.sae(prompts, code=2))
                self.assertFalse((self.root / "form").exists())
        self.assertIn("--prompts", self.train("sae", f"--model={MODEL}",
                                              f"--out={self.root}/form", code=2))

    def test_other_concepts_than_the_checkpoints_are_refused(self):
        self.sae(FORMS)
        names = [json.loads(line) for line in FORMS.read_text().splitlines()]
        for line in names:
            if line["concept"] == "order":
                line["concept"] = "command"
        prompts = self.write(*names)
        before = sorted(path.name for path in self.root.iterdir())
        self.assertIn("concept: must be the checkpoint's (question, order, statement)",
                      self.train("eval", f"--model={MODEL}", f"--sae={self.root}/form",
                                 f"--prompts={prompts}", code=1))
        self.train("bundle", f"--model={MODEL}", f"--sae={self.root}/form",
                   f"--prompts={prompts}", f"--out={self.root}/b", code=1)
        self.assertEqual(sorted(path.name for path in self.root.iterdir()), before)


if __name__ == "__main__":
    unittest.main()
