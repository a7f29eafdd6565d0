"""The training loop that the authors of MoNNA published, run as it is and watched from outside.

RCL_PATH is a checkout of LPD-EPFL/robust-collaborative-learning whose folder
`experiments/datasets/cache/MNIST/raw` holds the four unpacked IDX files of Fashion-MNIST. The
program is read from there and two lines are inserted where a step begins and ends, which read the
process clock; everything else is its own. The Python environment needs torch and torchvision.
"""
import json
import os
import subprocess
import sys

# The settings of the MNIST campaign: 26 nodes, 5 Byzantine, the CNN with 431,080 parameters,
# batches of 25, Dirichlet shards, a step size that falls every 50 steps.
SETTINGS = [
    "--batch-size", "25", "--model", "simples-conv", "--loss", "nll",
    "--learning-rate-decay-delta", "50", "--learning-rate-decay", "50", "--learning-rate", "0.75",
    "--l2-regularize", "1e-4", "--nb-workers", "26", "--nb-decl-byz", "5", "--nb-real-byz", "5",
    "--momentum-at", "worker", "--momentum", "0.99", "--dampening", "0.99", "--gar", "cva",
    "--gradient-clip-centered", "2", "--dataset", "mnist", "--numb-labels", "10",
    "--dirichlet-alpha", "1", "--evaluation-delta", "0", "--seed", "1", "--device", "cpu",
]
WATCHED = """
import contextlib, io, json, re, sys, time
import torch
torch.set_num_threads(1)
sys.path.insert(0, ".")
sys.argv = ["peerToPeer.py"] + sys.argv[1:]
source = open("peerToPeer.py").read()
hook = '\\t\\tstorage["steps"]    = steps + 1\\n'
begin = "\\twhile not exit_is_requested():\\n"
assert hook in source and begin in source, "peerToPeer.py has changed"
source = source.replace(hook, hook + "\\t\\tmark()\\n").replace(begin, "\\tmark()\\n" + begin)
clock = []
names = {"__name__": "__main__", "__file__": "peerToPeer.py",
         "mark": lambda: clock.append(time.process_time())}
said = io.StringIO()
with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
    exec(compile(source, "peerToPeer.py", "exec"), names)
accuracies = re.findall(r"Accuracy \\(step (\\d+)\\)\\.\\.\\. (\\d+\\.\\d+)%", said.getvalue())
print(json.dumps({"seconds": [b - a for a, b in zip(clock, clock[1:])],
                  "accuracies": {int(step): float(share) / 100 for step, share in accuracies}}))
"""


def run(options):
    """One run: CPU seconds of each step, and the accuracy of the first node where it is measured.

    `options` are those of the published program; they come after `SETTINGS` and override them.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *SETTINGS, *options],
        cwd=os.environ["RCL_PATH"], env=environment, check=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    return {
        "seconds": said["seconds"],
        "accuracies": {int(step): share for step, share in said["accuracies"].items()},
    }
