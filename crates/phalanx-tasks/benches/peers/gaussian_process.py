"""CPU time of scikit-learn and numpy on the work of benches/gaussian_process.rs, as JSON lines.

One thread: OMP_NUM_THREADS=1 python gaussian_process.py. Needs numpy, scipy and scikit-learn.
The data are drawn by the same streams as there.
"""

import json
import math
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

MASK = (1 << 64) - 1


class Stream:
    """SplitMix64 in counter form."""

    def __init__(self, seed):
        self.seed, self.drawn = seed, 0

    def uniform(self):
        self.drawn += 1
        z = (self.seed + self.drawn * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53

    def normals(self, count):
        out = []
        while len(out) < count:
            first, second = self.uniform(), self.uniform()
            radius = math.sqrt(-2.0 * math.log1p(-first))
            angle = 2.0 * math.pi * second
            out += [radius * math.cos(angle), radius * math.sin(angle)]
        return np.array(out[:count])


def smooth(inputs, outputs, rows):
    stream = Stream(1)
    points = np.array([-1.0 + 2.0 * stream.uniform() for _ in range(rows * inputs)])
    points = points.reshape(rows, inputs)
    noise = stream.normals(rows * outputs).reshape(rows, outputs)
    targets = np.empty((rows, outputs))
    for e in range(outputs):
        weights = np.array([1.0 / (1 + (d + e) % 5) for d in range(inputs)])
        bent = 0.3 * points[:, e % inputs] * points[:, (e + 1) % inputs]
        targets[:, e] = np.sin(points @ weights) + bent + 1e-3 * noise[:, e]
    return points, targets


def report(what, count, work, repeats=7):
    if len(sys.argv) > 1 and not any(word in what for word in sys.argv[1:]):
        return
    work()
    times = []
    for _ in range(repeats):
        before = time.process_time()
        work()
        times.append((time.process_time() - before) * 1e6 / count)
    times.sort()
    figures = {"least_us": round(times[0], 2), "median_us": round(times[len(times) // 2], 2)}
    print(json.dumps({"what": what, **figures}), flush=True)


def regressor(inputs, starts):
    kernel = ConstantKernel(1.0, (1e-4, 1e6)) * RBF([2.0] * inputs, (0.05, 1e3))
    kernel = kernel + WhiteKernel(0.01, (1e-6, 1.0))
    return GaussianProcessRegressor(kernel, alpha=1e-10, n_restarts_optimizer=starts - 1)


def standardised(points, targets):
    points = (points - points.mean(0)) / points.std(0)
    return points, (targets - targets.mean(0)) / targets.std(0)


def fit(what, points, targets, starts):
    points, targets = standardised(points, targets)

    def work():
        np.random.seed(1)
        for e in range(targets.shape[1]):
            regressor(points.shape[1], starts).fit(points, targets[:, e])

    report(f"fit from {starts} starts, {what}", 1, work, 5)


def mean_and_derivatives(what, points, targets):
    """Mean and slope by numpy: scikit-learn itself gives no slopes."""
    points, targets = standardised(points, targets)
    rows, inputs = points.shape
    outputs = targets.shape[1]
    inverse_squares = np.full((outputs, inputs), 1.0 / 9.0)
    alpha = np.empty((outputs, rows))
    for e in range(outputs):
        apart = points[:, None, :] - points[None, :, :]
        k = np.exp(-0.5 * (apart**2 @ inverse_squares[e])) + 0.01 * np.eye(rows)
        half = np.linalg.cholesky(k)
        alpha[e] = solve_triangular(half.T, solve_triangular(half, targets[:, e], lower=True))
    at = np.full(inputs, 0.1)

    def work():
        for _ in range(100):
            apart = points - at
            k = np.exp(-0.5 * (apart**2 @ inverse_squares.T)).T
            weighted = alpha * k
            weighted.sum(1)
            (weighted @ apart) * inverse_squares

    report(f"mean and derivatives, squared-exponential, {what}", 100, work)


def mean_alone(what, points, targets):
    points, targets = standardised(points, targets)
    inputs = points.shape[1]
    models = []
    for e in range(targets.shape[1]):
        kernel = ConstantKernel(1.0) * RBF([3.0] * inputs) + WhiteKernel(0.01)
        models.append(GaussianProcessRegressor(kernel, optimizer=None).fit(points, targets[:, e]))
    at = np.full((1, inputs), 0.1)

    def work():
        for _ in range(10):
            for model in models:
                model.predict(at)

    report(f"mean alone, squared-exponential, {what}", 10, work)


def main():
    quadrotor, dubins = smooth(16, 12, 400), smooth(5, 3, 150)
    mean_and_derivatives("16 inputs, 12 outputs, 400 rows", *quadrotor)
    mean_and_derivatives("5 inputs, 3 outputs, 150 rows", *dubins)
    mean_alone("16 inputs, 12 outputs, 400 rows", *quadrotor)
    mean_alone("5 inputs, 3 outputs, 150 rows", *dubins)
    for starts in (1, 2):
        points, targets = smooth(16, 1, 400)
        fit("16 inputs, 400 rows", points, targets, starts)
        fit("5 inputs, 150 rows, 3 outputs", *dubins, starts)


if __name__ == "__main__":
    main()
