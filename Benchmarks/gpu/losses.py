"""Compares the losses of the demonstration's first training steps on a GPU with the CPU's."""

import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def losses(options, device):
    command = [
        options.programs.resolve() / "twinflow-bench", "recipe", "--device", device, "--recipe",
        "Recipes/fashion-mnist-demo.yaml", "--warmup", 0, "--steps", options.steps, "--set",
        f"output={options.output.resolve()}/losses"]
    if options.data:
        command += ["--set", f"data.path={options.data.resolve()}"]
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [line["loss"] for line in found if "loss" in line]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / ".build/release")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--data", type=pathlib.Path, help="the folder of the pictures")
    parser.add_argument(
        "--reference", type=pathlib.Path, help="the CPU's losses, written there if it is missing")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)

    if options.reference and options.reference.exists():
        expected = json.loads(options.reference.read_text())
    else:
        expected = losses(options, "cpu")
        if options.reference:
            options.reference.write_text(json.dumps(expected) + "\n")
    found = losses(options, options.device)
    for step, (a, b) in enumerate(zip(found, expected)):
        print(f"step {step + 1:2}  {a:.6f}  CPU {b:.6f}  {abs(a - b) / abs(b):.0e}")
    if len(found) != len(expected) or not all(
            abs(a - b) <= 1e-4 * abs(b) for a, b in zip(found, expected)):
        sys.exit("the losses differ by more than a ten-thousandth")


if __name__ == "__main__":
    main()
