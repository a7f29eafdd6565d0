"""Every rule and mixing beside ByzFL, ByzPy and krum: same arrays, same run, in turn.

    python3.12 -m venv venv
    venv/bin/pip install torch numpy scipy scikit-learn cloudpickle tqdm matplotlib seaborn pandas psutil
    venv/bin/pip install --no-deps byzfl byzpy krum
    venv/bin/python crates/phalanx-robust/benches/peers/aggregation.py --n 25 --d 1e6

(krum needs Python 3.12; what is not installed is said and left out.) Prints a Markdown table: our
milliseconds; the time that a copy of the same bytes takes over ours (wall, CPU); the fastest peer;
how many times longer it takes, as the median of the ratios of neighbouring turns with the least
and the greatest, as the ratio of the least times, and in CPU time; how far its result is from
ours, relative to its norm (`@in-place` clips a copy made outside the clock, as ByzFL has to); all
peers' ratios of least times, or why there is none.
f = n / 5, or the largest that the rule admits. MDA is krum's Brute; krum's nearest-neighbour
averaging has the first vector as pivot, as ours and ByzFL's; all geometric medians do 3
iterations; centred clipping does 1 from zero with radius sqrt(d).
"""
import argparse
import contextlib
import itertools
import json
import math
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import turns  # noqa: E402

LIBRARIES = ["byzfl-numpy", "byzfl-torch", "krum", "byzpy"]
CHAIN = "nearest-neighbor-mixing+"
SUBJECTS = [
    "average", "coordinate-wise-median", "trimmed-mean", "meamed", "phocas", "trimmed-midpoint",
    "krum", "multi-krum", "bulyan", "medoid", "nearest-neighbor-averaging",
    "minimum-diameter-averaging", "geometric-median", "caf", "centered-clipping",
    "comparative-gradient-elimination", "self-centered-clipping", "dnc", "fltrust",
    "smallest-maximum-eigenvalue-averaging", "arc", "arc@in-place", "static-clipping",
    "static-clipping@in-place", "bucketing", "nearest-neighbor-mixing",
    CHAIN + "trimmed-mean", CHAIN + "krum", CHAIN + "geometric-median",
]
HEAD = (
    "| rule | n | d | f | ours ms | copy / ours | CPU | fastest peer | peer / ours | least | CPU "
    "| difference | all peers |\n|" + " --- |" * 13
)
RANDOM = {"bucketing", "dnc"}


def parameters(subject, d):
    """What our program is told besides the names, so that both sides do the same work."""
    given = {
        "krum": "/variant=byzfl",
        "multi-krum": "/variant=byzfl",
        "centered-clipping": f"/tau={math.sqrt(d)}",
        "static-clipping": f"/radius={math.sqrt(d)}",
        "static-clipping@in-place": f"/radius={math.sqrt(d)}",
    }
    return "+".join(name + given.get(name, "") for name in subject.split("+"))


def prepare(library, subject, arrays, f):
    """None where the library lacks the subject; else what makes a call without arguments."""
    subject = subject.removesuffix("@in-place")
    if library.startswith("byzfl"):
        return byzfl(library, subject, arrays, f)
    import torch

    rows = torch.from_numpy(arrays)
    return krum(subject, rows, f) if library == "krum" else byzpy(subject, list(rows), f)


def byzfl(library, subject, arrays, f):
    import byzfl as peer
    import torch

    data = arrays if library.endswith("numpy") else torch.from_numpy(arrays)
    radius = math.sqrt(arrays.shape[1])
    table = {
        "average": lambda: peer.Average(),
        "coordinate-wise-median": lambda: peer.Median(),
        "trimmed-mean": lambda: peer.TrMean(f),
        "meamed": lambda: peer.Meamed(f),
        "krum": lambda: peer.Krum(f),
        "multi-krum": lambda: peer.MultiKrum(f),
        "geometric-median": lambda: peer.GeometricMedian(),
        "centered-clipping": lambda: peer.CenteredClipping(L=1, tau=radius),
        "minimum-diameter-averaging": lambda: peer.MDA(f),
        "smallest-maximum-eigenvalue-averaging": lambda: peer.SMEA(f),
        "caf": lambda: peer.CAF(f),
        "nearest-neighbor-averaging": lambda: peer.MoNNA(f, 0),
        "nearest-neighbor-mixing": lambda: peer.NNM(f),
        "bucketing": lambda: peer.Bucketing(2),
        "arc": lambda: peer.ARC(f),
        "static-clipping": lambda: peer.Clipping(radius),
    }
    if any(name not in table for name in subject.split("+")):
        return None
    steps = [table[name]() for name in subject.split("+")]
    # These two write into what they are given, so that each call gets a copy of its own.
    if subject in ("arc", "static-clipping"):
        def make():
            fresh = data.copy() if library.endswith("numpy") else data.clone()
            return lambda: steps[0](fresh)
        return make
    return lambda: lambda: follow(steps, data)


