"""Writes reference_operators.json: what PyTorch computes, in float64 on the CPU, for single operators.

Run by hand when a case is added; the tests read the JSON alone. Inputs are multiples of 1/64, so that
they are the same numbers in every float type.
"""
import json
import pathlib

import torch

torch.manual_seed(7)
A = torch.ops.aten


def draw(*shape, low=-3.0, high=3.0):
    return torch.round((torch.rand(*shape, dtype=torch.float64) * (high - low) + low) * 64) / 64


CASES = []


def case(op, inputs, attrs, call):
    outputs = call(*[x for x in inputs if x is not None])
    if not isinstance(outputs, (tuple, list)):
        outputs = (outputs,)

    def pack(t):
        values = [v if v == v and abs(v) != float("inf") else repr(v) for v in t.double().flatten().tolist()]
        return {"shape": list(t.shape), "values": values, "bool": t.dtype == torch.bool,
                "int": t.dtype in (torch.int64, torch.int32)}

    CASES.append({"op": op, "attrs": attrs, "inputs": [None if x is None else pack(x) for x in inputs],
                  "outputs": [pack(o) for o in outputs]})


x = draw(4, 6)
special = torch.tensor([0.0, -0.0, 1e-3, -88.5, 88.5, float("inf"), float("-inf"), float("nan"), 20.5, -20.5],
                       dtype=torch.float64)
for name in ["relu", "neg", "abs", "exp", "expm1", "tanh", "erf", "erfc", "sigmoid", "silu", "mish", "selu",
             "hardsigmoid", "hardswish", "sin", "cos", "atan", "sinh", "cosh", "sign", "floor", "ceil", "trunc",
             "round", "exp2", "log_sigmoid", "relu6", "square", "isnan", "isfinite"]:
    f = {"log_sigmoid": torch.nn.functional.logsigmoid}.get(name) or getattr(torch, name, None) or \
        getattr(torch.nn.functional, name)
    for data in (x, special):
        case(f"aten.{name}", [data], {}, f)
p = draw(3, 5, low=0.1, high=4)
for name in ["log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal"]:
    case(f"aten.{name}", [p], {}, getattr(torch, name))
F = torch.nn.functional
for data in (x, special):
    case("aten.gelu", [data], {"approximate": "none"}, lambda a: F.gelu(a))
    case("aten.gelu", [data], {"approximate": "tanh"}, lambda a: F.gelu(a, approximate="tanh"))
    case("aten.leaky_relu", [data], {"negative_slope": 0.1}, lambda a: F.leaky_relu(a, 0.1))
    case("aten.elu", [data], {"alpha": 1.5}, lambda a: F.elu(a, 1.5))
    case("aten.hardtanh", [data], {"min_val": -0.5, "max_val": 2.0}, lambda a: F.hardtanh(a, -0.5, 2.0))
    case("aten.softplus", [data], {"beta": 2.0, "threshold": 5.0}, lambda a: F.softplus(a, 2.0, 5.0))
    case("aten.clamp", [data], {"min": 0}, lambda a: torch.clamp(a, min=0))
    case("aten.clamp", [data], {"max": 0.5}, lambda a: torch.clamp(a, max=0.5))
    case("aten.softsign", [data], {}, F.softsign)
    case("aten.threshold", [data], {"threshold": 0.5, "value": 7.0}, lambda a: F.threshold(a, 0.5, 7.0))
case("aten.glu", [x], {"dim": 1}, lambda a: F.glu(a, 1))

y = draw(6)
z = draw(4, 1)
for name, op in [("add", "add.Tensor"), ("sub", "sub.Tensor"), ("mul", "mul.Tensor"), ("div", "div.Tensor"),
                 ("maximum", "maximum"), ("minimum", "minimum"), ("eq", "eq.Tensor"), ("ne", "ne.Tensor"),
                 ("lt", "lt.Tensor"), ("le", "le.Tensor"), ("gt", "gt.Tensor"), ("ge", "ge.Tensor"),
                 ("atan2", "atan2"), ("remainder", "remainder.Tensor")]:
    f = getattr(torch, name)
    case(f"aten.{op}", [x, y], {}, f)
    case(f"aten.{op}", [z, y], {}, f)
    case(f"aten.{op}", [special, special.flip(0)], {}, f)
