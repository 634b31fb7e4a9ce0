"""What Python says becomes the message that the command line would send."""
import unittest

from alignsae import Edit, Text, calls, edits


class PromptTest(unittest.TestCase):
    def test_forms(self):
        self.assertEqual(edits.prompt_message("where?").question, "where?")
        self.assertEqual(edits.prompt_message(Text("so")).text, "so")
        self.assertEqual(list(edits.prompt_message([3, 4]).token_ids.ids), [3, 4])
        for bad in (b"bytes", [], ["a", 1], None, 3.5):
            with self.assertRaises(TypeError):
                edits.prompt_message(bad)

    def test_one_or_several(self):
        self.assertEqual(len(edits.prompt_messages("one")), 1)
        self.assertEqual(len(edits.prompt_messages([1, 2, 3])), 1)
        self.assertEqual(len(edits.prompt_messages(["one", Text("two"), [3]])), 3)


class PositionsTest(unittest.TestCase):
    def both(self, spoken, python):
        self.assertEqual(edits.positions_message(spoken), edits.positions_message(python))

    def test_python_says_it_as_well(self):
        self.both("list:0,3,-1", [0, 3, -1])
        self.both("list:-1", -1)
        self.both("window:2:5", slice(2, 5))
        self.both("window:-2:", slice(-2, None))
        self.both("window::4", slice(None, 4))
        text = edits.positions_message("text:Ann Lee")
        self.assertEqual((text.text, text.prompt), ("Ann Lee", 6))

    def test_an_open_window_is_a_window(self):
        self.assertTrue(edits.positions_message(slice(None)).HasField("window"))

    def test_bad_ones(self):
        for bad in ("sometimes", "list:a", "list:", "window:3", "window:a:b", "last:3", "text:",
                    slice(0, 9, 2)):
            with self.subTest(bad), self.assertRaisesRegex(ValueError, "^positions: must be"):
                edits.positions_message(bad)


class ConditionTest(unittest.TestCase):
    def test_forms(self):
        for spec, name, bound, above in (("major", "major", True, None),
                                         ("!major", "major", False, None),
                                         ("major>-2.5", "major", None, -2.5)):
            message = edits.condition_message(spec)
            self.assertEqual(message.slot.name, name)
            self.assertEqual(message.bound if message.HasField("bound") else None, bound)
            self.assertEqual(message.above if message.HasField("above") else None, above)
        self.assertEqual(edits.condition_message("#4").slot.slot, 4)
        edit = edits.edit_message(edits.Edit("add", "major", when="!major"))
        self.assertFalse(edit.when.bound)

    def test_bad_ones(self):
        for spec in ("", "!", ">2", "a>b"):
            with self.assertRaises(ValueError):
                edits.condition_message(spec)


class EditTest(unittest.TestCase):
    def test_short_forms(self):
        for spec, edit in {
                "add:employer@2": Edit("add", "employer", alpha=2.0),
                "swap:birth_city>employer": Edit("swap", "employer", source="birth_city"),
                "ablate:#4": Edit("ablate", 4), "set:major@-3.5raw": Edit(
                    "set", "major", alpha=-3.5, raw=True),
                "SWAP:#1>a:b@1e3": Edit("swap", "a:b", source=1, alpha=1000.0)}.items():
            with self.subTest(spec):
                self.assertEqual(edits.edit_message(spec), edits.edit_message(edit))

    def test_bad_ones(self):
        for bad in ("nonsense", "add:", "add:x@", "add:x@much", "swap:>x", "swap:x>",
                    "unspecified:x", "fly:x"):
            with self.subTest(bad), self.assertRaisesRegex(ValueError, "^edit"):
                edits.edit_message(bad)

    def test_zero_is_said(self):
        said = edits.edit_message(Edit("add", "x", alpha=0))
        self.assertTrue(said.HasField("alpha"))
        self.assertEqual(said.alpha, 0)
        self.assertFalse(edits.edit_message(Edit("add", "x")).HasField("alpha"))


class VectorTest(unittest.TestCase):
    def test_a_vector_and_its_place_stand_for_a_concept(self):
        said = edits.edit_message(Edit("project_out", vector=[1, 0.5], hook="resid_mid[3]"))
        self.assertEqual(list(said.vector.values), [1, 0.5])
        self.assertEqual((said.vector.hook.kind, said.vector.hook.layer), (4, 3))
        self.assertFalse(said.HasField("target"))
        self.assertFalse(edits.edit_message("add:x").HasField("vector"))

    def test_a_place_that_is_none_is_refused(self):
        for bad in ("", "resid_post", "resid_post[-1]", "middle[3]"):
            with self.subTest(bad), self.assertRaisesRegex(ValueError, "^hook: must be"):
                edits.edit_message(Edit("add", vector=[1], hook=bad))


class CallTest(unittest.TestCase):
    def test_what_is_not_given_is_not_sent(self):
        request = calls.swap("q", to="x").request
        for field in ("source", "alpha"):
            self.assertFalse(request.HasField(field))
        self.assertFalse(request.generation.HasField("temperature"))
        self.assertTrue(calls.swap("q", to="x", temperature=0.0).request.generation.HasField(
            "temperature"))
        self.assertFalse(calls.read("q").request.HasField("position"))
        self.assertFalse(calls.inspect("q").request.HasField("top_k"))
        self.assertTrue(calls.inspect("q", top_k=0).request.HasField("top_k"))

    def test_an_unknown_sampling_argument_is_named(self):
        with self.assertRaisesRegex(TypeError, "'temprature'"):
            calls.generate("q", temprature=1.0)
        with self.assertRaisesRegex(ValueError, "mode: must be one of add, "):
            calls.sweep("q", "x", [1.0], mode="fly")

    def test_single_ones_need_no_list(self):
        self.assertEqual(calls.generate("q", "add:x@1").request,
                         calls.generate("q", ["add:x@1"]).request)
        self.assertEqual(calls.sweep("q", "x", [1.0]).request,
                         calls.sweep("q", ["x"], [1.0]).request)
        self.assertEqual(calls.complete("q", stop="ab").request.generation.stop_sequences, ["ab"])


if __name__ == "__main__":
    unittest.main()
