"""Compares SiT with its published code.

    git clone https://github.com/willisma/SiT
    python sit.py SiT --twinflow ../../.build/release/twinflow [--folder out/parity] [--seeds 3]

The cases are small networks of several sizes with random weights: their velocities at several times, with
and without a class, in f32, and the difference from f64. The weights are also written as the published ones
are, a `.pt` file, of which `twinflow models inspect` has to know the network.
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
from safetensors.torch import save_file
from torch import nn

SIZES = [
    dict(input_size=8, patch_size=2, hidden_size=16, depth=2, num_heads=2, num_classes=10),
    dict(input_size=8, patch_size=4, hidden_size=48, depth=3, num_heads=3, num_classes=3, mlp_ratio=2.0,
         learn_sigma=False),
    dict(input_size=6, patch_size=1, hidden_size=64, depth=1, num_heads=8, num_classes=7, in_channels=3),
]
TIMES = dict(a=0.0, b=0.3, c=1.0)


class PatchEmbed(nn.Module):
    """The published code takes this layer from timm: a convolution, then tokens row by row."""

    def __init__(self, size, patch, channels, width, bias=True):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch, bias=bias)
        self.patch_size, self.num_patches = (patch, patch), (size // patch) ** 2

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """timm's attention: one map to queries, keys and values."""

    def __init__(self, width, num_heads=8, qkv_bias=False, **_):
        super().__init__()
        self.heads = num_heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Mlp(nn.Module):
    """timm's MLP."""

    def __init__(self, in_features, hidden_features, act_layer, **_):
        super().__init__()
        self.fc1, self.act = nn.Linear(in_features, hidden_features), act_layer()
        self.fc2 = nn.Linear(hidden_features, in_features)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


def published(folder):
    """The class of the published code."""
    layers = types.ModuleType("timm.models.vision_transformer")
    layers.PatchEmbed, layers.Attention, layers.Mlp = PatchEmbed, Attention, Mlp
    for name in ("timm", "timm.models"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules[layers.__name__] = layers
    sys.path.insert(0, folder)
    from models import SiT
    return SiT


def case(folder, kind, sizes, seed):
    """Writes a case, and the weights as a `.pt` file beside it."""
    torch.manual_seed(seed)
    network = kind(**sizes).eval()
    for name, weight in network.named_parameters():
        # The published initial values make most of the network's output 0.
        if name != "pos_embed":
            nn.init.normal_(weight, std=0.1 if weight.ndim > 1 else 0.05)
    channels, size = sizes.get("in_channels", 4), sizes["input_size"]
    latents = torch.randn(3, channels, size, size)
    labels = torch.tensor([0, sizes["num_classes"] - 1, sizes["num_classes"]])
    inputs, expected, difference = dict(latents=latents, labels=labels.int()), {}, 0.0
    exact = kind(**sizes).double().eval()
    exact.load_state_dict(network.double().state_dict())
    network.float()
    # The features of times are f32 in the published code.
    exact.t_embedder.mlp.register_forward_pre_hook(lambda _, given: (given[0].double(),))
    with torch.no_grad():
        for name, time in TIMES.items():
            times = torch.full([3], time)
            inputs[f"t_{name}"] = times
            expected[f"raw_{name}"] = network(latents, times, labels)
            wide = exact(latents.double(), times.double(), labels)
            difference = max(difference, (expected[f"raw_{name}"] - wide).abs().max().item())
    config = dict(
        kind="transformer", name=os.path.basename(folder), cls="SiTModel",
        model_config=dict(
            size=size, channels=channels, patch=sizes["patch_size"], width=sizes["hidden_size"],
            depth=sizes["depth"], heads=sizes["num_heads"], mlp_ratio=int(sizes.get("mlp_ratio", 4)),
            classes=sizes["num_classes"], learn_sigma=sizes.get("learn_sigma", True)),
        float32_vs_float64_maxabs=f"{difference:.1e}")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "model"))
    for place, content in (("", config), ("model", config["model_config"])):
        with open(os.path.join(folder, place, "config.json"), "w") as file:
            json.dump(content, file, indent=1)
    contiguous = lambda arrays: {name: array.contiguous() for name, array in arrays.items()}
    save_file(contiguous(inputs), os.path.join(folder, "inputs.safetensors"))
    save_file(contiguous(expected), os.path.join(folder, "expected.safetensors"))
    save_file(
        contiguous(network.state_dict()),
        os.path.join(folder, "model", "diffusion_pytorch_model.safetensors"))
    torch.save(network.state_dict(), os.path.join(folder, "weights.pt"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sit", help="a clone of the published code")
    parser.add_argument("--twinflow", required=True)
    parser.add_argument("--folder", default="out/parity")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    kind = published(options.sit)
    failed = 0
    for seed in range(options.seeds):
        for number, sizes in enumerate(SIZES):
            folder = os.path.join(options.folder, f"tr_sit_{number}_{seed}")
            case(folder, kind, sizes, seed)
            failed += subprocess.run([options.twinflow, "check-golden", folder]).returncode != 0
            weights = os.path.join(folder, "weights.pt")
            found = subprocess.run(
                [options.twinflow, "models", "inspect", weights], capture_output=True, text=True)
            if found.returncode != 0 or "sit" not in found.stdout.lower():
                print(f"{weights} is not recognized: {found.stdout}{found.stderr}")
                failed += 1
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
