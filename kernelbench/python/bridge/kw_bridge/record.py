"""Records how tensors are filled: which random and constant sources, and what was done to them after.

One recorder serves both uses: what `get_inputs()` draws, and what a constructor did to parameters.
Tensors are told apart by storage, so a Parameter that wraps a tensor keeps its history, and so does a
view of the whole of it.
"""

import math

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from . import BridgeError

aten = torch.ops.aten

RANDOM = {"rand", "randn", "randint", "uniform_", "normal_", "random_", "bernoulli_", "exponential_"}
SOURCES = RANDOM | {"fill_", "zeros", "ones", "full", "randperm"}


class Step:
    """One thing done to one storage: `op` with numeric `arguments`, giving a tensor of `shape`."""

    def __init__(self, sequence, op, arguments, shape, factor=None):
        self.sequence = sequence
        self.op = op
        self.arguments = arguments
        self.shape = shape
        self.factor = factor  # the history of a one-element tensor that multiplied this one


class Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.history = {}  # storage -> [Step]
        self.random_steps = []  # every step that consumed the generator
        self._keep = []  # storages stay alive, so that addresses are not reused
        self._sequence = 0

    def steps_of(self, tensor):
        """The steps that made a tensor, or an empty list if it was never filled under the recorder."""
        return self.history.get(_key(tensor), [])

    def _set(self, tensor, steps):
        self._keep.append(tensor.untyped_storage())
        self.history[_key(tensor)] = steps

    def _step(self, op, arguments, shape, factor=None):
        self._sequence += 1
        step = Step(self._sequence, op, arguments, list(shape), factor)
        if op in RANDOM:
            self.random_steps.append(step)
        return step

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        packet = func._overloadpacket
        out = func(*args, **kwargs)
        name = packet.__name__
        if isinstance(out, torch.Tensor):
            self._one(name, args, kwargs, out)
        else:
            for tensor in out if isinstance(out, (tuple, list)) else []:
                if isinstance(tensor, torch.Tensor):
                    self._set(tensor, [self._step(name, None, tensor.shape)])
            if name in ("_local_scalar_dense", "item"):
                self._step(name, None, [])
        return out

    def _one(self, name, args, kwargs, out):
        fresh = _fresh(name, args, kwargs)
        if fresh is not None:
            op, arguments = fresh
            if op == "empty":
                self._set(out, [])
            elif op.endswith("_") and not _whole(out):
                self._set(out, self.steps_of(out) + [self._step(f"{op} on a part", None, out.shape)])
            elif op.endswith("_"):
                self._set(out, self.steps_of(out) + [self._step(op, arguments, out.shape)])
            else:
                self._set(out, [self._step(op, arguments, out.shape)])
            return
        inputs = [value for value in args if isinstance(value, torch.Tensor)]
        for tensor in inputs:
            if _key(tensor) not in self.history:
                self._literal(tensor)
        if inputs and _key(inputs[0]) == _key(out) and not name.endswith("_"):
            return  # a view
        if name in ("clone", "_to_copy", "detach", "alias", "lift_fresh", "contiguous"):
            if name == "_to_copy" and not out.is_floating_point() and inputs[0].is_floating_point():
                self._set(out, [self._step(f"_to_copy to {out.dtype}", None, out.shape)])
            else:
                self._set(out, list(self.steps_of(inputs[0])))
            return
        if name == "copy_":
            if _whole(out) and args[1].shape == out.shape:
                self._set(out, list(self.steps_of(args[1])))
            else:
                self._set(out, [self._step("copy_ to a part", None, out.shape)])
            return
        change = self._pointwise(name, args, kwargs, inputs)
        if change is None or (inputs[0].shape != out.shape) or not _whole(out):
            self._set(out, [self._step(name, None, out.shape)])
            return
        op, arguments, factor = change
        step = self._step(op, arguments, out.shape, factor)
        self._set(out, self.steps_of(inputs[0]) + [step])

    def _literal(self, tensor):
        """A tensor that nothing here made: torch.tensor(2.0), or several equal numbers, is a constant.
        Fake tensors hold no numbers to see."""
        step = self._step("tensor", None, tensor.shape)
        if not isinstance(tensor, FakeTensor) and tensor.numel() > 0:
            with _disable_current_modes():
                flat = tensor.detach().reshape(-1)
                if bool((flat == flat[0]).all()):
                    step = self._step("full", [float(flat[0])], tensor.shape)
        self._set(tensor, [step])

    def _pointwise(self, name, args, kwargs, inputs):
        base = name.rstrip("_")
        if not inputs or (base in ("add", "sub") and kwargs.get("alpha", 1) != 1):
            return None
        if base == "mul" and len(inputs) == 2:
            first, second = inputs
            if second.numel() == 1 and first.numel() != 1 and args[0] is first:
                return "mul_tensor", [], self.steps_of(second)
            return None
        if not isinstance(args[0], torch.Tensor) or len(inputs) != 1:
            return None
        numbers = list(args[1:])
        if base in ("mul", "add", "sub", "div", "rsub") and len(numbers) == 1:
            return base + "_", [float(numbers[0])], None
        if base in ("tril", "triu"):
            return base + "_", [float(numbers[0]) if numbers else 0.0], None
        if base in ("neg", "erfinv", "abs", "exp", "log") and not numbers:
            return base + "_", [], None
        if base == "clamp":
            low = kwargs.get("min", numbers[0] if numbers else None)
            high = kwargs.get("max", numbers[1] if len(numbers) > 1 else None)
            low = -math.inf if low is None else float(low)
            high = math.inf if high is None else float(high)
            return "clamp_", [low, high], None
        return None


