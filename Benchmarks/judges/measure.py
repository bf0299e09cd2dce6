"""Measures networks that judge pictures; prints Markdown tables.

usage: measure.py BENCH FOLDER KIND...

KIND is one of folder.py, which may have a type of weights and the side of the pictures behind it, as in
`qwen3-vl-2b:int8:512`. For small ones how far answers change with weights in fewer bits.
STEPS is the number of further pictures, 2.
"""
import json
import os
import shutil
import subprocess
import sys

bench, place, kinds = sys.argv[1], sys.argv[2], sys.argv[3:]
steps = os.environ.get("STEPS", "2")
here = os.path.dirname(os.path.abspath(__file__))


def made(kind):
    folder = f"{place}/{kind}"
    if not os.path.exists(folder):
        subprocess.run([sys.executable, "-W", "ignore", f"{here}/folder.py", kind, folder], check=True,
                       stderr=subprocess.DEVNULL)
    return folder


def lines(*arguments):
    done = subprocess.run([bench, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


small = [kind for kind in kinds if "small" in kind]
large = [kind for kind in kinds if kind not in small]
if large:
    print("| network | weights | pictures | first picture, s | a further one, s | CPU s | weights, GB | peak memory, GB |\n"
          "|---|---|---|--:|--:|--:|--:|--:|", flush=True)
for text in large:
    kind, storage, side = (text.split(":") + ["stored", "512"][text.count(":"):])[:3]
    found = lines("judge", "--folder", made(kind), "--storage", storage, "--image", side,
                  "--warmup", "1", "--steps", steps, "--questions", "4")
    again = min(found[1:], key=lambda each: each["seconds"])
    print(f"| {kind} | {storage} | {side} x {side} | {found[0]['seconds']:.1f} | {again['seconds']:.2f} "
          f"| {again['cpu_seconds']:.1f} "
          f"| {found[0]['weight_bytes'] / 1e9:.2f} | {found[-1]['peak_bytes'] / 1e9:.2f} |", flush=True)
    if not any(other.split(":")[0] == kind for other in large[large.index(text) + 1:]):
        shutil.rmtree(f"{place}/{kind}")
if small:
    print("\n| network | weights | computed in | answers | mean probability | mean difference | largest | changed |\n"
          "|---|---|---|--:|--:|--:|--:|--:|", flush=True)
for kind in small:
    for each in lines("judge-weights", "--folder", made(kind), "--image", "256", "--steps", "24",
                      "--questions", "8"):
        print(f"| {kind} | {each['weights']} | {each['computed_in']} | {each['answers']} "
              f"| {each['mean_probability']:.2f} | {each['mean_difference']:.4f} | {each['largest_difference']:.4f} "
              f"| {100 * each['changed']:.1f} % |", flush=True)
