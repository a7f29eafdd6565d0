"""ByzFL's benchmark grid, in a small form, through ByzFL and through Phalanx.

One description is written down as ByzFL's `config.json` and as an experiment file of Phalanx: a
server and 10 honest workers that send momenta of gradients, f Byzantine ones, the CNN with 431,080
parameters, Fashion-MNIST as the files of MNIST, gamma-similarity splits, rules behind mixings, and
two grids of attacks: fixed ones, and those that search their strength against the whole defence.
Both programs get both cores: ByzFL two trainings side by side with one thread each, as its
`run_benchmark(nb_jobs=2)` has it, Phalanx one after the other with two threads each.

Printed per grid: accuracies of every cell (mean and standard deviation over seeds) and how their
differences are spread; wall and CPU time of the whole program, start-up, data and two evaluations
per training included; and CPU time per step without them: for ByzFL the process clock between
updates of the server, for Phalanx the difference between a long grid and a short one.

    cargo build --release
    PHALANX_DATA=... python crates/phalanx/benches/peers/byzfl_grid.py

PHALANX_DATA: a directory with `fashion-mnist/`. The Python environment needs byzfl and torchvision.
What differs: random streams; ByzFL adds the weight decay at the server, Phalanx in the gradients
that workers send; ByzFL's training seeds share one division of the data, Phalanx's do not.
"""
import argparse
import gzip
import json
import math
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[4]
HONEST = 10
# Names in ByzFL and, as inline tables, in Phalanx.
RULES = {
    "TrMean": ({}, {"name": "trimmed-mean"}),
    "GeometricMedian": ({"nu": 0.1, "T": 3}, {"name": "geometric-median"}),
}
MIXINGS = {
    "Clipping": {"name": "static-clipping"},
    "NNM": {"name": "nearest-neighbor-mixing"},
}
ATTACKS = {
    "SignFlipping": {"name": "sign-flipping"},
    "ALittleIsEnough": {"name": "a-little-is-enough"},
    "Optimal_ALittleIsEnough": {"name": "a-little-is-enough", "factor": "expansion-search"},
    "Optimal_InnerProductManipulation": {
        "name": "inner-product-manipulation", "factor": "expansion-search",
    },
}
GRIDS = {
    "fixed attacks": {
        "f": [1, 2], "gamma": [1.0, 0.33], "rules": ["TrMean", "GeometricMedian"],
        "chains": [["Clipping", "NNM"]], "attacks": ["SignFlipping"],
        "steps": 20, "seeds": 2,
    },
    "optimised attacks": {
        "f": [1, 2], "gamma": [0.33], "rules": ["TrMean"],
        "chains": [["Clipping", "NNM"]],
        "attacks": ["Optimal_ALittleIsEnough", "Optimal_InnerProductManipulation"],
        "steps": 5, "seeds": 2,
    },
}
# ByzFL as it is, with a clock read after every update of the server.
WATCHED = """
import importlib, json, os, time
import torch
torch.set_num_threads(1)
grid = importlib.import_module("byzfl.benchmark.benchmark")
from byzfl.fed_framework import Server
clock = []
update, train = Server.update_model_with_gradients, grid.start_training
def watched_update(self, gradients):
    update(self, gradients)
    clock.append(time.process_time())
def watched_train(params):
    clock.clear()
    train(params)
    with open(f"clock-{os.getpid()}.jsonl", "a") as out:
        out.write(json.dumps([b - a for a, b in zip(clock, clock[1:])]) + "\\n")
Server.update_model_with_gradients, grid.start_training = watched_update, watched_train
if __name__ == "__main__":
    grid.run_benchmark(nb_jobs=2)
"""


