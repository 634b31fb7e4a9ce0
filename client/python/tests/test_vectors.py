"""Directions of a checkpoint, as files that others read."""
import importlib.util
import json
import pathlib
import tempfile
import unittest

if importlib.util.find_spec("numpy") is None or importlib.util.find_spec("safetensors") is None:
    raise unittest.SkipTest("numpy and safetensors are not installed")

import numpy  # noqa: E402  pylint: disable=wrong-import-position
import safetensors.numpy  # noqa: E402  pylint: disable=wrong-import-position

from alignsae import checkpoints, vectors  # noqa: E402  pylint: disable=wrong-import-position

ROWS = numpy.array([[1, 0, 0], [0, 2, 0], [1, 1, 0], [0, 0, 0], [-1, 0, 0.1]], numpy.float32)


class VectorsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def checkpoint(self, hook="blocks.2.hook_resid_post", **extra):
        directory = self.folder / hook
        config = {"metadata": {"hook_name": hook}, "alignsae": {
            "scale": 4.0, "concepts": [{"name": "x", "slot": 0}, {"name": "y", "slot": 1}]}}
        checkpoints.save_sae(directory, {**config, **extra}, {"W_dec": ROWS})
        return checkpoints.load_directions(directory)

    def test_a_direction_is_what_add_adds(self):
        found = self.checkpoint()
        numpy.testing.assert_array_equal(found.direction("y", 0.5), [0, 4, 0])
        numpy.testing.assert_array_equal(found.direction("#2"), [4, 4, 0])
        with self.assertRaisesRegex(KeyError, "no concept 'z'; there are x, y"):
            found.direction("z")
        with self.assertRaisesRegex(IndexError, r"must be in \[0, 4\], got 5"):
            found.direction(5)

    def test_gguf_is_read_by_gguf(self):
        if importlib.util.find_spec("gguf") is None:
            self.skipTest("gguf is not installed")
        import gguf  # pylint: disable=import-outside-toplevel
        path = self.folder / "x.gguf"
        vectors.save(path, self.checkpoint(), "y", alpha=3.0)
        read = gguf.GGUFReader(path)
        fields = {name: read.fields[name].contents() for name in (
            "general.architecture", "controlvector.model_hint", "controlvector.layer_count")}
        self.assertEqual(fields, {"general.architecture": "controlvector",
                                  "controlvector.model_hint": "gpt2",
                                  "controlvector.layer_count": 1})
        [tensor] = read.tensors
        self.assertEqual((tensor.name, tensor.tensor_type.name, list(tensor.shape)),
                         ("direction.2", "F32", [3]))
        numpy.testing.assert_array_equal(tensor.data, [0, 24, 0])

    def test_gguf_of_several_blocks_is_what_gguf_writes(self):
        if importlib.util.find_spec("gguf") is None:
            self.skipTest("gguf is not installed")
        import gguf  # pylint: disable=import-outside-toplevel
        rows = {7: numpy.arange(13, dtype=numpy.float32), 2: numpy.ones(13, numpy.float32)}
        path = self.folder / "theirs.gguf"
        writer = gguf.GGUFWriter(path, "controlvector")
        writer.add_string("controlvector.model_hint", "gpt2")
        writer.add_uint32("controlvector.layer_count", 2)
        for block in sorted(rows):
            writer.add_tensor(f"direction.{block}", rows[block])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        self.assertEqual(vectors.gguf_bytes(rows), path.read_bytes())

    def test_the_block_is_the_one_whose_output_is_the_hook(self):
        self.assertEqual(vectors.block_of(self.checkpoint("blocks.2.hook_resid_post")), 2)
        self.assertEqual(vectors.block_of(self.checkpoint("blocks.2.hook_resid_pre")), 1)
        for hook in ("blocks.1.hook_resid_pre", "blocks.0.hook_resid_post"):
            with self.assertRaisesRegex(ValueError, "output of block 1 or above"):
                vectors.block_of(self.checkpoint(hook))
        with self.assertRaisesRegex(ValueError, "hook_name: must be"):
            self.checkpoint("blocks.2.hook_mlp_out")

    def test_npy_and_safetensors_hold_the_same(self):
        found = self.checkpoint()
        for name in ("v.npy", "v.safetensors"):
            vectors.save(self.folder / name, found, "x")
        numpy.testing.assert_array_equal(numpy.load(self.folder / "v.npy"), [4, 0, 0])
        numpy.testing.assert_array_equal(
            safetensors.numpy.load_file(self.folder / "v.safetensors")["vector"], [4, 0, 0])
        with self.assertRaisesRegex(ValueError, "must end in"):
            vectors.save(self.folder / "v.txt", found, "x")

    def test_nearest_by_cosine(self):
        found = self.checkpoint()
        near = vectors.nearest(found, "x", 4)
        self.assertEqual([(slot, name) for slot, name, _ in near],
                         [(2, ""), (1, "y"), (3, ""), (4, "")])
        self.assertAlmostEqual(near[0][2], 0.5 ** 0.5)
        self.assertAlmostEqual(near[3][2], -1 / 1.01 ** 0.5, places=5)
        [(slot, name, cosine)] = vectors.nearest(found, [0, 0.1, 0], 1)
        self.assertEqual((slot, name), (1, "y"))
        self.assertAlmostEqual(cosine, 1, places=6)

    def test_bf16_and_labels_of_saelens(self):
        directory = self.folder / "saelens"
        directory.mkdir()
        (directory / "cfg.json").write_text(json.dumps({"hook_name": "blocks.3.hook_resid_pre"}))
        (directory / "labels.jsonl").write_text('{"feature": 1, "name": "city"}\n')
        data = (ROWS.view(numpy.uint32) >> 16).astype("<u2").tobytes()
        header = json.dumps({"W_dec": {"dtype": "BF16", "shape": ROWS.shape,
                                       "data_offsets": [0, len(data)]}}).encode()
        (directory / "sae_weights.safetensors").write_bytes(
            len(header).to_bytes(8, "little") + header + data)
        found = checkpoints.load_directions(directory)
        numpy.testing.assert_allclose(found.rows, ROWS, rtol=0.01)
        self.assertEqual((found.scale, found.slots, found.layer), (1.0, {"city": 1}, 3))


if __name__ == "__main__":
    unittest.main()
