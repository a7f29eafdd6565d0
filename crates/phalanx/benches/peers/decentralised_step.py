"""A whole decentralised step of MoNNA, in Phalanx and in the loop that its authors published.

Both run the same setting (26 nodes, 5 Byzantine, the CNN with 431,080 parameters, batches of 25,
Dirichlet shards, Fashion-MNIST), each on one thread, in turn, in one run. The figure is CPU
seconds per step: for Phalanx the difference between a long and a short run of the whole process,
for the published loop the process clock between its steps. Evaluation is off on both sides.

    cargo build --release
    RCL_PATH=... PHALANX_DATA=... python crates/phalanx/benches/peers/decentralised_step.py

RCL_PATH: a checkout of LPD-EPFL/robust-collaborative-learning whose folder
`experiments/datasets/cache/MNIST/raw` holds the four unpacked IDX files of Fashion-MNIST.
PHALANX_DATA: a directory with `fashion-mnist/`. The Python environment needs torch and torchvision.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile

import published_loop

ROOT = pathlib.Path(__file__).resolve().parents[4]
EXPERIMENT = ROOT / "crates/phalanx/benches/decentralised_step.toml"
ATTACKS = {
    "sign-flipping": ("signflipping", []),
    "line-searched ALIE": (
        "little",
        ["attack.name=a-little-is-enough", "attack.factor=line-search"],
    ),
}


def published(attack, steps):
    """CPU seconds of each step of the published loop."""
    return published_loop.run(["--attack", attack, "--nb-steps", str(steps)])["seconds"]


def phalanx_seconds(overrides, rounds):
    """CPU seconds of a whole run, and its peak memory in kB."""
    binary = ROOT / "target/release/phalanx"
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "--quiet", "run", EXPERIMENT, "--threads", "1", "--runs", folder]
        for override in overrides + [f"run.rounds={rounds}"]:
            command += ["--set", override]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, f"{command} failed"
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def phalanx(overrides, rounds):
    """CPU seconds per step, start-up taken off, and peak memory in kB."""
    short, _ = phalanx_seconds(overrides, 5)
    long, memory = phalanx_seconds(overrides, 5 + rounds)
    return (long - short) / rounds, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="steps of Phalanx per turn")
    parser.add_argument("--steps", type=int, default=6, help="steps of the published loop per turn")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    for name, (attack, overrides) in ATTACKS.items():
        ours, theirs, ratios, memory = [], [], [], 0
        for _ in range(options.turns):
            mine, memory = phalanx(overrides, options.rounds)
            # The first step also loads and compiles what later steps reuse.
            steps = published(attack, options.steps + 1)[1:]
            ours.append(mine)
            theirs.append(statistics.median(steps))
            ratios.append(theirs[-1] / mine)
        print(
            f"{name}: Phalanx {statistics.median(ours):.4f}, published "
            f"{statistics.median(theirs):.3f} CPU seconds per step; ratio "
            f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}), "
            f"{options.turns} turns; Phalanx peak {memory / 1024:.0f} MiB"
        )


if __name__ == "__main__":
    main()
