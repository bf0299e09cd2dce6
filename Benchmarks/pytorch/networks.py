"""The networks of the benchmark: the tutorial's U-Net and a small diffusion transformer."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def time_layers(width):
    return nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width))


class TutorialUNet(nn.Module):
    """The published tutorial's U-Net for 28 x 28 gray images, conditioned once at its bottom."""

    def __init__(self, hidden=64, time_width=64, label_width=64, classes=10):
        super().__init__()
        self.time = time_layers(time_width)
        self.target_time = time_layers(time_width)
        self.label = nn.Embedding(classes, label_width)
        self.condition = nn.Linear(2 * time_width + label_width, 4 * hidden)

        self.down1 = nn.Conv2d(1, hidden, 3, padding=1)
        self.down1_half = nn.Conv2d(hidden, hidden, 4, stride=2, padding=1)
        self.down2 = nn.Conv2d(hidden, 2 * hidden, 3, padding=1)
        self.down2_half = nn.Conv2d(2 * hidden, 2 * hidden, 4, stride=2, padding=1)
        self.bottom = nn.Conv2d(2 * hidden, 4 * hidden, 3, padding=1)
        self.up1_double = nn.ConvTranspose2d(6 * hidden, 2 * hidden, 4, stride=2, padding=1)
        self.up1 = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1)
        self.up2_double = nn.ConvTranspose2d(3 * hidden, hidden, 4, stride=2, padding=1)
        self.up2 = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.output = nn.Conv2d(hidden, 1, 3, padding=1)

    def forward(self, x, t, tt, label):
        times = [self.time(t.reshape(-1, 1)), self.target_time(tt.reshape(-1, 1))]
        condition = self.condition(torch.cat([*times, self.label(label)], dim=1))

        half = self.down1_half(F.relu(self.down1(x)))
        quarter = self.down2_half(F.relu(self.down2(F.relu(half))))
        bottom = self.bottom(F.relu(quarter)) + condition[:, :, None, None]

        up = self.up1(F.relu(self.up1_double(torch.cat([bottom, quarter], dim=1))))
        up = self.up2(F.relu(self.up2_double(F.relu(torch.cat([up, half], dim=1)))))
        return x - self.output(up)


def sinusoids(t, width=256, scale=1000.0):
    """Cosines, then sines, of a batch of times at width / 2 frequencies from 1 down to 1e-4."""
    half = width // 2
    frequency = torch.exp(-math.log(10000.0) * torch.arange(half, device=t.device) / half)
    angle = scale * t.reshape(-1, 1) * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=1)


def grid_positions(side, width):
    """The fixed embedding of a square grid: sines and cosines of the row, then of the column."""
    frequency = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angle = torch.arange(side, dtype=torch.float64)[:, None] * frequency
    line = torch.cat([angle.sin(), angle.cos()], dim=1)
    rows = line[:, None, :].expand(side, side, -1)
    columns = line[None, :, :].expand(side, side, -1)
    return torch.cat([rows, columns], dim=2).reshape(side * side, width).float()


class TimeEmbedder(nn.Module):
    def __init__(self, width, frequencies=256):
        super().__init__()
        self.first = nn.Linear(frequencies, width)
        self.second = nn.Linear(width, width)

    def forward(self, t):
        return self.second(F.silu(self.first(sinusoids(t, self.first.in_features))))


def modulated(x, shift, scale):
    normal = F.layer_norm(x, x.shape[-1:], eps=1e-6)
    return normal * (1 + scale[:, None]) + shift[:, None]


