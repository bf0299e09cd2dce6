"""The PyTorch loop of the benchmark: class folders through a DataLoader into the step of TwinFlow.

usage: peer.py FOLDER --steps 40 [--compile]; prints JSON
"""

import argparse
import glob
import json
import os
import sys
import time

import numpy
import torch
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pytorch"))
import networks
import steps


class ClassFolders(torch.utils.data.Dataset):
    """Pictures brought to 64², within ±1, with the index of their folder."""

    def __init__(self, folder):
        names = sorted(os.listdir(folder))
        self.files = [
            (path, number) for number, name in enumerate(names)
            for path in sorted(glob.glob(f"{folder}/{name}/*.jpg"))]

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        path, number = self.files[index]
        image = Image.open(path).convert("RGB").resize((64, 64), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1)
        return pixels.float() / 127.5 - 1, number


def endless(loader):
    while True:
        yield from loader


parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--steps", type=int, default=40)
parser.add_argument("--workers", type=int, default=2)
parser.add_argument("--compile", action="store_true")
options = parser.parse_args()
torch.set_num_threads(2)
torch.manual_seed(0)
loader = torch.utils.data.DataLoader(
    ClassFolders(options.folder), batch_size=64, shuffle=True, drop_last=True,
    num_workers=options.workers, persistent_workers=True, prefetch_factor=2)
step = steps.SplitStep(networks.DiT(side=64, patch=8, channels=3))
if options.compile:
    step.network = torch.compile(step.network)
    step.average.network = torch.compile(step.average.network)
batches = endless(loader)
warmup = 5
waited, start = 0.0, 0.0
for number in range(warmup + options.steps):
    if number == warmup:
        waited, start = 0.0, time.perf_counter()
    before = time.perf_counter()
    x, label = next(batches)
    waited += time.perf_counter() - before
    step(x, label)
seconds = time.perf_counter() - start
print(json.dumps({"samples_per_second": 64 * options.steps / seconds, "data_wait": waited / seconds}))