def follow(steps, data):
    for step in steps:
        data = step(data)
    return data


def krum(subject, rows, f):
    from krum.primitives import aggregators as peer
    from importlib import import_module

    modules = {
        "average": ("average", "Average", {}),
        "coordinate-wise-median": ("median", "Median", {}),
        "trimmed-mean": ("trimmed_mean", "TrimmedMean", {}),
        "krum": ("krum", "Krum", {}),
        "multi-krum": ("multikrum", "MultiKrum", {"m": len(rows) - f}),
        "geometric-median": ("geometric_median", "GeometricMedian", {"tol": 0.0, "max_iter": 3}),
        "minimum-diameter-averaging": ("brute", "Brute", {}),
        "bulyan": ("bulyan", "Bulyan", {"m": 1}),
        "medoid": ("medoid", "Medoid", {}),
        "nearest-neighbor-averaging": ("nearest_neighbor_average", "NearestNeighborAverage", None),
    }
    if subject not in modules:
        return None
    module, name, more = modules[subject]
    rule = getattr(import_module(f"{peer.__name__}.{module}"), name)
    if more is None:
        return lambda: lambda: rule.aggregate(rows, num_closest=len(rows) - f, pivot=rows[0])
    return lambda: lambda: rule.aggregate(rows, n=len(rows), f=f, **more)


def byzpy(subject, rows, f):
    from byzpy import pre_aggregators as mixings
    from byzpy.aggregators import coordinate_wise, geometric_wise, norm_wise

    radius = math.sqrt(len(rows[0]))
    rules = {
        "coordinate-wise-median": lambda: coordinate_wise.CoordinateWiseMedian(),
        "trimmed-mean": lambda: coordinate_wise.CoordinateWiseTrimmedMean(f=f),
        "meamed": lambda: coordinate_wise.MeanOfMedians(f=f),
        "krum": lambda: geometric_wise.Krum(f=f),
        "multi-krum": lambda: geometric_wise.MultiKrum(f=f, q=len(rows) - f),
        "geometric-median": lambda: geometric_wise.GeometricMedian(
            max_iter=3, tol=1e-300, init="mean"
        ),
        "centered-clipping": lambda: norm_wise.CenteredClipping(c_tau=radius, M=1, init="zero"),
        "minimum-diameter-averaging": lambda: geometric_wise.MinimumDiameterAveraging(f=f),
        "caf": lambda: norm_wise.CAF(f=f),
        "nearest-neighbor-averaging": lambda: geometric_wise.MoNNA(f=f),
        "comparative-gradient-elimination": lambda: norm_wise.ComparativeGradientElimination(f=f),
    }
    before = {
        "nearest-neighbor-mixing": lambda: mixings.NearestNeighborMixing(f=f),
        "bucketing": lambda: mixings.Bucketing(bucket_size=2),
        "arc": lambda: mixings.ARC(f=f),
        "static-clipping": lambda: mixings.Clipping(threshold=radius),
    }
    names = subject.split("+")
    if any(name not in rules and name not in before for name in names):
        return None
    steps = [
        before[name]().pre_aggregate if name in before else rules[name]().aggregate
        for name in names
    ]
    return lambda: lambda: follow(steps, rows)


