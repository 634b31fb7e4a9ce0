"""Answers hold what the messages hold."""
import dataclasses
import unittest

from alignsae import _enums, _wire, answers, calls, model_answers  # noqa: F401

# What only has the shape of a message.
EVENTS = {"alignsae.v1.GenerateResponse", "alignsae.v1.SweepAlphaResponse",
          "alignsae.v1.ReadConceptsStreamResponse", "alignsae.v1.ReadError",
          "alignsae.v1.ValidateBindingResponse", "alignsae.v1.SwapMatrixResponse"}


def messages_of_answers():
    """All messages that can be in an answer."""
    found = {}

    def add(descriptor):
        if descriptor.full_name in found:
            return
        found[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                add(field.message_type)
    for service in ("ModelService", "ConceptService", "SteeringService"):
        for method in _wire._POOL.FindServiceByName(f"alignsae.v1.{service}").methods:
            add(method.output_type)
    return found


class AnswersTest(unittest.TestCase):
    def test_every_message_has_a_class_with_all_its_fields(self):
        found = messages_of_answers()
        self.assertGreater(len(found), 30)
        for name, descriptor in found.items():
            if name in EVENTS:
                continue
            with self.subTest(message=name):
                fields = {f.name for f in dataclasses.fields(answers._CLASSES[name])}
                self.assertEqual(fields, {f.name for f in descriptor.fields})

    def test_only_what_may_be_absent_is_none(self):
        for name, descriptor in messages_of_answers().items():
            for field in dataclasses.fields(answers._CLASSES[name]) if name not in EVENTS else ():
                with self.subTest(message=name, field=field.name):
                    proto = descriptor.fields_by_name[field.name]
                    optional = proto.containing_oneof is not None  # proto3's "optional".
                    if field.default is None:
                        self.assertTrue(optional or proto.message_type is not None)
                    else:
                        self.assertFalse(optional)

    def test_words_bytes_tuples_and_absence(self):
        message = _wire.message("ArmResult")(
            arm=2, finish_reason=3, tokens=[{"id": 7, "piece": b"\xff"}],
            receipts=[{"mode": 6, "alpha": 0.0}, {"mode": 5}])
        arm = answers.from_message(message)
        self.assertEqual((arm.arm, arm.finish_reason), ("STEERED", "STOP"))
        self.assertEqual(arm.tokens[0].piece, b"\xff")
        self.assertIsNone(arm.tokens[0].reading)
        self.assertIsNone(arm.prompt_reading)
        self.assertEqual([(r.mode, r.alpha) for r in arm.receipts],
                         [("SWAP", 0.0), ("ABLATE", None)])
        self.assertEqual(answers.to_dict(arm)["receipts"][0]["mode"], "SWAP")

    def test_a_value_that_is_newer_than_the_client_is_its_number(self):
        self.assertEqual(_enums.word(_wire.enum("FinishReason"), 99), "99")
        self.assertEqual(_enums.word(_wire.enum("FinishReason"), 0), "")

    def test_a_sweep_is_put_in_order(self):
        sweep = answers.SweepAnswer.of([
            answers.from_message(_wire.message("SweepStarted")(cell_count=2)),
            answers.from_message(_wire.message("SweepCell")(index=1, alpha=2)),
            answers.from_message(_wire.message("SweepCell")(index=0, baseline=True)),
            answers.from_message(_wire.message("SweepSummary")(cell_count=2))])
        self.assertEqual([cell.index for cell in sweep.cells], [0, 1])


if __name__ == "__main__":
    unittest.main()
