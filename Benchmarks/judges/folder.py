"""Writes the folder of a network that judges pictures, of a published size with random weights in bf16.

usage: folder.py KIND FOLDER [SEED]

The kinds are below. The weights of the small ones are such that answers are not equally probable.
"""
import json
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import (CLIPConfig, CLIPModel, Mask2FormerConfig, Mask2FormerForUniversalSegmentation,
                          Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen3VLConfig,
                          Qwen3VLForConditionalGeneration, AutoTokenizer)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.mask2former.image_processing_pil_mask2former import Mask2FormerImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Tests", "Parity"))
import small_models  # noqa: E402


def qwen2_5(text, vision, tied, **further):
    sections = text.pop("sections")
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections}
    return (Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLConfig, text, vision, tied,
            Qwen2VLImageProcessorPil(min_pixels=3136, max_pixels=12845056), further)


def qwen3(text, vision, tied, **further):
    sections = text.pop("sections")
    text["rope_parameters"] = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": sections,
                               "mrope_interleaved": True}
    processor = Qwen2VLImageProcessorPil(
        size={"shortest_edge": 65536, "longest_edge": 16777216}, patch_size=16, image_mean=[0.5] * 3,
        image_std=[0.5] * 3)
    return Qwen3VLForConditionalGeneration, Qwen3VLConfig, text, vision, tied, processor, further


def text(width, hidden, layers, heads, keys, vocabulary=151936, sections=(16, 24, 24), **further):
    return dict(vocab_size=vocabulary, hidden_size=width, intermediate_size=hidden, num_hidden_layers=layers,
                num_attention_heads=heads, num_key_value_heads=keys, rms_norm_eps=1e-6,
                sections=list(sections), **further)


ROWS = (24, 20, 20)
LANGUAGE = {
    "qwen2.5-vl-3b": lambda: qwen2_5(
        text(2048, 11008, 36, 16, 2),
        dict(depth=32, hidden_size=1280, intermediate_size=3420, num_heads=16, out_hidden_size=2048), True),
    "qwen2.5-vl-7b": lambda: qwen2_5(
        text(3584, 18944, 28, 28, 4, vocabulary=152064),
        dict(depth=32, hidden_size=1280, intermediate_size=3420, num_heads=16, out_hidden_size=3584), False),
    "qwen3-vl-2b": lambda: qwen3(
        text(2048, 6144, 28, 16, 8, sections=ROWS, head_dim=128),
        dict(depth=24, hidden_size=1024, intermediate_size=4096, num_heads=16, out_hidden_size=2048,
             deepstack_visual_indexes=[5, 11, 17]), True),
    "qwen3-vl-8b": lambda: qwen3(
        text(4096, 12288, 36, 32, 8, sections=ROWS, head_dim=128),
        dict(depth=27, hidden_size=1152, intermediate_size=4304, num_heads=16, out_hidden_size=4096,
             deepstack_visual_indexes=[8, 16, 24]), False),
    "qwen2.5-vl-small": lambda: qwen2_5(
        text(256, 768, 8, 4, 2, vocabulary=515, sections=(8, 12, 12)),
        dict(depth=6, hidden_size=128, intermediate_size=384, num_heads=4, out_hidden_size=256,
             fullatt_block_indexes=[2, 5]), False, head=3.0),
    "qwen3-vl-small": lambda: qwen3(
        text(256, 768, 8, 4, 2, vocabulary=515, sections=(12, 10, 10), head_dim=64),
        dict(depth=6, hidden_size=128, intermediate_size=384, num_heads=4, out_hidden_size=256,
             deepstack_visual_indexes=[1, 3]), False, head=3.0),
}


def clip():
    config = CLIPConfig(
        text_config=dict(hidden_size=768, intermediate_size=3072, num_attention_heads=12, eos_token_id=2),
        vision_config=dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24,
                           num_attention_heads=16, patch_size=14), projection_dim=768)
    words = AutoTokenizer.from_pretrained(os.path.join(small_models.SD3_FIXTURE, "tokenizer"))
    return CLIPModel, config, words, CLIPImageProcessorPil()


def mask2former():
    config = Mask2FormerConfig(
        num_labels=80, backbone_config=dict(
            model_type="swin", embed_dim=96, depths=[2, 2, 18, 2], num_heads=[3, 6, 12, 24], window_size=7,
            out_features=["stage1", "stage2", "stage3", "stage4"]))
    return Mask2FormerForUniversalSegmentation, config, None, Mask2FormerImageProcessorPil(
        size={"shortest_edge": 800, "longest_edge": 1333})


def language(kind):
    network, config, inner, vision, tied, processor, further = LANGUAGE[kind]()
    words = small_models.tokenizer()
    ids = {name: words.convert_tokens_to_ids(name) for name in small_models.SPECIAL}
    config = config(
        text_config=dict(inner, tie_word_embeddings=tied), vision_config=vision, tie_word_embeddings=tied,
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"])
    return network, config, words, processor, further


def write(network, config, words, processor, folder, seed, head=1.0, largest=2 << 30):
    """Writes the weights part by part, so that no more than a part is in memory."""
    with torch.device("meta"):
        model = network(config)
    generator = torch.Generator().manual_seed(seed)
    os.makedirs(folder, exist_ok=True)
    parts, part, size = {}, {}, 0
    places = {}

    def save():
        nonlocal part, size
        name = f"model-{len(parts) + 1:05d}.safetensors"
        save_file(part, os.path.join(folder, name), metadata={"format": "pt"})
        parts[name] = True
        places.update({each: name for each in part})
        part, size = {}, 0

    for name, weight in model.named_parameters():
        fan = weight[0].numel() if weight.dim() > 1 else 0
        scale = (head if name == "lm_head.weight" else 1.0) / fan ** 0.5 if fan else 0.1
        values = torch.empty(weight.shape, dtype=torch.bfloat16).normal_(0, scale, generator=generator)
        part[name] = values + 1 if not fan and "norm" in name and name.endswith("weight") else values
        size += values.nbytes
        if size >= largest:
            save()
    if part:
        save()
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
        json.dump({"weight_map": places}, file)
    config.architectures = [network.__name__]
    config.save_pretrained(folder)
    processor.save_pretrained(folder)
    if words is not None:
        words.save_pretrained(folder)


KINDS = ["clip-vit-l14", "mask2former-swin-s", *LANGUAGE]

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in KINDS:
        sys.exit(__doc__ + "kinds: " + ", ".join(KINDS))
    kind, folder, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0
    if kind == "clip-vit-l14":
        write(*clip(), folder, seed)
    elif kind == "mask2former-swin-s":
        write(*mask2former(), folder, seed)
    else:
        *rest, further = language(kind)
        write(*rest, folder, seed, **further)
