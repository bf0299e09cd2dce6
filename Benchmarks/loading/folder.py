"""Writes a made-up folder of a big diffusion transformer, in the layout of diffusers.

usage: folder.py FOLDER DEPTH WIDTH FILES

Weights are bf16, about normal with a deviation of 0.02: one block of random numbers, from which each
array takes a stretch of its own.
"""

import json
import os
import random
import struct
import sys

folder, depth, width, files = sys.argv[1], *map(int, sys.argv[2:])
channels, patch, classes, ratio = 16, 2, 1000, 4
pixels = patch * patch * channels


def linear(name, inputs, outputs):
    return [(f"{name}.weight", [outputs, inputs]), (f"{name}.bias", [outputs])]


def mlp(name, inputs, hidden, outputs):
    return linear(f"{name}.input", inputs, hidden) + linear(f"{name}.output", hidden, outputs)


arrays = linear("patches", pixels, width)
arrays += mlp("time", 256, width, width) + mlp("target", 256, width, width)
arrays += [("class_embedding.weight", [classes + 1, width])]
for i in range(depth):
    block = f"blocks.{i}"
    arrays += linear(f"{block}.modulation", width, 6 * width)
    for part in ["to_q", "to_k", "to_v", "to_out.0"]:
        arrays += linear(f"{block}.attention.{part}", width, width)
    arrays += mlp(f"{block}.mlp", width, ratio * width, width)
arrays += linear("modulation", width, 2 * width) + linear("output", width, pixels)


def size(shape):
    return 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)


random.seed(1)
numbers = [random.gauss(0, 0.02) for _ in range(1 << 20)]
# The upper halves of f32 are bf16.
wide = struct.pack(f"<{len(numbers)}f", *numbers)
halves = bytearray(2 * len(numbers))
halves[0::2], halves[1::2] = wide[2::4], wide[3::4]
noise = bytes(halves)


def data(place, count):
    """Bytes from the noise, from a place of its own on."""
    start = 2 * (place * 7919 % (len(noise) // 2))
    yield noise[start:start + count]
    count -= min(count, len(noise) - start)
    while count > 0:
        yield noise[:count]
        count -= min(count, len(noise))


os.makedirs(folder, exist_ok=True)
total = sum(size(shape) for _, shape in arrays)
parts, filled = [[]], 0
for array in arrays:
    if filled >= total * len(parts) / files:
        parts.append([])
    parts[-1].append(array)
    filled += size(array[1])

weight_map, place = {}, 0
for number, part in enumerate(parts, 1):
    file = f"diffusion_pytorch_model-{number:05}-of-{len(parts):05}.safetensors"
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in part:
        end = offset + size(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        weight_map[name], offset = file, end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{folder}/{file}", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, shape in part:
            place += 1
            for block in data(place, size(shape)):
                out.write(block)

with open(f"{folder}/diffusion_pytorch_model.safetensors.index.json", "w") as out:
    json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, out, indent=1)
with open(f"{folder}/config.json", "w") as out:
    json.dump(
        {"kind": "dit", "size": 64, "channels": channels, "patch": patch, "width": width,
         "depth": depth, "heads": width // 128, "mlp_ratio": ratio, "classes": classes,
         "execution": "recomputed"}, out)
