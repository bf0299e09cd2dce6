"""Compares the networks that judge pictures with transformers.

    python judges.py --twinflow ../../.build/release/twinflow [--folder out/parity/judges] [--seeds 2]

The cases are small random CLIPs in the layouts of transformers and of open_clip, Qwen2.5-VLs and Qwen3-VLs with
and without a map to logits of their own, and Mask2Formers with Swin backbones, on random pictures of several shapes: from
the pixels to features, answers, and the things that two published rules find.
"""
import argparse
import copy
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (AutoTokenizer, CLIPConfig, CLIPModel, Mask2FormerConfig,
                          Mask2FormerForUniversalSegmentation, Qwen2_5_VLConfig,
                          Qwen2_5_VLForConditionalGeneration, Qwen3VLConfig,
                          Qwen3VLForConditionalGeneration, SwinConfig)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.mask2former.image_processing_pil_mask2former import Mask2FormerImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.utils import logging

import small_models
from small_models import randomized

logging.set_verbosity_error()
logging.disable_progress_bar()


def picture(generator, width, height, mode="RGB"):
    """A picture of smooth random colors with some noise."""
    channels = {"RGB": 3, "RGBA": 4, "L": 1}[mode]
    coarse = torch.rand((1, channels, 4, 5), generator=generator)
    smooth = F.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)[0]
    noisy = smooth + 0.08 * torch.randn(smooth.shape, generator=generator)
    values = (noisy.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(values[..., 0] if channels == 1 else values, mode)


def wide(result):
    return {name: value.double() if value.is_floating_point() else value for name, value in result.items()}


def write(folder, kind, settings, inputs, expected, expected64):
    """Writes a case with the largest difference between f32 and f64 of every output."""
    expected = {name: value.detach() for name, value in expected.items()}
    floors = {name: float((value.double() - expected64[name].detach().double()).abs().max())
              for name, value in expected.items()
              if name in expected64 and value.is_floating_point() and value.numel()}
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(dict(kind=kind, **settings, float32_vs_float64_maxabs=floors), file, indent=1)
    for name, arrays in (("inputs", inputs), ("expected", expected)):
        save_file({key: (value.float() if value.is_floating_point() else value).contiguous()
                   for key, value in arrays.items()}, os.path.join(folder, f"{name}.safetensors"))


def as_open_clip(weights, heads, folder, config, quick):
    """Writes a CLIP of transformers in open_clip's layout."""
    result = {}

    def layers(source, target):
        numbers = {int(name[len(source):].split(".")[0]) for name in weights if name.startswith(source)}
        for number in numbers:
            own, other = f"{source}{number}.", f"{target}{number}."
            for part in ("weight", "bias"):
                result[f"{other}attn.in_proj_{part}"] = torch.cat(
                    [weights[f"{own}self_attn.{which}_proj.{part}"] for which in "qkv"])
                for a, b in (("self_attn.out_proj", "attn.out_proj"), ("layer_norm1", "ln_1"),
                             ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj")):
                    result[f"{other}{b}.{part}"] = weights[f"{own}{a}.{part}"]

    layers("text_model.encoder.layers.", "transformer.resblocks.")
    layers("vision_model.encoder.layers.", "visual.transformer.resblocks.")
    for a, b in (("text_model.embeddings.token_embedding.weight", "token_embedding.weight"),
                 ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
                 ("text_model.final_layer_norm.weight", "ln_final.weight"),
                 ("text_model.final_layer_norm.bias", "ln_final.bias"),
                 ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
                 ("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"),
                 ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
                 ("vision_model.pre_layrnorm.weight", "visual.ln_pre.weight"),
                 ("vision_model.pre_layrnorm.bias", "visual.ln_pre.bias"),
                 ("vision_model.post_layernorm.weight", "visual.ln_post.weight"),
                 ("vision_model.post_layernorm.bias", "visual.ln_post.bias"),
                 ("logit_scale", "logit_scale")):
        result[b] = weights[a]
    result["text_projection"] = weights["text_projection.weight"].T.contiguous()
    result["visual.proj"] = weights["visual_projection.weight"].T.contiguous()
    os.makedirs(folder)
    vision, text = config.vision_config, config.text_config
    settings = {
        "model_cfg": {
            "embed_dim": config.projection_dim,
            "vision_cfg": {
                "image_size": vision.image_size, "layers": vision.num_hidden_layers,
                "width": vision.hidden_size, "patch_size": vision.patch_size,
                "head_width": vision.hidden_size // vision.num_attention_heads,
                "mlp_ratio": vision.intermediate_size / vision.hidden_size},
            "text_cfg": {
                "context_length": text.max_position_embeddings, "vocab_size": text.vocab_size,
                "width": text.hidden_size, "heads": text.num_attention_heads,
                "layers": text.num_hidden_layers,
                "mlp_ratio": text.intermediate_size / text.hidden_size},
            **({"quick_gelu": True} if quick else {})},
        "preprocess_cfg": {
            "mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711],
            "interpolation": "bicubic", "resize_mode": "shortest"}}
    json.dump(settings, open(os.path.join(folder, "open_clip_config.json"), "w"), indent=1)
    return result


TEXTS = ["a photo of a bench", "two red dogs and a blue tv!", "", "A CAT, sitting on the mat " * 12]
SIZES = {"RGB": [(50, 37), (33, 64)], "RGBA": [(41, 30)], "L": [(20, 21)]}


def clip(folder, seed, quick=True, size=32, patch=8, ratio=4, width=32, end=None, suffix="safetensors"):
    generator = torch.Generator().manual_seed(seed)
    words = AutoTokenizer.from_pretrained(os.path.join(small_models.SD3_FIXTURE, "tokenizer"))
    activation = "quick_gelu" if quick else "gelu"
    config = CLIPConfig(
        text_config=dict(
            vocab_size=len(words), hidden_size=width, intermediate_size=ratio * width, num_hidden_layers=2,
            num_attention_heads=2, hidden_act=activation, bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id if end else 2, pad_token_id=words.pad_token_id),
        vision_config=dict(
            hidden_size=width, intermediate_size=ratio * width, num_hidden_layers=3, num_attention_heads=2,
            image_size=size, patch_size=patch, hidden_act=activation),
        projection_dim=24)
    model = randomized(CLIPModel(config), generator)
    with torch.no_grad():
        model.logit_scale.fill_(2.5)
    model = model.to(torch.bfloat16).float()
    model.to(torch.bfloat16).save_pretrained(os.path.join(folder, "model"))
    words.save_pretrained(os.path.join(folder, "model"))
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": size + 3}, crop_size={"height": size, "width": size})
    processor.save_pretrained(os.path.join(folder, "model"))
    settings = os.path.join(folder, "model", "preprocessor_config.json")
    values = json.load(open(settings))
    values.pop("image_processor_type")
    if quick:
        values.update(size=size + 3, crop_size=size, feature_extractor_type="CLIPFeatureExtractor")
    json.dump(values, open(settings, "w"), indent=1)
    model = model.float()
    pictures, modes = [], []
    for mode, sizes in SIZES.items():
        for wide_, high in sizes:
            pictures.append(picture(generator, wide_, high, mode))
            modes.append(f"{wide_}x{high} {mode}")
    for number, image in enumerate(pictures):
        image.save(os.path.join(folder, f"image_{number}.png"))
    pixels = processor(pictures, return_tensors="pt")["pixel_values"]
    batch = words(TEXTS, padding="max_length", truncation=True, max_length=77, return_tensors="pt")

    def outputs(model, pixels, prefix=""):
        with torch.no_grad():
            dtype = next(model.parameters()).dtype
            result = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
                           pixel_values=pixels.to(dtype))
        # transformers 5 returns these after their projections.
        images, texts = result.vision_model_output.pooler_output, result.text_model_output.pooler_output
        own = images / images.norm(dim=-1, keepdim=True)
        labels = texts / texts.norm(dim=-1, keepdim=True)
        cosines = own @ labels.T
        return {prefix + "image_features": images, prefix + "text_features": texts,
                prefix + "image_embeds_normalised": own, prefix + "text_embeds_normalised": labels,
                prefix + "logits_per_image": cosines * model.logit_scale.exp(),
                prefix + "clip_score": (100 * cosines).clamp(min=0)}

    expected = {"pixel_values": pixels, "input_ids": batch["input_ids"],
                "attention_mask": batch["attention_mask"], **outputs(model, pixels)}
    double = copy.deepcopy(model).double()
    expected64 = outputs(double, pixels)
    # open_clip resizes with the color mode of the picture, and rounds the centre.
    side, cut = size, []
    for image in pictures:
        short, long = min(image.size), int(side * max(image.size) / min(image.size))
        new = (side, long) if image.width <= image.height else (long, side)
        resized = image.resize(new, Image.BICUBIC)
        left, top = (int(round((resized.width - side) / 2.0)), int(round((resized.height - side) / 2.0)))
        part = resized.crop((left, top, left + side, top + side)).convert("RGB")
        values = torch.from_numpy(np.array(part)).permute(2, 0, 1).float() / 255
        mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
        std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
        cut.append((values - mean) / std)
    cut = torch.stack(cut)
    expected["pixel_values_open_clip"] = cut
    expected.update(outputs(model, cut, "open_clip."))
    expected64.update(outputs(double, cut, "open_clip."))
    other = os.path.join(folder, "model_open_clip")
    weights = as_open_clip(load_file(os.path.join(folder, "model", "model.safetensors")), 2, other, config,
                           quick)
    if suffix == "safetensors":
        save_file(weights, os.path.join(other, "open_clip_model.safetensors"))
    else:
        torch.save(weights, os.path.join(other, f"open_clip_pytorch_model.{suffix}"))
    write(folder, "judge_clip", dict(texts=TEXTS, images=modes), {}, expected, expected64)


def chat(messages, system=True):
    """The published chat template: of Qwen2.5-VL, or without a system message of its own that of Qwen3-VL."""
    if system and messages[0]["role"] != "system":
        messages = [{"role": "system", "content": "You are a helpful assistant."}] + messages
    text = ""
    for message in messages:
        text += f"<|im_start|>{message['role']}\n"
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            text += "<|vision_start|><|image_pad|><|vision_end|>" if "image" in part else part["text"]
        text += "<|im_end|>\n"
    return text + "<|im_start|>assistant\n"


def asked(question, *images):
    return [{"role": "user", "content": [{"type": "image", "image": f"image_{n}.png"} for n in images]
             + [{"type": "text", "text": question}]}]


RUNS = {
    "one": [asked("Is there a red fox? Answer yes or no.", 0)],
    "three": [[{"role": "system", "content": "Say little."}]
              + asked("Which of these pictures is the brightest?", 2, 0, 1)],
    "none": [asked("What is the answer?")],
    "shared": [asked("How many cats?", 1), asked("Is the background appropriate?", 1),
               asked("Are both the same?", 1, 2)],
}


def qwen(folder, seed, tied=False, ends_early=False):
    generator = torch.Generator().manual_seed(seed)
    words = small_models.tokenizer()
    ids = special_ids(words)
    text = dict(
        vocab_size=len(words) + 5, hidden_size=64, intermediate_size=96, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]})
    vision = dict(depth=4, hidden_size=32, intermediate_size=48, num_heads=2, out_hidden_size=64,
                  fullatt_block_indexes=[1, 3], window_size=112)
    config = Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=tied, **tokens(ids))
    processor = Qwen2VLImageProcessorPil(min_pixels=3136, max_pixels=12544)
    answering(folder, Qwen2_5_VLForConditionalGeneration, config, processor, words, generator, ends_early,
              [(96, 70), (50, 44), (150, 210)])


