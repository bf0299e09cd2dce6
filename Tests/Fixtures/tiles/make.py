"""Computes what the tests of tiles compare with, by diffusers' tiled coding, on one thread in f32.

The models are those of ../golden. Images and latents are stored with the channels last, latents as
diffusion models have them.
"""

import pathlib

import torch
from diffusers import AutoencoderKL, AutoencoderKLQwenImage
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
# Tiles of 32 pixels that start every 24; heights and widths leave smaller tiles at the edges.
HEIGHT, WIDTH = 88, 60


def channels_last(x):
    return x.permute(0, 2, 3, 1).contiguous()


@torch.no_grad()
def kl():
    model = AutoencoderKL.from_pretrained(HERE / "../golden/ae_kl16/model").eval()
    scale, shift = model.config.scaling_factor, model.config.shift_factor
    model.enable_tiling()
    assert model.tile_sample_min_size == 32
    image = torch.rand(2, 3, HEIGHT, WIDTH) * 2 - 1
    mean = model.encode(image).latent_dist.mean
    latents = torch.randn(2, 16, HEIGHT // 4, WIDTH // 4)
    decoded = model.decode(latents / scale + shift).sample
    return image, (mean - shift) * scale, latents, decoded


@torch.no_grad()
def qwenimage():
    model = AutoencoderKLQwenImage.from_pretrained(HERE / "../golden/ae_qwenimage/model").eval()
    means = torch.tensor(model.config.latents_mean).reshape(1, -1, 1, 1, 1)
    deviations = torch.tensor(model.config.latents_std).reshape(1, -1, 1, 1, 1)
    model.enable_tiling(32, 32, 24, 24)
    image = torch.rand(2, 3, 1, HEIGHT, WIDTH) * 2 - 1
    mean = model.encode(image).latent_dist.mean
    latents = torch.randn(2, 4, 1, HEIGHT // 4, WIDTH // 4)
    decoded = model.decode(latents * deviations + means).sample
    frames = image, (mean - means) / deviations, latents, decoded
    return [frame[:, :, 0] for frame in frames]


torch.set_num_threads(1)
torch.manual_seed(7)
for name, arrays in {"ae_kl16": kl(), "ae_qwenimage": qwenimage()}.items():
    names = ["image", "encoded", "latents", "decoded"]
    file = HERE / f"{name}.safetensors"
    save_file({n: channels_last(x) for n, x in zip(names, arrays)}, file)
    print(file.name, file.stat().st_size, [tuple(x.shape) for x in arrays])
