"""Writes small GPT-2s or GPT-NeoXs with the transformers at hand, and what it computes with them.

    python huggingface_models.py OUT
    python huggingface_models.py --neox OUT          GPT-NeoXs instead
    python huggingface_models.py --tokenizers OUT    tokenizers alone: how
        tests/golden/huggingface/5 and 4.30 were made, each by its version

Runs in an environment of huggingface_test.py, in a new version of transformers as in
4.30. Each directory of OUT is what save_pretrained writes, and expected.json beside
them has for each: the ids of texts, and the ids and log probabilities of a greedy
continuation, computed in float32 from the directory as it was read back.
"""
import itertools
import json
import os
import pathlib
import sys

import torch
import transformers
from transformers import (AddedToken, GPT2Config, GPT2DoubleHeadsModel,
                          GPT2LMHeadModel, GPT2Model, GPT2TokenizerFast)

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "golden"))
# pylint: disable=wrong-import-position
import random_gpt_neox  # noqa: E402
from random_gpt2 import draw_weights  # noqa: E402

NEW_TOKENS = 32
CONTEXT = 96
MERGES = ["t h", "th e", "Ġ the", "i n", "Ġ a", "o n", "r e", "Ġ c", "Ġc i", "Ġci t", "Ġcit y"]
TEXTS = ["the city", "  in the\n\ncity, don't", "naïve 日本 😀 the", "a<e_1> the<mask>  city <e_1>x",
         "<|endoftext|>the <pad> end", "x<e_1>the\tword_<w>w <w>, <w>"]
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16, "mixed": None}
MODELS = ["head", "base", "untied", "resized", "padded", "double", "sharded"]
TOKENIZERS = ["files", "json", "slow", "truncation", "added", "chat"]
ACTIVATIONS = ["gelu_new", "gelu_fast", "silu", "swish", "tanh", "gelu_python", "gelu", "relu"]


def symbols():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(rest))]


