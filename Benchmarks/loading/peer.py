"""Loads a transformer with diffusers, and tells the time and the memory that it took.

usage: peer.py FOLDER TYPE

diffusers maps files, so that weights of the wanted type are on disk until they are used: `seconds` ends
when one number of each page of memory has been read.
"""

import json
import sys
import time

import diffusers
import torch

folder, dtype = sys.argv[1], getattr(torch, sys.argv[2])


def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(key))


before = status("VmRSS:")
start = time.monotonic()
network = diffusers.QwenImageTransformer2DModel.from_pretrained(folder, torch_dtype=dtype)
returned = time.monotonic() - start
weights = list(network.parameters())
for weight in weights:
    weight.detach().flatten()[::4096 // weight.element_size()].sum()
seconds = time.monotonic() - start
size = sum(weight.numel() * weight.element_size() for weight in weights)
peak = status("VmHWM:")
print(json.dumps({
    "seconds": seconds, "returned": returned, "weight_bytes": size, "before_bytes": before,
    "peak_bytes": peak, "anonymous_bytes": status("RssAnon:"), "mapped_bytes": status("RssFile:"),
    "peak_ratio": peak / size}))
