"""Does a task compute what its model computes? Runs both on the CPU at small sizes.

A task document is exported again (and must not have changed), its constructor is replayed, its graph is
interpreted operator by operator with torch, its draws are compared with the inputs of the file.
"""

import json
import os
import sys

import torch

from . import BridgeError, constructor
from .export import export_file, tensor_names
from .attributes import DTYPES
from .source import Source, parse_sizes, set_seed

TORCH_DTYPES = {name: dtype for dtype, name in DTYPES.items()}
MOST_ELEMENTS = 30_000_000  # larger tasks are only exported again


def check_tasks(folder, paths):
    failed = 0
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                note = check_task(folder, json.load(file))
            print(f"ok      {path}: {note}")
        except (BridgeError, OSError, json.JSONDecodeError) as error:
            failed += 1
            print(f"FAILED  {path}: {error}", file=sys.stderr)
    return 1 if failed else 0


def check_task(folder, task):
    """A sentence about what was compared; BridgeError if anything differs."""
    provenance = task["provenance"]
    path = os.path.join(folder, provenance["file"])
    if not os.path.exists(path):
        path = os.path.join(folder, "KernelBench", provenance["file"])
    source = Source(path)
    if source.sha256 != provenance["sha256"]:
        raise BridgeError(f"{path} is not the file that the task was exported from")
    sizes = parse_sizes(provenance.get("sizes", ""))
    again = export_file(path, sizes=sizes, policy=task["policy"])
    for part in ("graph", "draws", "constructor"):
        if again[part] != json.loads(json.dumps(task[part])):
            raise BridgeError(f"exporting {path} again gives another {part}")
    if max(_count(value["shape"]) for value in task["graph"]["values"]) > MOST_ELEMENTS:
        return "exports again identically (too large to run)"
    module = source.module(sizes)
    model, _ = constructor.build(module, path)
    _check_constructor(task, model)
    set_seed()
    inputs = list(module["get_inputs"]())
    named = dict(tensor_names(model, inputs, path))
    likened = task["provenance"].get("likened_draws", "").split(",")
    _check_draws(task, {name: tensor for name, tensor in named.items() if name not in likened})
    return _check_values(task, model, inputs, named)


def _count(shape):
    total = 1
    for extent in shape:
        total *= extent
    return total


def _check_constructor(task, model):
    calls = [[p, op, shape, [float(a) for a in arguments]] for p, op, shape, arguments in task["constructor"]]
    constructor.verify(model, calls)


def _check_draws(task, named):
    """Mean and deviation of what the file draws and of what the task says. Shared factors are left out."""
    for name, tensor in named.items():
        steps = task["draws"][name]
        if any(step[0] == "mul_uniform" for step in steps) or tensor.numel() < 64:
            continue
        theirs, ours = tensor.double(), draw(steps, tensor.shape).double()
        spread = max(float(theirs.std()), float(ours.std()), 1e-12)
        slack = 6 * spread / tensor.numel() ** 0.5
        if abs(float(theirs.mean() - ours.mean())) > 2 * slack or abs(float(theirs.std() - ours.std())) > 2 * slack:
            raise BridgeError(f"the draw of {name} does not look like what get_inputs() draws")


def draw(steps, shape):
    """A tensor drawn as a task says (not the product's own generator, only its distribution)."""
    op, *a = steps[0]
    if op == "uniform":
        made = torch.empty(shape).uniform_(a[0], a[1])
    elif op == "normal":
        made = torch.empty(shape).normal_(a[0], a[1])
    elif op == "integers":
        made = torch.randint(int(a[0]), int(a[1]), shape).float()
    else:
        made = torch.full(shape, float(a[0]))
    for op, *a in steps[1:]:
        made = made * a[0] if op == "mul" else made + a[0]
    return made