def byzfl_config(grid, data):
    """The description in the words of ByzFL."""
    return {
        "benchmark_config": {
            "training_algorithm": {"name": "DSGD", "parameters": {}},
            "nb_steps": grid["steps"], "device": "cpu", "training_seed": 0,
            "nb_training_seeds": grid["seeds"], "nb_honest_clients": HONEST, "f": grid["f"],
            "size_train_set": 1.0, "data_distribution_seed": 0, "nb_data_distribution_seeds": 1,
            "data_distribution": [{
                "name": "gamma_similarity_niid", "distribution_parameter": grid["gamma"],
            }],
        },
        "model": {
            "name": "cnn_mnist", "dataset_name": "mnist", "nb_labels": 10, "loss": "NLLLoss",
            "learning_rate": 0.1, "learning_rate_decay": 1.0, "milestones": [],
        },
        "aggregator": [{"name": name, "parameters": RULES[name][0]} for name in grid["rules"]],
        "pre_aggregators": [
            [{"name": name, "parameters": {}} for name in chain] for chain in grid["chains"]
        ],
        "honest_clients": {"momentum": 0.9, "weight_decay": 0.0001, "batch_size": 25},
        "attack": [{"name": name, "parameters": {}} for name in grid["attacks"]],
        "evaluation_and_results": {
            "evaluation_delta": grid["steps"], "batch_size_evaluation": 128,
            "evaluate_on_test": True, "store_per_client_metrics": False, "store_models": False,
            "data_folder": str(data), "results_directory": "./results",
        },
    }


def toml(value):
    """A value as TOML; JSON's form is TOML's except for tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(value)


def phalanx_experiment(grid, steps):
    """The description in the words of Phalanx."""
    sections = {
        "name": "byzfl-grid",
        "population": {"n": HONEST + 1, "f": 1},
        "task": {
            "name": "image-classification", "dataset": "mnist", "model": "cnn", "batch": 25,
            "split": "gamma-similarity", "gamma": 1.0, "regularizer": "squared",
            "regularization": 1e-4,
        },
        "algorithm": {"name": "distributed-sgd", "learning-rate": 0.1, "momentum": 0.9},
        "run": {
            "rounds": steps, "evaluate-every": steps, "seeds": list(range(1, grid["seeds"] + 1)),
        },
    }
    sweep = {
        "population": [{"n": HONEST + f, "f": f} for f in grid["f"]],
        '"task.gamma"': grid["gamma"],
        "rule": [RULES[name][1] for name in grid["rules"]],
        "mixing": [[MIXINGS[name] for name in chain] for chain in grid["chains"]],
        "attack": [ATTACKS[name] for name in grid["attacks"]],
    }
    lines = [f"{key} = {toml(value)}" for key, value in sections.items()]
    return "\n".join(lines + ["[sweep]"] + [f"{k} = {toml(v)}" for k, v in sweep.items()]) + "\n"


def timed(command, **options):
    """Wall and CPU seconds of a command and all that it starts."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        sys.exit(f"{command} failed:\n{done.stdout.decode(errors='replace')[-3000:]}")
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def run_byzfl(grid, data, folder):
    """Accuracies by cell, wall seconds, CPU seconds, CPU seconds per step."""
    (folder / "config.json").write_text(json.dumps(byzfl_config(grid, data)))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    wall, cpu = timed([sys.executable, "-c", WATCHED], cwd=folder, env=environment)
    cells = {}
    for path in sorted((folder / "results").glob("*/test_accuracy_*.txt")):
        setting = json.loads((path.parent / "config.json").read_text())
        cell = (
            setting["benchmark_config"]["f"],
            setting["benchmark_config"]["data_distribution"]["distribution_parameter"],
            setting["aggregator"]["name"],
            "+".join(mixing["name"] for mixing in setting["pre_aggregators"]),
            setting["attack"]["name"],
        )
        last = path.read_text().replace("\n", ",").strip(",").split(",")[-1]
        cells.setdefault(cell, []).append(float(last))
    steps = [
        seconds
        for path in folder.glob("clock-*.jsonl")
        for line in path.read_text().splitlines()
        for seconds in json.loads(line)
    ]
    return cells, wall, cpu, statistics.mean(steps)


def phalanx_cell(run):
    """The cell of a run folder, in the words of ByzFL."""
    setting = tomllib.loads((run / "experiment.toml").read_text())

    def named(table, wanted, names):
        matches = [
            name for name, entry in table.items()
            if all(wanted.get(key) == value for key, value in names(entry).items())
        ]
        # The longest description wins: a searched attack is also the attack of that name.
        return max(matches, key=lambda name: len(names(table[name])))

    return (
        setting["population"]["f"],
        setting["task"]["gamma"],
        named(RULES, setting["rule"], lambda entry: entry[1]),
        "+".join(named(MIXINGS, mixing, lambda entry: entry) for mixing in setting["mixing"]),
        named(ATTACKS, setting["attack"], lambda entry: entry),
    )


