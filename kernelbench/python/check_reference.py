"""Does the reference interpreter compute what PyTorch computes in float64?

    python check_reference.py KERNELBENCH REFERENCE_EVALUATE TASK.json...

Builds each model of a task document (at the document's sizes) in float64, fills its parameters and inputs
with random numbers, runs it, runs the interpreter (tests/reference/evaluate_main.cpp) on the same numbers, and
prints the largest difference relative to the largest element of each output. Exit status 1 if any exceeds 1e-9.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent / "bridge"))

from kw_bridge import BridgeError, constructor  # noqa: E402
from kw_bridge.check import draw  # noqa: E402
from kw_bridge.export import plain_tensors, tensor_names  # noqa: E402
from kw_bridge.source import Source, find_problem, parse_sizes, set_seed  # noqa: E402

TOLERANCE = 1e-9


def torch_outputs(folder, task):
    """(values by name, outputs) of the model in float64; values are taken before the model runs."""
    path = find_problem(folder, task["name"].removeprefix("kernelbench:").removesuffix("@small"))
    module = Source(path).module(parse_sizes(task["provenance"].get("sizes", "")))
    model, _ = constructor.build(module, path)
    plain_tensors(model)
    model.double()
    set_seed()
    inputs = [x.double() if torch.is_tensor(x) and x.is_floating_point() else x for x in module["get_inputs"]()]
    values = dict(model.named_parameters(remove_duplicate=False))
    values.update(model.named_buffers(remove_duplicate=False))
    values.update(tensor_names(model, inputs, path))
    with torch.no_grad():
        for value in task["graph"]["values"]:
            if value["role"] == "weight" and value["name"] in values:
                tensor = values[value["name"]]
                fixed = any(step[0] in ("values", "tril", "triu") for step in task["draws"][value["name"]])
                if tensor.is_floating_point() and not fixed:  # ones and zeros would hide a missing operand
                    tensor.mul_(1 + 0.1 * torch.rand_like(tensor)).add_(0.01 * torch.rand_like(tensor))
    kept = {name: tensor.detach().clone() for name, tensor in values.items()}
    randoms = {}
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), Randoms(task, randoms):
            outputs = model(*inputs)
    finally:
        torch.set_default_dtype(torch.float32)
    kept.update(randoms)
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    after = dict(model.named_buffers(remove_duplicate=False))
    outputs += [after[name.removesuffix(".next")] for name in task["graph"]["outputs"][len(outputs) :]]
    return kept, outputs


class Randoms(torch.utils._python_dispatch.TorchDispatchMode):
    """Replaces what forward draws by the task's inputs `random.K`."""

    def __init__(self, task, made):
        super().__init__()
        self.values = [v for v in task["graph"]["values"] if v["name"].startswith("random.") and v["role"] == "input"]
        self.task, self.made = task, made

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._overloadpacket.__name__
        if name in ("native_dropout", "bernoulli_", "randn", "rand") and self.values:
            value = self.values.pop(0)
            drawn = draw(self.task["draws"][value["name"]], value["shape"]).double()
            self.made[value["name"]] = drawn
            if name == "bernoulli_":
                return args[0].copy_(drawn >= 1 - args[1])
            if name == "native_dropout":
                return args[0] * (drawn >= args[1]) / (1 - args[1]), drawn >= args[1]
            return drawn
        return func(*args, **(kwargs or {}))


def check(folder, program, path):
    """(largest relative difference, largest bound relative to the same, seconds of the interpreter)."""
    task = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    values, expected = torch_outputs(folder, task)
    with tempfile.TemporaryDirectory() as scratch:
        for value in task["graph"]["values"]:
            if value["role"] in ("input", "weight", "state"):
                tensor = values.get(value["name"])
                if tensor is None:  # a constant of the graph
                    tensor = _constant(task, value)
                tensor.double().contiguous().numpy().tofile(os.path.join(scratch, value["name"] + ".f64"))
        start = time.time()
        done = subprocess.run([program, path, scratch], capture_output=True, text=True)
        seconds = time.time() - start
        if done.returncode != 0:
            raise BridgeError(done.stderr.strip())
        worst = widest = 0.0
        for name, want in zip(task["graph"]["outputs"], expected):
            got, bound = (torch.from_file(os.path.join(scratch, f"{name}.{kind}.f64"), size=max(1, want.numel()), dtype=torch.float64)[: want.numel()] for kind in ("out", "bound"))
            want = want.double().reshape(-1)
            scale = float(want.abs().max().clamp(min=1e-30)) if want.numel() else 1.0
            worst = max(worst, float((got - want).abs().max()) / scale if want.numel() else 0.0)
            widest = max(widest, float(bound.max()) / scale if want.numel() else 0.0)
    return worst, widest, seconds


def _constant(task, value):
    from kw_bridge.check import TORCH_DTYPES
    from kw_bridge.packed import unpack

    steps = task["draws"][value["name"]]
    if steps[0][0] == "values":
        data = bytearray(unpack(steps[0][1]))
        return torch.frombuffer(data, dtype=TORCH_DTYPES[value["dtype"]]).reshape(value["shape"])
    return draw(steps, value["shape"])


def main():
    folder, program, *paths = sys.argv[1:]
    torch.set_num_threads(1)
    failed = 0
    for path in paths:
        try:
            worst, widest, seconds = check(folder, program, path)
            good = worst <= TOLERANCE
            failed += not good
            print(f"{'ok' if good else 'WRONG':6} {os.path.basename(path):28} difference {worst:.1e}  bound {widest:.1e}  {seconds:.2f} s", flush=True)
        except Exception as error:  # one problem must not end the list
            failed += 1
            print(f"FAILED {os.path.basename(path):28} {type(error).__name__}: {str(error)[:200]}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
