"""Measures what `run` describes; prints a Markdown table.

usage: measure.py MODEL TWINFLOW [--rounds 3] [--pictures 200] [--steps 2] [--size 128x128]
"""

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("twinflow")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--pictures", type=int, default=200)
parser.add_argument("--steps", type=int, default=2)
parser.add_argument("--size", default="128x128")
options = parser.parse_args()
CONNECTIONS = [1, 4, 16]


def started(command):
    """A server and its port."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found = re.search(r":(\d+)$", process.stdout.readline().strip())
    if not found:
        sys.exit(f"{' '.join(command)} did not start")
    return process, int(found[1])


def ask(connection, seed):
    body = {"prompt": "a red fox in snow", "size": options.size, "seed": seed,
            "num_inference_steps": options.steps, "response_format": "b64_json"}
    connection.request(
        "POST", "/v1/images/generations", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(text.decode())
    assert json.loads(text)["data"][0]["b64_json"]


def measured(port, connections):
    """Pictures a second, and the sorted seconds of each."""
    each, errors = [], []

    def client(first):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
            for seed in range(first, options.pictures, connections):
                start = time.perf_counter()
                ask(connection, seed)
                each.append(time.perf_counter() - start)
        except Exception as error:  # told by the main thread
            errors.append(error)

    threads = [threading.Thread(target=client, args=(first,)) for first in range(connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return options.pictures / (time.perf_counter() - start), sorted(each)


servers = {
    "twinflow serve": started(
        [options.twinflow, "serve", "--port", "0", "--model", f"small={options.model}"]),
    "diffusers": started([sys.executable, "-W", "ignore", f"{here}/loop.py", options.model]),
}
rows = {(name, count): [] for name in servers for count in CONNECTIONS}
try:
    for name, (_, port) in servers.items():
        measured(port, 16)
    for _ in range(options.rounds):
        for count in CONNECTIONS:
            for name, (_, port) in servers.items():
                rows[name, count].append(measured(port, count))
finally:
    for process, _ in servers.values():
        process.terminate()
        process.wait()


def percentile(each, share):
    return 1000 * each[min(len(each) - 1, int(share * len(each)))]


print("| server | connections | pictures/s | p50 ms | p95 ms | p99 ms |\n|---|---:|---:|---:|---:|---:|")
for count in CONNECTIONS:
    for name in servers:
        rounds = rows[name, count]
        rate = statistics.median(rate for rate, _ in rounds)
        times = [statistics.median(percentile(each, share) for _, each in rounds)
                 for share in (.5, .95, .99)]
        print(f"| {name} | {count} | {rate:.1f} | " + " | ".join(f"{ms:.0f}" for ms in times) + " |")
    ours, theirs = (statistics.median(rate for rate, _ in rows[name, count]) for name in servers)
    print(f"| ratio | {count} | {ours / theirs:.2f} | | | |")
