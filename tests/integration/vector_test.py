#!/usr/bin/env python3
"""Vectors of the caller's own, at every hook point, with and without a checkpoint."""
import json
import pathlib
import struct
import subprocess
import tempfile

from alignsae_server import (BIN, DEMO, Server, ServerTest, common, eventually, generation, grpc,
                             intervention, main, steering)

KINDS = [common.HOOK_KIND_RESID_PRE, common.HOOK_KIND_ATTN_OUT, common.HOOK_KIND_RESID_MID,
         common.HOOK_KIND_MLP_OUT, common.HOOK_KIND_RESID_POST]


def tensor(path, name):
    """Rows of a two-dimensional F32 tensor of a safetensors file."""
    data = pathlib.Path(path).read_bytes()
    header = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8:8 + header])[name]
    begin, end = (8 + header + offset for offset in entry["data_offsets"])
    values = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
    width = entry["shape"][1]
    return [values[i:i + width] for i in range(0, len(values), width)]


def along(values, kind, layer, mode=intervention.INTERVENTION_MODE_ADD, **fields):
    return intervention.Intervention(mode=mode, vector=intervention.SteeringVector(
        values=values, hook=common.HookPoint(kind=kind, layer=layer)), **fields)


class VectorTest(ServerTest):
    flags = ("--weight-type=f32",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        bundle = json.loads((DEMO / "bundle.json").read_text())
        cls.sae = bundle["saes"][0]
        cls.decoder = tensor(DEMO / cls.sae["path"] / "sae_weights.safetensors", "W_dec")

    def complete(self, *edits, api=None, prompt=None):
        request = steering.CompleteRequest(
            prompt=prompt or self.example(), interventions=edits,
            generation=generation.GenerationConfig(max_new_tokens=8))
        return (api or self.api).steering.Complete(request, timeout=30).arms[0]

    def test_a_slots_own_direction_does_what_its_slot_does(self):
        slot = self.by_name["employer"].slot
        layer = self.sae["hook"]["layer"]
        places = {"resid_mid": [(common.HOOK_KIND_RESID_MID, layer)],
                  "resid_post": [(common.HOOK_KIND_RESID_POST, layer),
                                 (common.HOOK_KIND_RESID_PRE, layer + 1)]}
        for alpha in (2, 30):
            by_slot = self.complete(intervention.Intervention(
                mode=intervention.INTERVENTION_MODE_ADD, alpha=alpha,
                target=common.ConceptRef(name="employer")))
            for kind, place in places[self.sae["hook"]["kind"]]:
                by_vector = self.complete(along(self.decoder[slot], kind, place,
                                                alpha=alpha * self.sae["scale"]))
                self.assertEqual(by_vector.text, by_slot.text)
                self.assertAlmostEqual(by_vector.total_logprob, by_slot.total_logprob, delta=1e-3)
                receipt = by_vector.receipts[0]
                self.assertEqual((receipt.checkpoint, receipt.hook_point.kind), ("", kind))
                self.assertAlmostEqual(receipt.vector_norm, self.by_name["employer"].decoder_norm,
                                       delta=1e-4)
                self.assertAlmostEqual(receipt.effects[0].change_norm,
                                       by_slot.receipts[0].effects[0].change_norm, delta=1e-2)

    def test_every_hook_point_is_edited_and_says_so(self):
        direction = self.decoder[0]
        for kind in KINDS:
            out = self.complete(along(direction, kind, 3, intervention.INTERVENTION_MODE_PROJECT_OUT,
                                      positions=intervention.PositionSelection(
                                          prompt=intervention.PROMPT_SELECTION_ALL,
                                          generated=True)))
            receipt = out.receipts[0]
            self.assertGreater(receipt.positions_applied, len(receipt.effects) - 1)
            for effect in receipt.effects:
                self.assertAlmostEqual(effect.target_after, 0, delta=1e-3)
                self.assertAlmostEqual(effect.change_norm, abs(effect.target_before), delta=1e-3)

    def test_a_model_without_a_checkpoint_is_steered_by_vectors(self):
        server = Server(bundle=DEMO / "gpt2")
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        prompt = common.Prompt(text="Q: Who")
        plain = self.complete(api=api, prompt=prompt)
        push = self.complete(along(self.decoder[0], common.HOOK_KIND_MLP_OUT, 5, alpha=500.0),
                             api=api, prompt=prompt)
        self.assertNotEqual(plain.text, push.text)

    def test_the_command_line_takes_one_from_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"mode": "INTERVENTION_MODE_ADD", "alpha": 5,
                       "vector": {"values": self.decoder[0], "hook":
                                  {"kind": "HOOK_KIND_ATTN_OUT", "layer": 2}}}, file)
            file.flush()
            done = subprocess.run(
                [BIN / "alignsae", f"--server={self.server.target}", "generate",
                 self.by_name["major"].example, "--edit-json", f"@{file.name}"],
                capture_output=True, text=True, timeout=60, check=True)
        self.assertIn("receipt: ADD vector of norm ", done.stdout)
        self.assertIn(" at attn_out[2], alpha 5, 1 position", done.stdout)

    def test_what_is_wrong_is_named(self):
        kind = common.HOOK_KIND_MLP_OUT
        good = list(self.decoder[0])
        width = len(good)
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        for edit, code, sentence in [
                (along(good[:-1], kind, 0), invalid,
                 f"interventions[0].vector.values: must hold d_model = {width} numbers, "
                 f"got {width - 1}"),
                (along([0] * width, kind, 0), invalid,
                 "interventions[0].vector.values: must have a number other than 0, got only zeros"),
                (along(good[:3] + [float("nan")] + good[4:], kind, 0), invalid,
                 "interventions[0].vector.values[3]: must be finite, got nan"),
                (along(good, kind, 6), grpc.StatusCode.NOT_FOUND,
                 "interventions[0].vector.hook.layer: must be in [0, 5], got 6; the model "
                 "has 6 blocks"),
                (along(good, kind, 0, intervention.INTERVENTION_MODE_SWAP), invalid,
                 "interventions[0].mode: must be one of ADD, ADD_NORM_MATCHED, PROJECT_OUT with a "
                 "vector, got SWAP")]:
            self.assertRefused(code, sentence, self.api.steering.Complete,
                               steering.CompleteRequest(prompt=self.example(),
                                                        interventions=[edit]))
        self.assertTrue(eventually(lambda: self.server.metric("alignsae_kv_slots_in_use") == 0))


if __name__ == "__main__":
    main()
