"""Measures what `run` describes; prints a Markdown table.

usage: measure.py GIGABYTES FOLDER BENCH
"""

import json
import os
import shutil
import subprocess
import sys
import time

gigabytes, place, bench = float(sys.argv[1]), sys.argv[2], sys.argv[3]
here = os.path.dirname(os.path.abspath(__file__))


def make(name, gigabytes, files):
    """A folder of about so many bytes: blocks of 18 · 2560² weights of two bytes."""
    depth = max(1, round(gigabytes * 1e9 / (36 * 2560**2)))
    subprocess.run(
        [sys.executable, f"{here}/folder.py", f"{place}/{name}", str(depth), "2560", str(files)],
        check=True)
    return f"{place}/{name}"


def forget():
    """Drops the page cache: all of it, or where that is not allowed that of our own files."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w") as file:
            file.write("3")
    except OSError:
        for folder, _, files in os.walk(place):
            for file in files:
                handle = os.open(f"{folder}/{file}", os.O_RDONLY)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(handle)


def read(folder):
    """Reads all files, so that they are in the page cache."""
    for file in sorted(os.listdir(folder)):
        with open(f"{folder}/{file}", "rb", buffering=0) as handle:
            while handle.read(1 << 24):
                pass


def copy(folder):
    start = time.monotonic()
    subprocess.run(["cp", "-r", folder, f"{place}/copy"], check=True)
    seconds = time.monotonic() - start
    shutil.rmtree(f"{place}/copy")
    return seconds


def load(folder, storage):
    line = subprocess.run(
        [bench, "load", "--folder", folder, "--storage", storage], check=True,
        stdout=subprocess.PIPE).stdout
    return json.loads(line)


def row(what, cache, facts):
    gb = [facts[key] / 1e9 for key in (
        "weight_bytes", "before_bytes", "peak_bytes", "anonymous_bytes", "mapped_bytes")]
    print(
        f"| {what} | {facts['files']} | {cache} | {facts['seconds']:.1f} | "
        + " | ".join(f"{value:.2f}" for value in gb) + f" | {facts['peak_ratio']:.3f} |", flush=True)


print(
    "| work | files | read from | s | weights, GB | resident before | peak | anonymous | mapped "
    "| peak / weights |\n|---|--:|---|--:|--:|--:|--:|--:|--:|--:|")
big, small = make("big", gigabytes, 6), make("small", gigabytes / 3, 2)

for cache in ["disk", "page cache"]:
    def loaded(folder, storage, cache=cache):
        """From the page cache the faster of two: a virtual machine may have to ask for memory first."""
        runs = []
        for _ in range(1 if cache == "disk" else 2):
            forget() if cache == "disk" else read(folder)
            runs.append(load(folder, storage))
        return min(runs, key=lambda facts: facts["seconds"])

    forget() if cache == "disk" else read(big)
    print(f"| cp of the bf16 files | | {cache} | {copy(big):.1f} | | | | | | |", flush=True)
    row("bf16 as stored", cache, loaded(big, "stored"))
    row("bf16 to int8", cache, loaded(big, "int8"))
    row("bf16 to int4", cache, loaded(big, "int4"))
    row("bf16 to f32", cache, loaded(small, "f32"))