QWEN3 = [
    dict(), dict(tied=True, ends_early=True, deep=(2, 0), depth=4, positions=30),
    dict(deep=(), layers=1, bias=True, merge=1, patch=14, heads=(6, 1), sections=(3, 3, 2)),
    dict(deep=(0, 1, 4), depth=5, layers=3, positions=16, merge=3, patch=8, head=24, sections=(6, 4, 2),
         sizes=[(70, 30), (24, 24), (50, 110)]),
]


def qwen3(folder, seed, tied=False, ends_early=False, deep=(0, 2), depth=3, layers=3, positions=49, bias=False,
          merge=2, patch=16, heads=(4, 2), head=16, sections=(4, 2, 2), width=64, vision_width=32,
          sizes=((96, 70), (50, 44), (150, 210)), pixels=(4096, 16384)):
    generator = torch.Generator().manual_seed(seed)
    words = small_models.tokenizer()
    ids = special_ids(words)
    text = dict(
        vocab_size=len(words) + 5, hidden_size=width, intermediate_size=96, num_hidden_layers=layers,
        num_attention_heads=heads[0], num_key_value_heads=heads[1], head_dim=head, attention_bias=bias,
        rms_norm_eps=1e-6, tie_word_embeddings=tied, rope_parameters={
            "rope_type": "default", "rope_theta": 5e6, "mrope_section": list(sections),
            "mrope_interleaved": True})
    vision = dict(
        depth=depth, hidden_size=vision_width, intermediate_size=48, num_heads=2, out_hidden_size=width,
        patch_size=patch, spatial_merge_size=merge, num_position_embeddings=positions,
        deepstack_visual_indexes=list(deep))
    config = Qwen3VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=tied, **tokens(ids))
    processor = Qwen2VLImageProcessorPil(
        size={"shortest_edge": pixels[0], "longest_edge": pixels[1]}, patch_size=patch, merge_size=merge,
        image_mean=[0.5] * 3, image_std=[0.5] * 3)
    answering(folder, Qwen3VLForConditionalGeneration, config, processor, words, generator, ends_early, sizes)


