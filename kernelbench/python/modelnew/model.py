# @TASK@: written by Kernelwright @VERSION@ (kernel @KERNEL@).
#
@NOTES@
#
# What runs is a fixed plan of launches for exactly the shapes below, on PyTorch's current stream, with one
# workspace that is asked for anew at every call: no address and no result is kept between calls.
# Needs PyTorch 2.6 or newer.

import base64

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

_kw_device_code = r"""
@DEVICE@"""

_kw_binding = r"""
@BINDING@"""

_kw_extension = load_inline(
    name="@EXTENSION@",
    cpp_sources=[_kw_binding],
    cuda_sources=[_kw_device_code],
    functions=["kw_call"],
    extra_cuda_cflags=["-O3", "-std=c++17", "--expt-relaxed-constexpr"],
    no_implicit_headers=True,
    with_pytorch_error_handling=False,
)

# (parameter, call, shape, arguments): the calls of the model's own constructor in their order, so that one seed
# gives the same parameters bit for bit. A call without a name is made for the random numbers it takes.
_kw_constructor = [
@CONSTRUCTOR@]

# (name, type, shape, steps): what the model holds beside its parameters.
_kw_buffers = [
@BUFFERS@]

# What forward is given, what it needs of the model, and what it makes: (name, type, shape). The last of what it
# makes are new values of `updated`.
_kw_inputs = [
@INPUTS@]
_kw_held = [
@HELD@]
_kw_made = [
@MADE@]
_kw_updated = [@UPDATED@]
_kw_workspace = @WORKSPACE@  # bytes
_kw_device = "cuda"

# (place among the inputs, call, shape): random numbers that forward draws.
_kw_random = [@RANDOM@]


def _kw_construct():
    """Parameters by name."""
    made = {}
    for name, call, shape, arguments in _kw_constructor:
        if call.startswith("copy_of "):
            made[name] = made[call[len("copy_of ") :]].clone()
        elif call in ("rand", "randn", "zeros", "ones"):
            made[name] = getattr(torch, call)(shape)
        elif call == "full":
            made[name] = torch.full(shape, arguments[0])
        elif call == "randint":
            made[name] = torch.randint(int(arguments[0]), int(arguments[1]), shape)
        else:
            target = made.setdefault(name, torch.empty(shape)).view(shape)
            if call == "rsub_":
                target.neg_().add_(arguments[0])
            else:
                getattr(target, call)(*arguments)
        made.pop("", None)
    return made


def _kw_unpack(text, size):
    """The bytes of an LZ4 block in base64."""
    block, out, at = base64.b64decode(text), bytearray(), 0

    def length(nibble, at):
        more = nibble == 15
        while more:
            nibble, more, at = nibble + block[at], block[at] == 255, at + 1
        return nibble, at

    while at < len(block):
        token, at = block[at], at + 1
        literals, at = length(token >> 4, at)
        out += block[at : at + literals]
        at += literals
        if at == len(block):
            break
        back, at = block[at] | block[at + 1] << 8, at + 2
        count, at = length(token & 15, at)
        for _ in range(count + 4):
            out.append(out[-back])
    assert len(out) == size
    return out


def _kw_buffer(kind, shape, steps):
    made = torch.zeros(shape, dtype=kind)
    for step, *arguments in steps:
        if step == "constant":
            made.fill_(arguments[0])
        elif step == "values":
            size = made.numel() * made.element_size()
            made = torch.frombuffer(_kw_unpack(arguments[0], size), dtype=kind).reshape(shape)
        elif step == "tril":
            made = torch.tril(made, int(arguments[0]))
        elif step == "triu":
            made = torch.triu(made, int(arguments[0]))
        elif step == "mul":
            made *= arguments[0]
        else:
            made += arguments[0]
    return made


def _kw_checked(tensors, expected):
    """The tensors, contiguous and aligned as the kernels read them."""
    if [(t.dtype, t.device.type, list(t.shape)) for t in tensors] != [(k, _kw_device, s) for _, k, s in expected]:
        wanted = ", ".join(f"{name} {kind} {shape}" for name, kind, shape in expected)
        given = ", ".join(f"{t.dtype} {list(t.shape)} on {t.device}" for t in tensors)
        raise ValueError(f"@TASK@ is made for exactly {wanted} on {_kw_device}, not for {given}")
    tensors = [t.contiguous() for t in tensors]
    return [t if t.data_ptr() % 16 == 0 else t.clone() for t in tensors]


class ModelNew(nn.Module):
    def __init__(self, *_arguments, **_named):
        super().__init__()
        shapes = {name: shape for name, _, shape in _kw_held}
        for name, value in _kw_construct().items():
            self._kw_own(name, nn.Parameter(value.view(shapes.get(name, value.shape))))
        for name, kind, shape, steps in _kw_buffers:
            self._kw_own(name, _kw_buffer(kind, shape, steps))
        self._kw_reads = [self._kw_place(name) for name, _, _ in _kw_held]
        self._kw_writes = [self._kw_place(name) for name in _kw_updated]

    def _kw_own(self, name, value):
        *path, last = name.split(".")
        holder = self
        for part in path:
            if part not in holder._modules:
                holder.add_module(part, nn.Module())
            holder = holder._modules[part]
        if isinstance(value, nn.Parameter):
            holder.register_parameter(last, value)
        else:
            holder.register_buffer(last, value)

    def _kw_place(self, name):
        *path, last = name.split(".")
        holder = self
        for part in path:
            holder = holder._modules[part]
        return (holder._parameters if last in holder._parameters else holder._buffers), last

    def forward(self, *arguments):
        inputs = [a for a in arguments if isinstance(a, torch.Tensor)]
        for place, call, shape in _kw_random:
            inputs.insert(place, getattr(torch, call)(shape, device=inputs[0].device))
        inputs = _kw_checked(inputs, _kw_inputs)
        held = _kw_checked([place[key] for place, key in self._kw_reads], _kw_held)
        device = (inputs or held)[0].device
        made = [torch.empty(shape, dtype=kind, device=device) for _, kind, shape in _kw_made]
        workspace = torch.empty(_kw_workspace, dtype=torch.uint8, device=device)
        failed = _kw_extension.kw_call(
            [t.data_ptr() for tensors in (inputs, held, made) for t in tensors],
            workspace.data_ptr(),
            device.index or 0,
            torch.cuda.current_stream(device).cuda_stream,
        )
        if failed:
            raise RuntimeError(f"@TASK@: {failed}")
        for (place, key), value in zip(self._kw_writes, made[@RESULTS@:]):
            place[key] = value
        return @RETURN@
