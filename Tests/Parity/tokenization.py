#!/usr/bin/env python3
"""Compares our tokenizers with Hugging Face's library on random texts.

Builds tokenizers of many kinds with the library `tokenizers`, encodes and decodes random texts in many
scripts with it, writes the results as cases, and runs `twinflow check-golden` on them.

    python Tests/Parity/tokenization.py [--program .build/debug/twinflow] [--texts 300] [--seed 0]
"""

import argparse
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

from tokenizers import (
    AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers)

arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("--program", default=".build/debug/twinflow")
arguments.add_argument("--texts", type=int, default=300)
arguments.add_argument("--seed", type=int, default=0)
arguments.add_argument("--keep", help="a folder that keeps the cases")
options = arguments.parse_args()
chance = random.Random(options.seed)

# Ranges of scalars, with all of Unicode last.
RANGES = [
    (0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x61, 0x7A), (0x0, 0x1F), (0x80, 0x24F), (0x300, 0x36F),
    (0x370, 0x5FF), (0x600, 0x6FF), (0x900, 0xDFF), (0xE00, 0xFFF), (0x1100, 0x11FF), (0x1AB0, 0x1AFF),
    (0x1C80, 0x1DFF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x27BF), (0x3000, 0x30FF),
    (0x4E00, 0x9FFF), (0xA640, 0xA7FF), (0xAC00, 0xD7A3), (0xF900, 0xFDFF), (0xFE00, 0xFFFF),
    (0x10D00, 0x10FFF), (0x11000, 0x11FFF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x1FBF0, 0x1FBF9),
    (0x2F800, 0x2FA1F), (0x0, 0x10FFFF),
]
PARTS = [
    "'s", "'LL", "'ſ", "don't", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u200d", "\ufe0f", "▁",
    "<s>", "</s>", "<unk>", "<mask>", "[TOK]", "tok", "ſt", "ﬁ", "İ", "ẞ", "Å", "Ω", "ｶﾞ", "각", "e\u0301",
    "\u0f73\u0332", "👨‍👩‍👧", "🏳️‍🌈", "1234567", "½", "²", "hello world", "HELLO", "x" * 40, "<0x41>", "##",
]


def random_text():
    text = []
    for _ in range(chance.randint(0, 12)):
        if chance.random() < 0.3:
            text.append(chance.choice(PARTS))
            continue
        low, high = chance.choice(RANGES)
        for _ in range(chance.randint(1, 5)):
            value = chance.randint(low, high)
            if not 0xD800 <= value <= 0xDFFF:
                text.append(chr(value))
        if chance.random() < 0.2:
            text.append(chr(chance.randint(0x300, 0x345)))
    return "".join(text)


texts = [random_text() for _ in range(options.texts)]
words = ["the cat", "sat on", "hello world", "123", "größer", "漢字かな", "e\u0301té", "¡olé!", "привет", "안녕"]
corpus = [" ".join(chance.choices(words, k=8)) + chance.choice(PARTS) for _ in range(2000)]
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())


