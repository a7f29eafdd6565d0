"""Attacks, searches against the rule included, beside ByzFL, ByzPy and krum: in turn, in one run.

    venv/bin/python crates/phalanx-attack/benches/peers/attacks.py --n 25 --d 1e5

The environment is that of crates/phalanx-robust/benches/peers/aggregation.py, and so are the
columns. The first n - f vectors are honest, f = n / 5 nodes attack. ByzFL's optimal attacks are
our expansion search: 20 evaluations of the whole defence.
"""
import argparse
import contextlib
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "phalanx-robust/benches/peers")]
import turns  # noqa: E402

SEARCH = "/factor=expansion-search@"
ALIE, IPM = "a-little-is-enough", "inner-product-manipulation"
RULES = ["trimmed-mean", "nearest-neighbor-mixing+trimmed-mean"]
SUBJECTS = [
    "sign-flipping", IPM, ALIE, "mimic", "gaussian",
    *(attack + SEARCH + rule for rule in RULES for attack in (ALIE, IPM)),
]


def prepare(library, subject, arrays, f):
    """None where the library lacks the subject; else what makes a call without arguments."""
    honest = arrays[: len(arrays) - f]
    if library == "byzfl-numpy":
        return byzfl(subject, honest, f)
    import torch

    rows = torch.from_numpy(honest)
    which = {"byzfl-torch": byzfl, "krum": krum, "byzpy": byzpy}[library]
    return which(subject, rows, f)


def byzfl(subject, honest, f):
    import byzfl as peer

    def searched(attack, before):
        return attack(agg=peer.TrMean(f), pre_agg_list=before, f=f, evals=20)

    table = {
        "sign-flipping": lambda: peer.SignFlipping(),
        IPM: lambda: peer.InnerProductManipulation(tau=2.0),
        ALIE: lambda: peer.ALittleIsEnough(tau=1.5),
        "mimic": lambda: peer.Mimic(epsilon=0),
        "gaussian": lambda: peer.Gaussian(),
    }
    for rule, before in zip(RULES, ([], [peer.NNM(f)])):
        for name, attack in (
            (ALIE, peer.Optimal_ALittleIsEnough), (IPM, peer.Optimal_InnerProductManipulation)
        ):
            table[name + SEARCH + rule] = lambda a=attack, b=before: searched(a, b)
    if subject not in table:
        return None
    attack = table[subject]()
    return lambda: lambda: attack(honest)


def krum(subject, honest, f):
    from krum.primitives.attacks import alie, gaussian, sign_flip

    table = {
        ALIE: lambda: alie.ALIEAttack.generate(honest, f=f, z=1.5),
        "sign-flipping": lambda: sign_flip.SignFlipAttack.generate(honest, f=f),
        "gaussian": lambda: gaussian.GaussianAttack.generate(honest, f=f, std=1.0),
    }
    if subject not in table:
        return None
    call = table[subject]
    return lambda: lambda: call()[0]


def byzpy(subject, honest, f):
    from byzpy import attacks as peer

    rows = list(honest)
    table = {
        ALIE: lambda: peer.LittleAttack(f=f),
        IPM: lambda: peer.EmpireAttack(scale=-2.0),
        "mimic": lambda: peer.MimicAttack(epsilon=0),
        "gaussian": lambda: peer.GaussianAttack(),
    }
    if subject not in table:
        return None
    attack = table[subject]()
    return lambda: lambda: attack.apply(honest_grads=rows)


def row(ours, libraries, subject, shape, folder, options):
    """One row of the table."""
    n, d = shape
    built = ours.ask("rule", subject)
    if "error" in built:
        return f"| {subject} | {n} | {d:.0e} | refused: {built['error']} |"
    ours.ask("result", f"{folder}/ours")
    ready, notes, apart = [], [], {}
    for library in libraries:
        result = f"{folder}/{library.name}"
        answer = library.subject(
            subject, shape, f"{folder}/inputs", built["f"], result, options.limit
        )
        if "error" not in answer:
            ready.append((library, answer["seconds"]))
            apart[library.name] = turns.difference(f"{folder}/ours", result)
        elif answer["error"] != "absent":
            notes.append(f"{library.name}: {answer['error']}")
    times = turns.alternate(
        ours, ready, options.turns, options.budget_ms, options.limit, with_copy=False
    )
    wall = sorted(wall for wall, _ in times["ours"])
    cells = [subject.replace(SEARCH, ", searched against "), n, f"{d:.0e}".replace("e+0", "e")]
    cells.append(turns.short(wall[len(wall) // 2]))
    done = {name: turns.ratios(times[name], times["ours"]) for name in apart if times[name]}
    if done:
        best = min(done, key=lambda name: done[name][0])
        middle, least, greatest = map(turns.short, done[best])
        far = apart[best]
        cells += [
            best, f"{middle} ({least} to {greatest})",
            turns.short(turns.least(times[best], times["ours"])),
            turns.short(turns.ratios(times[best], times["ours"], 1)[0]),
            "random" if subject == "gaussian" else "other length" if far is None else f"{far:.0e}",
        ]
    else:
        cells += ["none", "", "", "", ""]
    rest = [f"{name} {turns.short(ratio[0])}" for name, ratio in done.items()]
    cells.append("; ".join(rest + notes))
    return "| " + " | ".join(map(str, cells)) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attacks", default=",".join(SUBJECTS))
    parser.add_argument("--n", default="25")
    parser.add_argument("--d", default="1e5,1e6")
    parser.add_argument("--libraries", default="byzfl-numpy,byzfl-torch,krum,byzpy")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--budget-ms", type=float, default=20, help="length of a turn")
    parser.add_argument("--limit", type=float, default=60, help="seconds for one call of a peer")
    parser.add_argument("--memory-gib", type=float, default=13, help="for each peer")
    options = parser.parse_args()
    turns.pin_threads(options.threads)
    print(f"{options.threads} threads on all sides; {turns.versions()}\n")
    print("| attack | n | d | ours ms | fastest peer | peer / ours "
          "| least | CPU | difference | all peers |")
    print("|" + " --- |" * 10, flush=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        ours = turns.Ours("phalanx-attack", "attacks", options.threads)
        libraries = [
            turns.Library("attacks", name, options.threads, options.memory_gib)
            for name in options.libraries.split(",")
        ]
        stack.callback(lambda: [library.stop() for library in libraries])
        for d in (int(float(word)) for word in options.d.split(",")):
            for n in (int(word) for word in options.n.split(",")):
                turns.write_inputs(f"{folder}/inputs", n, d, n // 5)
                ours.ask("load", n, d, f"{folder}/inputs")
                for subject in options.attacks.split(","):
                    print(row(ours, libraries, subject, (n, d), folder, options), flush=True)


if __name__ == "__main__":
    main()