def _key(tensor):
    return tensor.untyped_storage()._cdata


def _whole(tensor):
    return tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


def _fresh(name, args, kwargs):
    """(op, arguments) when an operator writes without reading, else None."""
    if name in ("empty", "empty_strided", "empty_like", "new_empty", "new_empty_strided"):
        return "empty", []
    if name in ("rand", "rand_like"):
        return "rand", []
    if name in ("randn", "randn_like"):
        return "randn", []
    if name == "randint":
        return "randint", [0.0, float(args[0])] if len(args) == 2 else [float(args[0]), float(args[1])]
    if name == "uniform_":
        bounds = list(args[1:]) + [0.0, 1.0][len(args) - 1 :]
        return "uniform_", [float(kwargs.get("from", bounds[0])), float(kwargs.get("to", bounds[1]))]
    if name == "normal_":
        bounds = list(args[1:]) + [0.0, 1.0][len(args) - 1 :]
        return "normal_", [float(kwargs.get("mean", bounds[0])), float(kwargs.get("std", bounds[1]))]
    if name == "fill_":
        return ("fill_", [float(args[1])]) if not isinstance(args[1], torch.Tensor) else None
    if name == "zero_":
        return "fill_", [0.0]
    if name in ("zeros", "zeros_like", "new_zeros"):
        return "zeros", []
    if name in ("ones", "ones_like", "new_ones"):
        return "ones", []
    if name == "full":
        return "full", [float(args[1])]
    return None


def draw_steps(steps, what):
    """The steps of a task's draw that have the distribution of a recorded history."""
    start = max((i for i, step in enumerate(steps) if step.op in SOURCES), default=None)
    for step in steps[start or 0 :]:
        if step.arguments is None:
            raise BridgeError(
                f"{what} is made by {step.op}, which no draw expresses "
                "(draws: uniform, normal, integers, constant, then mul, add)"
            )
    if start is None:
        raise BridgeError(f"{what} is not filled by rand, randn, randint or a constant")
    drawn = [_source(steps[start], what)]
    for step in steps[start + 1 :]:
        _transform(drawn, step, what)
    return drawn


def _source(step, what):
    a = step.arguments
    if step.op == "rand":
        return ["uniform", 0.0, 1.0]
    if step.op == "uniform_":
        return ["uniform", a[0], a[1]]
    if step.op == "randn":
        return ["normal", 0.0, 1.0]
    if step.op == "normal_":
        return ["normal", a[0], a[1]]
    if step.op == "randint":
        return ["integers", a[0], a[1]]
    if step.op in ("fill_", "full"):
        return ["constant", a[0]]
    if step.op in ("zeros", "ones"):
        return ["constant", 0.0 if step.op == "zeros" else 1.0]
    raise BridgeError(f"{what} is made by {step.op}, which no draw expresses")


def _transform(drawn, step, what):
    a = step.arguments
    if step.op == "mul_":
        drawn.append(["mul", a[0]])
    elif step.op == "div_" and a[0] != 0:
        drawn.append(["mul", 1.0 / a[0]])
    elif step.op == "add_":
        drawn.append(["add", a[0]])
    elif step.op == "sub_":
        drawn.append(["add", -a[0]])
    elif step.op == "neg_":
        drawn.append(["mul", -1.0])
    elif step.op == "rsub_":
        drawn.extend([["mul", -1.0], ["add", a[0]]])
    elif step.op == "mul_tensor":
        drawn.append(_factor(step.factor, what))
    elif step.op == "erfinv_" and len(drawn) == 1 and drawn[0][0] == "uniform":
        # The truncated normal of torch.nn.init; the clamp that follows it is far in the tails.
        drawn[0] = ["normal", 0.0, math.sqrt(0.5)]
    elif step.op in ("tril_", "triu_"):
        drawn.append([step.op[:-1], a[0]])
    elif step.op == "clamp_" and drawn[0][0] == "normal":
        pass
    else:
        raise BridgeError(f"{what} is changed by {step.op.rstrip('_')}, which no draw expresses")


def _factor(steps, what):
    drawn = draw_steps(steps, f"the factor of {what}")
    kind, low, *high = drawn[0]
    high = high[0] if high else low
    if kind not in ("uniform", "constant"):
        raise BridgeError(f"the factor of {what} is drawn by {kind}; mul_uniform needs a uniform one")
    for op, a in drawn[1:]:
        low, high = (low * a, high * a) if op == "mul" else (low + a, high + a)
    return ["mul_uniform", min(low, high), max(low, high)]
