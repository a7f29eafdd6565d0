"""Iterations of planners: ours, barrier-states-python and Crocoddyl in turns.

    python3.12 -m venv venv
    venv/bin/pip install barrier-states-python crocoddyl scipy
    venv/bin/python crates/phalanx-tasks/benches/peers/safe_control.py --turns 3

Each turn runs our bench (built before) and then the libraries, one thread, CPU time; printed are
medians over turns and their ratios, and the costs that both sides end with. barrier-states-python
plans the same problems as ours; Crocoddyl has no barrier states, so it is compared on a unicycle
and on a linear system of the quadrotor's size, a node being linearised, swept and rolled out once.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import crocoddyl
import numpy as np
from barrier_states.barriers import reciprocal
from barrier_states.bas import DynamicDiscrete
from barrier_states.constraints import obstacles_2d, obstacles_3d
from barrier_states.costs import QuadraticDiscrete
from barrier_states.embedding import EmbeddedDiscrete
from barrier_states.models import Quadrotor12D, discretize
from barrier_states.solvers import ddp

DISCS = [(2.5, 2, .5), (4, 4, .5), (1, 2.5, .5), (4.5, 1, .5), (1, 4.5, .5), (2, 4.5, .5),
         (4, 2.5, .5), (3, -1, 1.2), (2, 2.5, .5), (3, 3.5, .5), (1, -1, .5), (2.2, .5, .5),
         (3, .5, .5)]
BALLS = [(2, 2.2, 1), (-2, -2.2, 1), (4, 1, -1), (0, 3, 3.5), (-3, 2, -2), (6, 0, -4),
         (1, -3, -3), (1, -3, 4), (1, -3, 0)]


class Dubins:
    name, domain, n, m = "dubins", "discrete", 3, 2

    def step(self, x, u):
        return x + 0.05 * np.array([u[0] * np.cos(x[2]), u[0] * np.sin(x[2]), u[1]])

    def step_x(self, x, u):
        slope = np.eye(3)
        slope[:2, 2] = 0.05 * u[0] * np.array([-np.sin(x[2]), np.cos(x[2])])
        return slope

    def step_u(self, x, u):
        return 0.05 * np.array([[np.cos(x[2]), 0], [np.sin(x[2]), 0], [0, 1.0]])


def planned(model, constraint, start, goal, weights, horizon, first):
    """CPU time per iteration and cost of a search by barrier-states-python."""
    barrier = reciprocal(constraint, aggregate="sum")
    embedded = EmbeddedDiscrete(model, DynamicDiscrete(model, barrier))
    running, inputs, terminal = weights
    reference = embedded.augment_state(np.array(goal, float))
    cost = QuadraticDiscrete(np.diag(running), np.diag(inputs), np.diag(terminal),
                             x_ref=reference)
    at, rest = embedded.augment_state(np.array(start, float)), np.zeros((horizon, model.m))
    before = time.process_time()
    solution = ddp(embedded, cost, at, rest, max_iters=100, tol_cost=1e-6, reg_init=first,
                   verbose=False)
    seconds = time.process_time() - before
    return seconds / solution.iterations * 1e6, float(solution.cost), solution.iterations


def dubins():
    centres, radii = np.array(DISCS)[:, :2], np.array(DISCS)[:, 2]
    weights = [0, 0, 0, 1e-4], [0.01] * 2, [100, 100, 10, 1e-3]
    return planned(Dubins(), obstacles_2d(centres, radii, state_dim=3), [0, 0, 0], [3.5, 3, 0],
                   weights, 120, 1e-6)


def quadrotor():
    constraint = obstacles_3d(np.array(BALLS, float), np.ones(9), state_dim=12,
                              state_indices=(9, 10, 11))
    weights = [0] * 12 + [1e-2], [0.02] * 4, [20] * 9 + [100] * 3 + [1e-3]
    start, goal = [0] * 9 + [7, 1.2, -1.2], [0] * 9 + [-6, 1.8, -1.9]
    return planned(discretize(Quadrotor12D(), 0.02), constraint, start, goal, weights, 300, 1e-6)


def crocoddyl_iteration(action, start, horizon, count=50):
    """Least CPU time of a linearisation, a backward sweep and a roll-out by Crocoddyl."""
    problem = crocoddyl.ShootingProblem(start, [action] * horizon, action)
    problem.nthreads = 1
    solver = crocoddyl.SolverDDP(problem)
    states = problem.rollout([np.zeros(action.nu)] * horizon)
    inputs = [np.zeros(action.nu)] * horizon
    times = []
    for _ in range(9):
        spent = 0.0
        for _ in range(count):
            solver.setCandidate(states, inputs, True)
            before = time.process_time()
            solver.computeDirection(True)
            solver.tryStep(1.0)
            spent += time.process_time() - before
        times.append(spent / count * 1e6)
    return min(times)


def lqr(n, m):
    if hasattr(crocoddyl.ActionModelLQR, "Random"):
        return crocoddyl.ActionModelLQR.Random(n, m)
    return crocoddyl.ActionModelLQR(n, m)


def ours():
    command = ["cargo", "bench", "-q", "-p", "phalanx-tasks", "--bench", "safe_control", "--",
               "analytic", "unicycle", "dense"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return {row["what"]: row["median_us"] for row in rows}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    rows = [("dubins", "iteration of dubins, analytic", lambda: dubins()[0]),
            ("quadrotor", "iteration of quadrotor, analytic", lambda: quadrotor()[0]),
            ("unicycle, 120 nodes", "unicycle of 120 nodes",
             lambda: crocoddyl_iteration(crocoddyl.ActionModelUnicycle(),
                                         np.array([-1.0, -1.0, 0.1]), 120)),
            ("linear 13, 4, 300 nodes", "dense system of 13 states and 4 inputs, 300 nodes",
             lambda: crocoddyl_iteration(lqr(13, 4), np.ones(13), 300, 10))]
    times = {name: ([], []) for name, _, _ in rows}
    for _ in range(arguments.turns):
        mine = ours()
        for name, what, peer in rows:
            times[name][0].append(mine[what])
            times[name][1].append(peer())
    print(f"crocoddyl {crocoddyl.__version__}, numpy {np.__version__}")
    for name, (mine, peer) in times.items():
        mine, peer = statistics.median(mine), statistics.median(peer)
        print(f"{name:>24}: ours {mine:9.1f} us, peer {peer:9.1f} us, ratio {peer / mine:7.1f}")
    for name, (_, cost, iterations) in (("dubins", dubins()), ("quadrotor", quadrotor())):
        print(f"barrier-states-python, {name}: J {cost:.6f} in {iterations} iterations")


if __name__ == "__main__":
    main()