class Bench:
    """One run over cells, with its table."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.ours = turns.Ours("phalanx-robust", "aggregation", options.threads)
        self.libraries = [
            turns.Library("aggregation", name, options.threads, options.memory_gib)
            for name in options.libraries.split(",")
        ]
        self.too_slow = {}

    def cell(self, subject, n, d):
        """One row of the table."""
        mine, path = f"{self.folder}/ours", f"{self.folder}/inputs"
        built = self.ours.ask("rule", parameters(subject, d))
        if "error" in built:
            return f"| {subject} | {n} | {power(d)} | refused: {built['error']} |"
        self.ours.ask("result", mine)
        ready, notes, apart = [], [], {}
        for library in self.libraries:
            key = (library.name, subject, n)
            result = f"{self.folder}/{library.name}"
            answer = {"error": self.too_slow.get(key)}
            if answer["error"] is None:
                answer = library.subject(
                    subject, (n, d), path, built["f"], result, self.options.limit
                )
            if "error" not in answer:
                ready.append((library, answer["seconds"]))
                apart[library.name] = turns.difference(mine, result)
            elif answer["error"] != "absent":
                notes.append(f"{library.name}: {answer['error']}")
                if "over" in answer["error"] or "memory" in answer["error"]:
                    self.too_slow.setdefault(key, f"{answer['error']} at d = {power(d)}")
        times = turns.alternate(self.ours, ready, self.options, notes)
        record = {"subject": subject, "n": n, "d": d, "f": built["f"], "times": times,
                  "apart": apart, "notes": notes, "load": os.getloadavg()[0]}
        if self.options.json:
            with open(self.options.json, "a") as file:
                file.write(json.dumps(record) + "\n")
        return row(record)


def row(record):
    """A record as a row of the table."""
    subject, times, apart = record["subject"], record["times"], record["apart"]
    ours, copy = times["ours"], times["copy"]
    wall = sorted(wall for wall, _ in ours)
    cells = [subject, record["n"], power(record["d"]), record["f"]]
    cells.append(turns.short(wall[len(wall) // 2]))
    cells += [f"{turns.ratios(copy, ours, which)[0]:.2f}" for which in (0, 1)]
    done = {name: turns.ratios(times[name], ours) for name in apart if times[name]}
    if done:
        best = min(done, key=lambda name: turns.least(times[name], times["ours"]))
        middle, least, greatest = map(turns.short, done[best])
        cells += [best, f"{middle} ({least} to {greatest})"]
        cells.append(turns.short(turns.least(times[best], ours)))
        cells.append(turns.short(turns.ratios(times[best], ours, 1)[0]))
        far = apart[best]
        cells.append("random" if subject in RANDOM else "" if far is None else f"{far:.0e}")
    else:
        cells += ["none", "", "", "", ""]
    rest = [f"{name} {turns.short(turns.least(times[name], times['ours']))}" for name in done]
    cells.append("; ".join(rest + record["notes"]))
    return "| " + " | ".join(map(str, cells)) + " |"


def brief(records):
    """Rules by sizes; in each cell the least CPU ratio of all peers, and whose it is."""
    sizes, cells = {}, {}
    for record in records:
        size = (record["d"], record["n"])
        sizes[size] = f"{record['n']} x {power(size[0])}"
        times = record["times"]
        ratio = {
            name: turns.ratios(times[name], times["ours"], 1)[0]
            for name in record["apart"] if times[name]
        }
        least = min(ratio, key=ratio.get, default=None)
        text = f"{turns.short(ratio[least])} {least}" if least else "; ".join(record["notes"])
        cells.setdefault(record["subject"], {})[size] = text
    lines = [["rule", *(sizes[size] for size in sorted(sizes))], ["---"] * (len(sizes) + 1)]
    lines += [
        [subject, *(row.get(size, "") for size in sorted(sizes))] for subject, row in cells.items()
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def power(d):
    return f"{d:.0e}".replace("e+0", "e")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", default=",".join(SUBJECTS))
    parser.add_argument("--n", default="10,25,50,100")
    parser.add_argument("--d", default="1e4,1e5,1e6,1e7")
    parser.add_argument("--libraries", default=",".join(LIBRARIES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--budget-ms", type=float, default=20, help="length of a turn")
    parser.add_argument("--limit", type=float, default=20, help="seconds for one call of a peer")
    parser.add_argument("--bound-gib", type=float, default=1, help="larger inputs are skipped")
    parser.add_argument("--memory-gib", type=float, default=13, help="for each peer")
    parser.add_argument("--json", help="file to which the turns of each cell are appended")
    parser.add_argument("--again", help="prints the table of such a file and measures nothing")
    parser.add_argument("--brief", action="store_true", help="with --again: only CPU ratios")
    options = parser.parse_args()
    turns.pin_threads(options.threads)
    sizes = [[int(float(word)) for word in text.split(",")] for text in (options.d, options.n)]
    if options.again:
        with open(options.again) as file:
            records = [json.loads(line) for line in file]
        print(brief(records) if options.brief else "\n".join([HEAD, *map(row, records)]))
        return
    print(f"{options.threads} threads on all sides; {turns.versions()}\n")
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        bench = Bench(options, folder)
        stack.callback(lambda: [library.stop() for library in bench.libraries])
        for d, n in itertools.product(*sizes):
            if 4 * n * d > options.bound_gib * 2**30:
                print(f"| all | {n} | {power(d)} | skipped: input over --bound-gib |")
                continue
            turns.write_inputs(f"{folder}/inputs", n, d, n // 5)
            bench.ours.ask("load", n, d, f"{folder}/inputs")
            for subject in options.rules.split(","):
                print(bench.cell(subject, n, d), flush=True)


if __name__ == "__main__":
    main()
