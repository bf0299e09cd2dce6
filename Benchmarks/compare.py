"""Runs both implementations of each workload in turns, each time in a new process.

Prints medians over all steps, the median of the rounds' ratios, and the fraction of the FLOP/s of
large matrix multiplications, measured in the same run, that each implementation reaches. For both the
FLOPs are those of PyTorch's step.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = ROOT / ".build/release/twinflow-bench"
PEER = ROOT / "Benchmarks/pytorch/bench.py"
# The workload, its steps per round and its title.
WORKS = {
    "unet-step": (2, "U-Net, tutorial step, batch 128"),
    "dit-step": (3, "DiT, large-scale step, batch 64"),
    "dit-gradient": (3, "DiT 6 × 384, forward and backward, batch 32"),
    "unet-sample": (5, "U-Net, 100 images in one step"),
    "dit-sample": (5, "DiT, 100 images in one step"),
    "decoder": (3, "decoder, one image of 256 × 256"),
    "frame-decoder": (2, "Qwen-Image's decoder, one image of 512 × 512"),
}


def lines(command, **environment):
    """The JSON lines that a process prints."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def fact(found, key):
    return next(line[key] for line in found if key in line)


def seconds(found):
    return [line["seconds"] for line in found if "seconds" in line]


def cold_compilation(work):
    """The seconds of tracing and compiling with an empty cache, and of compiling in a second start."""
    plugin = os.environ.get("TWINFLOW_PLUGIN") or str(
        pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
        / "twinflow/plugins/pjrt-cpu.so")
    with tempfile.TemporaryDirectory() as cache:
        command = [OURS, work, "--steps", 0, "--warmup", 0]
        runs = [lines(command, XDG_CACHE_HOME=cache, TWINFLOW_PLUGIN=plugin) for _ in range(2)]
    if fact(runs[0], "cached") or not fact(runs[1], "cached"):
        sys.exit(f"{work}: the cache of compiled programs does not work")
    return fact(runs[0], "trace_s"), fact(runs[0], "compile_s"), fact(runs[1], "compile_s")


def compile_alone(work, title):
    trace, cold, cached = cold_compilation(work)
    print(f"{title:44}{'':92}{trace:8.2f}{cold:8.1f}{cached:8.2f}", flush=True)


def compare(work, rounds, threads, with_compiled):
    steps, title = WORKS[work]
    trace, cold, cached = cold_compilation(work)
    ours, peer, compiled, ratios, compiled_ratios, peaks = [], [], [], [], [], []
    for index in range(rounds):
        mine = seconds(lines([OURS, work, "--steps", steps, "--warmup", 1]))
        extra = ["--flop"] if index == 0 else []
        found = lines(
            [sys.executable, PEER, "--work", work, "--steps", steps, "--warmup", 1, "--threads",
             threads, "--gemm", *extra])
        if index == 0:
            flop = fact(found, "flop")
        theirs = seconds(found)
        multiplications = seconds(lines([OURS, "product", "--steps", 8, "--warmup", 2]))
        peaks.append(max(2 * 2048**3 / min(multiplications), max(fact(found, "gemm_gflops").values()) * 1e9))
        ratios.append(statistics.median(theirs) / statistics.median(mine))
        ours += mine
        peer += theirs
        if with_compiled:
            third = seconds(lines(
                [sys.executable, PEER, "--work", work, "--steps", steps, "--warmup", 2,
                 "--threads", threads, "--compile"]))
            compiled += third
            compiled_ratios.append(statistics.median(third) / statistics.median(mine))
    ours, peer, peak = map(statistics.median, (ours, peer, peaks))
    second = (
        f"{statistics.median(compiled):10.3f}{statistics.median(compiled_ratios):7.2f}"
        if with_compiled else f"{'–':>10}{'–':>7}")
    share = [flop / (side * peak) for side in (ours, peer)]
    print(
        f"{title:44}{ours:9.3f}{peer:9.3f}{statistics.median(ratios):7.2f}"
        f"  {min(ratios):.2f}–{max(ratios):.2f}{second}{flop / 1e9:10.1f}{peak / 1e9:8.0f}"
        f"{share[0]:7.0%}{share[1]:9.0%}{trace:8.2f}{cold:8.1f}{cached:8.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("works", nargs="*", choices=[*WORKS, []], help="the workloads; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--eager", action="store_true", help="skip torch.compile, which takes minutes")
    options = parser.parse_args()
    print(
        f"{'seconds':44}{'ours':>9}{'PyTorch':>9}{'ratio':>7}  {'range':9}{'compiled':>10}{'ratio':>7}"
        f"{'GFLOP':>10}{'peak':>8}"
        f"{'ours':>7}{'PyTorch':>9}{'trace':>8}{'compile':>8}{'cached':>8}", flush=True)
    for work in options.works or WORKS:
        compare(work, options.rounds, options.threads, not options.eager)
    if not options.works:
        compile_alone("deep-step", "DiT of 60 blocks, large-scale step")


if __name__ == "__main__":
    main()
