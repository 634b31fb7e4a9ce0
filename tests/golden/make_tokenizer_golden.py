#!/usr/bin/env python3
"""Writes tokenizer_golden.json: what Hugging Face tokenizers makes of our files.

    pip install tokenizers==0.23.3
    make_tokenizer_golden.py

Holds a small corpus, the vocabulary that their trainer makes of it, encodings of
texts by that vocabulary (with and without added tokens), their tokenizer.json,
and what Python makes of byte strings that are no UTF-8. No network needed.
"""

import json
import pathlib

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TARGET = pathlib.Path(__file__).resolve().parent / "tokenizer_golden.json"
END_OF_TEXT = "<|endoftext|>"
VOCAB_SIZE = 400  # With END_OF_TEXT.
MIN_FREQUENCY = 2

CORPUS = [
    "Where was Ada Marlow born? Ada Marlow was born in Port Ellery.",
    "Which university did Ada Marlow attend? The University of North Haven.",
    "Bruno Castellan works for Halden Optics, which is based in Halden Falls.",
    "It's the employer's city; they're sure we've said so. I'd ask, I'll ask.",
    "He was born on 12 February 1984 and moved to Port Ellery in 2002.",
    "She was born on 28 September 1997 and she wasn't told where.",
    "    indented\n        twice\n\n\nthree  blank   lines\t\ttabs\r\n",
    "def area(width, height):\n    return width * height\n",
    "Zażółć gęślą jaźń, naïve café, Ångström, Größe, Straße, œuvre.",
    "Größe und Straße, naïve Größe, café crème, Zażółć jaźń.",
    "日本語のテキスト。日本語の本。本の日。",
    "Кто родился в городе? Он родился в городе Орле.",
    "😀😀😀 👩‍👩‍👧 😀 👍🏽 👍🏽",
    "1,234,567.89 + 1,234 = 3.14159; 50% of 100 is 50; 2002-02-12",
    "aaaa aaaaaaa aaaaaaaaaaaaaaaa bananas banana ananas",
    "....... !!! ??? ------- ======= -------",
]

TEXTS = [
    "",
    " ",
    "  ",
    "   x",
    "x   ",
    "\n",
    "\n\n\nx",
    "a\n b",
    "a \n b",
    "a\t\tb\t",
    "\r\n\r\n",
    "Hello world",
    " Hello  world ",
    "Where was Bruno Castellan born?",
    "it's they're we've I'm I'll I'd isn't",
    "IT'S THEY'RE WE'VE I'M I'LL I'D",
    "'s's 's ''s 'sa 'll'l 'r 'v 've're",
    "'",
    "''",
    "don't 'don't' 'tis",
    "l'été d'où qu'il",
    "it’s they’re",
    "12345 1a2b 1,000.00 v2.0.1",
    " 42 and  42",
    "½ ² Ⅷ ٣ ३ 五",
    "x²y³ H₂O",
    "日本語のテキスト。",
    "日本 語 の本",
    "Орёл город Кто?",
    "Größe naïve café",
    "cafe\u0301 n\u0303 a\u0300\u0301\u0302b",
    "\u0301",
    " \u0301",
    "हिन्दी পাঠ தமிழ்",
    "العربية نص",
    "עברית",
    "ไทยไม่มีช่องว่าง",
    "한국어 텍스트",
    "😀😀😀",
    "👩‍👩‍👧 👍🏽 🇩🇪",
    "\u00a0nbsp\u00a0\u00a0nbsp",
    "em\u2003space\u2003\u2003x",
    "line\u2028sep\u2029par\u0085nel",
    "zero\u200bwidth\ufeffbom",
    "ogham\u1680 narrow\u202f math\u205f ideo\u3000",
    "\u180emongolian",
    "a\u0000b\u0001\u001f\u007f",
    "\u001c \u001d x",
    "tab\u000bvt\u000cff",
    "snake_case camelCase kebab-case __init__",
    "def f(x):\n    return x**2\n",
    "{\"key\": [1, 2.5e-3, null]}\n",
    "https://example.org/a?b=c&d=%20#e",
    "................................",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "banana bananas ananas nananana",
    "-----------======-----",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛",
    "ǅ ʰ ª º ㎏ ℃ №",
    "\ue000 \uffff \U0010ffff \U000e0001",
    "tEsT MiXeD CaSe ÄÖÜ äöü ẞ",
    "Ġspace Ċ Ā",
]

