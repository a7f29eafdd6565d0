"""Riccati solutions and steps of a diffusion: ours, scipy, python-control and numpy in turns.

    python3.12 -m venv venv
    venv/bin/pip install scipy control
    venv/bin/python crates/phalanx-tasks/benches/peers/diffusion_control.py --turns 5

Each turn runs our bench (built before) and then the libraries, one thread, CPU time; printed are
the medians over turns of the least times, their ratios, and how far the gains differ.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import control
import numpy as np
import scipy
import scipy.linalg

A = np.array([[-0.16, 0.07, -1.00, 0.04], [-15.20, -2.60, 1.11, 0.00],
              [6.84, -0.10, -0.06, 0.00], [0.00, 1.00, 0.07, 0.00]])
B = np.array([[-0.0006, 0.0007], [1.3430, 0.2345], [0.0897, -0.0710], [0.0, 0.0]])
Q, R = np.eye(4), 0.1 * np.eye(2)


def least(work, count):
    times = []
    for _ in range(9):
        before = time.process_time()
        for _ in range(count):
            work()
        times.append((time.process_time() - before) / count * 1e9)
    return min(times)


def numpy_steps(count=2000):
    """The same sums as ours: plant, optimal plant on the same noise, information, costs."""
    rng = np.random.default_rng(1)
    gain = -np.linalg.solve(R, B.T @ scipy.linalg.solve_continuous_are(A, B, Q, R))
    factor, dt = 0.5 * np.eye(4), 1e-3
    x, y = np.zeros(4), np.zeros(4)
    joint, cross = np.zeros((6, 6)), np.zeros((6, 4))
    before = time.process_time()
    for _ in range(count):
        noise = np.sqrt(dt) * factor @ rng.standard_normal(4)
        z = np.concatenate([x, gain @ x])
        dx = dt * (A @ x + B @ z[4:]) + noise
        joint += dt * np.outer(z, z)
        cross += np.outer(z, dx)
        x = x + dx
        y = y + dt * (A @ y + B @ (gain @ y)) + noise
    return (time.process_time() - before) / count * 1e9


def ours():
    command = ["cargo", "bench", "-q", "-p", "phalanx-tasks", "--bench", "diffusion_control",
               "--", "x-29a"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return {row["what"]: row["least_ns"] for row in rows}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    sides = {"ours": [], "scipy": [], "control": [], "our step": [], "numpy step": []}
    for _ in range(arguments.turns):
        rows = ours()
        sides["ours"].append(rows["the Riccati equation of x-29a, checked"])
        sides["our step"].append(rows["one EulerMaruyama step of x-29a"])
        sides["scipy"].append(least(lambda: scipy.linalg.solve_continuous_are(A, B, Q, R), 100))
        sides["control"].append(least(lambda: control.lqr(A, B, Q, R), 50))
        sides["numpy step"].append(numpy_steps())
    middle = {side: statistics.median(times) for side, times in sides.items()}
    print(f"scipy {scipy.__version__}, control {control.__version__}, numpy {np.__version__}")
    for side, nanoseconds in middle.items():
        print(f"{side:>12}: {nanoseconds / 1e3:10.3f} us")
    print(f"scipy / ours {middle['scipy'] / middle['ours']:.1f}, "
          f"control / ours {middle['control'] / middle['ours']:.1f}, "
          f"numpy step / ours {middle['numpy step'] / middle['our step']:.0f}")
    care = scipy.linalg.solve_continuous_are(A, B, Q, R)
    gain, _, _ = control.lqr(A, B, Q, R)
    print("trace of P, scipy:", repr(float(np.trace(care))))
    print("largest difference of the gains of scipy and control:",
          float(np.abs(np.linalg.solve(R, B.T @ care) - gain).max()))


if __name__ == "__main__":
    main()