case("aten.add.Tensor", [x, y], {"alpha": 2}, lambda a, b: torch.add(a, b, alpha=2))
case("aten.sub.Tensor", [x, y], {"alpha": 0.5}, lambda a, b: torch.sub(a, b, alpha=0.5))
case("aten.add.Scalar", [x], {"other": 1.5}, lambda a: a + 1.5)
case("aten.rsub.Scalar", [x], {"other": 1, "alpha": 2}, lambda a: torch.rsub(a, 1, alpha=2))
case("aten.div.Tensor_mode", [x, y], {"rounding_mode": "floor"}, lambda a, b: torch.div(a, b, rounding_mode="floor"))
case("aten.div.Tensor_mode", [x, y], {"rounding_mode": "trunc"}, lambda a, b: torch.div(a, b, rounding_mode="trunc"))
for e in (2, 3.0, 0.5, -1, 2.5, 0, 1):
    case("aten.pow.Tensor_Scalar", [p], {"exponent": e}, lambda a, e=e: torch.pow(a, e))
case("aten.pow.Tensor_Tensor", [p, draw(3, 5)], {}, torch.pow)
case("aten.where.self", [x > 0, x, y], {}, torch.where)
case("aten.where.ScalarOther", [x > 0, x], {"other": 5.0}, lambda c, a: torch.where(c, a, 5.0))
case("aten.masked_fill.Scalar", [x, x > 0], {"value": -2.0}, lambda a, m: a.masked_fill(m, -2.0))
case("aten.logical_and", [x > 0, x < 1], {}, torch.logical_and)
case("aten.addcmul", [x, y, y], {"value": 0.5}, lambda a, b, c: torch.addcmul(a, b, c, value=0.5))
case("aten.lerp.Scalar", [x, y.expand(4, 6).clone()], {"weight": 0.25}, lambda a, b: torch.lerp(a, b, 0.25))

c = draw(2, 3, 4, 5)
case("aten.view", [c], {"size": [6, -1]}, lambda a: a.view(6, -1))
case("aten.flatten.using_ints", [c], {"start_dim": 1, "end_dim": 2}, lambda a: a.flatten(1, 2))
case("aten.permute", [c], {"dims": [3, 0, -2, 1]}, lambda a: a.permute(3, 0, -2, 1))
case("aten.transpose.int", [c], {"dim0": 1, "dim1": -1}, lambda a: a.transpose(1, -1))
case("aten.t", [x], {}, torch.t)
case("aten.numpy_T", [x], {}, lambda a: a.T)
case("aten.unsqueeze", [x], {"dim": 1}, lambda a: a.unsqueeze(1))
case("aten.squeeze.dim", [z], {"dim": 1}, lambda a: a.squeeze(1))
case("aten.expand", [z], {"size": [-1, 3]}, lambda a: a.expand(-1, 3))
case("aten.slice.Tensor", [c], {"dim": 2, "start": 1, "end": 9223372036854775807, "step": 2}, lambda a: a[:, :, 1::2])
case("aten.slice.Tensor", [c], {"dim": 3, "start": -3, "end": -1}, lambda a: a[..., -3:-1])
case("aten.select.int", [c], {"dim": 1, "index": -1}, lambda a: a.select(1, -1))
case("aten.diagonal", [c], {"offset": 1, "dim1": 1, "dim2": 3}, lambda a: torch.diagonal(a, 1, 1, 3))
case("aten.cat", [x, draw(4, 2), x], {"dim": 1}, lambda *t: torch.cat(t, 1))
case("aten.stack", [x, x + 1], {"dim": -1}, lambda *t: torch.stack(t, -1))
for k in (-1, 0, 2):
    case("aten.triu", [c], {"diagonal": k}, lambda a, k=k: torch.triu(a, k))
    case("aten.tril", [c], {"diagonal": k}, lambda a, k=k: torch.tril(a, k))
    case("aten.diag", [y], {"diagonal": k}, lambda a, k=k: torch.diag(a, k))
    case("aten.diag", [x], {"diagonal": k}, lambda a, k=k: torch.diag(a, k))
case("aten.flip", [c], {"dims": [0, 2]}, lambda a: a.flip(0, 2))