def zero_linear(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class Block(nn.Module):
    def __init__(self, width, heads, ratio):
        super().__init__()
        self.heads = heads
        self.modulation = zero_linear(width, 6 * width)
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.mlp_in = nn.Linear(width, ratio * width)
        self.mlp_out = nn.Linear(ratio * width, width)

    def attention(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.projection(mixed.transpose(1, 2).reshape(batch, tokens, width))

    def forward(self, x, condition):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(condition).chunk(6, dim=1)
        x = x + gate1[:, None] * self.attention(modulated(x, shift1, scale1))
        hidden = F.gelu(self.mlp_in(modulated(x, shift2, scale2)), approximate="tanh")
        return x + gate2[:, None] * self.mlp_out(hidden)


class DiT(nn.Module):
    """A class-conditional diffusion transformer with a second embedder for the target time.

    The class after the last one is "no class".
    """

    def __init__(
        self, side=28, patch=2, width=192, depth=6, heads=3, ratio=4, classes=10, channels=1):
        super().__init__()
        self.patch, self.channels = patch, channels
        self.grid = side // patch
        self.embed = nn.Linear(patch * patch * channels, width)
        self.time = TimeEmbedder(width)
        self.target_time = TimeEmbedder(width)
        self.label = nn.Embedding(classes + 1, width)
        self.blocks = nn.ModuleList(Block(width, heads, ratio) for _ in range(depth))
        self.final_modulation = zero_linear(width, 2 * width)
        self.output = zero_linear(width, patch * patch * channels)
        self.register_buffer("positions", grid_positions(self.grid, width), persistent=False)
        for embedding in (self.time.first, self.time.second, self.label):
            nn.init.normal_(embedding.weight, std=0.02)

    def tokens(self, x):
        g, p, c = self.grid, self.patch, self.channels
        return x.reshape(-1, c, g, p, g, p).permute(0, 2, 4, 3, 5, 1).reshape(-1, g * g, p * p * c)

    def image(self, tokens):
        g, p, c = self.grid, self.patch, self.channels
        pixels = tokens.reshape(-1, g, g, p, p, c).permute(0, 5, 1, 3, 2, 4)
        return pixels.reshape(-1, c, g * p, g * p)

    def forward(self, x, t, tt, label):
        t, tt = t.reshape(-1), tt.reshape(-1)
        times = self.time(t) + self.target_time(tt) * (t - tt)[:, None]
        condition = F.silu(times + self.label(label))
        x = self.embed(self.tokens(x)) + self.positions
        for block in self.blocks:
            x = block(x, condition)
        shift, scale = self.final_modulation(condition).chunk(2, dim=1)
        return self.image(self.output(modulated(x, shift, scale)))


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, groups=32):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.convolution1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.convolution2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        h = self.convolution1(F.silu(self.norm1(x)))
        return self.shortcut(x) + self.convolution2(F.silu(self.norm2(h)))


class ImageDecoder(nn.Module):
    """Latents of 16 channels to pictures of eight times their size."""

    def __init__(self, widths=(512, 512, 256, 128), blocks=3):
        super().__init__()
        parts = [nn.Conv2d(16, widths[0], 3, padding=1)]
        parts += [ResidualBlock(widths[0], widths[0]) for _ in range(2)]
        width = widths[0]
        for level, own in enumerate(widths):
            for _ in range(blocks):
                parts.append(ResidualBlock(width, own))
                width = own
            if level < len(widths) - 1:
                parts += [nn.Upsample(scale_factor=2), nn.Conv2d(own, own, 3, padding=1)]
        parts += [nn.GroupNorm(32, width), nn.SiLU(), nn.Conv2d(width, 3, 3, padding=1)]
        self.parts = nn.Sequential(*parts)

    def forward(self, x):
        return self.parts(x)


class CausalConv(nn.Module):
    """A convolution of the only frame of a video, after zeros in place of earlier frames.

    With kernels of one step in time it is a convolution of an image.
    """

    def __init__(self, inputs, outputs, size, taps):
        super().__init__()
        self.taps = taps if size > 1 else 1
        self.is_video = taps > 1
        kind = nn.Conv3d if self.is_video else nn.Conv2d
        kernel = (self.taps, size, size) if self.is_video else size
        padding = (0, size // 2, size // 2) if self.is_video else size // 2
        self.convolution = kind(inputs, outputs, kernel, padding=padding)

    def forward(self, x):
        return self.convolution(F.pad(x, (0, 0, 0, 0, self.taps - 1, 0)) if self.is_video else x)


class ChannelNorm(nn.Module):
    def __init__(self, width, axes):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(width, *[1] * axes))

    def forward(self, x):
        return F.normalize(x, dim=1) * x.shape[1] ** 0.5 * self.factor


class FrameResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, taps):
        super().__init__()
        axes = 3 if taps > 1 else 2
        self.norm1, self.norm2 = ChannelNorm(inputs, axes), ChannelNorm(outputs, axes)
        self.convolution1 = CausalConv(inputs, outputs, 3, taps)
        self.convolution2 = CausalConv(outputs, outputs, 3, taps)
        self.shortcut = nn.Identity() if inputs == outputs else CausalConv(inputs, outputs, 1, taps)

    def forward(self, x):
        h = self.convolution1(F.silu(self.norm1(x)))
        return self.shortcut(x) + self.convolution2(F.silu(self.norm2(h)))


class FrameAttention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = ChannelNorm(width, 2)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.projection = nn.Conv2d(width, width, 1)

    def forward(self, x):
        image = x.flatten(1, 2) if x.dim() == 5 else x
        qkv = self.qkv(self.norm(image)).flatten(2).transpose(1, 2).unsqueeze(1).contiguous()
        mixed = F.scaled_dot_product_attention(*qkv.chunk(3, dim=-1))
        mixed = mixed.squeeze(1).transpose(1, 2).reshape(image.shape)
        return x + self.projection(mixed).reshape(x.shape)


class FrameUpsample(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.convolution = nn.Conv2d(width, width // 2, 3, padding=1)

    def forward(self, x):
        image = x.flatten(1, 2) if x.dim() == 5 else x
        image = self.convolution(F.interpolate(image, scale_factor=2.0, mode="nearest-exact"))
        return image.unsqueeze(2) if x.dim() == 5 else image


class FrameDecoder(nn.Module):
    """Qwen-Image's decoder of latents of 16 channels, on one frame of a video.

    With kernels of one step in time, which is all that reaches the only frame, it decodes images.
    """

    def __init__(self, widths=(384, 384, 192, 96), blocks=3, taps=3):
        super().__init__()
        parts = [CausalConv(16, 16, 1, taps), CausalConv(16, widths[0], 3, taps)]
        parts += [FrameResidualBlock(widths[0], widths[0], taps), FrameAttention(widths[0])]
        parts += [FrameResidualBlock(widths[0], widths[0], taps)]
        width = widths[0]
        for level, own in enumerate(widths):
            for _ in range(blocks):
                parts.append(FrameResidualBlock(width, own, taps))
                width = own
            if level < len(widths) - 1:
                parts.append(FrameUpsample(own))
                width = own // 2
        parts += [ChannelNorm(width, 3 if taps > 1 else 2), nn.SiLU()]
        parts.append(CausalConv(width, 3, 3, taps))
        self.parts = nn.Sequential(*parts)

    def forward(self, x):
        return self.parts(x)
