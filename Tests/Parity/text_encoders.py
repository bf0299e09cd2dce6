"""Compares BERT and its tokenizer with transformers.

    python text_encoders.py --twinflow ../../.build/release/twinflow [--folder out/parity] [--seeds 3]

The cases are small random BERTs of several sizes on padded batches and, where scripts/fetch-minilm has
fetched it, all-MiniLM-L6-v2 with its real weights and its tokenizer on texts in many scripts.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import AutoModel, AutoTokenizer, BertConfig, BertForMaskedLM, BertModel
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()

SIZES = [
    dict(vocab_size=31, hidden_size=12, num_hidden_layers=3, num_attention_heads=3, intermediate_size=20,
         max_position_embeddings=9),
    dict(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=64,
         max_position_embeddings=40, hidden_act="relu", type_vocab_size=1, layer_norm_eps=1e-6),
    dict(vocab_size=64, hidden_size=32, num_hidden_layers=5, num_attention_heads=8, intermediate_size=48,
         max_position_embeddings=16, hidden_act="gelu_new"),
]
TEXTS = [
    "", " ", "pizza", "a slice of pizza", "waving hand: medium-dark skin tone", "twelve o’clock",
    "Straße, naïve café, İstanbul", "一只橘猫坐在窗台上", "كلب صغير", "Ελληνικά και русский текст",
    "हिन्दी में लिखा", "ภาษาไทย", "안녕하세요 세계", "👨‍👩‍👧 family emoji 🍕", "don't stop—ever…", "x" * 120,
    "unaffable antidisestablishmentarianism", "tabs\tand\nlines\r\n", "[CLS] in the [MASK] text [SEP]",
    "zero\u200bwidth\u00a0blank \ufffd", "E = mc² ½ €5", "#hashtag @name http://a.b/c?d=e",
]


def write(folder, kind, config, inputs, expected):
    config = dict(kind=kind, **config)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    save_file(inputs, os.path.join(folder, "inputs.safetensors"))
    save_file({name: np.ascontiguousarray(value) for name, value in expected.items()},
              os.path.join(folder, "expected.safetensors"))


def states(model, ids, mask):
    with torch.no_grad():
        result = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
    arrays = {f"hidden_{k}": state for k, state in enumerate(result.hidden_states)}
    arrays["last_hidden_state"] = result.last_hidden_state
    return arrays


def encoder_case(folder, model, ids, counts):
    """Writes a case with the model's weights and states, and the difference between f32 and f64."""
    mask = (torch.arange(ids.shape[1])[None] < torch.tensor(counts)[:, None]).long()
    whole = model
    model = model.bert if isinstance(model, BertForMaskedLM) else model
    expected = states(model, ids, mask)
    wide = states(model.double(), ids, mask)
    real = mask.bool()
    floor = max((expected[n].double() - wide[n])[real].abs().max().item() for n in expected)
    whole.float().save_pretrained(os.path.join(folder, "model"))
    write(folder, "text_encoder", dict(cls="BertModel", float32_vs_float64_maxabs=f"{floor:.1e}"),
          {"input_ids": ids.numpy(), "attention_mask": mask.numpy()},
          {name: value.float().numpy() for name, value in expected.items()})


def random_bert(folder, size, seed, head=False):
    torch.manual_seed(seed)
    model = (BertForMaskedLM if head else BertModel)(BertConfig(**size)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    length = size["max_position_embeddings"] - seed % 3
    ids = torch.randint(0, size["vocab_size"], (3, length))
    encoder_case(folder, model, ids, [length, max(1, length // 2), 1])


def minilm(folder, path):
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path).eval()
    batch = tokenizer([text for text in TEXTS if text.strip()], padding=True, return_tensors="pt")
    encoder_case(folder, model, batch["input_ids"], batch["attention_mask"].sum(1).tolist())


def tokens(folder, path, seed):
    chance = random.Random(seed)
    texts = TEXTS + [
        "".join(chance.choice(chance.choice(TEXTS) or " ") for _ in range(chance.randint(1, 30)))
        for _ in range(400)]
    tokenizer = AutoTokenizer.from_pretrained(path)
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    os.makedirs(os.path.join(folder, "tokenizer"))
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(os.path.join(path, name), os.path.join(folder, "tokenizer", name))
    ids = [backend.encode(text).ids for text in texts]
    decoded = [list(backend.decode(each, skip_special_tokens=False).encode()) for each in ids]
    utf8 = [list(text.encode()) for text in texts]

    def rows(name, lists):
        return {name: np.array([value for each in lists for value in each], np.int32),
                name + "_len": np.array([len(each) for each in lists], np.int32)}

    inputs = rows("text", utf8)
    inputs["text_bytes"] = inputs.pop("text").astype(np.uint8)
    write(folder, "tokenizer", dict(float32_vs_float64_maxabs="integers"), inputs,
          rows("ids", ids) | rows("decoded", decoded))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twinflow", required=True, help="the program")
    parser.add_argument("--folder", default="out/parity/text-encoders")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    shutil.rmtree(given.folder, ignore_errors=True)

    def case(name):
        folder = os.path.join(given.folder, name)
        os.makedirs(folder)
        return folder

    for seed in range(given.seeds):
        for number, size in enumerate(SIZES):
            random_bert(case(f"bert-{number}-seed{seed}"), size, seed)
    random_bert(case("bert-with-head"), SIZES[0], 0, head=True)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(cache, "twinflow/models/all-MiniLM-L6-v2")
    if os.path.exists(path):
        minilm(case("minilm"), path)
        tokens(case("minilm-tokenizer"), path, seed=1)
    sys.exit(subprocess.run([given.twinflow, "check-golden", given.folder]).returncode)
