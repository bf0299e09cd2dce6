"""PyTorch's side of the measurements on a GPU; prints one JSON line for each thing measured."""

import argparse
import json
import pathlib
import sys
import time

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "pytorch"))

import torch
from torch.utils.checkpoint import checkpoint

import networks
import steps

# Width, blocks, heads, whether activations are computed again.
SIZES = {
    "tiny": (64, 2, 2, False), "130m": (768, 12, 12, False), "1b": (1536, 24, 12, True),
    "6b": (3072, 36, 24, True),
}


def emit(**facts):
    print(json.dumps(facts), flush=True)


def finish(device):
    if device == "cuda":
        torch.cuda.synchronize()


def timed(run, count, warmup, device, **facts):
    for index in range(-warmup, count):
        finish(device)
        start = time.perf_counter()
        run()
        finish(device)
        if index >= 0:
            emit(step=index, seconds=time.perf_counter() - start, **facts)


class Recomputed(torch.nn.Module):
    """A block whose activations are computed again for the gradient."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x, condition):
        if torch.is_grad_enabled():
            return checkpoint(self.block, x, condition, use_reentrant=False)
        return self.block(x, condition)


class Half(torch.nn.Module):
    """A network that computes in bf16 with weights in f32."""

    def __init__(self, network, device):
        super().__init__()
        self.network, self.device = network, device

    def forward(self, x, t, tt, label):
        with torch.autocast(self.device, torch.bfloat16):
            return self.network(x, t, tt, label).float()


def product(options):
    a, b = (torch.randn(options.size_, options.size_, device=options.device).bfloat16() for _ in "ab")
    timed(lambda: a @ b, 10, 3, options.device)


def step(options):
    width, depth, heads, recomputed = SIZES[options.size]
    side = int(options.tokens**0.5) * 2
    with torch.device(options.device):
        network = networks.DiT(
            side=side, patch=2, width=width, depth=depth, heads=heads, channels=16)
        if recomputed:
            network.blocks = torch.nn.ModuleList(Recomputed(block) for block in network.blocks)
        network = Half(network, options.device)
        work = steps.SplitStep(network, learning_rate=1e-5, fused=options.device == "cuda")
        if options.live:
            work.average.network = network
            work.average.follow = lambda network: None
        if options.compile:
            work.network = torch.compile(network)
            work.average.network = work.network if options.live else torch.compile(
                work.average.network)
        images = torch.randn(options.batch, 16, side, side)
        labels = torch.arange(options.batch) % 10
    timed(lambda: work(images, labels), options.steps, 3, options.device)
    if options.device == "cuda":
        emit(peak_bytes=torch.cuda.max_memory_allocated())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    works = parser.add_subparsers(required=True)
    part = works.add_parser("product")
    part.add_argument("--size", dest="size_", type=int, required=True)
    part.set_defaults(run=product)
    part.add_argument("--device", required=True)
    part = works.add_parser("step")
    part.add_argument("--size", choices=SIZES, required=True)
    part.add_argument("--tokens", type=int, required=True)
    part.add_argument("--batch", type=int, required=True)
    part.add_argument("--steps", type=int, default=8)
    part.add_argument("--compile", action="store_true")
    part.add_argument("--live", action="store_true", help="no average: the target is the network")
    part.add_argument("--device", required=True)
    part.set_defaults(run=step)
    options = parser.parse_args()
    torch.manual_seed(0)
    emit(device=torch.cuda.get_device_name() if options.device == "cuda" else "CPU")
    options.run(options)


if __name__ == "__main__":
    main()