def _check_values(task, model, inputs, named):
    """Parameters are made random first: ones and zeros would hide a swapped or missing operand."""
    held = dict(model.named_parameters(remove_duplicate=False))
    held.update(model.named_buffers(remove_duplicate=False))
    with torch.no_grad():
        for tensor in held.values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor).mul_(0.5))
        values = {name: tensor.clone() for name, tensor in {**held, **named}.items()}
        for value in task["graph"]["values"]:
            if value["role"] in ("weight", "state") and value["name"] not in values:
                values[value["name"]] = draw(task["draws"][value["name"]], value["shape"])
        set_seed()
        expected = model(*inputs)
        set_seed()
        values.update(_drawn_by_forward(task))
        interpret(task["graph"], values)
    expected = list(expected) if isinstance(expected, (tuple, list)) else [expected]
    worst = 0.0
    for name, tensor in zip(task["graph"]["outputs"], expected):
        made = values[name]
        if made.shape != tensor.shape or made.dtype != tensor.dtype:
            raise BridgeError(f"output {name} is {made.dtype} {list(made.shape)}, the model's {tensor.dtype} {list(tensor.shape)}")
        if not torch.allclose(made, tensor, rtol=1e-5, atol=1e-6, equal_nan=True):
            raise BridgeError(f"output {name} differs from the model's by {float((made - tensor).abs().max())}")
        worst = max(worst, float((made - tensor).abs().max()) if made.numel() else 0.0)
    return f"{len(task['graph']['nodes'])} operators, largest difference {worst:g}"


def _drawn_by_forward(task):
    """Forward's own random numbers, in the order and from the state in which it draws them."""
    if any(node["op"] == "kw.dropout" for node in task["graph"]["nodes"]):
        raise BridgeError("forward draws dropout masks, whose numbers torch does not show")
    makers = {"uniform": torch.rand, "normal": torch.randn}
    return {
        value["name"]: makers[task["draws"][value["name"]][0][0]](value["shape"])
        for value in task["graph"]["values"]
        if value["name"].startswith("random.")
    }


def interpret(graph, values):
    """Runs a graph document with torch; `values` gains every intermediate."""
    declared = {value["name"]: value for value in graph["values"]}
    for index, node in enumerate(graph["nodes"]):
        tensors = [None if name is None else values[name] for name in node["in"]]
        out = _overload(node, tensors)(**{a.name: value for a, value in _arguments(node, tensors)})
        for name, tensor in zip(node["out"], out if isinstance(out, (tuple, list)) else [out]):
            if name is None:
                continue
            value = declared[name]
            if list(tensor.shape) != value["shape"] or DTYPES[tensor.dtype] != value["dtype"]:
                raise BridgeError(f"node {index} ({node['op']}) gives {tensor.dtype} {list(tensor.shape)}, not {value}")
            values[name] = tensor


def _overload(node, tensors):
    namespace, name, *overload = node["op"].split(".")
    packet = getattr(getattr(torch.ops, namespace), name)
    if overload:
        return getattr(packet, overload[0])
    choices = [getattr(packet, o) for o in ("default", "Tensor") if o in packet.overloads()]
    for choice in choices:
        names = {argument.name for argument in choice._schema.arguments}
        most = sum("Tensor" in str(argument.type) for argument in choice._schema.arguments)
        lists = any("List[" in str(a.type) and "Tensor" in str(a.type) for a in choice._schema.arguments)
        if set(node["attrs"]) <= names and (lists or len(tensors) <= most):
            return choice
    raise BridgeError(f"torch has no operator for {node['op']} with {sorted(node['attrs'])}")


def _arguments(node, tensors):
    """(schema argument, value) in order; an argument that the document leaves out is skipped."""
    schema = _overload(node, tensors)._schema.arguments
    rest = list(tensors)
    for position, argument in enumerate(schema):
        kind = str(argument.type)
        if argument.name in node["attrs"]:
            yield argument, _value(node["attrs"][argument.name], kind)
        elif "Tensor" in kind and "List[" in kind:
            later = [a for a in schema[position + 1 :] if "Tensor" in str(a.type) and a.name not in node["attrs"]]
            count = 2 if argument.name == "hx" else len(rest) - len(later)
            yield argument, rest[:count]
            rest = rest[count:]
        elif "Tensor" in kind:
            yield argument, rest.pop(0) if rest else None
        elif not argument.kwarg_only and not argument.has_default_value():
            yield argument, None


def _value(value, kind):
    if isinstance(value, dict):  # {"number": "inf"}
        return float(value["number"])
    if isinstance(value, str) and value in TORCH_DTYPES:
        return TORCH_DTYPES[value]
    return value