case("aten.sum", [c], {}, torch.sum)
for dims, keep in (([1], True), ([0, 2], False), ([-1], False), ([1, 2, 3], True)):
    d = {"dim": dims, "keepdim": keep}
    case("aten.sum.dim_IntList", [c], d, lambda a, dims=dims, keep=keep: a.sum(dims, keep))
    case("aten.mean.dim", [c], d, lambda a, dims=dims, keep=keep: a.mean(dims, keep))
    case("aten.amax", [c], d, lambda a, dims=dims, keep=keep: a.amax(dims, keep))
    case("aten.amin", [c], d, lambda a, dims=dims, keep=keep: a.amin(dims, keep))
    case("aten.logsumexp", [c], d, lambda a, dims=dims, keep=keep: a.logsumexp(dims, keep))
    case("aten.var.correction", [c], {**d, "correction": 1}, lambda a, dims=dims, keep=keep: a.var(dims, keepdim=keep))
    case("aten.std.correction", [c], {**d, "correction": 0},
         lambda a, dims=dims, keep=keep: a.std(dims, correction=0, keepdim=keep))
    for o in (1, 2, 3.0):
        case("aten.linalg_vector_norm", [c], {**d, "ord": o}, lambda a, dims=dims, keep=keep, o=o: torch.linalg.vector_norm(a, o, dims, keep))
case("aten.mean", [c], {}, torch.mean)
case("aten.prod.dim_int", [c], {"dim": 1, "keepdim": False}, lambda a: a.prod(1))
case("aten.max.dim", [c], {"dim": 2, "keepdim": True}, lambda a: a.max(2, True))
case("aten.min.dim", [c], {"dim": 2, "keepdim": False}, lambda a: a.min(2))
case("aten.argmax", [c], {"dim": 1, "keepdim": False}, lambda a: a.argmax(1))
case("aten.argmin", [c], {"dim": 3, "keepdim": True}, lambda a: a.argmin(3, True))
case("aten.argmax", [c], {}, torch.argmax)
case("aten.max.dim", [special.view(2, 5)], {"dim": 1, "keepdim": False}, lambda a: a.max(1))
case("aten.cumsum", [c], {"dim": 1}, lambda a: a.cumsum(1))

case("aten.softmax.int", [c], {"dim": 1}, lambda a: a.softmax(1))
case("aten.log_softmax.int", [c], {"dim": -1}, lambda a: a.log_softmax(-1))
case("aten.softmax.int", [special.view(2, 5)], {"dim": 1}, lambda a: a.softmax(1))
w = draw(4, 5)
b = draw(4, 5)
case("aten.layer_norm", [c, w, b], {"normalized_shape": [4, 5], "eps": 1e-5}, lambda a, s, t: F.layer_norm(a, (4, 5), s, t))
case("aten.layer_norm", [c, None, None], {"normalized_shape": [5], "eps": 1e-3}, lambda a: F.layer_norm(a, (5,), eps=1e-3))
case("aten.rms_norm", [c, w], {"normalized_shape": [4, 5], "eps": 1e-6}, lambda a, s: F.rms_norm(a, (4, 5), s, 1e-6))
g = draw(2, 6, 3, 3)
gw, gb = draw(6), draw(6)
case("aten.group_norm", [g, gw, gb], {"num_groups": 3, "eps": 1e-5}, lambda a, s, t: F.group_norm(a, 3, s, t))
case("aten.batch_norm", [g, gw, gb, None, None], {"training": True, "momentum": 0.1, "eps": 1e-5},
     lambda a, s, t: F.batch_norm(a, None, None, s, t, True))
rm, rv = draw(6), draw(6, low=0.5, high=2)
case("aten.batch_norm", [g, gw, gb, rm, rv], {"training": False, "momentum": 0.1, "eps": 1e-5},
     lambda a, s, t, m, v: F.batch_norm(a, m, v, s, t, False))
case("aten.instance_norm", [g, gw, gb, None, None], {"use_input_stats": True, "eps": 1e-5},
     lambda a, s, t: F.instance_norm(a, None, None, s, t))

