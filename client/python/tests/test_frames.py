"""Answers as frames and figures."""
import importlib.util
import unittest

if importlib.util.find_spec("pandas") is None:
    raise unittest.SkipTest("pandas is not installed")

from alignsae import _wire, answers, frames  # noqa: E402  pylint: disable=wrong-import-position
from fake_server import reading  # noqa: E402  pylint: disable=wrong-import-position


def read_answer():
    return answers.from_message(reading(_wire.message("ReadConceptsRequest")(
        prompts=[{"question": "a"}, {"question": "b"}])))


def inspect_answer():
    slots = {"reading": {"position": 3, "values": [1.5, 0.0], "top_concept": "a"},
             "piece": b" \xc3", "token_id": 4,
             "features": {"l0": 2, "reconstruction_error": 0.25}}
    return answers.from_message(_wire.message("InspectSlotsResponse")(
        concepts=[{"name": "a"}, {"name": "b"}], tokens=[slots]))


def sweep_answer():
    def cell(index, text, **facts):
        effect = {"residual_norm": 4.0, "change_norm": float(index)}
        return answers.from_message(_wire.message("SweepCell")(index=index, result={
            "text": text, "total_logprob": -2.0 * index, "generated_token_count": 2,
            "receipts": [{"effects": [effect]}] if index else []}, **facts))
    return answers.SweepAnswer(None, (
        cell(0, "old", baseline=True), cell(1, "old", target="b", alpha=1.0),
        cell(2, "new", target="b", alpha=2.0)), None)


class FramesTest(unittest.TestCase):
    def test_readings(self):
        table = frames.readings(read_answer())
        self.assertEqual(list(table["top_concept"]), ["a", "b"])
        self.assertEqual(list(table["b"]), [0.25, 0.75])

    def test_inspection(self):
        table = frames.inspection(inspect_answer())
        self.assertEqual(table.loc[3, ["piece", "a", "b", "l0", "reconstruction_error"]].tolist(),
                         [" \N{REPLACEMENT CHARACTER}", 1.5, 0.0, 2, 0.25])

    def test_sweep(self):
        table = frames.sweep(sweep_answer())
        self.assertEqual(list(table["changed"]), [False, False, True])
        self.assertEqual(list(table["strength"]), [0.0, 0.25, 0.5])
        self.assertTrue(table[["target", "alpha"]].isna().iloc[0].all())

    def test_arms_tokens_and_receipts(self):
        answer = answers.from_message(_wire.message("SwapResponse")(
            baseline={"arm": 1, "text": "x", "tokens": [{"id": 5, "piece": b"x", "position": 7}]},
            steered={"arm": 2, "text": "y", "receipts": [
                {"mode": 6, "target_concept": "b", "alpha": 2.0,
                 "effects": [{"position": 3, "source_concept": "a", "change_norm": 1.5}]}]}))
        self.assertEqual(list(frames.arms(answer)["arm"]), ["baseline", "steered"])
        self.assertEqual(frames.tokens(answer.baseline).loc[7, "piece"], "x")
        self.assertEqual(frames.receipts(answer.steered).loc[0, [
            "mode", "source", "target", "alpha", "position", "change_norm"]].tolist(),
            ["SWAP", "a", "b", 2.0, 3, 1.5])


@unittest.skipIf(importlib.util.find_spec("matplotlib") is None, "matplotlib is not installed")
class PlotsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import matplotlib  # pylint: disable=import-outside-toplevel
        matplotlib.use("Agg")
        from alignsae import plots  # pylint: disable=import-outside-toplevel
        cls.plots = plots

    def test_reading_has_a_bar_for_each_concept(self):
        ax = self.plots.reading(read_answer(), 1)
        self.assertEqual([bar.get_width() for bar in ax.patches], [0.25, 0.75])
        self.assertEqual([label.get_text() for label in ax.get_yticklabels()], ["a", "b"])

    def test_inspection_has_a_row_for_each_concept(self):
        ax = self.plots.inspection(inspect_answer())
        self.assertEqual(ax.images[0].get_array().tolist(), [[1.5], [0.0]])
        ax.figure.canvas.draw()

    def test_sweep_has_a_line_for_each_target(self):
        ax = self.plots.sweep(sweep_answer())
        lines = {line.get_label(): line for line in ax.lines}
        self.assertEqual(list(lines["b"].get_xdata()), [1.0, 2.0])
        self.assertEqual(list(lines["b"].get_ydata()), [-1.0, -2.0])
        ax.figure.canvas.draw()


if __name__ == "__main__":
    unittest.main()
