"""The authors' checkpoints, 1-hop and 2-hop: what is written computes what their module
does."""
import argparse
import importlib.util
import json
import pathlib
import tempfile
import unittest

for _name in ("torch", "numpy", "safetensors"):
    if importlib.util.find_spec(_name) is None:
        raise unittest.SkipTest(f"{_name} is not installed")

# pylint: disable=wrong-import-position
import safetensors.torch  # noqa: E402
import torch  # noqa: E402

from alignsae import convert  # noqa: E402

FREE, WIDTH = 40, 16


class TheirSae(torch.nn.Module):
    """Their module's names, shapes and formulas."""

    def __init__(self, width, free, relations, vocabulary=11):
        super().__init__()
        self.encoder = torch.nn.Linear(width, free + relations)
        self.decoder = torch.nn.Linear(free + relations, width)
        self.value_heads = torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.ReLU(),
                                torch.nn.Linear(4, vocabulary)) for _ in range(relations))

    def forward(self, h):
        z = self.encoder(h)
        return z, self.decoder(z)


def save(path, hops, width=WIDTH, free=FREE, seed=0, **changes):
    """Writes such a checkpoint and returns its module."""
    torch.manual_seed(seed)
    relations = 6 if hops == 1 else 20
    module = TheirSae(width, free, relations)
    found = {"model_state_dict": module.state_dict(), "d_model": width, "n_relation": relations,
             "args": {"n_free": free, "lr": 1e-3}, "epoch": 3}
    if hops == 1:
        optimizer = torch.optim.AdamW(module.parameters())
        module(torch.ones(1, width))[1].sum().backward()
        optimizer.step()
        found.update(n_free=free, stage=2, optimizer_state_dict=optimizer.state_dict(),
                     best_slot_acc=0.9)
    found.update(changes)
    torch.save(found, path)
    return module


class ConvertTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.path, self.out = self.folder / "sae_best.pt", self.folder / "out"

    def check_formulas(self, module):
        w = safetensors.torch.load_file(self.out / "sae_weights.safetensors")
        self.assertEqual(set(w), {"W_enc", "b_enc", "W_dec", "b_dec"})
        h = torch.randn(50, WIDTH)
        z, back = module(h)
        torch.testing.assert_close(h @ w["W_enc"] + w["b_enc"], z, atol=1e-4, rtol=0)
        torch.testing.assert_close(z @ w["W_dec"] + w["b_dec"], back, atol=1e-4, rtol=0)

    def test_both_kinds_compute_the_same(self):
        for hops, names in ((1, list(convert.ONE_HOP)), (2, [f"relation_{r}" for r in range(20)])):
            for wrap in (dict, lambda args: argparse.Namespace(**args)):
                with self.subTest(hops=hops, wrap=wrap):
                    module = save(self.path, hops, args=wrap({"n_free": FREE}))
                    convert.main([str(self.path), "--out", str(self.out), "--hidden-state", "3"])
                    self.check_formulas(module)
                    config = json.loads((self.out / "cfg.json").read_text())
                    rows = config["alignsae"]["concepts"]
                    self.assertEqual([row["name"] for row in rows], names)
                    self.assertEqual([row["slot"] for row in rows],
                                     list(range(FREE, FREE + len(names))))
                    self.assertEqual((config["architecture"], config["alignsae"]["scale"],
                                      config["metadata"]["hook_name"]),
                                     ("identity", 1.0, "blocks.3.hook_resid_pre"))

    def test_hook_names_and_calibration_as_asked(self):
        save(self.path, 1)
        names = ["r0", "r1", "r2", "r3", "r4", "r5"]
        config = convert.convert(self.path, self.out, hidden_state=6, hook_output=True,
                                 names=names, calibration={"r1": {"active_mean": 0.8}})
        self.assertEqual(config["metadata"]["hook_name"], "blocks.6.hook_resid_post")
        row = config["alignsae"]["concepts"][1]
        self.assertEqual((row["name"], row["active_mean"], row["threshold"]), ("r1", 0.8, 0.5))

    def test_nothing_of_the_file_is_run(self):
        trace = self.folder / "trace"

        class Evil:
            def __reduce__(self):
                return (open, (str(trace), "w"))
        torch.save({"model_state_dict": {}, "args": Evil()}, self.path)
        with self.assertRaisesRegex(convert.ConvertError, "only tensors and plain values"):
            convert.read_checkpoint(self.path)
        self.assertFalse(trace.exists())

    def test_what_is_no_such_checkpoint_is_refused_by_name(self):
        state = TheirSae(WIDTH, FREE, 6).state_dict()
        cut = {**state, "decoder.weight": state["decoder.weight"][:, :-1]}
        for changes, sentence in (
                ({"model_state_dict": {}}, "must have encoder.weight"),
                ({"model_state_dict": cut}, r"decoder.weight: must have shape \[16, 46\]"),
                ({"n_relation": 0}, r"n_relation: must be in \[1, 46\], got 0"),
                ({"n_free": 41}, "n_free [+] n_relation: must be 46")):
            with self.subTest(sentence):
                save(self.path, 1, **changes)
                with self.assertRaisesRegex(convert.ConvertError, sentence):
                    convert.convert(self.path, self.out, hidden_state=1)
        self.path.write_bytes(b"no zip")
        with self.assertRaisesRegex(convert.ConvertError, "is no file of torch.save"):
            convert.convert(self.path, self.out, hidden_state=1)
        save(self.path, 1)
        with self.assertRaisesRegex(convert.ConvertError, "behind the final layer norm"):
            convert.convert(self.path, self.out, hidden_state=-1)
        with self.assertRaisesRegex(convert.ConvertError, "must be 6 different ones"):
            convert.convert(self.path, self.out, hidden_state=1, names=["a"] * 6)
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()
