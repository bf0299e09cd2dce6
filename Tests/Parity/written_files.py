"""Reads with diffusers and PEFT what training has written.

    python written_files.py --twinflow ../../.build/release/twinflow [--kinds sana sd3] [--folder out/parity]

A small random model of each kind is trained for two steps: all weights, exported as a whole model, and LoRA. Then
diffusers
- opens the model, and makes a picture from the same noise as this program (`twinflow check-golden`);
- opens a transformer with a second time embedder, of which it leaves that out and misses nothing;
- puts on the LoRA, with an adapter for each module of the file, and computes what the base does with the product
  of the factors added to its weights.
"""
import argparse
import os
import shutil
import subprocess

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import pipelines
import small_models

# The layers of LoRA, the second time embedder, and a case for diffusers' pipeline.
KINDS = {
    "qwen-image": ("qwen_image", ["attn", "img_mlp"], "time_text_embed_2.", dict(guidance=2.0, size=16)),
    "z-image": ("z_image", ["attention", "feed_forward"], "t_embedder_2.", dict(guidance=0.0, size=16)),
    "sd3": ("sd3", ["attn", "attn2", "time_text_embed"], "time_text_embed_2.", dict(guidance=2.0, size=16)),
    "sana": ("sana", ["attn1", "attn2", "ff", "time_embed"], "time_embed_2.", dict(guidance=2.0, size=32)),
}


def pictures(folder):
    """Four pictures with captions."""
    os.makedirs(folder)
    generator = np.random.default_rng(1)
    for number in range(4):
        pixels = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(os.path.join(folder, f"{number}.png"))
        with open(os.path.join(folder, f"{number}.txt"), "w") as file:
            file.write(f"a fox, number {number}\n")


def train(twinflow, folder, name, kind, model, data, preset, further=""):
    """A run of two steps; its folder."""
    output = os.path.join(folder, name)
    recipe = output + ".yaml"
    with open(recipe, "w") as file:
        file.write(f"""\
model: {{kind: {kind}}}
objective: {{preset: {preset}}}
start: {model}
data: {{kind: images, folder: {data}, size: [64, 64]}}
optimizer: {{kind: adamw, learning_rate: 1e-2, max_grad_norm: 1}}
batch: 4
steps: 2
seed: 5
output: {output}
{further}
""")
    subprocess.run([twinflow, "train", recipe], check=True, stdout=subprocess.DEVNULL)
    return output


def check_whole(twinflow, kind, run, folder, case):
    """The exported model in diffusers and here."""
    model = os.path.join(folder, "whole", "model")
    os.makedirs(os.path.dirname(model))
    subprocess.run([twinflow, "export", run, model, "--whole", "--dtype", "f32"], check=True)
    side = 3 * case["size"]
    pipelines.run_model(
        dict(kind=kind, count=1, negative=False, guidance=case["guidance"], height=side, width=side, steps=2),
        os.path.dirname(model), 0)
    subprocess.run([twinflow, "check-golden", os.path.dirname(model)], check=True)


def check_second(network, run, second):
    """A transformer with a second time embedder in diffusers."""
    path = os.path.join(run, "transformer")
    opened, info = network.from_pretrained(path, output_loading_info=True, torch_dtype=torch.float32)
    unexpected = info["unexpected_keys"]
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    assert unexpected and all(name.startswith(second) for name in unexpected), unexpected
    weights = load_file(os.path.join(path, "diffusion_pytorch_model.safetensors"))
    for name, value in opened.state_dict().items():
        assert torch.equal(value, weights[name].float()), name
    print(f"  diffusers opens the transformer without {len(unexpected)} arrays of {second}*")


def outputs(pipeline, inputs):
    """Every output of the transformer in a run of the pipeline."""
    found = []

    def keep(_, __, output):
        first = output[0] if isinstance(output, tuple) else output.sample
        found.extend(value.clone() for value in (first if isinstance(first, list) else [first]))

    hook = pipeline.transformer.register_forward_hook(keep)
    with torch.no_grad():
        pipeline(**inputs, generator=torch.Generator().manual_seed(1), output_type="latent")
    hook.remove()
    return found


def check_lora(kind, run, model, case):
    """LoRA in diffusers, beside the same added to the weights by hand."""
    path = os.path.join(run, "adapter.safetensors")
    open_model = lambda: pipelines.CLASSES[kind].from_pretrained(model, torch_dtype=torch.float32)
    adapted, merged = open_model(), open_model()
    # The schedule of one step is not a number where it is shifted to a last time.
    inputs = dict(prompt="a fox", num_inference_steps=2, height=3 * case["size"], width=3 * case["size"])
    inputs["true_cfg_scale" if kind == "qwen-image" else "guidance_scale"] = case["guidance"]
    if kind == "sana":
        inputs["use_resolution_binning"] = False
    for pipeline in (adapted, merged):
        pipeline.set_progress_bar_config(disable=True)
    before = outputs(merged, inputs)
    adapted.load_lora_weights(path)
    factors = load_file(path)
    modules = sorted({name[:-len(".lora_A.weight")] for name in factors if name.endswith(".lora_A.weight")})
    layers = dict(merged.transformer.named_modules())
    adapters = [name for name, layer in adapted.transformer.named_modules() if hasattr(layer, "lora_A")]
    assert len(adapters) == len(modules), f"{len(adapters)} adapters for {len(modules)} modules"
    for module in modules:
        down, up = factors[f"{module}.lora_A.weight"], factors[f"{module}.lora_B.weight"]
        weight = layers[module.removeprefix("transformer.")].weight
        product = up.flatten(1).float() @ down.flatten(1).float()
        # The scale is in the factors: alpha is the rank.
        weight.data += product.view(weight.shape)
    after, expected = outputs(adapted, inputs), outputs(merged, inputs)
    for own, other, base in zip(after, expected, before):
        assert not torch.equal(own, base), "LoRA has no effect in diffusers"
        difference = ((own - other).norm() / other.norm()).item()
        assert difference < 1e-4, f"LoRA differs by {difference} in diffusers"
    print(f"  diffusers puts on LoRA of {len(modules)} modules")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twinflow", required=True, help="the program")
    parser.add_argument("--folder", default="out/parity/written")
    parser.add_argument("--kinds", nargs="+", choices=sorted(KINDS), default=sorted(KINDS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    shutil.rmtree(given.folder, ignore_errors=True)
    data = os.path.join(given.folder, "data")
    pictures(data)
    for kind in given.kinds:
        print(f"{kind}:", flush=True)
        name, layers, second, case = KINDS[kind]
        folder = os.path.join(given.folder, kind)
        model = os.path.join(folder, "model")
        small_models.write(model, kind, 3)
        train_run = lambda *rest: train(given.twinflow, folder, rest[0], name, model, data, *rest[1:])
        check_whole(given.twinflow, kind, train_run("full", "flow-matching"), folder, case)
        network = type(pipelines.CLASSES[kind].from_pretrained(model).transformer)
        check_second(network, train_run("twin", "twinflow"), second)
        lora = f"lora: {{rank: 2, alpha: 3, layers: [{', '.join(layers)}]}}"
        check_lora(kind, train_run("lora", "twinflow-lora-2", lora), model, case)