def write_vocabulary(directory):
    tokens = symbols() + [merge.replace(" ", "") for merge in MERGES] + ["<|endoftext|>"]
    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: i for i, token in enumerate(tokens)}
    (directory / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (directory / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n",
                                          encoding="utf-8")


def save_tokenizer(kind, directory):
    """Writes the tokenizer of `kind` and gives what transformers reads back."""
    write_vocabulary(directory)
    if kind != "files":
        made = GPT2TokenizerFast.from_pretrained(directory)
        if kind == "slow" and hasattr(transformers, "GPT2Tokenizer"):
            made = transformers.GPT2Tokenizer.from_pretrained(directory)
            made.add_tokens(["<e_1>"])
        if kind == "truncation":
            made.add_special_tokens({"pad_token": "<pad>"})
            made("the city", truncation=True, max_length=8, padding="max_length")
        if kind == "added":
            made.add_tokens([AddedToken("<e_1>", lstrip=True, rstrip=True),
                             AddedToken("<w>", single_word=True),
                             # In the vocabulary too, under the same id: before 4.34 these
                             # are listed in the file, and stay in their words all the same.
                             AddedToken("the", normalized=True), AddedToken("in")])
            made.add_special_tokens({"mask_token": AddedToken("<mask>", lstrip=True),
                                     "pad_token": "<pad>"})
        if kind == "chat":
            made.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
        for name in ("vocab.json", "merges.txt"):
            (directory / name).unlink()
        made.save_pretrained(directory)
    if kind == "added" and transformers.__version__.startswith("4."):
        # Read back by its directory, 4.30 forgets the switches that it saved.
        return GPT2TokenizerFast(tokenizer_file=str(directory / "tokenizer.json"))
    return GPT2TokenizerFast.from_pretrained(directory)


def save_model(kind, dtype, tokens, seed, directory):
    padded = -(-tokens // 64) * 64
    size = {"resized": len(symbols()) + len(MERGES) + 1, "padded": padded}.get(kind, tokens)
    config = GPT2Config(n_layer=2, n_head=3, n_embd=24, n_positions=CONTEXT, vocab_size=size,
                        tie_word_embeddings=kind != "untied", bos_token_id=None,
                        eos_token_id=None, activation_function=ACTIVATIONS[seed % len(ACTIVATIONS)])
    cls = {"base": GPT2Model, "double": GPT2DoubleHeadsModel}.get(kind, GPT2LMHeadModel)
    model = cls(config)
    if kind == "resized":
        model.resize_token_embeddings(tokens)
    draw_weights(model, torch.Generator().manual_seed(seed))
    if DTYPES[dtype] is not None:
        model.to(DTYPES[dtype])
    else:  # Layer norms stay in float32.
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.data = parameter.data.to(torch.bfloat16)
    options = {"max_shard_size": "24KB"} if kind == "sharded" else {}
    model.save_pretrained(directory, safe_serialization=True, **options)


def greedy(model, ids):
    ids, out = list(ids), []
    for _ in range(NEW_TOKENS):
        logprobs = model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        best = logprobs.topk(2)
        ids.append(int(best.indices[0]))
        out.append({"id": ids[-1], "logprob": best.values[0].item(),
                    "lead": (best.values[0] - best.values[1]).item()})
    return out


def encodings(tokenizer, text):
    """Ids with special tokens as tokens and, where this version can, as text."""
    parsed = tokenizer(text, add_special_tokens=False)["input_ids"]
    plain, backend = None, tokenizer.backend_tokenizer
    if hasattr(backend, "encode_special_tokens"):
        backend.encode_special_tokens = True
        plain = backend.encode(text, add_special_tokens=False).ids
        backend.encode_special_tokens = False
    return {"text": text, "parsed": parsed, "plain": plain}


NEOX = {"parallel-f32": dict(rotary_pct=0.25), "parallel-bf16": dict(rotary_pct=1.0),
        "sequential-f16": dict(use_parallel_residual=False, hidden_act="gelu_new"),
        "tied-f32": dict(tie_word_embeddings=True, rotary_emb_base=500, hidden_act="relu"),
        "sharded-f32": dict(rotary_pct=0.5)}


def save_neox(name, seed, directory):
    """Writes a GPT-NeoX with its tokenizer and gives both as they are read back."""
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=random_gpt_neox.make_tokenizer(), eos_token="<|endoftext|>",
        pad_token="<|padding|>")
    tokenizer.save_pretrained(directory)
    config = transformers.GPTNeoXConfig(
        num_hidden_layers=2, num_attention_heads=2, hidden_size=32, intermediate_size=48,
        max_position_embeddings=CONTEXT, vocab_size=len(tokenizer) + 12, bos_token_id=None,
        eos_token_id=None, **NEOX[name])
    model = transformers.GPTNeoXForCausalLM(config)
    random_gpt_neox.draw_weights(model, torch.Generator().manual_seed(seed))
    model.tie_weights()
    model.to(DTYPES[name.rsplit("-", maxsplit=1)[1]])
    options = {"max_shard_size": "24KB"} if "sharded" in name else {}
    model.save_pretrained(directory, safe_serialization=True, **options)
    return (transformers.AutoTokenizer.from_pretrained(directory),
            transformers.GPTNeoXForCausalLM.from_pretrained(
                directory, torch_dtype=torch.float32).eval())


def write_neox(out):
    expected = {}
    for seed, name in enumerate(NEOX):
        tokenizer, model = save_neox(name, seed, out / name)
        ids = tokenizer("the city in")["input_ids"]
        expected[name] = {"prompt": ids, "greedy": greedy(model, ids),
                          "encodings": [encodings(tokenizer, text)
                                        for text in random_gpt_neox.TEXTS]}
    write_expected(out, expected)


def write_expected(out, models):
    (out / "expected.json").write_text(json.dumps(
        {"transformers": transformers.__version__, "torch": torch.__version__,
         "models": models}))


def write_tokenizers(out):
    expected = {}
    for kind in TOKENIZERS:
        tokenizer = save_tokenizer(kind, out / kind)
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
        expected[kind] = [encodings(tokenizer, text) for text in TEXTS]
    (out / "expected.json").write_text(json.dumps(
        {"transformers": transformers.__version__, "tokenizers": expected}, indent=1) + "\n")


def main():
    if sys.argv[1] == "--tokenizers":
        return write_tokenizers(pathlib.Path(sys.argv[2]))
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    if sys.argv[1] == "--neox":
        return write_neox(pathlib.Path(sys.argv[2]))
    out = pathlib.Path(sys.argv[1])
    expected = {}
    for seed, (kind, dtype) in enumerate(itertools.product(MODELS, DTYPES)):
        vocabulary = TOKENIZERS[seed % len(TOKENIZERS)]
        name = f"{kind}-{dtype}-{vocabulary}"
        tokenizer = save_tokenizer(vocabulary, out / name)
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
        save_model(kind, dtype, len(tokenizer), seed, out / name)
        model = GPT2LMHeadModel.from_pretrained(out / name, torch_dtype=torch.float32).eval()
        ids = tokenizer("the city in")["input_ids"]
        expected[name] = {"prompt": ids, "greedy": greedy(model, ids),
                          "encodings": [encodings(tokenizer, text) for text in TEXTS]}
    return write_expected(out, expected)


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    main()