m1, m2, v = draw(4, 6), draw(6, 3), draw(6)
b1, b2 = draw(2, 1, 4, 6), draw(3, 6, 2)
case("aten.mm", [m1, m2], {}, torch.mm)
case("aten.matmul", [b1, b2], {}, torch.matmul)
case("aten.matmul", [v, m2], {}, torch.matmul)
case("aten.matmul", [b1, v], {}, torch.matmul)
case("aten.matmul", [v, v], {}, torch.matmul)
case("aten.mv", [m1, v], {}, torch.mv)
case("aten.dot", [v, v], {}, torch.dot)
case("aten.bmm", [draw(3, 4, 6), b2], {}, torch.bmm)
case("aten.addmm", [draw(3), m1, m2], {"beta": 0.5, "alpha": 2}, lambda t, a, b: torch.addmm(t, a, b, beta=0.5, alpha=2))
case("aten.baddbmm", [draw(3, 4, 2), draw(3, 4, 6), b2], {"beta": 1, "alpha": 1}, torch.baddbmm)
case("aten.linear", [c, draw(7, 5), draw(7)], {}, F.linear)
case("aten.linear", [c, draw(7, 5)], {}, F.linear)
case("aten.outer", [y, v], {}, torch.outer)

t = draw(4, 6)
for r, n in ((0, "none"), (1, "mean"), (2, "sum")):
    case("aten.mse_loss", [x, t], {"reduction": r}, lambda a, q, n=n: F.mse_loss(a, q, reduction=n))
    case("aten.l1_loss", [x, t], {"reduction": r}, lambda a, q, n=n: F.l1_loss(a, q, reduction=n))
    case("aten.smooth_l1_loss", [x, t], {"reduction": r, "beta": 0.7}, lambda a, q, n=n: F.smooth_l1_loss(a, q, reduction=n, beta=0.7))
    case("aten.huber_loss", [x, t], {"reduction": r, "delta": 1.3}, lambda a, q, n=n: F.huber_loss(a, q, reduction=n, delta=1.3))
    case("aten.kl_div", [x, torch.cat([torch.zeros(1, 6, dtype=torch.float64), draw(3, 6, low=0, high=1)])], {"reduction": r, "log_target": False},
         lambda a, q, n=n: F.kl_div(a, q, reduction=n))
    case("aten.cross_entropy_loss", [x, torch.tensor([0, 5, 3, 2])], {"reduction": r}, lambda a, q, n=n: F.cross_entropy(a, q, reduction=n))
    case("aten.binary_cross_entropy", [draw(3, 4, low=0.02, high=0.98), draw(3, 4, low=0, high=1)], {"reduction": r},
         lambda a, q, n=n: F.binary_cross_entropy(a, q, reduction=n))

i1, i2, i3 = draw(2, 4, 9), draw(2, 4, 7, 6), draw(1, 4, 5, 4, 6)
case("aten.conv1d", [i1, draw(6, 2, 3), draw(6)], {"stride": [2], "padding": [1], "dilation": [2], "groups": 2},
     lambda a, q, s: F.conv1d(a, q, s, 2, 1, 2, 2))
case("aten.conv2d", [i2, draw(3, 4, 3, 2), draw(3)], {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2], "groups": 1},
     lambda a, q, s: F.conv2d(a, q, s, (2, 1), (1, 0), (1, 2)))
case("aten.conv3d", [i3, draw(2, 4, 2, 3, 2)], {"padding": [1, 1, 0]}, lambda a, q: F.conv3d(a, q, None, 1, (1, 1, 0)))
case("aten.conv_transpose1d", [i1, draw(4, 3, 3)], {"stride": [3], "padding": [1], "output_padding": [1]},
     lambda a, q: F.conv_transpose1d(a, q, None, 3, 1, 1))
case("aten.conv_transpose2d.input", [i2, draw(4, 2, 3, 3), draw(4)], {"stride": [2, 2], "padding": [1, 1], "output_padding": [1, 0], "groups": 2, "dilation": [1, 2]},
     lambda a, q, s: F.conv_transpose2d(a, q, s, 2, 1, (1, 0), 2, (1, 2)))
case("aten.conv_transpose3d.input", [i3, draw(4, 2, 2, 2, 3)], {"stride": [2, 1, 2]}, lambda a, q: F.conv_transpose3d(a, q, None, (2, 1, 2)))
case("aten.max_pool2d", [i2], {"kernel_size": [3, 2], "stride": [2, 2], "padding": [1, 0], "dilation": [1, 2]},
     lambda a: F.max_pool2d(a, (3, 2), 2, (1, 0), (1, 2)))
case("aten.max_pool1d", [i1], {"kernel_size": [3], "ceil_mode": True}, lambda a: F.max_pool1d(a, 3, ceil_mode=True))
case("aten.avg_pool2d", [i2], {"kernel_size": [3, 3], "stride": [2, 2], "padding": [1, 1]}, lambda a: F.avg_pool2d(a, 3, 2, 1))
case("aten.avg_pool3d", [i3], {"kernel_size": [2, 2, 2], "stride": [2, 2, 2]}, lambda a: F.avg_pool3d(a, 2, 2))
case("aten.adaptive_avg_pool2d", [g], {"output_size": [1, 1]}, lambda a: F.adaptive_avg_pool2d(a, 1))

