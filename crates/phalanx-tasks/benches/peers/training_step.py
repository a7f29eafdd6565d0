"""One training step (forward and backward) of Phalanx and of PyTorch, alternating in one run.

Both on one thread, on the same shapes, timed by the CPU clock of their process. Usage, in an
environment with torch, from the repository:
    cargo bench -p phalanx-tasks --bench training_step --no-run
    python crates/phalanx-tasks/benches/peers/training_step.py
        [--rounds 9] [--steps 60] [--models mnist-cnn mlp linear] [--json]
Alternation shares the machine's noise between the two; figures are medians over all steps, and
the ratio is the median over the rounds' ratios with its smallest and largest value.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import torch
import torch.nn.functional as F
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parents[4]


def flat(*layers):
    return nn.Sequential(*layers, nn.LogSoftmax(1))


def stage(a, b):
    return [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(b)]


def cifar_cnn():
    return flat(
        *stage(3, 64), *stage(64, 64), nn.MaxPool2d(2), nn.Dropout(0.25),
        *stage(64, 128), *stage(128, 128), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(8192, 128), nn.ReLU(), nn.Dropout(0.25), nn.Linear(128, 10),
    )


# name: (shape of an image, model, whether it trains in training mode)
MODELS = {
    "linear": ((784,), lambda: flat(nn.Linear(784, 10)), True),
    "mlp": ((784,), lambda: flat(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10)), True),
    "mnist-cnn": (
        (1, 28, 28),
        lambda: flat(
            nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
        ),
        True,
    ),
    "cifar-cnn": ((3, 32, 32), cifar_cnn, False),
    "cifar-cnn-paper": ((3, 32, 32), cifar_cnn, True),
}


def binary():
    out = subprocess.run(
        ["cargo", "bench", "-p", "phalanx-tasks", "--bench", "training_step", "--no-run",
         "--message-format=json"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    found = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    found = [m.get("executable") for m in found if m.get("target", {}).get("name") == "training_step"]
    return next(path for path in found if path)


class Peer:
    def __init__(self, name, batch):
        shape, build, training = MODELS[name]
        torch.manual_seed(1)
        self.model = build().train(training)
        self.images = torch.randn(batch, *shape)
        self.labels = torch.randint(0, 10, (batch,))
        self.steps(3)

    def steps(self, count):
        times = []
        for _ in range(count):
            start = time.process_time_ns()
            self.model.zero_grad(set_to_none=True)
            F.nll_loss(self.model(self.images), self.labels).backward()
            times.append((time.process_time_ns() - start) / 1e6)
        return times


def phalanx(path, name, batch, steps):
    out = subprocess.run(
        [path, "--model", name, "--batch", str(batch), "--steps", str(steps)],
        check=True, capture_output=True, text=True,
    ).stdout
    return json.loads(out)["cpu_ms"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--models", nargs="+", default=["mnist-cnn", "mlp", "linear"], choices=MODELS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path, results = binary(), []
    for name in arguments.models:
        peer, ours, theirs, ratios = Peer(name, arguments.batch), [], [], []
        for _ in range(arguments.rounds):
            a = phalanx(path, name, arguments.batch, arguments.steps)
            b = peer.steps(arguments.steps)
            ours += a
            theirs += b
            ratios.append(statistics.median(b) / statistics.median(a))
        results.append({
            "model": name, "batch": arguments.batch, "torch": torch.__version__,
            "steps_each": arguments.rounds * arguments.steps,
            "phalanx_cpu_ms": round(statistics.median(ours), 4),
            "torch_cpu_ms": round(statistics.median(theirs), 4),
            "ratio": round(statistics.median(ratios), 2),
            "ratio_min": round(min(ratios), 2), "ratio_max": round(max(ratios), 2),
        })
        if not arguments.json:
            print("{model} batch {batch}: phalanx {phalanx_cpu_ms} ms, torch {torch} {torch_cpu_ms} ms, "
                  "{ratio} times faster ({ratio_min} to {ratio_max}), {steps_each} steps each"
                  .format(**results[-1]), flush=True)
    if arguments.json:
        print(json.dumps(results))


main()
