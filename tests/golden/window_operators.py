"""Writes window_operators.json: what PyTorch computes, in float64 on the CPU, for operators that walk windows, rows
and steps: convolutions, pools, scans, gathers, recurrences, attention, index maps, losses with classes.

Run by hand when a case is added; the tests read the JSON alone. Inputs are multiples of 1/64, so that
they are the same numbers in every float type.
"""
import json
import pathlib

import torch

torch.manual_seed(11)
F = torch.nn.functional
CASES = []


def draw(*shape, low=-2.0, high=2.0):
    return torch.round((torch.rand(*shape, dtype=torch.float64) * (high - low) + low) * 64) / 64


def pick(*shape, below):
    return torch.randint(0, below, shape)


def case(op, inputs, attrs, call, used=None):
    outputs = call(*inputs)
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]

    def pack(t):
        if t is None:
            return None
        values = [float(f"{v:.10g}") if v == v and abs(v) != float("inf") else repr(v) for v in t.double().flatten().tolist()]
        return {"shape": list(t.shape), "values": values, "bool": t.dtype == torch.bool,
                "int": t.dtype in (torch.int64, torch.int32)}  # fmt: skip

    if used is not None:
        outputs = [o if i in used else None for i, o in enumerate(outputs)]
    CASES.append({"op": op, "attrs": attrs, "inputs": [pack(x) for x in inputs], "outputs": [pack(o) for o in outputs]})


def convolution(dims, x, w, bias, stride, padding, dilation, groups, output_padding=None):
    name = f"conv{dims}d" if output_padding is None else f"conv_transpose{dims}d"
    attrs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if output_padding is not None:
        attrs["output_padding"] = output_padding
    case(f"aten.{name}", [x, w] + ([bias] if bias is not None else []), attrs,
         lambda *a: getattr(F, name)(*a, **attrs))  # fmt: skip


convolution(1, draw(2, 4, 17), draw(6, 2, 3), draw(6), [2], [2], [3], 2)
convolution(1, draw(4, 17), draw(6, 4, 3), draw(6), [1], [0], [1], 1)
convolution(2, draw(2, 6, 9, 7), draw(4, 3, 3, 2), None, [2, 1], [1, 2], [1, 2], 2)
convolution(2, draw(1, 5, 8, 9), draw(5, 1, 3, 3), draw(5), [2, 2], [1, 1], [1, 1], 5)
convolution(2, draw(2, 5, 6, 6), draw(5, 1, 1, 1), draw(5), [1, 1], [0, 0], [1, 1], 5)
convolution(2, draw(2, 8, 5, 5), draw(12, 8, 1, 1), draw(12), [2, 2], [0, 0], [1, 1], 1)
convolution(2, draw(1, 3, 10, 11), draw(9, 3, 4, 4), None, [1, 1], [3, 0], [1, 1], 1)
convolution(3, draw(1, 4, 5, 6, 4), draw(4, 2, 2, 3, 2), draw(4), [1, 2, 1], [1, 1, 0], [2, 1, 1], 2)
case("aten.conv2d.padding", [draw(1, 3, 6, 7), draw(2, 3, 3, 4)],
     {"stride": [1, 1], "padding": "same", "dilation": [1, 1], "groups": 1}, lambda a, b: F.conv2d(a, b, padding="same"))  # fmt: skip
for stride, padding, extra, dilation, kernel, groups in [
        ([1], [0], [0], [1], 3, 1), ([2], [1], [1], [1], 3, 1), ([3], [2], [0], [1], 4, 2), ([2], [0], [0], [2], 3, 1),
        ([3], [1], [2], [2], 4, 1), ([4], [0], [0], [1], 2, 2), ([2], [3], [1], [3], 5, 1), ([2], [1], [0], [4], 3, 1)]:  # fmt: skip
    convolution(1, draw(2, 4, 7), draw(4, 3, kernel), draw(3 * groups), stride, padding, dilation, groups, extra)
