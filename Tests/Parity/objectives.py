"""Compares other methods' objectives with their published code, on a small network.

    python objectives.py --twinflow ../../.build/release/twinflow --fastgen FastGen --apex APEX --ucgm UCGM
        --soflow SoFlow --sid SiD --vsd prolificdreamer --imeanflow imeanflow [--folder out/parity] [--seeds 2]

Each of these is a checkout; those that are not named are left out. A case holds weights, data, conditions
and draws, and the losses and gradients that the published functions return for them, called with the
small network in place of theirs, in the form that `twinflow check-golden` reads. `--folder` keeps them.
"""
import argparse
import os
import shutil
import subprocess
import sys

import torch

import objective_case
import objective_fastgen
import objective_torch


def imeanflow(folder):
    # It needs JAX, which the others do not.
    import objective_jax
    return objective_jax.cases(folder)


SOURCES = {
    "fastgen": ("NVlabs/FastGen", objective_fastgen.cases, "fastgen/methods/"),
    "apex": ("LINs-lab/APEX", objective_torch.apex, ""),
    "ucgm": ("LINs-lab/UCGM", objective_torch.ucgm, ""),
    "soflow": ("zlab-princeton/SoFlow", objective_torch.soflow, ""),
    "sid": ("mingyuanzhou/SiD", objective_torch.sid, ""),
    "vsd": ("thu-ml/prolificdreamer", objective_torch.vsd, ""),
    "imeanflow": ("Lyy-iiis/imeanflow", imeanflow, ""),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twinflow", help="the program; without it the cases are only written")
    parser.add_argument("--folder", default="out/parity/objectives")
    parser.add_argument("--seeds", type=int, default=2)
    for name, (repository, *_) in SOURCES.items():
        parser.add_argument(f"--{name}", metavar="DIR", help=f"a checkout of {repository}")
    given = parser.parse_args()
    torch.set_num_threads(1)
    shutil.rmtree(given.folder, ignore_errors=True)
    for name, (repository, cases, place) in SOURCES.items():
        checkout = getattr(given, name)
        if checkout is None:
            continue
        for case, (rows, make) in cases(checkout).items():
            for seed in range(given.seeds):
                folder = os.path.join(given.folder, f"objective_{case}" + (f"_{seed}" if seed else ""))
                objective_case.write(folder, make, seed, rows, f"{repository} {place}")
    if given.twinflow:
        sys.exit(subprocess.run([given.twinflow, "check-golden", given.folder]).returncode)
