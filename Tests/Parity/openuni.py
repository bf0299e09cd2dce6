"""Compares OpenUni with its published code.

    git clone https://github.com/wusize/OpenUni
    python openuni.py OpenUni --twinflow ../../.build/release/twinflow [--folder out/parity] [--seeds 2]

The cases are small models of several sizes with random weights: the published code encodes prompts, with and
without one to lead away from, and makes pictures with the solver. What it makes is written in the form that
`twinflow check-golden` reads: token ids, the features of the connector, every evaluation of SANA, every step and
the pictures. The model's folder is one that `twinflow generate --model` takes, with a checkpoint in the published
form; `twinflow models inspect` has to know it.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import types

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

import small_models
from pipelines import PROMPTS

TEMPLATE = dict(
    IMG_START_TOKEN="<img>", IMG_END_TOKEN="</img>", IMG_CONTEXT_TOKEN="<IMG_CONTEXT>",
    INSTRUCTION="<|im_start|>user\n{input}<|im_end|>\n<|im_start|>assistant\n",
    GENERATION="Generate an image: {input}", CFG="Generate an image.")
CASES = [
    dict(prompts=["a red fox on a snowy hill at dawn", " a\n"], height=96, width=64, steps=4),
    dict(prompts=PROMPTS[1:4], negatives=["dark, blurry"], height=64, width=64, steps=3, guidance=2.5,
         sizes=dict(width=192, queries=5, layers=2)),
    dict(prompts=PROMPTS[4:], height=64, width=128, steps=6, sizes=dict(width=64, queries=16, heads=3)),
]


def published(path):
    """The published class, whose imports for training are empty modules."""
    def module(name, **members):
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)

    module("xtuner")
    module("xtuner.registry", BUILDER=None)
    module("xtuner.model")
    module("xtuner.model.utils", guess_load_checkpoint=None)
    module("mmengine")
    module("mmengine.model", BaseModel=nn.Module)
    module("mmengine.logging", print_log=print)
    sys.path.insert(0, path)
    from src.models.connector import ConnectorConfig, ConnectorEncoder
    from src.models.openuni.internvl3_sana_hf import OpenUniInternVL3SANAHF
    return OpenUniInternVL3SANAHF, ConnectorConfig, ConnectorEncoder


def assembled(classes, parts):
    """The published model with the parts of a small one, without its code for opening published files."""
    model_class, config_class, connector_class = classes
    model = model_class.__new__(model_class)
    nn.Module.__init__(model)
    model.lmm = nn.Module()
    model.lmm.language_model = parts["language_model"]
    pipeline = parts["sana"]
    own = parts["connector"]
    width = parts["meta_queries"].shape[1]
    config = config_class(
        hidden_size=width, intermediate_size=own.layers[0].mlp["fc1"].out_features,
        num_hidden_layers=len(own.layers), num_attention_heads=own.layers[0].heads)
    config._attn_implementation = "eager"
    model.connector = connector_class(config)
    model.connector.load_state_dict(own.state_dict())
    x = torch.randn(2, 5, width)
    difference = (model.connector(x) - own(x)).abs().max()
    assert difference < 1e-5, f"the connector here differs by {difference}"
    model.projector, model.meta_queries = parts["projector"], nn.Parameter(parts["meta_queries"])
    model.transformer, model.vae = pipeline.transformer, pipeline.vae
    model.test_scheduler, model.tokenizer = pipeline.scheduler, parts["tokenizer"]
    model.tokenizer.padding_side = "right"
    model.prompt_template, model.proj_type = TEMPLATE, "enc_proj"
    model.num_queries = len(parts["meta_queries"])
    return model.eval()


def run(case, folder, seed, classes):
    """Runs a case with the published code and writes it."""
    torch.manual_seed(seed)
    place = os.path.join(folder, "model")
    generator = torch.Generator().manual_seed(seed)
    parts = small_models.write_openuni(place, generator, False, torch.bfloat16, **case.get("sizes", {}))
    model = assembled(classes, parts)
    count, guidance = len(case["prompts"]), case.get("guidance", 4.5)
    template = lambda text: TEMPLATE["INSTRUCTION"].format(input=text) + TEMPLATE["IMG_START_TOKEN"]
    texts = [template(TEMPLATE["GENERATION"].format(input=text.strip())) for text in case["prompts"]]
    negative = case.get("negatives")
    none = TEMPLATE["GENERATION"].format(input=negative[0].strip()) if negative else TEMPLATE["CFG"]
    inputs = model.tokenizer(
        texts + count * [template(none)], add_special_tokens=True, return_tensors="pt", padding=True)
    # For one prompt the published code makes the same texts.
    one = model.prepare_text_conditions(case["prompts"][0], negative[0] if negative else None)
    for ids, mask, row in zip(one["input_ids"], one["attention_mask"], [0, count]):
        assert ids[mask].tolist() == inputs["input_ids"][row][inputs["attention_mask"][row] == 1].tolist()
    kept, features = {}, []
    forward, step = model.llm2dit, model.test_scheduler.step
    model.llm2dit = lambda x: features.append(forward(x)) or features[-1]

    def keep(output, time, sample, **settings):
        number = sum(name.startswith("latents_") for name in kept)
        result = step(output, time, sample, **settings)
        kept[f"latents_{number}"] = result[0].clone()
        return result

    def call(_, given, settings, output):
        number = sum(name.endswith(".out") for name in kept)
        x = given[0] if given else settings["hidden_states"]
        kept[f"call{number}.x"], kept[f"call{number}.out"] = x.clone(), output[0].clone()
        kept[f"call{number}.t"] = settings["timestep"].float().clone()

    model.test_scheduler.step = keep
    hook = model.transformer.register_forward_hook(call, with_kwargs=True)
    shape = (count, 4, case["height"] // 32, case["width"] // 32)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        samples = model.generate(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], cfg_scale=guidance,
            num_steps=case["steps"], generator=torch.Generator().manual_seed(seed),
            height=case["height"], width=case["width"], progress_bar=False)
    hook.remove()
    text, mask = features[0], torch.ones(count, features[0].shape[1])
    rows = inputs["attention_mask"][:count].bool()
    longest = int(rows.sum(1).max())
    expected = {name: value.float().numpy() for name, value in kept.items()} | {
        "prompt_embeds": text[:count].numpy(), "negative_prompt_embeds": text[count:].numpy(),
        "prompt_attention_mask": mask.numpy(), "negative_prompt_attention_mask": mask.numpy(),
        "input_ids_unpadded": inputs["input_ids"][:count, :longest].float().numpy(),
        "input_ids_mask": rows[:, :longest].float().numpy(),
        "timesteps": model.test_scheduler.timesteps.float().numpy(),
        "sigmas": model.test_scheduler.sigmas.float().numpy(), "decoded": samples.numpy(),
        "image_uint8": torch.clamp(127.5 * samples + 128, 0, 255).to(torch.uint8)
        .permute(0, 2, 3, 1).numpy()}
    expected = {f"run0.{name}": np.ascontiguousarray(value) for name, value in expected.items()}
    one_run = dict(
        cls="OpenUniPipeline", prompts=case["prompts"], negative_prompts=negative,
        height=case["height"], width=case["width"], num_inference_steps=case["steps"],
        guidance_scale=guidance)
    config = dict(
        kind="pipeline", cls="OpenUniPipeline", runs=[one_run],
        float32_vs_float64_maxabs={
            name: 1e-4 for name, value in expected.items() if value.dtype == np.float32})
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    save_file({"noise0": noise.numpy()}, os.path.join(folder, "inputs.safetensors"))
    save_file(expected, os.path.join(folder, "expected.safetensors"))
    return place


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clone", help="a clone of the published code")
    parser.add_argument("--twinflow", required=True, help="the program")
    parser.add_argument("--folder", default="out/parity/openuni")
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(1)
    classes = published(given.clone)
    shutil.rmtree(given.folder, ignore_errors=True)
    for seed in range(given.seeds):
        for number, case in enumerate(CASES):
            folder = os.path.join(given.folder, f"openuni-{number}-seed{seed}")
            os.makedirs(folder)
            place = run(case, folder, seed, classes)
            seen = subprocess.run(
                [given.twinflow, "models", "inspect", place], check=True, capture_output=True, text=True).stdout
            assert "OpenUni" in seen and "cannot" not in seen, seen
    sys.exit(subprocess.run([given.twinflow, "check-golden", given.folder]).returncode)