convolution(2, draw(1, 4, 4, 5), draw(4, 3, 3, 3), draw(6), [2, 3], [1, 0], [1, 1], 2, [1, 2])
convolution(2, draw(1, 4, 4, 5), draw(4, 1, 3, 2), None, [1, 2], [1, 1], [2, 1], 4, [0, 0])
convolution(2, draw(2, 3, 3, 3), draw(3, 2, 1, 1), None, [2, 2], [0, 0], [1, 1], 1, [1, 1])
convolution(3, draw(1, 2, 3, 4, 3), draw(2, 3, 3, 3, 3), draw(3), [2, 2, 2], [1, 1, 1], [1, 1, 1], 1, [1, 1, 1])
convolution(3, draw(1, 4, 2, 3, 3), draw(4, 2, 3, 5, 2), draw(4), [2, 1, 3], [1, 2, 0], [1, 2, 1], 2, [1, 0, 0])
case("aten.conv_transpose2d.input", [draw(4, 4, 5), draw(4, 3, 3, 3)], {"stride": [2], "padding": [1]},
     lambda a, b: F.conv_transpose2d(a, b, stride=2, padding=1))  # fmt: skip

wild = draw(2, 3, 7, 8)
wild[0, 1, 2, 3] = float("nan")
wild[1, 2, :, 1] = float("-inf")
ties = torch.round(draw(2, 3, 7, 8))
for data in (wild, ties):
    for kernel, stride, padding, dilation, ceil in [([3, 2], [2, 2], [1, 1], [1, 1], False),
                                                    ([2, 3], [], [0, 0], [2, 1], True)]:  # fmt: skip
        attrs = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil}
        case("aten.max_pool2d", [data], attrs,
             lambda a, k=attrs: F.max_pool2d(a, **{**k, "stride": k["stride"] or None}))  # fmt: skip
attrs = {"kernel_size": [3, 2], "stride": [2, 2], "padding": [1, 1], "dilation": [1, 2], "ceil_mode": True}
case("aten.max_pool2d_with_indices", [ties], attrs, lambda a: torch.ops.aten.max_pool2d_with_indices(a, **attrs))
case("aten.max_pool2d_with_indices", [ties], attrs, lambda a: torch.ops.aten.max_pool2d_with_indices(a, **attrs), {0})
case("aten.max_pool1d", [draw(2, 3, 11)], {"kernel_size": [4], "stride": [3], "padding": [2], "dilation": [1], "ceil_mode": True},
     lambda a: F.max_pool1d(a, 4, 3, 2, 1, True))  # fmt: skip
case("aten.max_pool3d", [draw(1, 2, 5, 6, 4)], {"kernel_size": [2, 3, 2], "stride": [2, 2, 1], "padding": [1, 1, 0]},
     lambda a: F.max_pool3d(a, (2, 3, 2), (2, 2, 1), (1, 1, 0)))  # fmt: skip
for include in (True, False):
    case("aten.avg_pool1d", [draw(2, 3, 11)], {"kernel_size": [4], "stride": [3], "padding": [2], "ceil_mode": True,
         "count_include_pad": include}, lambda a, i=include: F.avg_pool1d(a, 4, 3, 2, True, i))  # fmt: skip
    case("aten.avg_pool2d", [draw(1, 3, 7, 9)], {"kernel_size": [3, 2], "stride": [2, 1], "padding": [1, 1], "ceil_mode": True,
         "count_include_pad": include}, lambda a, i=include: F.avg_pool2d(a, (3, 2), (2, 1), (1, 1), True, i))  # fmt: skip
case("aten.avg_pool3d", [draw(1, 2, 5, 6, 7)], {"kernel_size": [2, 3, 2], "stride": [2, 2, 2], "padding": [0, 1, 1],
     "divisor_override": 5}, lambda a: F.avg_pool3d(a, (2, 3, 2), 2, (0, 1, 1), divisor_override=5))  # fmt: skip
