"""Directions of a checkpoint, as files that others read."""
import contextlib
import importlib.util
import io
import json
import pathlib
import tempfile
import unittest

if importlib.util.find_spec("numpy") is None or importlib.util.find_spec("safetensors") is None:
    raise unittest.SkipTest("numpy and safetensors are not installed")

import numpy  # noqa: E402  pylint: disable=wrong-import-position
import safetensors.numpy  # noqa: E402  pylint: disable=wrong-import-position

from alignsae import checkpoints, gguf_file, vectors  # noqa: E402  pylint: disable=wrong-import-position

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
        for hook in ("blocks.1.hook_resid_pre", "blocks.0.hook_resid_post",
                     "blocks.2.hook_mlp_out"):
            with self.assertRaisesRegex(ValueError, "output of block 1 or above"):
                vectors.block_of(self.checkpoint(hook))
        with self.assertRaisesRegex(ValueError, "hook_name: must be"):
            self.checkpoint("blocks.2.hook_z")

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

    def test_similarity_is_the_cosine_of_each_pair(self):
        names, cosines = vectors.similarity(self.checkpoint("blocks.2.hook_mlp_out"))
        self.assertEqual(names, ["x", "y"])
        numpy.testing.assert_allclose(cosines, [[1, 0], [0, 1]])
        names, cosines = vectors.similarity(self.checkpoint(), ["x", "#2", "#3"])
        numpy.testing.assert_allclose(cosines[0], [1, 0.5 ** 0.5, 0])

    def test_control_vectors_of_others_become_edits(self):
        rows = {2: numpy.array([1, -2, 0.5], numpy.float32), 11: numpy.ones(3, numpy.float32)}
        path = self.folder / "pirate.gguf"
        path.write_bytes(vectors.gguf_bytes(rows))
        read = gguf_file.read_vectors(path)
        self.assertEqual(sorted(read), [2, 11])
        numpy.testing.assert_array_equal(read[2], rows[2])
        first, second = vectors.edits_of(read, 2.0)
        self.assertEqual((first.mode, first.hook, first.alpha, first.positions, first.generated),
                         ("add", "resid_post[2]", 2.0, "all", True))
        self.assertEqual((second.hook, second.vector), ("resid_post[11]", [1, 1, 1]))
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            vectors.main([str(path), "--alpha", "3"])
        lines = [json.loads(line) for line in printed.getvalue().splitlines()]
        self.assertEqual([line["alpha"] for line in lines], [3, 3])
        self.assertEqual(lines[0]["vector"], {"values": [1, -2, 0.5], "hook": {
            "kind": "HOOK_KIND_RESID_POST", "layer": 2}})

    def test_a_gguf_that_is_none_is_refused(self):
        good = vectors.gguf_bytes({2: numpy.ones(3, numpy.float32)})
        for data, sentence in [
                (b"GGML" + good[4:], "must begin with GGUF"),
                (good[:4] + b"\1" + good[5:], "version: must be 2 or 3, got 1"),
                (good[:8] + b"\xff" * 8 + good[16:], "number of tensors: must be at most"),
                (good.replace(b"controlvector.layer", b"controlvectar.layer")[:-40],
                 "must end in the file|must have"),
                (good.replace(b"direction.2", b"direction.0"), "must be called direction.N"),
                (good.replace(b"\0\0\0controlvector", b"\0\0\0contralvector"),
                 "must be controlvector"),
                (good.replace(numpy.float32(1).tobytes(), numpy.float32("nan").tobytes()),
                 "must hold finite numbers")]:
            with self.assertRaisesRegex(ValueError, sentence):
                gguf_file.parse_vectors(data)
        for length in range(len(good) - 20):
            with self.assertRaises(ValueError):
                gguf_file.parse_vectors(good[:length])

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
