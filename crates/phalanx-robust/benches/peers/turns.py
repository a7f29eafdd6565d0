"""Turns: our bench program and Python libraries time the same arrays one after the other.

Every library lives in a process of its own, which can be limited in memory and killed. A turn is
calls of one subject for some milliseconds; its figure is the median call. Turns alternate, so that
what else the machine does weighs on all sides alike, and only ratios of neighbouring turns count.
"""
import importlib
import json
import multiprocessing
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[4]


def pin_threads(count):
    """Before numpy or torch is imported: how many threads they may start."""
    for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR"):
        os.environ[f"{name}_NUM_THREADS"] = str(count)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def write_inputs(path, n, d, shifted):
    """Seeded standard normal rows around 0.1, the last ones around 3, as raw f32."""
    import numpy

    rng = numpy.random.default_rng(0)
    row = numpy.empty(d, dtype=numpy.float32)
    with open(path, "wb") as file:
        for index in range(n):
            rng.standard_normal(dtype=numpy.float32, out=row)
            row += 0.1 if index < n - shifted else 3.0
            row.tofile(file)


def turn(make, budget_ms):
    """Median wall and CPU milliseconds of a call; `make` prepares one outside the clock."""
    wall, cpu = [], []

    def once():
        call = make()
        start = time.process_time(), time.perf_counter()
        call()
        wall.append((time.perf_counter() - start[1]) * 1e3)
        cpu.append((time.process_time() - start[0]) * 1e3)

    once()
    if wall[0] <= budget_ms:
        # As on our side: a call that wakes the threads does not count where it need not.
        wall.clear()
        cpu.clear()
        while sum(wall) < budget_ms:
            once()
    return {
        "wall": statistics.median(wall), "cpu": statistics.median(cpu), "calls": len(wall)
    }