case("aten.adaptive_avg_pool1d", [draw(2, 3, 11)], {"output_size": [4]}, lambda a: F.adaptive_avg_pool1d(a, 4))
case("aten.adaptive_avg_pool2d", [draw(2, 3, 7, 10)], {"output_size": [3, 4]}, lambda a: F.adaptive_avg_pool2d(a, (3, 4)))
case("aten.adaptive_avg_pool2d", [draw(2, 3, 4, 5)], {"output_size": [7, 5]}, lambda a: F.adaptive_avg_pool2d(a, (7, 5)))
case("aten.adaptive_avg_pool3d", [draw(2, 2, 4, 5, 6)], {"output_size": [2, 3, 1]}, lambda a: F.adaptive_avg_pool3d(a, (2, 3, 1)))
case("aten.adaptive_max_pool2d", [draw(2, 3, 7, 10)], {"output_size": [3, 4]},
     lambda a: F.adaptive_max_pool2d(a, (3, 4), return_indices=True))  # fmt: skip

x = draw(3, 5, 6)
for dim in (0, 1, -1):
    case("aten.cumsum", [x], {"dim": dim}, lambda a, d=dim: torch.cumsum(a, d))
    case("aten.cumprod", [x], {"dim": dim}, lambda a, d=dim: torch.cumprod(a, d))
    case("aten.logcumsumexp", [x], {"dim": dim}, lambda a, d=dim: torch.logcumsumexp(a, d))
    case("aten.cummax", [torch.round(x)], {"dim": dim}, lambda a, d=dim: torch.cummax(a, d))
    case("aten.cummin", [torch.round(x)], {"dim": dim}, lambda a, d=dim: torch.cummin(a, d))
case("aten.cumsum", [draw(7, 1)], {"dim": 1}, lambda a: torch.cumsum(a, 1))
case("aten.cumsum", [draw(600)], {"dim": 0}, lambda a: torch.cumsum(a, 0))

case("aten.gather", [x, pick(3, 2, 6, below=5)], {"dim": 1, "sparse_grad": False}, lambda a, i: torch.gather(a, 1, i))
case("aten.gather", [x, pick(3, 5, 9, below=6)], {"dim": -1, "sparse_grad": False}, lambda a, i: torch.gather(a, -1, i))
case("aten.index_select", [x, pick(4, below=5)], {"dim": 1}, lambda a, i: torch.index_select(a, 1, i))
case("aten.embedding", [draw(9, 5), pick(2, 7, below=9)], {"padding_idx": -1}, lambda w, i: F.embedding(i, w))
case("aten.index.Tensor", [x, pick(4, below=3)], {}, lambda a, i: a[i])
case("aten.index.Tensor", [x, None, pick(4, 2, below=5) - 5], {}, lambda a, _, i: a[:, i])
case("aten.index.Tensor", [x, pick(4, 1, below=3), pick(3, below=5)], {}, lambda a, i, j: a[i, j])
case("aten.index.Tensor", [x, pick(4, below=3), None, pick(4, below=6)], {}, lambda a, i, _, j: a[i, :, j])

