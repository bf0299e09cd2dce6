"""Compares whole pipelines with diffusers on small random models.

    python pipelines.py --twinflow ../../.build/release/twinflow [--folder out/parity] [--seeds 2]

Each case is a model's folder with prompts, initial noise and what diffusers makes of them, in the form that
`twinflow check-golden` reads: several prompts of unequal length in a batch, guidance with and without
negative prompts, numbers of steps, and sizes that are not square.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import torch
from diffusers import QwenImagePipeline, StableDiffusion3Pipeline, ZImagePipeline
from safetensors.numpy import save_file

import small_models

PROMPTS = [
    "a red fox on a snowy hill at dawn", "一只橘猫坐在窗台上，窗外下着雨",
    "Ein Leuchtturm, gemalt wie von einem alten Meister, mit vielen kleinen Booten davor",
    "a", "كلب صغير 🐕 in a garden\n\nwith two lines",
]
CASES = [
    dict(kind="qwen-image", count=2, negative=True, guidance=4.0, height=64, width=96, steps=3),
    dict(kind="qwen-image", count=1, negative=False, guidance=1.0, height=96, width=48, steps=5),
    dict(kind="qwen-image", count=3, negative=True, guidance=2.5, height=48, width=48, steps=2),
    dict(kind="z-image", count=3, negative=False, guidance=0.0, height=64, width=48, steps=4),
    dict(kind="z-image", count=2, negative=True, guidance=3.0, height=48, width=96, steps=2),
    dict(kind="z-image", count=1, negative=False, guidance=5.0, height=32, width=64, steps=3,
         cfg_normalization=True, cfg_truncation=0.5),
    dict(kind="sd3", count=2, negative=True, guidance=4.5, height=64, width=48, steps=3),
    dict(kind="sd3", count=1, negative=False, guidance=1.0, height=48, width=96, steps=1,
         max_sequence_length=20),
    dict(kind="sd3", count=3, negative=False, guidance=2.0, height=32, width=32, steps=4, t5=False),
    dict(kind="sd3", count=2, negative=True, guidance=3.0, height=48, width=48, steps=5, further=True,
         dual=[1], skip_guidance_layers=[0, 1], skip_layer_guidance_scale=1.5,
         skip_layer_guidance_start=0.1, skip_layer_guidance_stop=0.7),
]
CLASSES = {"qwen-image": QwenImagePipeline, "z-image": ZImagePipeline, "sd3": StableDiffusion3Pipeline}
# Settings that are given to the published pipeline as they are.
GIVEN = ["cfg_normalization", "cfg_truncation", "max_sequence_length", "skip_guidance_layers",
         "skip_layer_guidance_scale", "skip_layer_guidance_start", "skip_layer_guidance_stop"]


def run(case, folder, seed):
    """Runs a case with diffusers and writes it."""
    generator = torch.Generator().manual_seed(seed)
    model = os.path.join(folder, "model")
    sizes = {name: case[name] for name in ("t5", "dual") if name in case}
    small_models.write(model, case["kind"], seed, heads=2 + seed % 2, layers=2 + seed % 3, **sizes)
    kind = CLASSES[case["kind"]]
    left_out = {} if case.get("t5", True) else {"text_encoder_3": None, "tokenizer_3": None}
    pipeline = kind.from_pretrained(model, torch_dtype=torch.float32, **left_out)
    pipeline.set_progress_bar_config(disable=True)
    start = seed % len(PROMPTS)
    prompts = (PROMPTS + PROMPTS)[start:start + case["count"]]
    negatives = (PROMPTS + PROMPTS)[start + 1:start + 1 + case["count"]] if case["negative"] else None
    channels = 4
    noise = torch.randn(
        (case["count"], channels, case["height"] // 8, case["width"] // 8), generator=generator)
    kept = {}

    def keep(_, step, time, values):
        kept[f"latents_{step}"] = values["latents"].clone()
        return {}

    packed = noise
    if case["kind"] == "qwen-image":
        packed = QwenImagePipeline._pack_latents(
            noise, case["count"], channels, case["height"] // 8, case["width"] // 8)
    settings = dict(
        prompt=list(prompts), negative_prompt=list(negatives) if negatives else None,
        height=case["height"], width=case["width"], num_inference_steps=case["steps"],
        latents=packed, output_type="np", callback_on_step_end=keep)
    if case["kind"] == "qwen-image":
        settings["true_cfg_scale"] = case["guidance"]
    else:
        settings["guidance_scale"] = case["guidance"]
        settings.update({name: case[name] for name in GIVEN if name in case})
    further = {}
    if case.get("further"):
        further = {"prompt_2": prompts[::-1], "prompt_3": negatives, "negative_prompt_2": prompts,
                   "negative_prompt_3": prompts[::-1]}
        settings.update({name: list(texts) for name, texts in further.items()})
    with torch.no_grad():
        images = pipeline(**settings).images
    expected = {name: value.float().numpy() for name, value in kept.items()}
    expected["timesteps"] = pipeline.scheduler.timesteps.float().numpy()
    expected["sigmas"] = pipeline.scheduler.sigmas.float().numpy()
    expected["image_uint8"] = np.round(images * 255).astype(np.uint8)
    config = dict(
        kind="pipeline", cls=kind.__name__, prompts=prompts, negative_prompts=negatives,
        height=case["height"], width=case["width"], num_inference_steps=case["steps"],
        float32_vs_float64_maxabs={name: 1e-4 for name in kept})
    config["true_cfg_scale" if case["kind"] == "qwen-image" else "guidance_scale"] = case["guidance"]
    config.update({name: case[name] for name in GIVEN if name in case})
    config.update({name.replace("prompt", "prompts"): texts for name, texts in further.items()})
    if case["kind"] != "qwen-image":
        # Cases of the others list their runs.
        expected = {f"run0.{name}": value for name, value in expected.items()}
        config["float32_vs_float64_maxabs"] = {
            f"run0.{name}": value for name, value in config["float32_vs_float64_maxabs"].items()}
        config = dict(kind="pipeline", cls=kind.__name__, runs=[
            {name: value for name, value in config.items() if name != "kind"}],
            float32_vs_float64_maxabs=config["float32_vs_float64_maxabs"])
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    name = "noise" if case["kind"] == "qwen-image" else "noise0"
    save_file({name: noise.numpy()}, os.path.join(folder, "inputs.safetensors"))
    save_file(
        {name: np.ascontiguousarray(value) for name, value in expected.items()},
        os.path.join(folder, "expected.safetensors"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twinflow", required=True, help="the program")
    parser.add_argument("--folder", default="out/parity/pipelines")
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(1)
    shutil.rmtree(given.folder, ignore_errors=True)
    for seed in range(given.seeds):
        for number, case in enumerate(CASES):
            folder = os.path.join(given.folder, f"{case['kind']}-{number}-seed{seed}")
            os.makedirs(folder)
            run(case, folder, seed)
    sys.exit(subprocess.run([given.twinflow, "check-golden", given.folder]).returncode)
