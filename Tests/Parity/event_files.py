#!/usr/bin/env python3
"""Reads the event files of a run with TensorBoard's own reader, and compares them with the run's log and
sample grids."""

import argparse
import glob
import json
import os
import struct

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("run", help="the folder of a run")
run = parser.parse_args().run

events = EventAccumulator(run, size_guidance={"scalars": 0, "images": 0})
events.Reload()
tags = events.Tags()
groups = {
    "loss": "loss/total", "gradient_norm": "optimizer/gradient_norm",
    "learning_rate": "optimizer/learning_rate", "images_per_second": "speed/images_per_second",
    "peak_share": "speed/peak_share", "data_wait": "speed/data_wait",
}


def single(value):
    """A number as f32, in which events keep it."""
    return struct.unpack("f", struct.pack("f", value))[0]


logged = {}
with open(os.path.join(run, "log.jsonl")) as lines:
    for line in lines:
        fields = json.loads(line)
        step = fields.pop("step")
        for name, value in fields.items():
            tag = groups.get(name, name if "/" in name or name == "accuracy" else f"loss/{name}")
            logged.setdefault(tag, []).append((step, single(value)))

found = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
assert set(found) == set(logged), f"{sorted(found)} are not {sorted(logged)}"
for tag, values in logged.items():
    assert found[tag] == values, f"{tag}: {found[tag][:3]} are not {values[:3]}"

pictures = {e.step: e.encoded_image_string for tag in tags["images"] for e in events.Images(tag)}
files = glob.glob(os.path.join(run, "samples", "step-*.png"))
steps = {int(os.path.basename(path)[5:-4]) for path in files}
assert set(pictures) == steps, f"pictures of the steps {sorted(pictures)} are not {sorted(steps)}"
assert all(png.startswith(b"\x89PNG") for png in pictures.values())
print(f"{len(found)} figures and {len(pictures)} sample grids are as the run wrote them.")