def special_ids(words):
    return {text: words.convert_tokens_to_ids(text) for text in small_models.SPECIAL}


def tokens(ids):
    return dict(
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"])


def answering(folder, kind, config, processor, words, generator, ends_early, sizes):
    """Writes a random network that answers questions about pictures, with what it answers."""
    ids, tied = special_ids(words), config.tie_word_embeddings
    merged = config.vision_config.spatial_merge_size ** 2
    is_new = kind is Qwen3VLForConditionalGeneration
    model = randomized(kind(config), generator)
    with torch.no_grad():
        model.model.language_model.embed_tokens.weight.mul_(3 if tied else 1)
        model.lm_head.weight.mul_(1 if tied else 4)
    place = os.path.join(folder, "model")
    model.to(torch.bfloat16).save_pretrained(place)
    words.save_pretrained(place)
    processor.save_pretrained(place)
    # Read again, since the tables of rotary frequencies were rounded with the weights.
    model = kind.from_pretrained(place, dtype=torch.float32, attn_implementation="eager").eval()
    for number, (across, down) in enumerate(sizes):
        picture(generator, across, down).save(os.path.join(folder, f"image_{number}.png"))
    model.generation_config.eos_token_id = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    model.generation_config.do_sample = False
    yes, no = ["Yes", "yes", " yes", " Yes"], ["No", "no", " no", " No"]
    first = torch.tensor([[words(each)["input_ids"][0] for each in row] for row in (yes, no)])
    expected, expected64 = {"answer_ids": first}, {}
    limit, runs = 6, {}

    def inputs(run):
        texts, images = [chat(messages, not is_new) for messages in run], []
        for messages in run:
            for message in messages:
                if not isinstance(message["content"], str):
                    images += [os.path.join(folder, part["image"]) for part in message["content"]
                               if "image" in part]
        given = {}
        counts = []
        if images:
            given = dict(processor([Image.open(path) for path in images], return_tensors="pt"))
            counts = [int(row.prod()) // merged for row in given["image_grid_thw"]]
        rest = iter(counts)
        rows = []
        for each in texts:
            parts = each.split("<|image_pad|>")
            whole = parts[0]
            for part in parts[1:]:
                whole += "<|image_pad|>" * next(rest) + part
            rows.append(words(whole)["input_ids"])
        length = max(map(len, rows))
        pad = ids["<|endoftext|>"]
        given["input_ids"] = torch.tensor([[pad] * (length - len(row)) + row for row in rows])
        given["attention_mask"] = torch.tensor(
            [[0] * (length - len(row)) + [1] * len(row) for row in rows])
        given["mm_token_type_ids"] = (given["input_ids"] == ids["<|image_pad|>"]).int()
        return given

    if ends_early:
        # The first answer of the shared run ends after its second token.
        with torch.no_grad():
            found = model.generate(**inputs(RUNS["shared"]), max_new_tokens=2)
        ends = int(found[0, -1])
        model.generation_config.eos_token_id = [ends, ids["<|im_end|>"]]
    model.generation_config.save_pretrained(place)
    double = copy.deepcopy(model).double()

    def answers(network, name, given):
        into = {}
        with torch.no_grad():
            logits = network(**given).logits[:, -1]
            into[f"{name}.last_logits"] = logits
            if "pixel_values" in given:
                into[f"{name}.pixel_values"] = given["pixel_values"]
                features = network.model.visual(given["pixel_values"], grid_thw=given["image_grid_thw"])
                into[f"{name}.image_embeds"] = features.pooler_output
                for number, each in enumerate(getattr(features, "deepstack_features", None) or []):
                    into[f"{name}.deep.{number}"] = each
        chances = logits.softmax(-1)
        into[f"{name}.p_yes"] = chances[:, first[0]].sum(-1)
        into[f"{name}.p_no"] = chances[:, first[1]].sum(-1)
        into[f"{name}.p_spellings"] = chances[:, first]
        return into

    for name in RUNS:
        given = inputs(RUNS[name])
        side = "_left" if len(RUNS[name]) > 1 else ""
        positions, deltas = model.model.get_rope_index(
            given["input_ids"], mm_token_type_ids=given["mm_token_type_ids"],
            image_grid_thw=given.get("image_grid_thw"), attention_mask=given["attention_mask"])
        for key, value in (("position_ids", positions), ("rope_deltas", deltas),
                           ("input_ids", given["input_ids"]), ("attention_mask", given["attention_mask"])):
            expected[f"{name}{side}.{key}"] = value
        expected.update(answers(model, name, given))
        # Padding is NaN in f64, so that each conversation is computed alone.
        alone = [answers(double, name, {key: value.double() if value.is_floating_point() else value
                                        for key, value in inputs([one]).items()}) for one in RUNS[name]]
        expected64.update({key: torch.cat([each[key] for each in alone]) for key in alone[0]
                           if all(key in each for each in alone)})
        with torch.no_grad():
            result = model.generate(**given, max_new_tokens=limit, output_logits=True,
                                    return_dict_in_generate=True)
        best = torch.stack(result.logits, 1).topk(8, dim=-1)
        if (best.values[..., 0] - best.values[..., 1]).min() < 1e-3:
            raise SystemExit("two tokens are equally probable: take another seed")
        expected[f"{name}.generated"] = result.sequences[:, given["input_ids"].shape[1]:]
        expected[f"{name}.generated_top8_logits"] = best.values
        expected[f"{name}.generated_top8_ids"] = best.indices
        if "image_grid_thw" in given:
            expected[f"{name}.image_grid_thw"] = given["image_grid_thw"]
    write(folder, "judge_qwen3_vl" if is_new else "judge_qwen2_5_vl", dict(
        runs=RUNS, yes=yes, no=no, max_new_tokens=limit,
        chat_text={name: [chat(messages, not is_new) for messages in RUNS[name]] for name in RUNS}),
        {}, expected, expected64)


def new_swin_names(path):
    """Renames the Swin of a saved Mask2Former as transformers 5 names its modules."""
    start = "model.pixel_level_module.encoder."
    result = {}
    for name, value in load_file(path).items():
        if name.startswith(start):
            rest = name[len(start):]
            for old, new in (("attention.self.query", "attention.q_proj"),
                             ("attention.self.key", "attention.k_proj"),
                             ("attention.self.value", "attention.v_proj"),
                             ("attention.self.relative_position_bias_table",
                              "attention.relative_position_bias.relative_position_bias_table"),
                             ("attention.output.dense", "attention.o_proj"),
                             ("intermediate.dense", "mlp.fc1"), ("output.dense", "mlp.fc2")):
                rest = rest.replace(old, new)
            if rest.startswith(("encoder.", "embeddings.")):
                rest = "swin." + rest
            name = start + rest
        result[name] = value
    save_file(result, path)


def as_mmdetection(path, target, config):
    """Writes a Mask2Former of transformers in mmdetection's layout."""
    weights = load_file(path)
    swin, queries = config.backbone_config, config.decoder_layers - 1
    encoder, decoder = "model.pixel_level_module.encoder.", "model.pixel_level_module.decoder."
    module, head, result = "model.transformer_module.", "panoptic_head.", {}

    def move(old, new):
        for part in ("weight", "bias"):
            if f"{old}.{part}" in weights:
                result[f"{new}.{part}"] = weights[f"{old}.{part}"]

    move(encoder + "embeddings.patch_embeddings.projection", "backbone.patch_embed.projection")
    move(encoder + "embeddings.norm", "backbone.patch_embed.norm")
    for stage, depth in enumerate(swin.depths):
        move(f"{encoder}hidden_states_norms.stage{stage + 1}", f"backbone.norm{stage}")
        for block in range(depth):
            old, new = f"{encoder}encoder.layers.{stage}.blocks.{block}.", f"backbone.stages.{stage}.blocks.{block}."
            for part in ("weight", "bias"):
                result[f"{new}attn.w_msa.qkv.{part}"] = torch.cat(
                    [weights[f"{old}attention.self.{name}.{part}"] for name in ("query", "key", "value")])
            name = "relative_position_bias_table"
            result[f"{new}attn.w_msa.{name}"] = weights[f"{old}attention.self.{name}"]
            result[f"{new}attn.w_msa.relative_position_index"] = torch.zeros(1, dtype=torch.long)
            for a, b in (("attention.output.dense", "attn.w_msa.proj"), ("layernorm_before", "norm1"),
                         ("layernorm_after", "norm2"), ("intermediate.dense", "ffn.layers.0.0"),
                         ("output.dense", "ffn.layers.1")):
                move(old + a, new + b)
        if stage + 1 < len(swin.depths):
            old, new = f"{encoder}encoder.layers.{stage}.downsample.", f"backbone.stages.{stage}.downsample."
            for name, last in (("norm.weight", False), ("norm.bias", False), ("reduction.weight", True)):
                value = weights[old + name]
                # The four tokens in rows before columns, and the values of a feature side by side.
                value = value.reshape(*value.shape[:-1], 4, -1)[..., [0, 2, 1, 3], :]
                result[new + name] = value.transpose(-1, -2).reshape(*value.shape[:-2], -1).contiguous()
    pixels = head + "pixel_decoder."
    result[pixels + "level_encoding.weight"] = weights[decoder + "level_embed"]
    move(decoder + "mask_projection", pixels + "mask_feature")
    for level in range(3):
        move(f"{decoder}input_projections.{level}.0", f"{pixels}input_convs.{level}.conv")
        move(f"{decoder}input_projections.{level}.1", f"{pixels}input_convs.{level}.gn")
    for old, new in (("adapter_1", "lateral_convs.0"), ("layer_1", "output_convs.0")):
        move(f"{decoder}{old}.0", f"{pixels}{new}.conv")
        move(f"{decoder}{old}.1", f"{pixels}{new}.gn")
    for layer in range(config.encoder_layers):
        old, new = f"{decoder}encoder.layers.{layer}.", f"{pixels}encoder.layers.{layer}."
        for name in ("sampling_offsets", "attention_weights", "value_proj", "output_proj"):
            move(f"{old}self_attn.{name}", f"{new}attentions.0.{name}")
        for a, b in (("self_attn_layer_norm", "norms.0"), ("final_layer_norm", "norms.1"),
                     ("fc1", "ffns.0.layers.0.0"), ("fc2", "ffns.0.layers.1")):
            move(old + a, new + b)
    for layer in range(queries):
        old, new = f"{module}decoder.layers.{layer}.", f"{head}transformer_decoder.layers.{layer}."
        for part in ("weight", "bias"):
            result[f"{new}attentions.0.attn.in_proj_{part}"] = weights[f"{old}cross_attn.in_proj_{part}"]
            result[f"{new}attentions.1.attn.in_proj_{part}"] = torch.cat(
                [weights[f"{old}self_attn.{name}_proj.{part}"] for name in "qkv"])
        move(old + "cross_attn.out_proj", new + "attentions.0.attn.out_proj")
        move(old + "self_attn.out_proj", new + "attentions.1.attn.out_proj")
        for a, b in (("cross_attn_layer_norm", "norms.0"), ("self_attn_layer_norm", "norms.1"),
                     ("final_layer_norm", "norms.2"), ("fc1", "ffns.0.layers.0.0"), ("fc2", "ffns.0.layers.1")):
            move(old + a, new + b)
    move(module + "decoder.layernorm", head + "transformer_decoder.post_norm")
    for a, b in (("queries_embedder", "query_embed"), ("queries_features", "query_feat"),
                 ("level_embed", "level_embed")):
        move(module + a, head + b)
    for level in range(3):
        move(f"{module}input_projections.{level}", f"{head}decoder_input_projs.{level}")
    for number in range(3):
        move(f"{module}decoder.mask_predictor.mask_embedder.{number}.0", f"{head}mask_embed.{2 * number}")
    move("class_predictor", head + "cls_embed")
    torch.save({"meta": {"CLASSES": ("a", "b"), "epoch": 50}, "state_dict": result}, target)


def instances(classes, masks, image, network_size, limit):
    """The rules of mmdetection's MaskFormerFusionHead, without padding."""
    queries, count = classes.shape[0], classes.shape[1] - 1
    chances = classes.softmax(-1)[:, :-1]
    kept, places = chances.flatten().topk(min(limit, chances.numel()))
    wide_ = F.interpolate(masks[None], size=network_size, mode="bilinear", align_corners=False)
    wide_ = F.interpolate(wide_, size=image, mode="bilinear", align_corners=False)[0]
    chosen = wide_[places // count]
    binary = (chosen > 0).to(chosen.dtype)
    scores = kept * (chosen.sigmoid() * binary).flatten(1).sum(1) / (binary.flatten(1).sum(1) + 1e-6)
    order = scores.argsort(descending=True, stable=True)
    return scores[order], (places % count)[order], binary[order] > 0, kept[order]


def boxes(masks):
    result = torch.zeros(len(masks), 4)
    for row, mask in enumerate(masks):
        y, x = torch.where(mask)
        if len(x):
            result[row] = torch.tensor([x.min(), y.min(), x.max() + 1, y.max() + 1]).float()
    return result


def detector(folder, seed, image=(75, 53), size=(64, 100), window=4, depths=(1, 1, 2, 1), width=16, hidden=32,
             features=32, stride=4, normed=False, projected=False, new_names=False, layers=(2, 4), heads=4,
             threshold=0.2, limit=20, inner=48):
    swin = SwinConfig(
        image_size=64, embed_dim=width, depths=list(depths), num_heads=[1, 2, 2, 4], window_size=window,
        out_features=["stage1", "stage2", "stage3", "stage4"])
    config = Mask2FormerConfig(
        backbone_config=swin, feature_size=features, mask_feature_size=features, hidden_dim=hidden,
        encoder_feedforward_dim=inner, dim_feedforward=inner, encoder_layers=layers[0],
        decoder_layers=layers[1], num_attention_heads=heads, num_queries=12, common_stride=stride,
        pre_norm=normed, enforce_input_projection=projected, num_labels=12)
    processor = Mask2FormerImageProcessorPil(
        size={"shortest_edge": size[0], "longest_edge": size[1]}, num_labels=12)
    for attempt in range(20):
        # Masked attention switches at 0: another seed is taken where f32 and f64 differ by more than noise.
        generator = torch.Generator().manual_seed(1000 * seed + attempt)
        model = randomized(Mask2FormerForUniversalSegmentation(config), generator)
        with torch.no_grad():
            model.class_predictor.weight.mul_(3)
            for layer in model.model.pixel_level_module.decoder.encoder.layers:
                layer.self_attn.sampling_offsets.bias.mul_(20)
        model = model.to(torch.bfloat16)
        shown = picture(generator, *image)
        pixels = processor(shown, return_tensors="pt")
        found = []
        for network in (copy.deepcopy(model).float(), copy.deepcopy(model).double()):
            dtype = next(network.parameters()).dtype
            with torch.no_grad():
                values = pixels["pixel_values"].to(dtype)
                result = network(values, output_auxiliary_logits=True, output_hidden_states=True)
                backbone = network.model.pixel_level_module.encoder(values).feature_maps
            outputs = {"class_queries_logits": result.class_queries_logits,
                       "masks_queries_logits": result.masks_queries_logits,
                       "pixel_decoder_last": result.pixel_decoder_last_hidden_state}
            for number, each in enumerate(backbone):
                outputs[f"backbone_{number}"] = each
            for number, each in enumerate(result.auxiliary_logits):
                outputs[f"aux{number}.class_logits"] = each["class_queries_logits"]
            scores, labels, masks, kept = instances(
                result.class_queries_logits[0], result.masks_queries_logits[0], shown.size[::-1],
                values.shape[2:], limit)
            best = min(8, len(scores))
            outputs.update({
                "mmdet.scores": scores, "mmdet.labels": labels, "mmdet.class_scores": kept,
                "mmdet.masks": masks[:best].to(torch.uint8), "mmdet.bboxes": boxes(masks),
                "mmdet.areas": masks.flatten(1).sum(1)})
            own = processor.post_process_instance_segmentation(
                result, threshold=threshold, target_sizes=[shown.size[::-1]], return_binary_maps=True)[0]
            info = own["segments_info"]
            order = sorted(range(len(info)), key=lambda place: -info[place]["score"])[:8]
            if info:
                chosen = torch.stack([own["segmentation"][place] for place in order]) > 0
                outputs.update({
                    "hf.scores": torch.tensor([info[place]["score"] for place in order]),
                    "hf.labels": torch.tensor([info[place]["label_id"] for place in order]),
                    "hf.masks": chosen.to(torch.uint8), "hf.boxes": boxes(chosen)})
            found.append(outputs)
        exact = ("mmdet.labels", "mmdet.masks", "mmdet.areas", "hf.labels", "hf.masks")
        if found[0].keys() == found[1].keys() and all(
                value.shape == found[1][name].shape and (value.double() - found[1][name]).abs().max() < 1e-3
                for name, value in found[0].items()) and all(
                torch.equal(found[0][name], found[1][name]) for name in exact if name in found[0]):
            break
    else:
        raise SystemExit("no seed has masks that are the same in f32 and f64")
    place = os.path.join(folder, "model")
    model.save_pretrained(place)
    processor.save_pretrained(place)
    if not normed:
        as_mmdetection(os.path.join(place, "model.safetensors"),
                       os.path.join(folder, "model_mmdetection.pth"), config)
        for outputs in found:
            outputs.update({f"mmdetection.{name}": outputs[name].clone() for name in (
                "class_queries_logits", "masks_queries_logits", "backbone_2", "pixel_decoder_last")})
    if new_names:
        new_swin_names(os.path.join(place, "model.safetensors"))
    shown.save(os.path.join(folder, "image.png"))
    write(folder, "judge_mask2former", dict(settings=dict(threshold=threshold, max_per_image=limit)), {},
          {"pixel_values": pixels["pixel_values"], "pixel_mask": pixels["pixel_mask"], **found[0]}, found[1])


DETECTORS = [
    dict(), dict(image=(53, 90), size=(70, 90), window=3, depths=(2, 1, 3, 2)),
    dict(hidden=64, features=32, stride=8, normed=True, new_names=True, window=5),
    dict(image=(40, 40), size=(64, 64), projected=True, window=7, depths=(2, 2, 1, 1), heads=2),
]
FIXTURES = [
    ("judge_qwen3_vl", qwen3, dict(
        width=16, vision_width=16, heads=(2, 1), head=8, sections=(2, 1, 1), depth=2, layers=2, deep=(1, 0), positions=16, patch=8,
        sizes=[(24, 17), (12, 11), (30, 50)], pixels=(256, 1024))),
    ("judge_clip", clip, dict(size=16, patch=5, ratio=2, width=16)),
    ("judge_mask2former", detector, dict(
        image=(41, 33), size=(32, 48), window=3, width=8, layers=(1, 3), inner=16, heads=2)),
]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twinflow", default="twinflow", help="the program")
    parser.add_argument("--folder", default="out/parity/judges")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--fixtures", help="writes the small cases of the tests to this folder, and stops")
    parser.add_argument("--only", help="with --fixtures: the one to write")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.fixtures:
        for name, make, settings in FIXTURES:
            if given.only and name != given.only:
                continue
            folder = os.path.join(given.fixtures, name)
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            make(folder, 3, **settings)
        sys.exit()
    shutil.rmtree(given.folder, ignore_errors=True)

    def case(name):
        folder = os.path.join(given.folder, name)
        os.makedirs(folder)
        return folder

    for seed in range(given.seeds):
        clip(case(f"clip-quick-seed{seed}"), seed)
        clip(case(f"clip-gelu-seed{seed}"), seed, quick=False, size=30, patch=7, ratio=2, end=True, suffix="bin")
        qwen(case(f"qwen-seed{seed}"), seed)
        qwen(case(f"qwen-tied-seed{seed}"), seed, tied=True, ends_early=True)
        for number, settings in enumerate(QWEN3):
            qwen3(case(f"qwen3-{number}-seed{seed}"), seed, **settings)
        for number, settings in enumerate(DETECTORS):
            detector(case(f"mask2former-{number}-seed{seed}"), seed, **settings)
    sys.exit(subprocess.run([given.twinflow, "check-golden", given.folder]).returncode)
