"""Writes a GGUF file with random blocks of every type that is read, and what they stand for by the
Python package gguf (0.19), as safetensors.

usage: make.py   (in this folder; needs gguf, numpy and safetensors)
"""

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file

random = np.random.default_rng(7)
types = [Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.Q2_K, Type.Q3_K, Type.Q4_K,
         Type.Q5_K, Type.Q6_K]
# The places of the f16 scales in a block.
scales = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
          Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2],
          Type.Q6_K: [208]}
rows, columns = 3, 512

writer = gguf.GGUFWriter("blocks.gguf", "qwen_image")
writer.add_string("general.name", "random blocks")
writer.add_uint32("test.number", 7)
writer.add_array("test.list", ["a", "b"])
expected = {}
for kind in types:
    size, width = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows, columns // size, width), dtype=np.uint8)
    for place in scales[kind]:
        numbers = random.normal(0, 0.01, (rows, columns // size)).astype(np.float16)
        blocks[:, :, place:place + 2] = numbers.view(np.uint8).reshape(rows, columns // size, 2)
    data = blocks.reshape(rows, -1)
    writer.add_tensor(f"{kind.name}.weight", data, raw_dtype=kind)
    expected[f"{kind.name}.weight"] = gguf.quants.dequantize(data, kind).astype(np.float32)

plain = random.normal(0, 1, (2, 3, 4)).astype(np.float32)
for kind in [Type.F32, Type.F16, Type.BF16]:
    data = gguf.quants.quantize(plain, kind)
    writer.add_tensor(f"{kind.name}.bias", data, raw_dtype=kind)
    expected[f"{kind.name}.bias"] = gguf.quants.dequantize(data, kind).reshape(2, 3, 4)

# ComfyUI's converter stores arrays of other shapes as rows of 256.
numbers = random.normal(0, 1, (2, 256)).astype(np.float32)
data = gguf.quants.quantize(numbers, Type.Q8_0)
writer.add_array("comfy.gguf.orig_shape.reshaped.weight", [4, 16, 8])
writer.add_tensor("reshaped.weight", data, raw_dtype=Type.Q8_0)
expected["reshaped.weight"] = gguf.quants.dequantize(data, Type.Q8_0).reshape(4, 16, 8)

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
save_file(expected, "expected.safetensors")