for name, parts in (("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)):
    for layers, both, batch_first, biased in ((1, False, False, True), (2, True, True, True), (1, False, True, False)):
        width, hidden, batch, steps = 5, 7, 3, 4
        sides = 2 if both else 1
        h0 = draw(layers * sides, batch, hidden)
        states = [h0, draw(layers * sides, batch, hidden)] if name == "lstm" else [h0]
        weights = []
        for layer in range(layers):
            for _ in range(sides):
                fan = width if layer == 0 else hidden * sides
                weights += [draw(parts * hidden, fan, low=-0.5, high=0.5), draw(parts * hidden, hidden, low=-0.5, high=0.5)]
                weights += [draw(parts * hidden), draw(parts * hidden)] if biased else []
        data = draw(batch, steps, width) if batch_first else draw(steps, batch, width)
        attrs = {"has_biases": biased, "num_layers": layers, "dropout": 0.0, "train": True, "bidirectional": both,
                 "batch_first": batch_first}  # fmt: skip

        def run(x, *rest, n=len(states), f=getattr(torch, name), a=attrs):
            state = list(rest[:n]) if n > 1 else rest[0]
            return f(x, state, list(rest[n:]), *a.values())

        case(f"aten.{name}.input", [data] + states + weights, attrs, run)

q, k, v = draw(2, 3, 5, 8), draw(2, 3, 6, 8), draw(2, 3, 6, 4)
sdpa = F.scaled_dot_product_attention
base = {"dropout_p": 0.0, "is_causal": False, "enable_gqa": False}
case("aten.scaled_dot_product_attention", [q, k, v], base, sdpa)
case("aten.scaled_dot_product_attention", [q, k, v], {**base, "is_causal": True}, lambda a, b, c: sdpa(a, b, c, is_causal=True))
case("aten.scaled_dot_product_attention", [q, k, v, draw(5, 6)], {**base, "scale": 0.25}, lambda *a: sdpa(*a, scale=0.25))
seen = pick(2, 1, 5, 6, below=2).bool()
seen[:, :, :, 0] = True
case("aten.scaled_dot_product_attention", [q, k, v, seen], base, sdpa)
case("aten.scaled_dot_product_attention", [draw(1, 4, 5, 8), draw(1, 2, 6, 8), draw(1, 2, 6, 8)], {**base, "enable_gqa": True},
     lambda *a: sdpa(*a, enable_gqa=True))  # fmt: skip

w, b = draw(6), draw(6)
mean, var = draw(6), draw(6, low=0.5, high=2.0)
data = draw(4, 6, 3, 5)
norm = torch.ops.aten._native_batch_norm_legit_functional
for training in (True, False):
    attrs = {"training": training, "momentum": 0.1, "eps": 1e-5}
    case("aten._native_batch_norm_legit_functional", [data, w, b, mean, var], attrs,
         lambda *a, t=training: norm(*a, t, 0.1, 1e-5), {0, 3, 4})  # fmt: skip
case("aten._native_batch_norm_legit_functional", [draw(9, 6), None, None, mean, var],
     {"training": True, "momentum": 0.3, "eps": 1e-3}, lambda *a: norm(*a, True, 0.3, 1e-3), {0, 4})  # fmt: skip

logits, target, weight = draw(6, 5), pick(6, below=5), draw(5, low=0.5, high=2.0)
target[2] = -100
for reduction in (0, 1, 2):
    name = ("none", "mean", "sum")[reduction]
    base = {"reduction": reduction, "ignore_index": -100, "label_smoothing": 0.0}
    case("aten.cross_entropy_loss", [logits, target], base, lambda a, t, r=name: F.cross_entropy(a, t, reduction=r))
    case("aten.cross_entropy_loss", [logits, target, weight], {**base, "label_smoothing": 0.1},
         lambda a, t, w, r=name: F.cross_entropy(a, t, w, reduction=r, label_smoothing=0.1))  # fmt: skip
    case("aten.nll_loss_nd", [logits, target, weight], {"reduction": reduction, "ignore_index": -100},
         lambda a, t, w, r=name: F.nll_loss(a, t, w, reduction=r))  # fmt: skip
    case("aten.cross_entropy_loss", [draw(2, 5, 3), torch.softmax(draw(2, 5, 3), 1)], base,
         lambda a, t, r=name: F.cross_entropy(a, t, reduction=r))  # fmt: skip
    case("aten.triplet_margin_loss", [draw(4, 6), draw(4, 6), draw(4, 6)],
         {"margin": 1.0, "p": 2.0, "eps": 1e-6, "swap": reduction == 2, "reduction": reduction},
         lambda a, p, n, r=name: F.triplet_margin_loss(a, p, n, swap=r == "sum", reduction=r))  # fmt: skip
    sign = torch.sign(draw(4)) + (draw(4) > 9)
    case("aten.cosine_embedding_loss", [draw(4, 6), draw(4, 6), sign], {"margin": 0.1, "reduction": reduction},
         lambda a, b, t, r=name: F.cosine_embedding_loss(a, b, t, 0.1, reduction=r))  # fmt: skip
    case("aten.margin_ranking_loss", [draw(4), draw(4), sign], {"margin": 0.1, "reduction": reduction},
         lambda a, b, t, r=name: F.margin_ranking_loss(a, b, t, 0.1, reduction=r))  # fmt: skip
case("aten.cross_entropy_loss", [draw(2, 5, 3), pick(2, 3, below=5)], {"reduction": 1, "ignore_index": -100, "label_smoothing": 0.0},
     F.cross_entropy)  # fmt: skip
case("aten.cosine_similarity", [draw(4, 6), draw(4, 6)], {"dim": 1, "eps": 1e-8}, F.cosine_similarity)
case("aten.pairwise_distance", [draw(4, 6), draw(4, 6)], {"p": 2.0, "eps": 1e-6, "keepdim": False}, F.pairwise_distance)

case("aten.unfold", [x], {"dimension": 1, "size": 3, "step": 2}, lambda a: a.unfold(1, 3, 2))
case("aten.roll", [x], {"shifts": [2, -1], "dims": [1, 2]}, lambda a: torch.roll(a, (2, -1), (1, 2)))
case("aten.roll", [x], {"shifts": [7], "dims": []}, lambda a: torch.roll(a, 7))
for mode in ("reflect", "replicate", "circular"):
    case("aten.pad", [draw(2, 3, 5, 6)], {"pad": [2, 1, 1, 2], "mode": mode}, lambda a, m=mode: F.pad(a, (2, 1, 1, 2), m))
case("aten.repeat_interleave.self_int", [x], {"repeats": 3, "dim": 1}, lambda a: torch.repeat_interleave(a, 3, 1))
case("aten.pixel_shuffle", [draw(2, 12, 3, 4)], {"upscale_factor": 2}, lambda a: F.pixel_shuffle(a, 2))
case("aten.pixel_unshuffle", [draw(2, 3, 4, 6)], {"downscale_factor": 2}, lambda a: F.pixel_unshuffle(a, 2))
case("aten.channel_shuffle", [draw(2, 6, 3, 4)], {"groups": 3}, lambda a: F.channel_shuffle(a, 3))
case("aten.upsample_nearest2d", [draw(2, 3, 3, 4)], {"output_size": [6, 12]}, lambda a: F.interpolate(a, (6, 12), mode="nearest"))
case("aten.cat", [draw(2, n, 3) for n in (1, 4, 2, 3, 1, 5, 2, 1, 1, 2)], {"dim": 1}, lambda *a: torch.cat(a, 1))
case("aten.stack", [draw(2, 3) for _ in range(6)], {"dim": 1}, lambda *a: torch.stack(a, 1))
case("aten.prelu", [draw(2, 3, 4), draw(3)], {}, F.prelu)
case("aten.einsum", [draw(2, 3, 4), draw(2, 5, 4), draw(2, 3, 5), draw(2, 5, 6)], {"equation": "bln,bsn,bls,bsp->blp"},
     lambda *a: torch.einsum("bln,bsn,bls,bsp->blp", *a))  # fmt: skip
case("aten.einsum", [draw(3, 4)], {"equation": "ab->b"}, lambda a: torch.einsum("ab->b", a))

path = pathlib.Path(__file__).with_suffix(".json")
path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in CASES) + "\n]\n", encoding="utf-8")
print(len(CASES), "cases")