# Index maps
case("aten.narrow", [c], {"dim": 2, "start": 1, "length": 2}, lambda a: a.narrow(2, 1, 2))
case("aten.narrow", [c], {"dim": -1, "start": -3, "length": 3}, lambda a: a.narrow(-1, -3, 3))
case("aten.split.Tensor", [c], {"split_size": 2, "dim": 1}, lambda a: a.split(2, 1))
case("aten.split_with_sizes", [c], {"split_sizes": [1, 3], "dim": 2}, lambda a: a.split([1, 3], 2))
case("aten.chunk", [c], {"chunks": 3, "dim": 3}, lambda a: a.chunk(3, 3))
case("aten.unbind.int", [c], {"dim": 1}, lambda a: a.unbind(1))
case("aten.unfold", [c], {"dimension": 3, "size": 3, "step": 2}, lambda a: a.unfold(3, 3, 2))
case("aten.roll", [c], {"shifts": [1, -2], "dims": [1, 3]}, lambda a: a.roll((1, -2), (1, 3)))
case("aten.roll", [c], {"shifts": [7], "dims": []}, lambda a: a.roll(7))
case("aten.pad", [c], {"pad": [1, 2, 0, 1], "mode": "constant", "value": -1.5}, lambda a: F.pad(a, (1, 2, 0, 1), value=-1.5))
case("aten.pad", [c], {"pad": [-1, 2], "mode": "constant"}, lambda a: F.pad(a, (-1, 2)))
for mode in ("reflect", "replicate", "circular"):
    case("aten.pad", [c], {"pad": [1, 2, 2, 1], "mode": mode}, lambda a, mode=mode: F.pad(a, (1, 2, 2, 1), mode=mode))
case("aten.constant_pad_nd", [x], {"pad": [0, 0, 1, 0], "value": 0}, lambda a: F.pad(a, (0, 0, 1, 0)))
case("aten.repeat", [x], {"repeats": [2, 1, 3]}, lambda a: a.repeat(2, 1, 3))
case("aten.repeat_interleave.self_int", [x], {"repeats": 2, "dim": 1}, lambda a: a.repeat_interleave(2, 1))
case("aten.index_select", [c, torch.tensor([2, 0, 0])], {"dim": 2}, lambda a, i: a.index_select(2, i))
case("aten.index.Tensor", [c, torch.tensor([1, 0, 1])], {}, lambda a, i: a[i])
case("aten.index.Tensor", [c, None, torch.tensor([[1, 0], [2, 2]]), torch.tensor([3, -1])], {}, lambda a, i, j: a[:, i, j])
case("aten.index.Tensor", [c, torch.tensor([1, 0, 1]), None, torch.tensor([2, 3, 0])], {}, lambda a, i, j: a[i, :, j])
case("aten.gather", [x, torch.tensor([[5, 0], [1, 1], [2, 3], [4, 0]])], {"dim": 1}, lambda a, i: a.gather(1, i))
case("aten.embedding", [x, torch.tensor([[3, 0, 1]])], {}, lambda t, i: F.embedding(i, t))
case("aten.pixel_shuffle", [draw(2, 8, 3, 2)], {"upscale_factor": 2}, lambda a: F.pixel_shuffle(a, 2))
case("aten.pixel_unshuffle", [draw(2, 3, 4, 6)], {"downscale_factor": 2}, lambda a: F.pixel_unshuffle(a, 2))
case("aten.channel_shuffle", [draw(2, 6, 2, 3)], {"groups": 3}, lambda a: F.channel_shuffle(a, 3))
case("aten.bitwise_not", [x > 0], {}, torch.bitwise_not)
case("kw.dropout", [x, draw(4, 6, low=0, high=1)], {"p": 0.25}, lambda a, r: torch.where(r >= 0.25, a / 0.75, 0.0))

