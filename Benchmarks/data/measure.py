"""Measures what `run` describes; prints a Markdown table.

usage: measure.py FOLDER TWINFLOW [--rounds 2] [--steps 40] [--pictures 1000] [--sides 512 64]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser()
parser.add_argument("place")
parser.add_argument("twinflow")
parser.add_argument("--rounds", type=int, default=2)
parser.add_argument("--steps", type=int, default=40, help="measured steps of 64 samples")
parser.add_argument("--pictures", type=int, default=1000)
parser.add_argument("--sides", type=int, nargs="+", default=[512, 64], help="sides of the pictures")
options = parser.parse_args()
WARMUP = 20


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


def ours(folder):
    """The figures of the last steps, which are means over the last 20 each."""
    out = f"{options.place}/run"
    shutil.rmtree(out, ignore_errors=True)
    run([
        options.twinflow, "train", f"{here}/recipe.yaml", "--set", f"data.folder={folder}",
        "--set", f"steps={WARMUP + options.steps}", "--set", f"output={out}"])
    with open(f"{out}/log.jsonl") as file:
        lines = [json.loads(line) for line in file]
    lines = [line for line in lines if line.get("step", 0) > WARMUP and "data_wait" in line]
    return {
        "samples_per_second": statistics.harmonic_mean([line["images_per_second"] for line in lines]),
        "data_wait": statistics.mean(line["data_wait"] for line in lines)}


def peer(*flags):
    command = [sys.executable, f"{here}/peer.py", "--steps", str(options.steps), *flags]
    return lambda folder: json.loads(run([*command, folder]))


SIDES = {"ours": ours, "PyTorch": peer(), "PyTorch, compiled": peer("--compile")}
print("| pictures | program | samples/s | waiting for data |\n|---|---|--:|--:|")
for side in options.sides:
    folder = f"{options.place}/{side}"
    run([sys.executable, f"{here}/pictures.py", folder, str(options.pictures), str(side)])
    found = {name: [] for name in SIDES}
    for _ in range(options.rounds):
        for name, measure in SIDES.items():
            found[name].append(measure(folder))
    for name, runs in found.items():
        rate, wait = (
            statistics.median(run[key] for run in runs) for key in ("samples_per_second", "data_wait"))
        print(f"| JPEG of {side}² | {name} | {rate:.1f} | {100 * wait:.1f} % |", flush=True)
