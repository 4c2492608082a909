"""The sequence of calls with which a constructor filled the parameters of a model.

Run under the same seed, `replay` recreates every parameter bit for bit: an exported model can then
own its parameters without the original class. A sequence that does not is refused here, by trying.
"""

import torch

from . import BridgeError
from .record import Recorder
from .source import SEED, describe, set_seed

COPY = "copy_of "
DISCARDED = ""  # the parameter of a random call whose result is not kept, but which advances the seed


def build(module, path):
    """Constructs the model as KernelBench does. Returns (model, recorder)."""
    set_seed()
    try:
        arguments = list(module["get_init_inputs"]())
    except Exception as error:
        raise BridgeError(f"{path}: get_init_inputs() fails: {describe(error)}") from None
    set_seed()
    with Recorder() as recorder:
        try:
            model = module["Model"](*arguments)
        except Exception as error:
            raise BridgeError(f"{path}: the constructor of Model fails: {describe(error)}") from None
    return model, recorder


def sequence(model, recorder):
    """[[parameter, op, shape, arguments]] in the order in which the calls were made. A parameter that is a copy
    of another (cloned layers) is made by "copy_of OTHER"."""
    calls = []
    kept = set()
    owner = {}  # the calls that filled a parameter -> its name
    for name, parameter in model.named_parameters():
        steps = recorder.steps_of(parameter)
        if not steps:
            raise BridgeError(f"parameter {name} is never initialised by the constructor")
        first = owner.setdefault(tuple(step.sequence for step in steps), name)
        if first != name:
            calls.append((steps[-1].sequence + 0.5, [name, COPY + first, list(parameter.shape), []]))
            continue
        for step in steps:
            if step.arguments is None or step.factor is not None:
                raise BridgeError(f"parameter {name} is initialised by {step.op}, which cannot be replayed")
            calls.append((step.sequence, [name, step.op, step.shape, step.arguments]))
            kept.add(step.sequence)
    for step in recorder.random_steps:
        if step.sequence not in kept:
            if step.arguments is None:
                raise BridgeError(f"the constructor calls {step.op}, which cannot be replayed")
            calls.append((step.sequence, [DISCARDED, step.op, step.shape, step.arguments]))
    calls.sort(key=lambda call: call[0])
    return [call for _, call in calls]


def replay(calls, seed=SEED):
    """Parameters by name, made by a constructor sequence under a seed."""
    made = {}
    set_seed(seed)
    for name, op, shape, arguments in calls:
        if op in ("rand", "randn", "zeros", "ones"):
            made[name] = getattr(torch, op)(shape)
        elif op == "full":
            made[name] = torch.full(shape, arguments[0])
        elif op == "randint":
            made[name] = torch.randint(int(arguments[0]), int(arguments[1]), shape)
        elif op.startswith(COPY):
            made[name] = made[op[len(COPY) :]].clone()
        elif op.endswith("_"):
            target = made.get(name)
            if target is None:
                target = made[name] = torch.empty(shape)
            target = target if list(target.shape) == list(shape) else target.view(shape)
            _apply(target, op, arguments)
        else:
            raise BridgeError(f"a constructor sequence cannot hold {op}")
        if name == DISCARDED:
            del made[name]
    return made


def _apply(target, op, arguments):
    if op == "rsub_":  # a - x: torch has no in-place form
        target.neg_().add_(arguments[0])
    else:
        getattr(target, op)(*arguments)


def verify(model, calls):
    """Replays and compares bits; refuses a sequence that misses any."""
    made = replay(calls)
    for name, parameter in model.named_parameters():
        copy = made.get(name)
        if copy is None or copy.numel() != parameter.numel() or copy.dtype != parameter.dtype:
            raise BridgeError(f"replaying the constructor does not make parameter {name}")
        if not torch.equal(copy.view(parameter.shape), parameter.detach()):
            raise BridgeError(
                f"replaying the constructor under seed {SEED} does not recreate parameter {name} bit by bit"
            )
