"""One model file, at its own or at other sizes, as a task document (codegen/core, task.h)."""

import inspect
from math import prod

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from . import VERSION, BridgeError, constructor
from .attributes import number
from .graph import GraphBuilder
from .packed import pack
from .program import export_program
from .record import RANDOM, Recorder, draw_steps
from .source import Source, describe, kernelbench_name, revision_of, set_seed

MOST_PARAMETERS = 1 << 26  # above this a constructor is recorded without the bytes of what it makes
MOST_BYTES = 79 << 30  # of inputs, weights and outputs
MOST_DATA = 1 << 20  # of one packed constant


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
    model, recorder = _construct(module, path, notes)
    calls = constructor.sequence(model, recorder)
    if "constructor" not in notes:
        constructor.verify(model, calls)
    graph, draws, likened = trace(module, model, recorder, path)
    if likened:
        notes["likened_draws"] = ",".join(likened)
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
        "draws": {k: [[op, *map(number, a)] for op, *a in v] for k, v in draws.items()},
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


def _construct(module, path, notes):
    """The model with its parameters; without their bytes where they are many, which the notes then say."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        try:
            model, recorder = constructor.build(module, path)
            count = sum(parameter.numel() for parameter in model.parameters())
        except BridgeError:
            count = 0  # a constructor that reads values
    if count <= MOST_PARAMETERS:
        return constructor.build(module, path)
    notes["constructor"] = "recorded; replayed bit by bit at small sizes only"
    return model, recorder


def trace(module, model, made, path):
    """(graph, draws, inputs whose draw is only like theirs) of a model; `made` recorded its constructor."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        inputs, recorder = fake_inputs(module, path)
        names = tensor_names(model, inputs, path)
    plain_tensors(model)
    builder = GraphBuilder(
        export_program(model, inputs, path), [name for name, _ in names], path
    )
    graph = builder.build()
    check_size(graph, path)
    draws, likened = dict(builder.random), []
    for index, (name, tensor) in enumerate(names):
        try:
            draws[name] = draw_steps(recorder.steps_of(tensor), f"{path}: input {name}")
        except BridgeError:
            draws[name] = _likened(module, model, path, index)
            likened.append(name)
    held = dict(model.named_parameters(remove_duplicate=False))
    held.update(model.named_buffers(remove_duplicate=False))
    for value in graph["values"]:
        if value["role"] in ("weight", "state"):
            name = value["name"]
            tensor = builder.tensors[name] if name in builder.tensors else held[builder.held[name]]
            draws[name] = _held_draw(name, tensor, made, path)
    return graph, draws, likened


def plain_tensors(model):
    """Tensors that a module keeps as plain attributes become buffers: torch.export then sees them change."""
    for owner in model.modules():
        for name, value in list(vars(owner).items()):
            if isinstance(value, torch.Tensor):
                delattr(owner, name)
                owner.register_buffer(name, value, persistent=False)


def check_size(graph, path):
    """Refuses what no card holds, before any work is done on it."""
    total = 0
    for value in graph["values"]:
        if value["role"] != "scratch":
            total += prod(value["shape"]) * int("".join(c for c in value["dtype"] if c.isdigit()) or 8) // 8
    if total > MOST_BYTES:
        raise BridgeError(f"{path}: inputs, weights and outputs take {total / 2**30:.0f} GiB, more than a card holds")


def _likened(module, model, path, index):
    """A draw between the extremes of what get_inputs() makes, where no draw expresses how it does."""
    set_seed()
    inputs = list(module["get_inputs"]())
    name, tensor = tensor_names(model, inputs, path)[index]
    if tensor.numel() == 0:
        raise BridgeError(f"{path}: input {name} is empty")
    low, high = float(tensor.min()), float(tensor.max())
    if low == high:
        return [["constant", low]]
    return [["uniform", low, high]] if tensor.is_floating_point() else [["integers", low, high + 1]]


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
    """The draw of a parameter, buffer or constant: from its initialiser, its one value, or its data."""
    steps = made.steps_of(tensor)
    if any(step.op in RANDOM for step in steps):
        return draw_steps(steps, f"{path}: {name}")
    if isinstance(tensor, FakeTensor):
        return draw_steps(steps, f"{path}: {name}")
    dense = tensor.detach().contiguous()
    flat = dense.reshape(-1)
    if flat.numel() and bool((flat == flat[0]).all()):
        return [["constant", float(flat[0])]]
    if flat.numel() and (mask := _triangle(dense)):
        return mask
    text = pack(dense.view(torch.uint8).numpy().tobytes() if dense.dim() else bytes(dense.reshape(1).view(torch.uint8)))
    if len(text) > MOST_DATA:
        raise BridgeError(f"{path}: {name} holds {len(text)} bytes of computed values (at most {MOST_DATA})")
    return [["values", text]]


def _triangle(tensor):
    """One number on and below (above) a diagonal, zero elsewhere: a causal mask."""
    if tensor.dim() < 2 or tensor.shape[-1] < 2:
        return None
    number = float(tensor.reshape(-1, tensor.shape[-1])[-1, 0])
    for op in (torch.tril, torch.triu):
        for diagonal in (0, -1, 1):
            if number == 0 or op is torch.triu:
                number = float(tensor.reshape(-1, tensor.shape[-1])[0, -1])
            if number and torch.equal(tensor, op(torch.full_like(tensor, number), diagonal)):
                return [["constant", number], [op.__name__, float(diagonal)]]
    return None
