"""One model file, at its own or at other sizes, as a task document (codegen/core, task.h)."""

import inspect

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from . import VERSION, BridgeError, constructor
from .graph import GraphBuilder, export_program, number
from .record import Recorder, draw_steps
from .source import Source, describe, kernelbench_name, revision_of, set_seed


def export_file(path, sizes=None, name=None, policy="ieee", revision=None, small=False):
    """The task of a model file as a dictionary."""
    source = Source(path)
    notes = {}
    if small:
        from .small import shrink

        sizes, notes = shrink(source)
    problem, folder, relative = kernelbench_name(path)
    base = name or (f"kernelbench:{problem}" if problem else relative or path.rsplit("/", 1)[-1])
    module = source.module(sizes)
    model, recorder = constructor.build(module, path)
    calls = constructor.sequence(model, recorder)
    constructor.verify(model, calls)
    graph, draws = trace(module, model, recorder, path)
    provenance = {
        "exporter": f"kw_bridge {VERSION}",
        "file": relative or path.rsplit("/", 1)[-1],
        "sha256": source.sha256,
        "torch": torch.__version__.split("+")[0],
    }
    revision = revision or (revision_of(folder) if folder else None)
    if revision:
        provenance["kernelbench_revision"] = revision
    if sizes:
        provenance["sizes"] = ",".join(f"{label}={value}" for label, value in sizes.items())
    provenance.update(notes)
    return {
        "v": 1,
        "kind": "task",
        "name": f"{base}@small" if small else base,
        "graph": graph,
        "formats": [],
        "draws": draws,
        "policy": policy,
        "determinism": "within_bound",
        "setup_is_timed": True,
        "constructor": [[p, op, s, [number(x) for x in a]] for p, op, s, a in calls],
        "provenance": provenance,
    }


def fake_inputs(module, path):
    """What get_inputs() returns, without its bytes, and the recorder that saw it made."""
    set_seed()
    with Recorder() as recorder:
        try:
            inputs = list(module["get_inputs"]())
        except Exception as error:
            raise BridgeError(f"{path}: get_inputs() cannot be traced: {describe(error)}") from None
    return inputs, recorder


def trace(module, model, made, path):
    """(graph, draws) of a constructed model; `made` recorded its constructor."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        inputs, recorder = fake_inputs(module, path)
        names = tensor_names(model, inputs, path)
        draws = {
            name: draw_steps(recorder.steps_of(tensor), f"{path}: input {name}")
            for name, tensor in names
        }
    builder = GraphBuilder(
        export_program(model, inputs, path), [name for name, _ in names], path
    )
    graph = builder.build()
    held = dict(model.named_parameters(remove_duplicate=False))
    held.update(model.named_buffers(remove_duplicate=False))
    held.update(builder.tensors)
    for value in graph["values"]:
        if value["role"] in ("weight", "state"):
            draws[value["name"]] = _held_draw(value["name"], held[value["name"]], made, path)
    return graph, {k: [[op, *map(number, a)] for op, *a in v] for k, v in draws.items()}


def tensor_names(model, inputs, path):
    """[(forward's parameter name, tensor)] of the inputs that are tensors."""
    try:
        bound = inspect.signature(model.forward).bind(*inputs)
    except TypeError as error:
        raise BridgeError(f"{path}: get_inputs() does not fit forward(): {error}") from None
    named = []
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        many = kind is inspect.Parameter.VAR_POSITIONAL
        for index, item in enumerate(value if many else [value]):
            if isinstance(item, torch.Tensor):
                named.append((f"{name}{index}" if many else name, item))
            elif item is not None and not isinstance(item, (bool, int, float, str)):
                raise BridgeError(f"{path}: input {name} is a {type(item).__name__}, neither tensor nor number")
    return named


def _held_draw(name, tensor, made, path):
    """The draw of a parameter, buffer or constant: from its initialiser, or its one value."""
    steps = made.steps_of(tensor)
    if any(step.op in ("uniform_", "normal_", "rand", "randn", "randint") for step in steps):
        return draw_steps(steps, f"{path}: {name}")
    flat = tensor.detach().reshape(-1)
    if flat.numel() and bool((flat == flat[0]).all()):
        return [["constant", float(flat[0])]]
    raise BridgeError(f"{path}: {name} holds computed values, which no draw expresses")
