"""Times our work and PyTorch's on one device, in turns.

First the works of `make bench` in f32, then TwinFlow steps of transformers of many sizes in bf16.
"""

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORKS = ["unet-step", "dit-step", "unet-sample", "dit-sample", "decoder"]
# Size, tokens, batch, further settings of ours.
STEPS = [
    ("130m", 256, 256, []), ("130m", 1024, 64, []), ("1b", 256, 128, []), ("1b", 1024, 32, []),
    ("6b", 256, 32, ["objective.target_ema_decay=0"]), ("6b", 1024, 8, ["objective.target_ema_decay=0"]),
]
TINY = [("tiny", 16, 8, [])]


class Failed(Exception):
    pass


def lines(command, log):
    """The JSON lines that a process prints."""
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=1800)
    with open(log, "a") as file:
        print("$", *command, file=file)
        print(done.stdout, done.stderr, sep="\n", file=file)
    if done.returncode != 0:
        raise Failed((done.stderr.strip().splitlines() or ["no message"])[-1][:200])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def median(found):
    return statistics.median(line["seconds"] for line in found if "seconds" in line)


def fact(found, key):
    return next((line[key] for line in found if key in line), None)


class Measurement:
    def __init__(self, options):
        self.options = options
        self.bench = options.programs.resolve() / "twinflow-bench"
        self.log = options.output / "measure.log"
        self.results = {"date": datetime.date.today().isoformat(), "works": [], "rows": []}

    def ours(self, *arguments):
        return lines([self.bench, *arguments], self.log)

    def theirs(self, script, *arguments):
        return lines([sys.executable, ROOT / "Benchmarks" / script, *arguments], self.log)

    def save(self):
        path = self.options.output / "measured.json"
        path.write_text(json.dumps(self.results, indent=2) + "\n")

    def measure_peak(self):
        device = ["--device", self.options.device]
        size = 8192 if self.options.device == "cuda" else 512
        theirs = self.theirs("gpu/pytorch.py", "product", *device, "--size", size)
        ours = self.ours("product", *device, "--size", size, "--half", "--steps", 10, "--warmup", 3)
        self.peak = 2 * size**3 / min(line["seconds"] for line in ours + theirs if "seconds" in line)
        self.results["peak_tflops"] = self.peak / 1e12
        self.results["device"] = fact(theirs, "device")
        print(f"{self.results['device']}: bf16 products reach {self.peak / 1e12:.0f} TFLOP/s")

    def measure_work(self, work):
        """A work of `make bench` in f32, without TF32 on either side."""
        shared = ["--device", self.options.device, "--steps", self.options.steps, "--warmup", 3]
        row = {"work": work}
        try:
            found = self.ours(work, *shared)
            row["ours"], row["compile_s"] = median(found), fact(found, "compile_s")
        except Failed as error:
            row["failed"] = str(error)
        for kind in self.options.peers:
            try:
                compiled = ["--compile"] if kind == "compiled" else []
                row[kind] = median(
                    self.theirs("pytorch/bench.py", "--work", work, *compiled, *shared))
            except Failed as error:
                row[f"{kind}_failed"] = str(error)
        self.results["works"].append(row)
        self.show(row, work)

    def operations(self, name, tokens, batch, arguments):
        """The FLOPs of a step, which the CPU's compiler counts, once."""
        path = self.options.counts or self.options.output / "counts.json"
        counts = json.loads(path.read_text()) if path.exists() else {}
        key = f"{name} {tokens} {batch}"
        if key not in counts:
            counts[key] = fact(self.ours("count", *arguments), "flop")
            path.write_text(json.dumps(counts, indent=2) + "\n")
        return counts[key]

    def measure_step(self, name, tokens, batch, more):
        """A training step of a transformer in bf16."""
        options = self.options
        side = int(tokens**0.5) * 2
        settings = [
            f"model.size={side}", f"data.size={side}", f"batch={batch}", "start=null",
            f"output={options.output}/run", *more]
        if name == "tiny":
            settings += ["model.width=64", "model.depth=2", "model.heads=2"]
        arguments = ["--recipe", f"Recipes/scale/dit-{'130m' if name == 'tiny' else name}.yaml"]
        for setting in settings:
            arguments += ["--set", setting]
        shared = ["--device", options.device, "--steps", options.steps]
        row = {"size": name, "tokens": tokens, "batch": batch}
        try:
            row["flop"] = self.operations(name, tokens, batch, arguments)
            found = self.ours("recipe", *shared, "--warmup", 3, *arguments)
            row["ours"], row["bytes"] = median(found), fact(found, "peak_bytes")
            row["compile_s"] = fact(found, "compile_s")
        except Failed as error:
            row["failed"] = str(error)
        for kind in options.peers:
            try:
                found = self.theirs(
                    "gpu/pytorch.py", "step", *shared, "--size", name, "--tokens", tokens, "--batch",
                    batch, *(["--compile"] if kind == "compiled" else []),
                    *(["--live"] if more else []))
                row[kind], row[f"{kind}_bytes"] = median(found), fact(found, "peak_bytes")
            except Failed as error:
                row[f"{kind}_failed"] = str(error)
        self.results["rows"].append(row)
        self.show(row, f"{name}, {tokens} tokens × {batch}")

    def measure_evaluation(self):
        try:
            found = self.ours(
                "evaluation", "--device", self.options.device, "--steps", 5, "--warmup", 2,
                "--recipe", "Recipes/scale/dit-20b.yaml", "--set", "model.size=166", "--set",
                "data.size=166", "--set", "model.execution=scanned")
            self.results["evaluation_20b"] = median(found)
            print(f"one evaluation of 19 G weights at 6,889 tokens: {median(found):.3f} s")
        except Failed as error:
            self.results["evaluation_20b_failed"] = str(error)
            print(f"one evaluation of 19 G weights at 6,889 tokens failed: {error}")
        self.save()

    def show(self, row, title):
        def number(key, scale=1.0, digits=4):
            return f"{row[key] * scale:9.{digits}f}" if row.get(key) else f"{'–':>9}"

        ratios = " / ".join(
            f"{row[kind] / row['ours']:.2f}" if row.get(kind) and row.get("ours") else "–"
            for kind in ("eager", "compiled"))
        has_share = row.get("ours") and row.get("flop")
        share = f"{row['flop'] / row['ours'] / self.peak:9.0%}" if has_share else f"{'–':>9}"
        print(
            f"{title:24}{number('ours')}{number('eager')}{number('compiled')}{ratios:>16}{share}"
            f"{number('bytes', 1e-9, 1)}{number('compile_s', digits=1)}", flush=True)
        for key, text in row.items():
            if key.endswith("failed"):
                print(f"    {key}: {text}")
        self.save()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / ".build/release")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--works", nargs="*", default=WORKS, choices=WORKS)
    parser.add_argument("--sizes", nargs="*", default=["130m", "1b", "6b", "20b"])
    parser.add_argument("--tokens", nargs="*", type=int, default=[256, 1024])
    parser.add_argument("--peers", nargs="*", default=["eager", "compiled"])
    parser.add_argument("--counts", type=pathlib.Path, help="FLOPs that were counted elsewhere")
    parser.add_argument("--tiny", action="store_true", help="one small network, to try this script")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)

    measurement = Measurement(options)
    measurement.measure_peak()
    print(
        f"{'seconds':24}{'ours':>9}{'eager':>9}{'compiled':>9}{'ratios':>16}{'of peak':>9}"
        f"{'peak GB':>9}{'compile':>9}")
    for work in [] if options.tiny else options.works:
        measurement.measure_work(work)
    for name, tokens, batch, more in TINY if options.tiny else STEPS:
        if options.tiny or name in options.sizes and tokens in options.tokens:
            measurement.measure_step(name, tokens, batch, more)
    if not options.tiny and "20b" in options.sizes:
        measurement.measure_evaluation()
    rows = measurement.results["works"] + measurement.results["rows"]
    if any("failed" in row for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
