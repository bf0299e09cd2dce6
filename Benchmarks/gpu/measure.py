"""Times TwinFlow steps of transformers of many sizes on one device, ours and PyTorch's in turns."""

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / ".build/release")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--tiny", action="store_true", help="one small network, to try this script")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    log = options.output / "measure.log"
    bench = options.programs.resolve() / "twinflow-bench"
    peer = ROOT / "Benchmarks/gpu/pytorch.py"
    results = {"date": datetime.date.today().isoformat(), "rows": []}

    size = 8192 if options.device == "cuda" else 512
    ours = lines(
        [bench, "product", "--device", options.device, "--size", size, "--half", "--steps", 10,
         "--warmup", 3], log)
    theirs = lines(
        [sys.executable, peer, "product", "--device", options.device, "--size", size], log)
    peak = 2 * size**3 / min(line["seconds"] for line in ours + theirs if "seconds" in line)
    results["peak_tflops"] = peak / 1e12
    results["device"] = fact(theirs, "device")
    print(f"{results['device']}: bf16 products reach {peak / 1e12:.0f} TFLOP/s")
    print(f"{'step':24}{'ours':>9}{'eager':>9}{'compiled':>9}{'ratios':>16}{'of peak':>9}{'peak GB':>9}")

    for name, tokens, batch, more in TINY if options.tiny else STEPS:
        side = int(tokens**0.5) * 2
        settings = [
            f"model.size={side}", f"data.size={side}", f"batch={batch}", "start=null",
            f"output={options.output}/run", *more]
        arguments = [part for setting in settings for part in ("--set", setting)]
        recipe = f"Recipes/scale/dit-{'130m' if name == 'tiny' else name}.yaml"
        if name == "tiny":
            arguments += ["--set", "model.width=64", "--set", "model.depth=2", "--set", "model.heads=2"]
        row = {"size": name, "tokens": tokens, "batch": batch}
        common = ["--recipe", recipe, *arguments]
        try:
            row["flop"] = fact(lines([bench, "count", *common], log), "flop")
            found = lines(
                [bench, "recipe", "--device", options.device, "--steps", options.steps, "--warmup",
                 3, *common], log)
            row["ours"], row["bytes"] = median(found), fact(found, "peak_bytes")
            row["compile_s"] = fact(found, "compile_s")
        except Failed as error:
            row["failed"] = str(error)
        for kind in ("eager", "compiled"):
            try:
                found = lines(
                    [sys.executable, peer, "step", "--device", options.device, "--size", name,
                     "--tokens", tokens, "--batch", batch, "--steps", options.steps,
                     *(["--compile"] if kind == "compiled" else []),
                     *(["--live"] if more else [])], log)
                row[kind], row[f"{kind}_bytes"] = median(found), fact(found, "peak_bytes")
            except Failed as error:
                row[f"{kind}_failed"] = str(error)
        results["rows"].append(row)
        show(row, peak)

    if not options.tiny:
        try:
            found = lines(
                [bench, "evaluation", "--device", options.device, "--steps", 5, "--warmup", 2,
                 "--recipe", "Recipes/scale/dit-20b.yaml", "--set", "model.size=166", "--set",
                 "data.size=166", "--set", "model.execution=scanned"], log)
            results["evaluation_20b"] = median(found)
            print(f"one evaluation of 19 G weights at 6,889 tokens: {median(found):.3f} s")
        except Failed as error:
            results["evaluation_20b_failed"] = str(error)
            print(f"one evaluation of 19 G weights at 6,889 tokens failed: {error}")
    (options.output / "measured.json").write_text(json.dumps(results, indent=2) + "\n")
    if any("failed" in row for row in results["rows"]):
        sys.exit(1)


def show(row, peak):
    def number(key, scale=1.0, digits=3):
        return f"{row[key] * scale:9.{digits}f}" if row.get(key) else f"{'–':>9}"

    ratios = " / ".join(
        f"{row[kind] / row['ours']:.2f}" if row.get(kind) and row.get("ours") else "–"
        for kind in ("eager", "compiled"))
    share = f"{row['flop'] / row['ours'] / peak:9.0%}" if row.get("ours") else f"{'–':>9}"
    title = f"{row['size']}, {row['tokens']} tokens × {row['batch']}"
    print(
        f"{title:24}{number('ours')}{number('eager')}{number('compiled')}{ratios:>16}{share}"
        f"{number('bytes', 1e-9, 1)}", flush=True)
    for key, text in row.items():
        if key.endswith("failed"):
            print(f"    {key}: {text}")


if __name__ == "__main__":
    main()
