"""Random GPT-NeoXs of transformers and a tokenizer for them, for tests that compare."""
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

MERGES = ["t h", "th e", "Ġ the", "i n", "Ġ a", "o n", "r e", "Ġ c", "Ġc i", "Ġci t", "Ġcit y",
          "Ã ©", "e Ì", "Ġ Ġ"]
# Text as it comes: composed and not, marks out of order, Hangul by letters, characters
# that NFC replaces, blanks that are added tokens, and added tokens beside marks.
TEXTS = ["the city", "caf\u00e9 cafe\u0301 the", "a\u0323\u0302 a\u0302\u0323 \u1ead",
         "\u1112\u1161\u11ab\u1100\u1173\u11af \ud55c\uae00", "\u212b \u2126 \u0958 \ufb2a",
         "in    the  city\n\n    on", "x\u0301\u0301\u0301<e_1>\u0301 e\u0301<w\u00e9>",
         "<|endoftext|>the<|padding|> e\u0301", "we<we\u0301> <w\u00e9>x\u0338=\u0338",
         "\U0001d15f \U0001f600\u0301 \u09c7\u09be \u0bc6\u0bbe"]


def draw_weights(model, generator):
    """Everything random, biases and layer norms too, at a scale that matters."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name and name.endswith("weight"):
                parameter.copy_(1 + 0.2 * noise)
            elif parameter.dim() == 1:
                parameter.copy_(0.1 * noise)
            elif "embed" in name or "lm_head" in name:
                parameter.copy_(0.6 * noise)
            elif "query_key_value" in name:
                # Attention so sharp that where a key lies decides; sharper, rounding would too.
                parameter.copy_(noise * 1.7 / parameter.shape[1] ** 0.5)
            else:
                parameter.copy_(noise * 1.3 / parameter.shape[1] ** 0.5)


def symbols():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(rest))]


def make_tokenizer():
    """As EleutherAI's: NFC, special tokens first, runs of blanks as added tokens."""
    tokens = ["<|endoftext|>", "<|padding|>", *symbols()]
    tokens += [merge.replace(" ", "") for merge in MERGES]
    tokenizer = Tokenizer(models.BPE(
        vocab={token: i for i, token in enumerate(tokens)},
        merges=[tuple(merge.split(" ")) for merge in MERGES]))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|padding|>"])
    tokenizer.add_tokens([AddedToken(" " * n, normalized=True) for n in (4, 3)])
    tokenizer.add_tokens([AddedToken("<e_1>", normalized=False),
                          AddedToken("<we\u0301>", normalized=True)])
    return tokenizer
