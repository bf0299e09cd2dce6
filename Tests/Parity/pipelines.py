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
from diffusers import (QwenImagePipeline, SanaPipeline, SanaSprintPipeline, StableDiffusion3Pipeline,
                       ZImagePipeline)
from diffusers.schedulers import scheduling_scm
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
    dict(kind="sana", count=2, negative=True, guidance=4.5, height=96, width=64, steps=5),
    dict(kind="sana", count=1, negative=False, guidance=1.0, height=64, width=64, steps=16,
         moves_pixels=True),
    dict(kind="sana", count=2, negative=False, guidance=3.0, height=64, width=128, steps=4,
         solver_type="heun", flow_shift=2.0, complex_human_instruction=False),
    dict(kind="sana-sprint", count=2, negative=False, guidance=4.5, height=64, width=96, steps=2,
         max_timesteps=1.5708, intermediate_timesteps=1.3),
    dict(kind="sana-sprint", count=1, negative=False, guidance=2.0, height=96, width=64, steps=4,
         max_timesteps=1.4, intermediate_timesteps=None, moves_pixels=True),
]
CLASSES = {"qwen-image": QwenImagePipeline, "z-image": ZImagePipeline, "sd3": StableDiffusion3Pipeline,
           "sana": SanaPipeline, "sana-sprint": SanaSprintPipeline}
# Settings that are given to the published pipeline as they are.
GIVEN = ["cfg_normalization", "cfg_truncation", "max_sequence_length", "skip_guidance_layers",
         "skip_layer_guidance_scale", "skip_layer_guidance_start", "skip_layer_guidance_stop",
         "max_timesteps", "intermediate_timesteps"]
# Those of the model.
SIZES = ["t5", "dual", "moves_pixels", "solver_type", "flow_shift"]


def run(case, folder, seed):
    """Writes a small model, and runs a case of it."""
    model = os.path.join(folder, "model")
    sizes = {name: case[name] for name in SIZES if name in case}
    small_models.write(model, case["kind"], seed, heads=2 + seed % 2, layers=2 + seed % 3, **sizes)
    run_model(case, folder, seed)


def run_model(case, folder, seed):
    """Runs a case of the model in a folder with diffusers, and writes it."""
    generator = torch.Generator().manual_seed(seed)
    model = os.path.join(folder, "model")
    kind = CLASSES[case["kind"]]
    left_out = {} if case.get("t5", True) else {"text_encoder_3": None, "tokenizer_3": None}
    pipeline = kind.from_pretrained(model, torch_dtype=torch.float32, **left_out)
    pipeline.set_progress_bar_config(disable=True)
    start = seed % len(PROMPTS)
    prompts = (PROMPTS + PROMPTS)[start:start + case["count"]]
    negatives = (PROMPTS + PROMPTS)[start + 1:start + 1 + case["count"]] if case["negative"] else None
    channels = 4
    is_sana = case["kind"].startswith("sana")
    reduction = 32 if is_sana else 8
    shape = (case["count"], channels, case["height"] // reduction, case["width"] // reduction)
    noise = torch.randn(shape, generator=generator)
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
    inputs = {}
    if is_sana:
        settings["use_resolution_binning"] = False
        if not case["negative"]:
            settings.pop("negative_prompt")
        if not case.get("complex_human_instruction", True):
            settings["complex_human_instruction"] = None
    if case["kind"] == "sana-sprint":
        fresh = torch.randn((case["steps"],) + shape, generator=generator)
        inputs["step_noise0"] = fresh.numpy()
        left = iter(fresh)
        scheduling_scm.randn_tensor = lambda *_, **__: next(left)
    further = {}
    if case.get("further"):
        further = {"prompt_2": prompts[::-1], "prompt_3": negatives, "negative_prompt_2": prompts,
                   "negative_prompt_3": prompts[::-1]}
        settings.update({name: list(texts) for name, texts in further.items()})
    with torch.no_grad():
        images = pipeline(**settings).images
    expected = {name: value.float().numpy() for name, value in kept.items()}
    expected["timesteps"] = pipeline.scheduler.timesteps.float().numpy()
    if case["kind"] != "sana-sprint":
        expected["sigmas"] = pipeline.scheduler.sigmas.float().numpy()
    expected["image_uint8"] = np.round(images * 255).astype(np.uint8)
    config = dict(
        kind="pipeline", cls=kind.__name__, prompts=prompts, negative_prompts=negatives,
        height=case["height"], width=case["width"], num_inference_steps=case["steps"],
        float32_vs_float64_maxabs={name: 1e-4 for name in kept})
    config["true_cfg_scale" if case["kind"] == "qwen-image" else "guidance_scale"] = case["guidance"]
    if "complex_human_instruction" in case:
        config["complex_human_instruction"] = case["complex_human_instruction"]
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
    save_file(inputs | {name: noise.numpy()}, os.path.join(folder, "inputs.safetensors"))
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