def serve(pipe, module, library, threads, memory_gib):
    """The other process: answers requests until the pipe closes."""
    pin_threads(threads)
    limit = int(memory_gib * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    sys.stdout = open(os.devnull, "w")
    arrays, make = None, None
    try:
        import numpy
        import torch

        torch.set_num_threads(threads)
        prepare = importlib.import_module(module).prepare
        pipe.send({})
    except ImportError as why:
        pipe.send({"error": f"not installed: {why}"})
        return
    while True:
        try:
            what, *rest = pipe.recv()
        except EOFError:
            return
        try:
            if what == "load":
                (n, d), path = rest[0], rest[1]
                arrays = numpy.fromfile(path, dtype=numpy.float32).reshape(n, d)
                answer = {}
            elif what == "subject":
                make = prepare(library, rest[0], arrays, rest[1])
                if make is None:
                    answer = {"error": "absent"}
                else:
                    start = time.perf_counter()
                    result = make()()
                    answer = {"seconds": time.perf_counter() - start}
                    flat(result).tofile(rest[2])
            else:
                answer = turn(make, rest[0])
        except MemoryError:
            answer = {"error": "out of memory"}
        except Exception as why:  # a library that refuses or fails is a result, too
            is_memory = "alloc" in str(why).lower() or "memory" in str(why).lower()
            kind = "out of memory" if is_memory else f"{type(why).__name__}: {why}"[:120]
            answer = {"error": kind}
        pipe.send(answer)


def flat(result):
    """A library's vector, list of vectors or array, in one f32 array."""
    import numpy

    if isinstance(result, (list, tuple)) and numpy.ndim(result[0]) > 0:
        return numpy.concatenate([flat(part) for part in result])
    return numpy.asarray(result, dtype=numpy.float32).reshape(-1)


class Library:
    """A Python library in a process of its own."""

    def __init__(self, module, name, threads, memory_gib):
        self.name = name
        self.setup = (module, name, threads, memory_gib)
        self.process, self.loaded, self.missing = None, None, None

    def ask(self, *request, limit):
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, theirs = context.Pipe()
            self.process = context.Process(target=serve, args=(theirs, *self.setup), daemon=True)
            self.process.start()
            theirs.close()
            self.loaded = None
            self.missing = self.wait(120).get("error")
        if self.missing:
            return {"error": self.missing}
        self.pipe.send(request)
        return self.wait(limit)

    def wait(self, limit):
        try:
            if self.pipe.poll(limit):
                return self.pipe.recv()
            why = f"over {limit:.0f} s"
        except EOFError:
            why = "killed (out of memory?)"
        self.stop()
        return {"error": why}

    def subject(self, name, shape, path, f, result, limit):
        """Loads what is not loaded, and calls the subject once."""
        answer = self.ask("load", shape, path, limit=120) if self.loaded != shape else {}
        if "error" in answer:
            return answer
        self.loaded = shape
        answer = self.ask("subject", name, f, result, limit=limit)
        if self.process is None or answer.get("error") == "out of memory":
            self.stop()
        return answer

    def turn(self, budget_ms, limit):
        return self.ask("turn", budget_ms, limit=limit)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process, self.loaded = None, None


class Ours:
    """Our bench program, which answers a line with a line."""

    def __init__(self, package, bench, threads):
        command = ["cargo", "bench", "-q", "-p", package, "--bench", bench, "--no-run",
                   "--message-format=json"]
        done = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE)
        messages = [json.loads(line) for line in done.stdout.splitlines()]
        programs = [m["executable"] for m in messages if m.get("executable")]
        self.process = subprocess.Popen(
            [programs[-1], "--bench", "--serve", "--threads", str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"our bench program died at `{words}`")
        return json.loads(line)


def alternate(ours, libraries, turns, budget_ms, limit, with_copy=True):
    """Turns of all sides in alternation: name -> list of (wall, cpu), None where a turn failed."""
    times = {"ours": [], "copy": []} | {library.name: [] for library, _ in libraries}
    for index in range(turns):
        for who in ["copy"] * with_copy + ["ours"]:
            pause()
            answer = ours.ask("copy" if who == "copy" else "turn", budget_ms)
            if "error" in answer:
                raise SystemExit(f"ours: {answer['error']}")
            times[who].append((answer["wall"], answer["cpu"]))
        for library, seconds in libraries:
            # Slow calls get fewer turns: 1 above 5 s, 3 above 1 s.
            if index >= (1 if seconds > 5 else 3 if seconds > 1 else turns):
                continue
            pause()
            answer = library.turn(budget_ms, limit)
            if "error" not in answer:
                times[library.name].append((answer["wall"], answer["cpu"]))
    return times


def pause():
    """Threads that spin after their last task have stopped when the next side begins."""
    time.sleep(0.03)


def ratios(theirs, ours, which=0):
    """Median, least and greatest ratio of turns that belong together."""
    each = [t[which] / max(o[which], 1e-9) for t, o in zip(theirs, ours)]
    return statistics.median(each), min(each), max(each)


def least(theirs, ours):
    """Ratio of the least wall times: what is left when nothing else ran."""
    return min(wall for wall, _ in theirs) / min(wall for wall, _ in ours)


def short(value):
    """Two or three significant digits without an exponent."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f}"


def difference(mine, theirs):
    """‖mine − theirs‖ / ‖theirs‖ of two raw f32 files."""
    import numpy

    a, b = (numpy.fromfile(path, dtype=numpy.float32).astype(float) for path in (mine, theirs))
    if a.shape != b.shape:
        return None
    return float(numpy.linalg.norm(a - b) / max(numpy.linalg.norm(b), 1e-300))


def versions():
    """Installed versions, the processor and the load, in a line."""
    from importlib import metadata

    names = []
    for name in ("byzfl", "byzpy", "krum", "torch", "numpy"):
        try:
            names.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            names.append(f"{name} not installed")
    model = "unknown processor"
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    load = os.getloadavg()[0]
    return f"{', '.join(names)}; {model}, {os.cpu_count()} cores, load {load:.1f}"