def run_phalanx(grid, data, folder):
    """As `run_byzfl`; the grid is run twice, the second time with twice the steps."""
    times = []
    for factor in (1, 2):
        file = folder / f"grid-{factor}.toml"
        file.write_text(phalanx_experiment(grid, factor * grid["steps"]))
        runs = folder / f"runs-{factor}"
        command = [ROOT / "target/release/phalanx", "--quiet", "run", file]
        times.append(timed(command + ["--runs", runs, "--data", data, "--threads", "2"]))
    cells = {}
    for path in sorted((folder / "runs-1").glob("*/*/summary.json")):
        accuracy = json.loads(path.read_text())["scores"]["accuracy"]["mean"]
        cells.setdefault(phalanx_cell(path.parent), []).append(accuracy)
    (wall, short), (_, long) = times
    count = sum(len(values) for values in cells.values())
    return cells, wall, short, (long - short) / (grid["steps"] * count)


def lay_out(source, target):
    """Fashion-MNIST as the files of MNIST: unpacked for ByzFL, as they are for Phalanx."""
    raw, ours = target / "MNIST/raw", target / "mnist"
    raw.mkdir(parents=True)
    ours.mkdir()
    for file in sorted((pathlib.Path(source) / "fashion-mnist").iterdir()):
        packed = file.suffix == ".gz"
        content = gzip.decompress(file.read_bytes()) if packed else file.read_bytes()
        (raw / (file.stem if packed else file.name)).write_bytes(content)
        (ours / file.name).symlink_to(file.resolve())


def spread(values):
    share = 100 * statistics.stdev(values) if len(values) > 1 else math.nan
    return f"{100 * statistics.mean(values):6.2f} ± {share:5.2f}"


def compare(name, grid, theirs, ours):
    """Prints both sides of one grid."""
    (their_cells, their_wall, their_cpu, their_step) = theirs
    (our_cells, our_wall, our_cpu, our_step) = ours
    assert their_cells.keys() == our_cells.keys(), (their_cells.keys(), our_cells.keys())
    trainings = sum(len(values) for values in our_cells.values())
    print(f"{name}: {trainings} trainings of {grid['steps']} steps")
    print(f"  {'f':1} {'gamma':5} {'cell':68} {'ByzFL %':>14} {'Phalanx %':>14}")
    scores = []
    for cell in sorted(our_cells):
        f, gamma, *names = cell
        mine, peer = our_cells[cell], their_cells[cell]
        print(f"  {f} {gamma:<5} {' '.join(names):68} {spread(peer)} {spread(mine)}")
        scores.append((statistics.mean(mine) - statistics.mean(peer), mine, peer))
    differences = [100 * difference for difference, _, _ in scores]
    within = [statistics.variance(values) for _, *sides in scores for values in sides]
    # Standard error that a difference of two cells has if nothing but seeds tells them apart.
    noise = 100 * math.sqrt(2 * statistics.mean(within) / grid["seeds"])
    print(
        f"  Phalanx - ByzFL over {len(scores)} cells: mean {statistics.mean(differences):+.2f}, "
        f"root mean square {math.sqrt(statistics.mean(d * d for d in differences)):.2f} points; "
        f"seeds alone explain {noise:.2f}"
    )
    print(
        f"  whole program: wall {their_wall:.1f} s / {our_wall:.1f} s = "
        f"{their_wall / our_wall:.1f}, CPU {their_cpu:.1f} s / {our_cpu:.1f} s = "
        f"{their_cpu / our_cpu:.1f}"
    )
    print(
        f"  CPU per step: {their_step:.3f} s / {our_step:.4f} s = {their_step / our_step:.1f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", choices=GRIDS, action="append", help="only this one")
    parser.add_argument("--steps", type=int, help="instead of the grid's own number")
    parser.add_argument("--seeds", type=int, help="instead of the grid's own number")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        data = pathlib.Path(data)
        lay_out(os.environ["PHALANX_DATA"], data)
        for name in options.grid or GRIDS:
            grid = dict(GRIDS[name])
            for key, given in vars(options).items():
                if key in grid and given is not None:
                    grid[key] = given
            with tempfile.TemporaryDirectory() as folder:
                folder = pathlib.Path(folder)
                compare(name, grid, run_byzfl(grid, data, folder), run_phalanx(grid, data, folder))


if __name__ == "__main__":
    main()
