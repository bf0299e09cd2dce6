"""Writes a made-up folder of Qwen-Image's transformer with fewer blocks, in the layout of diffusers.

usage: folder.py FOLDER GIGABYTES FILES

Weights are bf16, about normal with a deviation of 0.02: one block of random numbers, from which each
array takes a stretch of its own.
"""

import json
import os
import struct
import sys

import diffusers
import numpy
import torch

folder, gigabytes, files = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
with torch.device("meta"):
    whole = diffusers.QwenImageTransformer2DModel(num_layers=1)
    block = sum(weight.numel() for weight in whole.transformer_blocks.parameters())
    rest = sum(weight.numel() for weight in whole.parameters()) - block
    depth = max(1, round((gigabytes * 1e9 / 2 - rest) / block))
    network = diffusers.QwenImageTransformer2DModel(num_layers=depth)
arrays = [(name, list(array.shape)) for name, array in network.state_dict().items()]

normal = numpy.random.default_rng(1).normal(0, 0.02, 1 << 20).astype(numpy.float32)
# The upper halves of f32 are bf16.
noise = numpy.ascontiguousarray(normal.view(numpy.uint16)[1::2])


def data(place, shape):
    """Numbers from the noise, from a place of its own on."""
    return numpy.resize(numpy.roll(noise, -place * 7919), shape)


network.save_config(folder)
total = sum(2 * int(numpy.prod(shape)) for _, shape in arrays)
parts, filled = [[]], 0
for name, shape in arrays:
    if filled >= total * len(parts) / files:
        parts.append([])
    parts[-1].append((name, shape))
    filled += 2 * int(numpy.prod(shape))

weight_map, place = {}, 0
for number, part in enumerate(parts, 1):
    file = f"diffusion_pytorch_model-{number:05}-of-{len(parts):05}.safetensors"
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in part:
        end = offset + 2 * int(numpy.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        weight_map[name], offset = file, end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{folder}/{file}", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, shape in part:
            place += 1
            data(place, shape).tofile(out)

with open(f"{folder}/diffusion_pytorch_model.safetensors.index.json", "w") as out:
    json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, out, indent=1)