def letters(normalizer=None, pre_tokenizer=None):
    """A tokenizer whose ids show every byte of the normalized text, and where words end."""
    vocab = {letter: i for i, letter in enumerate(alphabet)}
    vocab |= {letter + "</w>": 256 + i for i, letter in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab, [], end_of_word_suffix="</w>"))
    if normalizer:
        tokenizer.normalizer = normalizer
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizer, byte_level] if pre_tokenizer else
                                                      [byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def trained(model, trainer, normalizer=None, pre_tokenizer=None, decoder=None, post=None, added=()):
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    if decoder:
        tokenizer.decoder = decoder
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_tokens(list(added))
    if post:
        tokenizer.post_processor = post(tokenizer)
    return tokenizer


def around(tokenizer):
    return processors.TemplateProcessing(
        single="<s> $A </s> </s>",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")])


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
special = ["<unk>", "<s>", "</s>", "<mask>"]
flags = [
    AddedToken("[TOK]", lstrip=True, rstrip=True, normalized=False), AddedToken("tok", single_word=True),
    AddedToken("HELLO", normalized=True), AddedToken("hello world", normalized=False),
    AddedToken("hello", normalized=False),
]
cases = {f"normalizer_{name}": letters(normalizer) for name, normalizer in {
    "nfc": normalizers.NFC(), "nfd": normalizers.NFD(), "nfkc": normalizers.NFKC(),
    "nfkd": normalizers.NFKD(), "lowercase": normalizers.Lowercase(), "nmt": normalizers.Nmt(),
    "strip": normalizers.Strip(), "strip_right": normalizers.Strip(left=False),
    "accents": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
    "bert": normalizers.BertNormalizer(), "bert_cased": normalizers.BertNormalizer(lowercase=False),
    "replace": normalizers.Sequence(
        [normalizers.Replace(Regex(r"\s{2,}|\p{P}"), "·"), normalizers.Replace("e", "ee")]),
    "prepend": normalizers.Prepend("▁"), "bytes": normalizers.ByteLevel(),
}.items()}
cases |= {f"words_{name}": letters(None, pre_tokenizer) for name, pre_tokenizer in {
    "bert": pre_tokenizers.BertPreTokenizer(), "whitespace": pre_tokenizers.Whitespace(),
    "whitespace_split": pre_tokenizers.WhitespaceSplit(), "digits": pre_tokenizers.Digits(),
    "each_digit": pre_tokenizers.Digits(True), "gpt2": pre_tokenizers.ByteLevel(True),
    "punctuation": pre_tokenizers.Punctuation("contiguous"), "delimiter": pre_tokenizers.CharDelimiterSplit("e"),
    "fixed": pre_tokenizers.FixedLength(3), "metaspace": pre_tokenizers.Metaspace(),
    "metaspace_first": pre_tokenizers.Metaspace(prepend_scheme="first"),
    "metaspace_whole": pre_tokenizers.Metaspace(prepend_scheme="never", split=False),
    "llama": split(LLAMA), "o200k": split(O200K), "word": split(r"\w+"), "removed": split(r"\s|e", "removed"),
    "previous": split(r"\p{Z}+", "merged_with_previous"), "next": split(r"[A-Z\p{M}]", "merged_with_next"),
    "contiguous": split(r"\d", "contiguous"), "inverted": split(r"\p{L}+", "merged_with_next", True),
    "categories": split(r"\p{C}|\p{Sc}|\p{Lm}\p{^L}|(?<=\d)[^\w\s]"),
}.items()}
byte_trainer = trainers.BpeTrainer(
    vocab_size=900, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
cases |= {
    "bpe_gpt2": trained(
        models.BPE(), byte_trainer, None, pre_tokenizers.ByteLevel(False), decoders.ByteLevel(),
        around, flags),
    "bpe_llama": trained(
        models.BPE(ignore_merges=True), byte_trainer, normalizers.Sequence(
            [normalizers.NFC(), normalizers.Lowercase()]),
        pre_tokenizers.Sequence([split(LLAMA), pre_tokenizers.ByteLevel(False, use_regex=False)]),
        decoders.ByteLevel(), None, flags),
    "bpe_suffix": trained(
        models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix="##"),
        trainers.BpeTrainer(
            vocab_size=900, special_tokens=special, end_of_word_suffix="</w>", limit_alphabet=40,
            continuing_subword_prefix="##", show_progress=False),
        None, pre_tokenizers.Whitespace(), decoders.BPEDecoder(), None, flags),
    "bpe_fused": trained(
        models.BPE(unk_token="<unk>", fuse_unk=True),
        trainers.BpeTrainer(vocab_size=700, special_tokens=special, limit_alphabet=40, show_progress=False),
        None, pre_tokenizers.Metaspace(), decoders.Metaspace(), around),
    "bpe_bytes": trained(
        models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True),
        trainers.BpeTrainer(
            vocab_size=900, limit_alphabet=40, show_progress=False,
            special_tokens=special + [f"<0x{byte:02X}>" for byte in range(256)]),
        normalizers.Replace(" ", "▁"), None,
        decoders.Sequence([
            decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
            decoders.Strip(" ", 1, 0)]), around),
    "unigram": trained(
        models.Unigram(), trainers.UnigramTrainer(
            vocab_size=400, special_tokens=special, unk_token="<unk>", show_progress=False),
        normalizers.NFKC(), pre_tokenizers.Metaspace(), decoders.Metaspace(), around, flags),
    "wordpiece": trained(
        models.WordPiece(unk_token="<unk>", max_input_chars_per_word=30),
        trainers.WordPieceTrainer(vocab_size=900, special_tokens=special, show_progress=False),
        normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece(),
        lambda tokenizer: processors.BertProcessing(("</s>", 2), ("<s>", 1))),
}


def precompiled():
    """The map of a T5 among the cases that are here."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Fixtures/golden")
    path = os.path.join(root, "tok_t5_a/tokenizer/tokenizer.json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        state = json.loads(letters().to_str())
        state["normalizer"] = json.load(file)["normalizer"]
    return Tokenizer.from_str(json.dumps(state))


if tokenizer := precompiled():
    cases["normalizer_precompiled"] = tokenizer


def save(path, arrays):
    header, body = {}, b""
    for name, values in arrays.items():
        kind, letter = ("U8", "B") if name.endswith("bytes") else ("I32", "i")
        data = struct.pack(f"<{len(values)}{letter}", *values)
        header[name] = {
            "dtype": kind, "shape": [len(values)], "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)


def rows(name, lists):
    return {name: [value for each in lists for value in each], name + "_len": [len(e) for e in lists]}


def write(folder, tokenizer):
    os.makedirs(folder + "/tokenizer")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.save(folder + "/tokenizer/tokenizer.json")
    # An empty text has no tokens, which one of the decoders does not take.
    ids = [tokenizer.encode(text).ids for text in texts]
    decoded = [tokenizer.decode(each, skip_special_tokens=False) if each else "" for each in ids]
    expected = rows("ids", ids) | rows("decoded", [list(each.encode()) for each in decoded])
    padding = tokenizer.id_to_token(3)
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(pad_id=3, pad_token=padding, length=8)
    expected |= rows("ids8", [tokenizer.encode(text).ids for text in texts])
    with open(folder + "/tokenizer/tokenizer_config.json", "w") as file:
        json.dump({"pad_token": padding} if padding in special else {}, file)
    if padding not in special:
        del expected["ids8"], expected["ids8_len"]
    utf8 = [text.encode() for text in texts]
    save(folder + "/inputs.safetensors",
         {"text_bytes": [b for each in utf8 for b in each], "text_len": [len(each) for each in utf8]})
    save(folder + "/expected.safetensors", expected)
    with open(folder + "/config.json", "w") as file:
        json.dump({"kind": "tokenizer", "float32_vs_float64_maxabs": "integers"}, file)


with tempfile.TemporaryDirectory() as scratch:
    root = options.keep or scratch
    for name, tokenizer in cases.items():
        write(os.path.join(root, name), tokenizer)
    sys.exit(subprocess.run([options.program, "check-golden", root], check=False).returncode)