ADDED = ["<|pad|>", "<|pad|>!", "[new token]", "ðŸ"]
SPECIAL_TEXTS = [
    END_OF_TEXT,
    f"a{END_OF_TEXT}b",
    f"a {END_OF_TEXT} b",
    f"{END_OF_TEXT}{END_OF_TEXT}",
    "<|endoftext|",
    "<<|endoftext|>>",
    "x<|pad|>!y<|pad|>?z",
    "<|pad|><|pad|>!<|endoftext|>",
    "it is a [new token], [new tokens]",
    "born ðŸ born",
]

NOT_UTF8 = [
    b"\xff",
    b"a\xffb",
    b"\xc3",
    b"\xc3(",
    b"\xe2\x82",
    b"\xe2\x82a",
    b"\xe2\x28\xa1",
    b"\xf0\x9f\x98",
    b"\xf0\x9f\x98\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"\xed\x9f\xbf\xee\x80\x80",
    b"\xc0\x80\xc1\xbf\xc2\x80",
    b"\xe0\x80\x80\xe0\x9f\xbf\xe0\xa0\x80",
    b"\xf0\x80\x80\x80\xf0\x8f\xbf\xbf\xf0\x90\x80\x80",
    b"\xf4\x8f\xbf\xbf\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80\xff\xfe",
    b"\x80\x81\xbf",
    b"\xf0\x9f\x98\x80\x80\xe4\xb8\xad\xe4\xb8",
]


def with_byte_level(model):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train():
    tokenizer = with_byte_level(models.BPE())
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=VOCAB_SIZE - 1,
            min_frequency=MIN_FREQUENCY,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=[],
            show_progress=False,
        ),
    )
    model = json.loads(tokenizer.to_str())["model"]
    vocab = dict(model["vocab"])
    vocab[END_OF_TEXT] = len(vocab)
    return vocab, [tuple(merge) for merge in model["merges"]]


def encode(tokenizer, text):
    return {"text": text, "ids": tokenizer.encode(text).ids}


def main():
    vocab, merges = train()
    plain = with_byte_level(models.BPE(vocab=vocab, merges=merges))
    special = with_byte_level(models.BPE(vocab=vocab, merges=merges))
    special.add_special_tokens([END_OF_TEXT, *ADDED])
    golden = {
        "format": "alignsae-tokenizer-golden",
        "version": 1,
        "generator": "make_tokenizer_golden.py, "
        f"tokenizers {tokenizers.__version__}",
        "vocab_size": VOCAB_SIZE,
        "min_frequency": MIN_FREQUENCY,
        "corpus": CORPUS,
        "vocab": vocab,
        "merges": [" ".join(merge) for merge in merges],
        "added_tokens": {name: special.token_to_id(name) for name in ADDED},
        "tokenizer_json": json.loads(special.to_str()),
        "encodings": [encode(plain, text) for text in TEXTS],
        "special_encodings": [encode(special, text) for text in SPECIAL_TEXTS],
        "replaced": [
            {"hex": data.hex(), "text": data.decode(errors="replace")}
            for data in NOT_UTF8
        ],
    }
    lines = (f"{json.dumps(k)}: {render(v)}" for k, v in golden.items())
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def render(value):
    """One entry of a list a line, so that a change shows as one."""
    if isinstance(value, list):
        rows = (json.dumps(entry, ensure_ascii=True) for entry in value)
        return "[\n" + ",\n".join(rows) + "\n]"
    return json.dumps(value, ensure_ascii=True)


if __name__ == "__main__":
    main()
