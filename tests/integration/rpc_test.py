#!/usr/bin/env python3
"""Every RPC against the demo bundle, through Python's gRPC client."""
import itertools
import json
import math

from alignsae_server import (DEMO, ServerTest, common, concept, eventually, generation, health,
                             intervention, main, model, steering, swap_edit)

from alignsae.v1 import find_alpha_pb2 as find
from alignsae.v1 import side_effects_pb2 as guards
from alignsae.v1 import swap_matrix_pb2 as matrix


class RpcTest(ServerTest):
    flags = ("--whole-sae",)

    def test_get_model_tells_what_is_loaded_and_what_is_accepted(self):
        answer = self.api.model.GetModel(model.GetModelRequest(), timeout=10)
        self.assertGreater(answer.model.n_layer, 0)
        self.assertEqual(len(answer.model.sha256), 64)
        self.assertIn("{question}", answer.model.prompt_template)
        self.assertEqual(len(answer.checkpoints), 1)
        self.assertTrue(answer.checkpoints[0].whole_sae_loaded)
        self.assertEqual(answer.checkpoints[0].n_concepts, 6)
        self.assertGreater(answer.limits.max_prompt_bytes, 0)
        self.assertEqual(answer.info.generation_id, 1)
        self.assertTrue(answer.info.request_id)

    def test_one_openmp_runtime_serves_libtorch_onednn_and_blas(self):
        with open(f"/proc/{self.server.process.pid}/maps") as maps:
            libraries = {line.split("/")[-1].strip() for line in maps if "/" in line}
        runtimes = [name for name in libraries
                    if name.startswith(("libgomp", "libomp", "libiomp"))]
        self.assertEqual(len(runtimes), 1, runtimes)
        self.assertIn("openblas-openmp", self.server.log())

    def test_request_id_is_echoed(self):
        answer, call = self.api.model.GetModel.with_call(
            model.GetModelRequest(), timeout=10, metadata=[("x-request-id", "order-66")])
        self.assertEqual(answer.info.request_id, "order-66")
        sent = {**dict(call.initial_metadata()), **dict(call.trailing_metadata())}
        self.assertEqual(sent.get("x-request-id"), "order-66")

    def test_list_concepts_gives_the_calibrated_ontology(self):
        self.assertEqual(sorted(self.by_name), ["birth_city", "birth_date", "employer", "major",
                                                "university", "work_city"])
        for row in self.concepts:
            self.assertGreater(row.active_mean, 0)
            self.assertGreater(row.decoder_norm, 0)
            self.assertTrue(row.example)
            swap = row.certificate.measured_swap
            self.assertGreater(row.certificate.written_share, 0.75)
            self.assertEqual((swap.tries, swap.wordings, swap.people), (4800, 40, 120))
            self.assertEqual(swap.rate, swap.successes / swap.tries)
            self.assertTrue(0 < swap.low < swap.rate < swap.high <= 1)

    def test_tokenize_and_detokenize_are_inverse(self):
        text = "Zażółć 🙂\n\tx  "
        tokens = self.api.model.Tokenize(model.TokenizeRequest(text=text), timeout=10).tokens
        self.assertEqual(b"".join(token.piece for token in tokens), text.encode())
        offset = 0
        for token in tokens:
            self.assertEqual(token.byte_offset, offset)
            offset += len(token.piece)
        back = self.api.model.Detokenize(
            model.DetokenizeRequest(token_ids=[token.id for token in tokens]), timeout=10)
        self.assertEqual(back.text, text)
        self.assertEqual(back.raw, text.encode())

    def test_read_concepts_names_the_concept_of_every_example(self):
        prompts = [common.Prompt(question=row.example) for row in self.concepts]
        answer = self.api.concept.ReadConcepts(
            concept.ReadConceptsRequest(prompts=prompts), timeout=10)
        self.assertEqual([row.reading.top_concept for row in answer.readings],
                         [row.name for row in self.concepts])
        for row in answer.readings:
            self.assertAlmostEqual(sum(row.reading.probabilities), 1, places=5)
            self.assertTrue(row.reading.bound)
            self.assertEqual(row.reading.position, len(row.prompt_token_ids) - 1)

    def test_a_batch_reads_what_single_prompts_read(self):
        prompts = [common.Prompt(question=row.example) for row in self.concepts]
        batch = self.api.concept.ReadConcepts(
            concept.ReadConceptsRequest(prompts=prompts), timeout=10)
        for prompt, together in zip(prompts, batch.readings):
            alone = self.api.concept.ReadConcepts(
                concept.ReadConceptsRequest(prompts=[prompt]), timeout=10).readings[0]
            for a, b in zip(alone.reading.values, together.reading.values):
                self.assertAlmostEqual(a, b, places=4)

    def test_token_ids_replay_a_question_exactly(self):
        request = concept.ReadConceptsRequest(prompts=[self.example()])
        first = self.api.concept.ReadConcepts(request, timeout=10).readings[0]
        again = self.api.concept.ReadConcepts(
            concept.ReadConceptsRequest(prompts=[common.Prompt(
                token_ids=common.TokenIds(ids=first.prompt_token_ids))]), timeout=10).readings[0]
        self.assertEqual(list(again.prompt_token_ids), list(first.prompt_token_ids))
        self.assertEqual(again.reading.top_concept, first.reading.top_concept)

    def test_inspect_slots_tells_every_token_and_the_largest_features(self):
        answer = self.api.concept.InspectSlots(
            concept.InspectSlotsRequest(prompt=self.example(), top_k=7), timeout=10)
        self.assertEqual([row.token_id for row in answer.tokens], list(answer.prompt_token_ids))
        self.assertEqual([row.reading.position for row in answer.tokens],
                         list(range(len(answer.tokens))))
        last = answer.tokens[-1]
        values = [feature.value for feature in last.features.top_features]
        self.assertEqual(values, sorted(values, reverse=True))
        self.assertLessEqual(len(values), 7)
        self.assertGreater(last.features.l0, 0)
        self.assertGreater(last.features.residual_norm, 0)
        self.assertLess(last.features.reconstruction_error, 1)

    def test_swap_changes_the_answer_and_signs_for_it(self):
        answer = self.api.steering.Swap(steering.SwapRequest(
            prompt=self.example("birth_city"), target=common.ConceptRef(name="employer")),
            timeout=20)
        self.assertNotEqual(answer.baseline.text, answer.steered.text)
        self.assertEqual(answer.baseline.prompt_reading.top_concept, "birth_city")
        self.assertEqual(answer.baseline.finish_reason, generation.FINISH_REASON_EOS)
        self.assertEqual(len(answer.baseline.receipts), 0)
        receipt = answer.steered.receipts[0]
        self.assertEqual(receipt.mode, intervention.INTERVENTION_MODE_SWAP)
        self.assertEqual(receipt.target_concept, "employer")
        self.assertEqual(receipt.positions_applied, 1)
        effect = receipt.effects[0]
        self.assertEqual(effect.position, answer.prompt_token_count - 1)
        self.assertEqual(effect.source_concept, "birth_city")
        self.assertGreater(effect.target_after, effect.target_before)
        self.assertLess(effect.source_after, effect.source_before)
        self.assertGreater(effect.change_norm, 0)

    def test_examples_are_questions_whose_answers_the_data_hold_and_the_model_gives(self):
        people = [json.loads(line) for line in
                  (DEMO / "eval/people.jsonl").read_text().splitlines()]
        for asked, wanted in itertools.permutations(self.concepts, 2):
            with self.subTest(asked=asked.name, swapped_to=wanted.name):
                [person] = [row for row in people if row["name"] in asked.example]
                answer = self.api.steering.Swap(steering.SwapRequest(
                    prompt=common.Prompt(question=asked.example),
                    target=common.ConceptRef(name=wanted.name)), timeout=20)
                self.assertEqual(answer.baseline.text.strip(), person["facts"][asked.name])
                self.assertEqual(answer.steered.text.strip(), person["facts"][wanted.name])

    def test_a_swapped_question_answers_as_the_other_question_does(self):
        # The examples ask about one person each, so the person's own employer is
        # asked with the same wording's subject put into the employer example.
        birth = self.by_name["birth_city"].example
        swapped = self.api.steering.Swap(steering.SwapRequest(
            prompt=common.Prompt(question=birth), target=common.ConceptRef(name="work_city")),
            timeout=20).steered
        self.assertEqual(swapped.finish_reason, generation.FINISH_REASON_EOS)
        self.assertRegex(swapped.text, r"^ .+, [A-Z]{2}$")

    def test_a_sweep_says_what_single_swaps_say(self):
        targets = ["employer", "major", "birth_city"]
        alphas = [0.5, 1, 2.5]
        before = self.server.metric("alignsae_forks_total")
        events = list(self.api.steering.SweepAlpha(steering.SweepAlphaRequest(
            prompt=self.example("birth_city"), alphas=alphas,
            targets=[common.ConceptRef(name=name) for name in targets]), timeout=30))
        self.assertEqual(events[0].WhichOneof("event"), "started")
        self.assertEqual(events[-1].summary.cell_count, 10)
        cells = {e.cell.index: e.cell for e in events if e.WhichOneof("event") == "cell"}
        self.assertEqual(sorted(cells), list(range(10)))
        self.assertTrue(cells[0].baseline)
        for index in range(1, 10):
            cell = cells[index]
            self.assertEqual((cell.target, cell.alpha),
                             (targets[(index - 1) // 3], alphas[(index - 1) % 3]))
            alone = self.api.steering.Swap(steering.SwapRequest(
                prompt=self.example("birth_city"), alpha=cell.alpha,
                target=common.ConceptRef(name=cell.target)), timeout=20)
            self.assertEqual(alone.baseline.text, cells[0].result.text)
            self.assertEqual(alone.steered.text, cell.result.text)
            self.assertAlmostEqual(alone.steered.total_logprob, cell.result.total_logprob,
                                   places=3)
            self.assertEqual(cell.result.receipts[0].alpha, cell.alpha)
        # Nine cells of the sweep beside its baseline, and an arm of each Swap.
        self.assertEqual(self.server.metric("alignsae_forks_total"), before + 9 + 9)

    def swaps(self, pairs, alpha=None):
        """{pair: answer} of single Swaps."""
        return {(source, target): self.api.steering.Swap(steering.SwapRequest(
            prompt=self.example("birth_city"), source=common.ConceptRef(name=source),
            target=common.ConceptRef(name=target), alpha=alpha), timeout=20)
            for source, target in pairs}

    def test_a_matrix_says_what_single_swaps_say(self):
        names = [row.name for row in self.concepts]
        alone = self.swaps(itertools.permutations(names, 2))
        expected = {name: alone["birth_city", name].steered.text for name in names[1:]
                    if name != "birth_city"}
        before = self.server.metric("alignsae_forks_total")
        started, *cells, summary = list(self.api.steering.SwapMatrix(matrix.SwapMatrixRequest(
            prompt=self.example("birth_city"), targets=expected), timeout=60))
        self.assertEqual([label.name for label in started.started.swapped], names)
        self.assertEqual((started.started.cell_count, summary.summary.cell_count), (31, 31))
        self.assertGreater(self.server.metric("alignsae_forks_total"), before + 15)
        cells = {event.cell.index: event.cell for event in cells}
        self.assertEqual(sorted(cells), list(range(31)))
        self.assertTrue(cells.pop(0).baseline)
        for cell in cells.values():
            single = alone[cell.source, cell.target].steered
            self.assertEqual([token.id for token in cell.result.tokens],
                             [token.id for token in single.tokens], (cell.source, cell.target))
            self.assertEqual(cell.result.text, single.text)
            self.assertAlmostEqual(cell.result.total_logprob, single.total_logprob, places=3)
            self.assertEqual((names[cell.source_index], names[cell.target_index]),
                             (cell.source, cell.target))
            receipt = cell.result.receipts[0]
            self.assertEqual((receipt.source_concept, receipt.target_concept),
                             (cell.source, cell.target))
            self.assertEqual(cell.HasField("matches"), cell.target in expected)
            if cell.source == "birth_city" and cell.target in expected:
                self.assertTrue(cell.matches)
        self.assertEqual(summary.summary.expected_count, 5 * len(expected))
        self.assertGreaterEqual(summary.summary.matched_count, len(expected))

    def test_the_alphas_that_are_found_are_where_the_answer_changes(self):
        goal = self.swaps([("birth_city", "employer")])["birth_city", "employer"].steered.text
        request = find.FindAlphaRequest(
            prompt=self.example("birth_city"), source=common.ConceptRef(name="birth_city"),
            target=common.ConceptRef(name="employer"), goal=find.AlphaGoal(answer=goal.upper()))
        answer = self.api.steering.FindAlpha(request, timeout=60)
        self.assertFalse(answer.baseline_reaches)
        self.assertTrue(answer.exact)
        self.assertGreater(answer.rounds, 1)
        self.assertLessEqual(answer.smallest, answer.largest)
        tries = {row.alpha: row for row in answer.tries}
        self.assertEqual(list(tries), sorted(tries))
        for alpha, row in tries.items():
            self.assertEqual(row.reached, row.result.text.strip() == goal.strip())
            if answer.smallest <= alpha <= answer.largest:
                self.assertTrue(row.reached)
        for end, step in ((answer.smallest, -1), (answer.largest, 1)):
            place = list(tries).index(end) + step
            if 0 <= place < len(tries):
                beyond = list(tries)[place]
                self.assertFalse(tries[beyond].reached)
                self.assertLessEqual(max(beyond / end, end / beyond), 1.05 + 1e-9)
            [single] = self.swaps([("birth_city", "employer")], alpha=end).values()
            self.assertEqual([token.id for token in single.steered.tokens],
                             [token.id for token in tries[end].result.tokens])
        self.assertTrue(eventually(lambda: self.server.metric("alignsae_kv_slots_in_use") == 0))

    def employer_swap(self, **fields):
        return self.api.steering.Swap(steering.SwapRequest(
            prompt=self.example("birth_city"), target=common.ConceptRef(name="employer"),
            **fields), timeout=20)

    def test_a_condition_says_where_an_edit_is_made(self):
        def when(**rule):
            return intervention.ReadingCondition(slot=common.ConceptRef(name="birth_city"), **rule)
        plain = self.employer_swap().steered
        held = self.employer_swap(when=when(bound=True)).steered
        self.assertEqual(held.text, plain.text)
        self.assertTrue(held.receipts[0].condition)
        self.assertFalse(plain.receipts[0].HasField("condition"))
        for rule in ({"bound": False}, {"above": 1e6}):
            answer = self.employer_swap(when=when(**rule))
            receipt = answer.steered.receipts[0]
            self.assertEqual((receipt.condition, receipt.positions_checked,
                              receipt.positions_applied), (False, 1, 0))
            self.assertEqual([token.id for token in answer.steered.tokens],
                             [token.id for token in answer.baseline.tokens])
        everywhere = intervention.PositionSelection(prompt=intervention.PROMPT_SELECTION_ALL)
        receipt = self.employer_swap(when=when(bound=True), positions=everywhere).steered.receipts[0]
        read = self.api.concept.InspectSlots(
            concept.InspectSlotsRequest(prompt=self.example("birth_city")), timeout=10)
        self.assertEqual(
            [effect.position for effect in receipt.effects],
            [row.reading.position for row in read.tokens
             if row.reading.bound and row.reading.top_concept == "birth_city"])
        self.assertEqual(receipt.positions_checked, len(read.tokens))

    def test_a_condition_holds_for_every_cell_pair_and_try(self):
        prompt = self.example("birth_city")
        job = common.ConceptRef(name="employer")

        def arms(**rule):
            when = intervention.ReadingCondition(
                slot=common.ConceptRef(name="birth_city"), **rule)
            sweep = list(self.api.steering.SweepAlpha(steering.SweepAlphaRequest(
                prompt=prompt, targets=[job], alphas=[1, 2], when=when), timeout=30))
            pairs = list(self.api.steering.SwapMatrix(matrix.SwapMatrixRequest(
                prompt=prompt, when=when, concepts=[job, common.ConceptRef(name="major")]),
                timeout=30))
            search = self.api.steering.FindAlpha(find.FindAlphaRequest(
                prompt=prompt, target=job, goal=find.AlphaGoal(answer="x"), max_tries=3,
                when=when), timeout=30)
            cells = [event.cell for event in sweep + pairs if event.HasField("cell")]
            plain = [cell.result for cell in cells if cell.baseline] + [search.baseline]
            edited = [cell.result for cell in cells if not cell.baseline]
            edited += [row.result for row in search.tries]
            self.assertEqual((len(plain), len(edited)), (3, 7))
            return plain, [(arm, arm.receipts[0]) for arm in edited]

        def ids(arm):
            return [token.id for token in arm.tokens]
        plain, edited = arms(bound=False)
        for arm, receipt in edited:
            self.assertEqual(ids(arm), ids(plain[0]))
            self.assertEqual((receipt.HasField("condition"), receipt.condition,
                              receipt.positions_checked, receipt.positions_applied),
                             (True, False, 1, 0))
        plain, edited = arms(bound=True)
        for _, receipt in edited:
            self.assertEqual((receipt.condition, receipt.positions_applied), (True, 1))
        self.assertNotIn(ids(plain[0]), [ids(edited[0][0]), ids(edited[1][0])])

    def test_a_search_is_held_to_a_kl(self):
        weak = self.employer_swap(alpha=0.25, side_effects=True).steered
        limit = weak.side_effects.max_kl * 1.05
        self.assertGreater(limit, 0)
        answer = self.api.steering.FindAlpha(find.FindAlphaRequest(
            prompt=self.example("birth_city"), target=common.ConceptRef(name="employer"),
            goal=find.AlphaGoal(target_on_top=True),
            guard=guards.SteeringGuard(max_kl=limit)), timeout=60)
        self.assertFalse(answer.baseline.HasField("guard_stop"))
        broken = [row for row in answer.tries if row.result.HasField("guard_stop")]
        self.assertTrue(broken)
        for row in broken:
            stop = row.result.guard_stop
            self.assertFalse(row.reached)
            self.assertEqual((stop.limit, stop.allowed), (guards.GUARD_LIMIT_KL, limit))
            self.assertGreater(stop.value, limit)
        # What one Swap says of the two ends.
        for alpha, ends in ((answer.largest, False), (broken[-1].alpha, True)):
            arm = self.employer_swap(alpha=alpha, guard=guards.SteeringGuard(max_kl=limit)).steered
            self.assertEqual(arm.HasField("guard_stop"), ends)
        self.assertTrue(eventually(lambda: self.server.metric("alignsae_kv_slots_in_use") == 0))

    def test_an_answer_is_aborted_at_the_token_whose_reading_says_so(self):
        config = generation.GenerationConfig(max_new_tokens=6, ignore_eos=True,
                                             concept_trace=True)
        request = steering.CompleteRequest(prompt=self.example("birth_city"), generation=config)
        whole = self.api.steering.Complete(request, timeout=20).arms[0]
        values = [token.reading.values[0] for token in whole.tokens[:-1]]
        place = max(range(len(values)), key=values.__getitem__)
        first = next(i for i, value in enumerate(values) if value > values[place] - 1e-3)
        config.abort_when.slot.name = self.concepts[0].name
        config.abort_when.above = values[place] - 1e-3
        arm = self.api.steering.Complete(steering.CompleteRequest(
            prompt=self.example("birth_city"), generation=config), timeout=20).arms[0]
        self.assertEqual(arm.finish_reason, generation.FINISH_REASON_ABORTED)
        self.assertEqual([token.id for token in arm.tokens],
                         [token.id for token in whole.tokens[:first + 1]])

    def test_side_effects_and_the_guards_that_hold_them(self):
        plain, told = self.employer_swap(), self.employer_swap(side_effects=True)
        self.assertFalse(plain.steered.HasField("side_effects"))
        ids = [[token.id for token in arm.tokens] for arm in (told.baseline, told.steered)]
        self.assertEqual(ids, [[token.id for token in arm.tokens]
                               for arm in (plain.baseline, plain.steered)])
        effects = told.steered.side_effects
        self.assertEqual(len(effects.kl), len(ids[1]))
        self.assertGreater(effects.kl[0], 0.1)
        self.assertAlmostEqual(effects.max_kl, max(effects.kl), places=5)
        self.assertEqual(effects.first_divergence, next(
            i for i, (one, other) in enumerate(zip(*ids)) if one != other))
        effect = told.steered.receipts[0].effects[0]
        self.assertAlmostEqual(effects.max_norm_ratio, effect.change_norm / effect.residual_norm)
        names = {row.concept_name for row in effects.off_target}
        self.assertEqual(names, {row.name for row in self.concepts} - {"employer"})
        # What was cleared as the top one is not off target.
        [cleared] = [row for row in effects.off_target if row.concept_name == "birth_city"]
        self.assertEqual(cleared.change, 0)
        nothing = self.api.steering.Complete(steering.CompleteRequest(
            prompt=self.example("birth_city"), arms=generation.ARM_SELECTION_BOTH,
            side_effects=True, interventions=[intervention.Intervention(
                mode=intervention.INTERVENTION_MODE_ADD, alpha=0,
                target=common.ConceptRef(name="employer"))]), timeout=20).arms[1].side_effects
        self.assertFalse(nothing.HasField("first_divergence"))
        self.assertLess(nothing.max_kl, 1e-9)
        self.assertEqual((nothing.max_off_target, nothing.max_norm_ratio), (0, 0))
        for limit, field, value in (
                (guards.GUARD_LIMIT_NORM_RATIO, "max_norm_ratio", effects.max_norm_ratio),
                (guards.GUARD_LIMIT_KL, "max_kl", effects.kl[0])):
            answer = self.employer_swap(guard=guards.SteeringGuard(**{field: value * 0.9}))
            self.assertEqual(answer.steered.finish_reason, generation.FINISH_REASON_GUARD)
            self.assertEqual(answer.steered.guard_stop.limit, limit)
            self.assertAlmostEqual(answer.steered.guard_stop.value, value, places=3)
            self.assertEqual(len(answer.steered.tokens), 0)
            self.assertEqual([token.id for token in answer.baseline.tokens], ids[0])
        self.assertTrue(eventually(lambda: self.server.metric("alignsae_kv_slots_in_use") == 0))

    def test_a_slot_that_is_not_meant_ends_an_arm_at_its_limit(self):
        def answer(**fields):
            return self.api.steering.Complete(steering.CompleteRequest(
                prompt=self.example("birth_city"), interventions=[intervention.Intervention(
                    mode=intervention.INTERVENTION_MODE_SET, alpha=3,
                    target=common.ConceptRef(name="employer"))], **fields), timeout=20).arms[0]
        effects = answer(side_effects=True).side_effects
        worst = max(effects.off_target, key=lambda row: row.relative_change)
        self.assertEqual(worst.concept_name, "birth_city")  # It was on top.
        self.assertLess(worst.change, -1)
        self.assertEqual(effects.max_off_target, worst.relative_change)
        above = answer(guard=guards.SteeringGuard(max_off_target=worst.relative_change + 0.01))
        self.assertEqual(above.finish_reason, generation.FINISH_REASON_EOS)
        below = answer(guard=guards.SteeringGuard(max_off_target=worst.relative_change - 0.01))
        self.assertEqual((below.finish_reason, below.guard_stop.limit, len(below.tokens),
                          below.guard_stop.concept_name, below.guard_stop.position),
                         (generation.FINISH_REASON_GUARD, guards.GUARD_LIMIT_OFF_TARGET, 0,
                          "birth_city", worst.position))

    def test_complete_and_generate_say_the_same(self):
        edits = [swap_edit("birth_city", "employer")]
        config = generation.GenerationConfig(max_new_tokens=12, top_logprobs=3)
        complete = self.api.steering.Complete(steering.CompleteRequest(
            prompt=self.example(), interventions=edits, generation=config,
            arms=generation.ARM_SELECTION_BOTH), timeout=20)
        events = list(self.api.steering.Generate(steering.GenerateRequest(
            prompt=self.example(), interventions=edits, generation=config,
            arms=generation.ARM_SELECTION_BOTH), timeout=20))
        self.assertEqual(events[0].WhichOneof("event"), "started")
        self.assertEqual(events[-1].WhichOneof("event"), "summary")
        for arm in complete.arms:
            tokens = [e.token.token for e in events
                      if e.WhichOneof("event") == "token" and e.token.arm == arm.arm]
            self.assertEqual([t.id for t in tokens], [t.id for t in arm.tokens])
            text = "".join(e.token.text for e in events
                           if e.WhichOneof("event") == "token" and e.token.arm == arm.arm)
            text += "".join(e.arm_finished.text_tail for e in events
                            if e.WhichOneof("event") == "arm_finished" and
                            e.arm_finished.arm == arm.arm)
            self.assertEqual(text, arm.text)
            for token in arm.tokens:
                self.assertEqual(len(token.top_logprobs), 3)
                self.assertAlmostEqual(token.logprob, token.top_logprobs[0].logprob, places=5)
        self.assertEqual([arm.text for arm in events[-1].summary.arms],
                         [arm.text for arm in complete.arms])

    def test_a_prompts_logprobs_are_those_its_tokens_had_when_generated(self):
        edit = swap_edit("birth_city", "employer")
        edit.positions.prompt = intervention.PROMPT_SELECTION_LAST
        config = generation.GenerationConfig(max_new_tokens=5, ignore_eos=True, top_logprobs=2)
        answer = self.api.steering.Complete(steering.CompleteRequest(
            prompt=self.example(), interventions=[edit], generation=config,
            arms=generation.ARM_SELECTION_BOTH), timeout=20)
        length = answer.prompt_token_count
        # The same edit at the same place, of a prompt that has the answer in it.
        edit.positions.prompt = intervention.PROMPT_SELECTION_LIST
        edit.positions.positions.append(length - 1)
        for arm in answer.arms:
            ids = [*answer.prompt_token_ids, *[token.id for token in arm.tokens]]
            scored = self.api.steering.Complete(steering.CompleteRequest(
                prompt=common.Prompt(token_ids=common.TokenIds(ids=ids)), interventions=[edit],
                arms=generation.ARM_SELECTION_BOTH, generation=generation.GenerationConfig(
                    max_new_tokens=1, prompt_logprobs=2)), timeout=20)
            [same] = [other for other in scored.arms if other.arm == arm.arm]
            self.assertEqual([token.id for token in same.prompt_tokens], ids)
            self.assertFalse(same.prompt_tokens[0].HasField("logprob"))
            for got, token in zip(same.prompt_tokens[length:], arm.tokens):
                self.assertAlmostEqual(got.logprob, token.logprob, delta=0.02)
                self.assertEqual([top.id for top in got.top_logprobs],
                                 [top.id for top in token.top_logprobs])
        baseline, steered = scored.arms
        self.assertEqual(baseline.prompt_tokens[length - 1], steered.prompt_tokens[length - 1])
        self.assertNotEqual(baseline.prompt_tokens[length], steered.prompt_tokens[length])

    def test_penalties_and_least_length(self):
        def answer(**config):
            return self.api.steering.Complete(steering.CompleteRequest(
                prompt=self.example(), generation=generation.GenerationConfig(
                    max_new_tokens=40, **config)), timeout=20).arms[0]
        free = answer()
        self.assertEqual(free.finish_reason, generation.FINISH_REASON_EOS)
        longer = answer(min_new_tokens=free.generated_token_count + 3)
        self.assertGreaterEqual(longer.generated_token_count, free.generated_token_count + 3)
        def repeats(arm):
            return arm.generated_token_count - len({token.id for token in arm.tokens})
        plain = answer(ignore_eos=True)
        self.assertLess(repeats(answer(ignore_eos=True, frequency_penalty=2)), repeats(plain))
        # What was said before is favoured so much that nothing else is said any more.
        again = answer(ignore_eos=True, presence_penalty=-2, frequency_penalty=-2)
        self.assertGreater(repeats(again), repeats(plain))

    def test_an_intervention_that_changes_nothing_is_bit_equal_to_the_baseline(self):
        for edit in (
                intervention.Intervention(mode=intervention.INTERVENTION_MODE_ADD, alpha=0,
                                          target=common.ConceptRef(name="employer")),
                intervention.Intervention(mode=intervention.INTERVENTION_MODE_MULTIPLY, alpha=1,
                                          target=common.ConceptRef(name="employer"))):
            answer = self.api.steering.Complete(steering.CompleteRequest(
                prompt=self.example(), interventions=[edit], arms=generation.ARM_SELECTION_BOTH,
                generation=generation.GenerationConfig(top_logprobs=20, max_new_tokens=16,
                                                       ignore_eos=True)), timeout=20)
            baseline, steered = answer.arms
            self.assertEqual(list(baseline.tokens), list(steered.tokens))
            self.assertEqual(steered.receipts[0].positions_applied, 1)

    def test_seeded_sampling_repeats_and_differs_by_seed(self):
        def sample(seed):
            return self.api.steering.Complete(steering.CompleteRequest(
                prompt=common.Prompt(text="The"), generation=generation.GenerationConfig(
                    temperature=2, seed=seed, max_new_tokens=24, ignore_eos=True)),
                timeout=20)
        first, again, other = sample(7), sample(7), sample(8)
        self.assertEqual(first.seed, 7)
        self.assertEqual(first.arms[0].text, again.arms[0].text)
        self.assertNotEqual(first.arms[0].text, other.arms[0].text)

    def test_stop_sequence_ends_the_text_before_it(self):
        free = self.api.steering.Complete(
            steering.CompleteRequest(prompt=self.example()), timeout=20).arms[0]
        stop = free.text[3:5]
        arm = self.api.steering.Complete(steering.CompleteRequest(
            prompt=self.example(), generation=generation.GenerationConfig(
                stop_sequences=["never there", stop])), timeout=20).arms[0]
        self.assertEqual(arm.finish_reason, generation.FINISH_REASON_STOP)
        self.assertEqual(arm.stop_sequence, stop)
        self.assertEqual(arm.text, free.text[:free.text.index(stop)])

    def test_concept_trace_follows_the_answer(self):
        arm = self.api.steering.Complete(steering.CompleteRequest(
            prompt=self.example(), generation=generation.GenerationConfig(concept_trace=True)),
            timeout=20).arms[0]
        traced = [token for token in arm.tokens if token.HasField("reading")]
        self.assertEqual(len(traced), len(arm.tokens) - 1)
        for token in traced:
            self.assertEqual(token.reading.position, token.position)
            self.assertEqual(len(token.reading.values), 6)

    def test_every_mode_leaves_a_receipt(self):
        for mode in (m for m in intervention.InterventionMode.values() if m):
            edit = intervention.Intervention(
                mode=mode, target=common.ConceptRef(name="employer"),
                positions=intervention.PositionSelection(
                    prompt=intervention.PROMPT_SELECTION_LIST, positions=[-1, 1]))
            answer = self.api.steering.Complete(steering.CompleteRequest(
                prompt=self.example(), interventions=[edit]), timeout=20)
            receipt = answer.arms[0].receipts[0]
            self.assertEqual(receipt.mode, mode)
            self.assertEqual([effect.position for effect in receipt.effects],
                             [1, answer.prompt_token_count - 1])
            for effect in receipt.effects:
                self.assertTrue(math.isfinite(effect.change_norm))

    def test_generated_tokens_are_edited_on_request(self):
        edit = intervention.Intervention(
            mode=intervention.INTERVENTION_MODE_ADD, alpha=0.01,
            target=common.ConceptRef(name="employer"),
            positions=intervention.PositionSelection(
                prompt=intervention.PROMPT_SELECTION_NONE, generated=True))
        arm = self.api.steering.Complete(steering.CompleteRequest(
            prompt=self.example(), interventions=[edit]), timeout=20).arms[0]
        # The last token is never fed back.
        self.assertEqual(arm.receipts[0].positions_applied, arm.generated_token_count - 1)

    def test_health_knows_liveness_readiness_and_the_services(self):
        for service in ("", "liveness", "readiness", "alignsae.v1.SteeringService",
                        "alignsae.v1.ConceptService", "alignsae.v1.ModelService"):
            answer = self.api.health.Check(
                health.HealthCheckRequest(service=service), timeout=5)
            self.assertEqual(answer.status, health.HealthCheckResponse.SERVING, service)
        listed = self.api.health.List(health.HealthListRequest(), timeout=5).statuses
        self.assertLessEqual({"", "liveness", "alignsae.v1.SteeringService"}, set(listed))
        self.assertEqual({one.status for one in listed.values()},
                         {health.HealthCheckResponse.SERVING})


if __name__ == "__main__":
    main()
