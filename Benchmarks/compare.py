"""Runs both implementations of each workload in turns, each time in a new process.

Prints medians over all steps, the median of the rounds' ratios, and the floor: the seconds that the
FLOPs of PyTorch's step take at the rate of large matrix multiplications, measured in the same run, with
the fraction of that rate that each implementation reaches.
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
OURS = pathlib.Path(os.environ.get("TWINFLOW_BENCH", ROOT / ".build/release/twinflow-bench"))
PEER = ROOT / "Benchmarks/pytorch/bench.py"
# The workload by its row: the steps per round, the title, and the arguments of both sides.
WORKS = {
    "unet-step": (2, "U-Net, tutorial step, batch 128", []),
    "dit-step": (3, "DiT, large-scale step, batch 64", []),
    "dit-gradient": (3, "DiT 6 × 384, forward and backward, batch 32", []),
    "unet-sample": (5, "U-Net, 100 images in one step", []),
    "dit-sample": (5, "DiT, 100 images in one step", []),
    "decoder": (3, "decoder, one image of 256 × 256", []),
    "frame-decoder": (2, "Qwen-Image's decoder, one image of 512 × 512", []),
    "qwen-block": (2, "Qwen-Image with one block, 1024 + 64 tokens", []),
    "qwen-block bf16": (2, "  its weights kept in bf16", ["--half"]),
    "text-layer 64": (5, "Qwen2.5-VL 7B with one layer, 64 tokens", ["--tokens", 64]),
    "text-layer 64 bf16": (5, "  its weights kept in bf16", ["--tokens", 64, "--half"]),
    "text-layer 512": (3, "Qwen2.5-VL 7B with one layer, 512 tokens", ["--tokens", 512]),
    "text-layer 512 bf16": (3, "  its weights kept in bf16", ["--tokens", 512, "--half"]),
    "sana-block": (3, "SANA 1.6 B with one block, 1024 + 300 tokens", []),
    "sana-gradient": (3, "  forward and backward", []),
    "dc-decoder": (3, "DC-AE's decoder, one image of 256 × 256", []),
    "dc-gradient": (3, "DC-AE forward and backward, 128 × 128", []),
}
# The variables by which the libraries limit themselves to an instruction set.
LIMITS = {
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "avx512": {
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "XLA_FLAGS": "--xla_cpu_max_isa=AVX512",
        "ATEN_CPU_CAPABILITY": "avx512", "MKL_ENABLE_INSTRUCTIONS": "AVX512"},
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


class Comparison:
    """How rows are measured."""

    def __init__(self, options):
        self.options = options
        self.key = "cpu_seconds" if options.cpu_time else "seconds"

    def seconds(self, found):
        return [line[self.key] for line in found if self.key in line]

    def peak(self, gemm):
        """The highest FLOP/s of matrix multiplications on either side."""
        ours = self.seconds(lines([OURS, "product", "--steps", 8, "--warmup", 2]))
        theirs = fact(gemm, "gemm_cpu_gflops" if self.options.cpu_time else "gemm_gflops")
        return max(2 * 2048**3 / min(ours), max(theirs.values()) * 1e9)

    def compare(self, row):
        options, work = self.options, row.split()[0]
        steps, title, arguments = WORKS[row]
        compilation = cold_compilation(work, arguments)
        ours, peer, compiled, ratios, compiled_ratios, peaks = [], [], [], [], [], []
        bench = [sys.executable, PEER, "--work", work, "--steps", steps, "--threads",
                 options.threads, *arguments]
        for index in range(options.rounds):
            mine = self.seconds(lines([OURS, work, "--steps", steps, "--warmup", 1, *arguments]))
            extra = ["--flop"] if index == 0 else []
            found = lines([*bench, "--warmup", 1, "--gemm", *extra])
            if index == 0:
                flop = fact(found, "flop")
            theirs = self.seconds(found)
            peaks.append(self.peak(found))
            ratios.append(statistics.median(theirs) / statistics.median(mine))
            ours += mine
            peer += theirs
            if not options.eager:
                third = self.seconds(lines([*bench, "--warmup", 2, "--compile"]))
                compiled += third
                compiled_ratios.append(statistics.median(third) / statistics.median(mine))
        ours, peer, peak = map(statistics.median, (ours, peer, peaks))
        second = f"{'–':>10}{'–':>7}" if options.eager else (
            f"{statistics.median(compiled):10.3f}{statistics.median(compiled_ratios):7.2f}")
        floor = flop / peak
        trace, cold, cached = compilation
        print(
            f"{title:46}{ours:9.3f}{peer:9.3f}{statistics.median(ratios):7.2f}"
            f"  {min(ratios):.2f}–{max(ratios):.2f}{second}{flop / 1e9:10.1f}{peak / 1e9:8.0f}"
            f"{floor:9.3f}{floor / ours:7.0%}{floor / peer:9.0%}{trace:8.2f}{cold:8.1f}"
            f"{cached:8.2f}", flush=True)


def cold_compilation(work, arguments=()):
    """The seconds of tracing and compiling with an empty cache, and of compiling in a second start."""
    plugin = os.environ.get("TWINFLOW_PLUGIN") or str(
        pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
        / "twinflow/plugins/pjrt-cpu.so")
    with tempfile.TemporaryDirectory() as cache:
        command = [OURS, work, "--steps", 0, "--warmup", 0, *arguments]
        runs = [lines(command, XDG_CACHE_HOME=cache, TWINFLOW_PLUGIN=plugin) for _ in range(2)]
    if fact(runs[0], "cached") or not fact(runs[1], "cached"):
        sys.exit(f"{work}: the cache of compiled programs does not work")
    return fact(runs[0], "trace_s"), fact(runs[0], "compile_s"), fact(runs[1], "compile_s")


def compile_alone(work, title):
    trace, cold, cached = cold_compilation(work)
    print(f"{title:46}{'':101}{trace:8.2f}{cold:8.1f}{cached:8.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "works", nargs="*", metavar="row",
        help=f"the rows, or their first words; all by default: {', '.join(WORKS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--eager", action="store_true", help="skip torch.compile, which takes minutes")
    parser.add_argument(
        "--isa", choices=LIMITS, help="the instruction set that all sides are limited to")
    parser.add_argument(
        "--cpu-time", action="store_true",
        help="compare the time of all threads together, on a machine that others use as well")
    options = parser.parse_args()
    rows = [row for row in WORKS if not options.works or row in options.works
            or row.split()[0] in options.works]
    for work in options.works:
        if not any(work in (row, row.split()[0]) for row in WORKS):
            parser.error(f"there is no row {work}; there are {', '.join(WORKS)}")
    if options.isa:
        os.environ.update(LIMITS[options.isa])
    if options.cpu_time:
        # Threads that wait do not count.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    print(
        f"{'seconds':46}{'ours':>9}{'PyTorch':>9}{'ratio':>7}  {'range':9}{'compiled':>10}{'ratio':>7}"
        f"{'GFLOP':>10}{'peak':>8}{'floor':>9}"
        f"{'ours':>7}{'PyTorch':>9}{'trace':>8}{'compile':>8}{'cached':>8}", flush=True)
    comparison = Comparison(options)
    # torch.compile's cache does not tell instruction sets apart; programs of another one corrupt memory.
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        for row in rows:
            comparison.compare(row)
    if not options.works:
        compile_alone("deep-step", "DiT of 60 blocks, large-scale step")


if __name__ == "__main__":
    main()