# Scans and losses
case("aten.cumprod", [draw(3, 7, 2, low=0.5, high=1.5)], {"dim": 1}, lambda a: a.cumprod(1))
case("aten.cumprod", [x], {"dim": -1}, lambda a: a.cumprod(-1))
case("aten.cummax", [c], {"dim": 2}, lambda a: a.cummax(2))
case("aten.cummin", [c], {"dim": 1}, lambda a: a.cummin(1))
case("aten.binary_cross_entropy_with_logits", [x, draw(4, 6, low=0, high=1)], {"reduction": 1}, lambda a, q: F.binary_cross_entropy_with_logits(a, q))
for p_, swap in ((2.0, False), (1.0, True), (3.0, True)):
    case("aten.triplet_margin_loss", [x, draw(4, 6), draw(4, 6)], {"margin": 1.5, "p": p_, "eps": 1e-6, "swap": swap, "reduction": 1},
         lambda a, b_, c_, p_=p_, swap=swap: F.triplet_margin_loss(a, b_, c_, 1.5, p_, 1e-6, swap))

# ATen's core set beyond KernelBench
small = draw(4, 6, low=-0.95, high=0.95)
for name in ["asin", "acos", "atanh", "tan"]:
    case(f"aten.{name}", [small], {}, getattr(torch, name))
case("aten.asinh", [x], {}, torch.asinh)
case("aten.acosh", [draw(4, 6, low=1, high=9)], {}, torch.acosh)
case("aten.positive", [x], {}, torch.positive)
for data in (x, special):
    case("aten.tanhshrink", [data], {}, F.tanhshrink)
    case("aten.softshrink", [data], {"lambd": 0.75}, lambda a: F.softshrink(a, 0.75))
    case("aten.hardshrink", [data], {"lambd": 0.75}, lambda a: F.hardshrink(a, 0.75))
    case("aten.celu", [data], {"alpha": 1.5}, lambda a: F.celu(a, 1.5))
case("aten.prelu", [c, draw(3)], {}, F.prelu)
case("aten.prelu", [c, draw(1)], {}, F.prelu)
case("aten.fmod.Tensor", [x, draw(4, 6, low=0.5, high=2)], {}, torch.fmod)
case("aten.fmod.Scalar", [x], {"other": -0.75}, lambda a: torch.fmod(a, -0.75))
for name in ("and", "or", "xor"):
    case(f"aten.bitwise_{name}.Tensor", [x > 0, x < 1], {}, getattr(torch, f"bitwise_{name}"))
case("aten.native_layer_norm", [c, w, b], {"normalized_shape": [4, 5], "eps": 1e-5},
     lambda a, s, t: torch.native_layer_norm(a, [4, 5], s, t, 1e-5))
case("aten.native_group_norm", [g, gw, gb], {"N": 2, "C": 6, "HxW": 9, "group": 3, "eps": 1e-5},
     lambda a, s, t: torch.native_group_norm(a, s, t, 2, 6, 9, 3, 1e-5))
case("aten._native_batch_norm_legit_no_training", [g, gw, gb, rm, rv], {"momentum": 0.1, "eps": 1e-5},
     lambda a, s, t, m, v: A._native_batch_norm_legit_no_training(a, s, t, m, v, 0.1, 1e-5)[0])
case("aten.slice_scatter", [c, draw(2, 3, 2, 5)], {"dim": 2, "start": 1, "end": 3}, lambda a, s: torch.slice_scatter(a, s, 2, 1, 3))
case("aten.slice_scatter", [x, draw(4, 2)], {"dim": 1, "start": -2}, lambda a, s: torch.slice_scatter(a, s, 1, -2))
case("aten.select_scatter", [c, draw(2, 4, 5)], {"dim": 1, "index": -1}, lambda a, s: torch.select_scatter(a, s, 1, -1))
case("aten.upsample_nearest2d.vec", [c], {"output_size": [8, 15]}, lambda a: F.interpolate(a, size=(8, 15), mode="nearest"))
case("aten.pairwise_distance", [x, draw(4, 6)], {"p": 3.0, "eps": 1e-6}, lambda a, q: F.pairwise_distance(a, q, 3.0))
case("aten.cosine_similarity", [c, draw(2, 3, 4, 5)], {"dim": 2, "eps": 1e-8}, lambda a, q: F.cosine_similarity(a, q, 2))
case("aten.logcumsumexp", [c], {"dim": 1}, lambda a: a.logcumsumexp(1))

