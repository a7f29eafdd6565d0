"""Whether Phalanx in `published` mode learns as fast as the loop that MoNNA's authors published.

Both programs train the same setting (26 nodes, 5 Byzantine, the CNN with 431,080 parameters,
batches of 25, Dirichlet shards, Fashion-MNIST) for the same number of steps with several seeds
each. Their random streams differ, so runs are compared as samples: mean and standard deviation of
the accuracy of the first honest node over seeds, and Welch's t of the difference, which for equal
means stays within 2.4 (4 seeds each) or 4.3 (2 seeds each) in 19 of 20 cases. What a step costs
is measured by decentralised_step.py; here Phalanx evaluates all honest nodes, and the other program
one.

    cargo build --release
    RCL_PATH=... PHALANX_DATA=... python crates/phalanx/benches/peers/decentralised_accuracy.py

RCL_PATH and the Python environment: see published_loop.py. PHALANX_DATA: a directory with
`fashion-mnist/`; the script gives its files to Phalanx under the name of MNIST, as the published
program gets them, so that both normalise pixels alike.
"""
import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import statistics
import subprocess
import tempfile

import published_loop

ROOT = pathlib.Path(__file__).resolve().parents[4]
EXPERIMENT = ROOT / "crates/phalanx/benches/decentralised_step.toml"
PUBLISHED_MODE = ["task.mode=published", "algorithm.mode=published", "task.dataset=mnist"]
# Name, options of the published loop, settings of Phalanx, whether the attack searches.
CASES = [
    ("MoNNA, sign flipping", ["--attack", "signflipping"], [], False),
    (
        # Without momentum the first step of the published code, a sum over all honest nodes, is
        # 21 steps at once: with the campaign's step size nothing is learned in 20 steps.
        "NNA (no momentum, step size 0.05), sign flipping",
        [
            "--attack", "signflipping", "--momentum", "0", "--dampening", "0",
            "--learning-rate", "0.05",
        ],
        ["algorithm.name=nna", "algorithm.momentum=0.0", "algorithm.learning-rate=0.05"],
        False,
    ),
    (
        "MoNNA, line-searched ALIE",
        ["--attack", "little"],
        ["attack.name=a-little-is-enough", "attack.factor=line-search"],
        True,
    ),
]


def published(options, steps, seed):
    """Accuracy of the first worker after the last step."""
    own = ["--nb-steps", str(steps), "--evaluation-delta", str(steps), "--seed", str(seed)]
    return published_loop.run(options + own)["accuracies"][steps]


def phalanx(settings, steps, seeds, data):
    """Accuracy of the first honest node after the last step, per seed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [ROOT / "target/release/phalanx", "--quiet", "run", EXPERIMENT]
        command += ["--threads", "2", "--runs", folder, "--data", data]
        fixed = [f"run.rounds={steps}", f"run.evaluate-every={steps}", f"run.seeds={seeds}"]
        for setting in PUBLISHED_MODE + settings + fixed:
            command += ["--set", setting]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        runs = pathlib.Path(folder).glob("*/*/summary.json")
        summaries = [json.loads(path.read_text()) for path in runs]
    assert len(summaries) == len(seeds)
    return [summary["nodes"][0]["scores"]["accuracy"] for summary in summaries]


def unpacked_as_mnist(source, target):
    """The files of Fashion-MNIST under the name of MNIST, as the published program reads them."""
    folder = pathlib.Path(target) / "mnist"
    folder.mkdir()
    for file in (pathlib.Path(source) / "fashion-mnist").iterdir():
        (folder / file.name).symlink_to(file.resolve())


def spread(values):
    return f"{100 * statistics.mean(values):.2f} ± {100 * statistics.stdev(values):.2f} %"


def welch(ours, theirs):
    """Welch's t: the difference of the means over its standard error."""
    error = statistics.variance(ours) / len(ours) + statistics.variance(theirs) / len(theirs)
    return (statistics.mean(ours) - statistics.mean(theirs)) / math.sqrt(error)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=4, help="seeds of cases without a search")
    parser.add_argument("--searched-seeds", type=int, default=2, help="seeds of the others")
    parser.add_argument("--jobs", type=int, default=2, help="published runs side by side")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        unpacked_as_mnist(os.environ["PHALANX_DATA"], data)
        for name, theirs, ours, is_searched in CASES:
            count = options.searched_seeds if is_searched else options.seeds
            seeds = list(range(1, count + 1))
            mine = phalanx(ours, options.steps, seeds, data)
            with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
                peers = list(pool.map(lambda seed: published(theirs, options.steps, seed), seeds))
            print(
                f"{name}, step {options.steps}, {count} seeds each: Phalanx {spread(mine)}, "
                f"published {spread(peers)}, t = {welch(mine, peers):.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
