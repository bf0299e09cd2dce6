"""Measures what `run` describes; prints a Markdown table.

usage: measure.py GIGABYTES FOLDER BENCH
"""

import json
import mmap
import os
import shutil
import subprocess
import sys
import time

import numpy

gigabytes, place, bench = float(sys.argv[1]), sys.argv[2], sys.argv[3]
here = os.path.dirname(os.path.abspath(__file__))


def make(name, gigabytes, files):
    """A folder of about so many bytes."""
    subprocess.run(
        [sys.executable, f"{here}/folder.py", f"{place}/{name}", str(gigabytes), str(files)],
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


def touch(size):
    """Takes so much new memory, which a virtual machine may have to ask its host for."""
    start = time.monotonic()
    memory = mmap.mmap(-1, size)
    numpy.frombuffer(memory, numpy.uint8)[::mmap.PAGESIZE] = 1
    return time.monotonic() - start


def facts(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def load(folder, storage):
    return facts([bench, "load", "--folder", folder, "--storage", storage])


def load_by_diffusers(folder, dtype):
    return facts([sys.executable, f"{here}/peer.py", folder, dtype])


def row(what, cache, facts):
    gb = [facts[key] / 1e9 for key in (
        "weight_bytes", "before_bytes", "peak_bytes", "anonymous_bytes", "mapped_bytes")]
    print(
        f"| {what} | {cache} | {facts['seconds']:.2f} | "
        + " | ".join(f"{value:.2f}" for value in gb) + f" | {facts['peak_ratio']:.2f} |", flush=True)


print(
    "| work | read from | s | weights, GB | resident before | peak | anonymous | mapped "
    "| peak / weights |\n|---|---|--:|--:|--:|--:|--:|--:|--:|")
big, small = make("big", gigabytes, 6), make("small", gigabytes / 3, 2)

for cache in ["disk", "page cache"]:
    def measured(work, folder, storage, cache=cache):
        """From the page cache the faster of two: a virtual machine may have to ask for memory first."""
        runs = []
        for _ in range(1 if cache == "disk" else 2):
            forget() if cache == "disk" else read(folder)
            runs.append(work(folder, storage))
        return min(runs, key=lambda facts: facts["seconds"])

    forget() if cache == "disk" else read(big)
    print(f"| `cp` | {cache} | {copy(big):.2f} | | | | | | |", flush=True)
    forget() if cache == "disk" else read(big)
    print(f"| as much new memory | {cache} | {touch(int(gigabytes * 1e9)):.2f} | | | | | | |", flush=True)
    row("bf16 as stored", cache, measured(load, big, "stored"))
    row("bf16 as stored, diffusers", cache, measured(load_by_diffusers, big, "bfloat16"))
    row("bf16 to int8", cache, measured(load, big, "int8"))
    row("bf16 to int4", cache, measured(load, big, "int4"))
    row("a third, bf16 to f32", cache, measured(load, small, "f32"))
    row("a third, bf16 to f32, diffusers", cache, measured(load_by_diffusers, small, "float32"))