# Pooling by cells of unequal size
case("aten.adaptive_avg_pool2d", [i2], {"output_size": [3, 4]}, lambda a: F.adaptive_avg_pool2d(a, (3, 4)))
case("aten.adaptive_avg_pool1d", [i1], {"output_size": [4]}, lambda a: F.adaptive_avg_pool1d(a, 4))
case("aten.adaptive_avg_pool3d", [i3], {"output_size": [2, 3, 4]}, lambda a: F.adaptive_avg_pool3d(a, (2, 3, 4)))
case("aten.adaptive_max_pool2d", [i2], {"output_size": [3, 4]}, lambda a: F.adaptive_max_pool2d(a, (3, 4)))

for seed in (1, 2):
    torch.manual_seed(seed)
    # Batch normalisation with its state
    args = (draw(3, 4, 5), draw(4), draw(4), draw(4), draw(4, low=0.5, high=2))
    case("aten._native_batch_norm_legit_functional", list(args), {"training": True, "momentum": 0.2, "eps": 1e-3},
         lambda *t: A._native_batch_norm_legit_functional(*t, True, 0.2, 1e-3))

    # Attention
    q, k, v = draw(2, 3, 5, 8), draw(2, 3, 7, 8), draw(2, 3, 7, 6)
    bias, keep = draw(2, 1, 5, 7), torch.rand(5, 7) > 0.3
    keep[:, 0] = True
    sdpa = F.scaled_dot_product_attention
    name = "aten.scaled_dot_product_attention"
    case(name, [q, k, v], {"dropout_p": 0.0, "is_causal": False}, lambda a, b_, c_: sdpa(a, b_, c_))
    case(name, [q, k, v], {"is_causal": True, "scale": 0.25}, lambda a, b_, c_: sdpa(a, b_, c_, is_causal=True, scale=0.25))
    case(name, [q, k, v, bias], {"is_causal": False}, lambda a, b_, c_, m: sdpa(a, b_, c_, m))
    case(name, [q, k, v, keep], {"is_causal": False}, lambda a, b_, c_, m: sdpa(a, b_, c_, m))
    case(name, [draw(2, 6, 5, 8), k, v], {"enable_gqa": True}, lambda a, b_, c_: sdpa(a, b_, c_, enable_gqa=True))

    # Einsum
    for equation, shapes in (("bijl,lk->bijk", [(2, 3, 2, 5), (5, 4)]), ("bclhn,bcshn,bhcls,bcshp->bclhp",
                             [(2, 2, 3, 2, 4), (2, 2, 3, 2, 4), (2, 2, 2, 3, 3), (2, 2, 3, 2, 5)]),
                             ("ii->i", [(4, 4)]), ("ij,ij->", [(3, 4), (3, 4)]), ("i,j->ji", [(3,), (4,)])):
        case("aten.einsum", [draw(*shape, low=-1, high=1) for shape in shapes], {"equation": equation},
             lambda *t, equation=equation: torch.einsum(equation, *t))

    # Recurrences: T = 5, B = 2, in = 3, H = 4
    for layers, both, first, biases in ((1, False, False, True), (2, True, True, True), (2, False, True, False)):
        ways, xs = (2 if both else 1), draw(2, 5, 3) if first else draw(5, 2, 3)
        attrs = {"has_biases": biases, "num_layers": layers, "dropout": 0.0, "train": True, "bidirectional": both, "batch_first": first}
        for op, gates, states in (("lstm", 4, 2), ("gru", 3, 1), ("rnn_tanh", 1, 1), ("rnn_relu", 1, 1)):
            weights = []
            for layer in range(layers):
                for _ in range(ways):
                    width = 3 if layer == 0 else 4 * ways
                    weights += [draw(gates * 4, width, low=-0.5, high=0.5), draw(gates * 4, 4, low=-0.5, high=0.5)]
                    weights += [draw(gates * 4, low=-0.5, high=0.5) for _ in range(2)] if biases else []
            begin = [draw(layers * ways, 2, 4, low=-1, high=1) for _ in range(states)]
            settings = (biases, layers, 0.0, True, both, first)
            case(f"aten.{op}.input", [xs, *begin, *weights], attrs,
                 lambda *t, op=op, states=states, settings=settings: getattr(A, op).input(
                     t[0], list(t[1:3]) if states == 2 else t[1], list(t[1 + states:]), *settings))

out = pathlib.Path(__file__).with_name("reference_operators.json")
out.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in CASES) + "\n]\n")
print(len(CASES), "cases", out.stat().st_size, "bytes")
