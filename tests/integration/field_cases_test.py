"""Model directories as the field writes them: each one loads and answers, or is
refused by a sentence that names what is wrong and what to do.

The models are made by hand, so that their answers are known: the k-th token after
the prompt is decided by the position alone.
"""
import json
import os
import pathlib
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
# pylint: disable=wrong-import-position
from alignsae_server import Server, common, concept, generation, grpc, model, steering  # noqa: E402

POSITIONS = 16
VOCABULARY = 300  # 256 bytes, <|endoftext|> at 256, and padding.
END = 256


def byte_alphabet():
    """GPT-2's printable character for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {
        byte: chr(256 + n) for n, byte in enumerate(others)}


BYTES = {symbol: byte for byte, symbol in byte_alphabet().items()}


def write_safetensors(path, tensors):
    """tensors: name -> (shape, flat floats)."""
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        raw = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def scripted(script):
    """Tensors of a GPT-2 that says script[p] after position p: each position has a
    channel of its own, the block adds nothing, and the head reads the channel."""
    width = POSITIONS

    def zeros(*shape):
        count = 1
        for size in shape:
            count *= size
        return [list(shape), [0.0] * count]

    ones = [[width], [1.0] * width]
    tensors = {"wte.weight": zeros(VOCABULARY, width), "wpe.weight": zeros(POSITIONS, width),
               "ln_f.weight": ones, "ln_f.bias": zeros(width)}
    for name, inputs, outputs in (("attn.c_attn", width, 3 * width),
                                  ("attn.c_proj", width, width),
                                  ("mlp.c_fc", width, 8), ("mlp.c_proj", 8, width)):
        tensors[f"h.0.{name}.weight"] = zeros(inputs, outputs)
        tensors[f"h.0.{name}.bias"] = zeros(outputs)
    for norm in ("ln_1", "ln_2"):
        tensors[f"h.0.{norm}.weight"] = ones
        tensors[f"h.0.{norm}.bias"] = zeros(width)
    head = zeros(VOCABULARY, width)
    for position in range(POSITIONS):
        tensors["wpe.weight"][1][position * width + position] = 8.0
    for position, token in enumerate(script):
        head[1][token * width + position] = 3.0
    tensors = {f"transformer.{name}": value for name, value in tensors.items()}
    return tensors | {"lm_head.weight": head}


def config(**changes):
    return {"model_type": "gpt2", "n_layer": 1, "n_head": 1, "n_embd": POSITIONS, "n_inner": 8,
            "n_positions": POSITIONS, "vocab_size": VOCABULARY, "tie_word_embeddings": False,
            "eos_token_id": None} | changes


def tokenizer(**changes):
    """tokenizer.json of the bytes and <|endoftext|>."""
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": END, "content": "<|endoftext|>", "special": True}],
            "normalizer": None, "pre_tokenizer": level, "post_processor": level,
            "decoder": level,
            "model": {"type": "BPE", "vocab": BYTES | {"<|endoftext|>": END},
                      "merges": []}} | changes


SCRIPT = [72, 105, 10, 290, 74, 33]
TEXT_ONLY = {"Sequence": {"id": "A", "type_id": 0}}
ADDED = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}


class FieldCasesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="alignsae-field-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.write("config.json", config())
        self.write("tokenizer.json", tokenizer())
        write_safetensors(self.folder / "model.safetensors", scripted(SCRIPT))

    def write(self, name, value):
        (self.folder / name).write_text(json.dumps(value))

    def serve(self, *flags):
        server = Server("--weight-type=f32", "--kv-slots=2", *flags, bundle=self.folder)
        self.addCleanup(server.close)
        return server

    def api(self, server):
        api = server.api()
        self.addCleanup(api.close)
        return api

    def refusal(self, *flags):
        """What the server says when it does not start."""
        with self.assertRaises(AssertionError) as caught:
            self.serve(*flags)
        return str(caught.exception)

    def complete(self, server, tokens=4, ignore_eos=False):
        request = steering.CompleteRequest(
            prompt=common.Prompt(token_ids=common.TokenIds(ids=[65])),
            generation=generation.GenerationConfig(max_new_tokens=tokens,
                                                   ignore_eos=ignore_eos))
        return self.api(server).steering.Complete(request, timeout=30).arms[0]

    def ids(self, arm):
        return [token.id for token in arm.tokens]

    def test_answers_as_written(self):
        arm = self.complete(self.serve(), 5)
        self.assertEqual(self.ids(arm), SCRIPT[:5])

    def test_post_processors(self):
        template = {"type": "TemplateProcessing", "single": [TEXT_ONLY], "pair": [TEXT_ONLY],
                    "special_tokens": {}}
        level = {"type": "ByteLevel", "trim_offsets": False}
        self.write("tokenizer.json", tokenizer(
            post_processor={"type": "Sequence", "processors": [level, template]},
            truncation={"max_length": 1}, padding={"pad_id": 0}))
        server = self.serve()
        answer = self.api(server).model.Tokenize(model.TokenizeRequest(text="Hi!"), timeout=10)
        self.assertEqual([token.id for token in answer.tokens],
                         [BYTES["H"], BYTES["i"], BYTES["!"]])
        template["single"] = [ADDED, TEXT_ONLY]
        self.write("tokenizer.json", tokenizer(post_processor=template))
        self.assertIn("post_processor.single", self.refusal())

    def test_end_tokens(self):
        self.write("config.json", config(eos_token_id=50256))
        server = self.serve()
        self.assertEqual(self.ids(self.complete(server)), SCRIPT[:4])
        self.assertIn("eos_token_id", server.log())
        self.write("config.json", config(eos_token_id=105))
        self.assertEqual(self.ids(self.complete(self.serve())), SCRIPT[:2])
        self.write("generation_config.json", {"eos_token_id": [290, 10]})
        server = self.serve()
        arm = self.complete(server)
        self.assertEqual(self.ids(arm), SCRIPT[:3])
        self.assertEqual(arm.finish_reason, generation.FINISH_REASON_EOS)
        self.assertEqual(self.ids(self.complete(server, ignore_eos=True)), SCRIPT[:4])
        self.write("generation_config.json", {"eos_token_id": "x"})
        self.assertIn("generation_config.json: eos_token_id", self.refusal())

    def test_switches_that_change_nothing_and_activations(self):
        for name in ("gelu_fast", "silu", "quick_gelu", "tanh"):
            self.write("config.json",
                       config(activation_function=name, reorder_and_upcast_attn=True))
            self.assertEqual(self.ids(self.complete(self.serve())), SCRIPT[:4], name)
        self.write("config.json", config(activation_function="mish"))
        self.assertIn("activation_function", self.refusal())

    def test_weights_in_other_files(self):
        self.write("model.safetensors.index.json", {"weight_map": {}})
        self.assertEqual(self.ids(self.complete(self.serve())), SCRIPT[:4])
        os.remove(self.folder / "model.safetensors")
        self.assertIn("model.safetensors.index.json: weight_map: must name", self.refusal())
        tensors = scripted(SCRIPT)
        shards = {"1.safetensors": sorted(tensors)[:5], "2.safetensors": sorted(tensors)[5:]}
        for name, names in shards.items():
            write_safetensors(self.folder / name, {n: tensors[n] for n in names})
        self.write("model.safetensors.index.json", {
            "metadata": {}, "weight_map": {n: f for f, names in shards.items() for n in names}})
        self.assertEqual(self.ids(self.complete(self.serve())), SCRIPT[:4])
        os.remove(self.folder / "2.safetensors")
        self.assertIn('must name files that are there, got "2.safetensors', self.refusal())
        os.remove(self.folder / "model.safetensors.index.json")
        (self.folder / "pytorch_model.bin").write_bytes(b"PK")
        self.assertIn("pytorch_model.bin: pickles are not read", self.refusal())

    def test_whatever_is_generated_detokenizes(self):
        server = self.serve()
        arm = self.complete(server, ignore_eos=True)
        self.assertIn(290, self.ids(arm))
        ids = self.ids(arm) + [VOCABULARY - 1, END]
        answer = self.api(server).model.Detokenize(model.DetokenizeRequest(token_ids=ids), timeout=10)
        self.assertEqual(answer.text, arm.text + "<|endoftext|>")
        with self.assertRaises(grpc.RpcError) as caught:
            self.api(server).model.Detokenize(model.DetokenizeRequest(token_ids=[VOCABULARY]),
                                        timeout=10)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_checkpoint_of_texts_with_a_token_in_front(self):
        sae = self.folder / "sae"
        sae.mkdir()
        width, features = POSITIONS, 4
        write_safetensors(sae / "sae_weights.safetensors", {
            "W_enc": ([width, features], [0.5] * width * features),
            "b_enc": ([features], [0.0] * features),
            "W_dec": ([features, width], [0.5] * width * features),
            "b_dec": ([width], [0.0] * width)})
        cfg = {"architecture": "standard", "d_in": width, "d_sae": features, "dtype": "float32",
               "apply_b_dec_to_input": False,
               "metadata": {"hook_name": "blocks.0.hook_resid_pre", "prepend_bos": False},
               "alignsae": {"format_version": 1, "scale": 1.0, "concepts": [
                   {"name": "a", "slot": 0, "description": "", "example": "",
                    "active_mean": 1.0, "threshold": 0.1}]}}
        (sae / "cfg.json").write_text(json.dumps(cfg))
        server = self.serve(f"--sae={sae}")
        answer = self.api(server).concept.ReadConcepts(
            concept.ReadConceptsRequest(prompts=[common.Prompt(text="Hi")]), timeout=10)
        self.assertEqual(list(answer.readings[0].prompt_token_ids), [BYTES["H"], BYTES["i"]])
        cfg["metadata"]["prepend_bos"] = True
        (sae / "cfg.json").write_text(json.dumps(cfg))
        self.assertIn("metadata.prepend_bos", self.refusal(f"--sae={sae}"))
        # A checkpoint of SAELens gets the token, and names for its features.
        del cfg["alignsae"]
        (sae / "cfg.json").write_text(json.dumps(cfg))
        (sae / "labels.jsonl").write_text('{"feature": 3, "name": "city"}\n')
        server = self.serve(f"--sae={sae}")
        api = self.api(server)
        answer = api.concept.ReadConcepts(
            concept.ReadConceptsRequest(prompts=[common.Prompt(text="Hi")]), timeout=10)
        self.assertEqual(list(answer.readings[0].prompt_token_ids),
                         [END, BYTES["H"], BYTES["i"]])
        info = api.model.GetModel(model.GetModelRequest(), timeout=10).model
        self.assertEqual(info.bos_token_id, END)
        listed = api.model.ListConcepts(model.ListConceptsRequest(), timeout=10)
        self.assertIn("city", str(listed))


if __name__ == "__main__":
    unittest.main()
