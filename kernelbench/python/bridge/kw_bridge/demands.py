"""What a small variant must still show, operator by operator (docs/formats/small_shapes.md).

Everything is read off a graph document, so that the rule can be checked without torch.
"""

import dataclasses
from math import prod


@dataclasses.dataclass(frozen=True)
class Tier:
    """Floors, from the most telling to the least; the first tier that fits its budget is taken."""

    tile: int  # M and N of a product
    depth: int  # K of a product
    row: int  # elements of a contiguous row that is reduced or normalised
    column: int  # elements along a strided reduction, and beside it
    stream: int  # elements of a pointwise result, or of a reduction to a scalar
    rows: int  # rows, when rows are so short that a block holds several
    last: int  # last extent of a pointwise or pooled result: two warps and a tail
    distinct: bool = True  # different sizes get different values
    flops: int = 5_000_000  # of all products; a multiply-add counts as two
    elements: int = 100_000  # of the largest tensor


TIERS = [
    Tier(tile=129, depth=129, row=8193, column=129, stream=12289, rows=33, last=65),
    Tier(tile=129, depth=129, row=2049, column=129, stream=12289, rows=33, last=65),
    Tier(tile=129, depth=129, row=129, column=129, stream=3073, rows=33, last=65),
    Tier(tile=65, depth=129, row=129, column=65, stream=3073, rows=17, last=65),
    Tier(tile=33, depth=65, row=33, column=33, stream=1025, rows=9, last=33),
    Tier(tile=33, depth=65, row=33, column=33, stream=1025, rows=9, last=33,
         distinct=False, flops=20_000_000, elements=400_000),
    Tier(tile=33, depth=65, row=33, column=33, stream=257, rows=3, last=17,
         distinct=False, flops=40_000_000, elements=400_000),
    Tier(tile=17, depth=65, row=33, column=33, stream=257, rows=3, last=17,
         distinct=False, flops=60_000_000, elements=400_000),
    Tier(tile=17, depth=65, row=33, column=17, stream=257, rows=3, last=9,
         distinct=False, flops=400_000_000, elements=2_000_000),
]  # fmt: skip
SHORT_ROW = 1024  # rows up to this many elements share a block
INPUT_CHANNELS = 9  # of one group of a convolution: more than a step of K, with a tail
EXTENT = 7  # of every spatial dimension that a convolution writes: halo, interior, halo
VECTOR = 16  # a product with M or N below this is a matrix-vector product

REDUCTIONS = {
    "sum", "mean", "amax", "amin", "max", "min", "prod", "var", "std", "var_mean", "argmax", "argmin",
    "norm", "linalg_vector_norm", "logsumexp", "softmax", "log_softmax", "cumsum", "cumprod", "all", "any",
}  # fmt: skip
VIEWS = {
    "t", "T", "transpose", "permute", "view", "reshape", "unsqueeze", "squeeze", "expand", "select", "slice",
    "flatten", "unflatten", "numpy_T", "movedim", "swapaxes", "narrow", "chunk", "split", "unbind", "alias",
}  # fmt: skip


def base_name(op):
    return op.split(".")[1] if "." in op else op


class Shapes:
    """Shapes of a graph document by value name."""

    def __init__(self, graph):
        self.of = {value["name"]: value["shape"] for value in graph["values"]}

    def inputs(self, node):
        return [self.of[name] for name in node["in"] if name is not None]

    def output(self, node):
        return self.of[next(name for name in node["out"] if name is not None)]


def products(node, shapes):
    """[(batch, M, N, K)] of the products that an operator is made of."""
    name = base_name(node["op"])
    ins, out = shapes.inputs(node), shapes.output(node)
    if name == "linear":
        return [(1, prod(ins[0][:-1]), ins[1][0], ins[0][-1])]
    if name in ("addmm", "baddbmm"):
        ins = ins[1:]
    if name in ("matmul", "mm", "bmm", "addmm", "baddbmm", "mv", "dot"):
        m = ins[0][-2] if len(ins[0]) > 1 else 1
        n = ins[1][-1] if len(ins[1]) > 1 else 1
        if len(ins[1]) <= 2:  # a shared right operand: batches are more rows
            m = prod(ins[0][:-1])
        return [(max(1, prod(out) // max(1, m * n)), m, n, ins[0][-1])]
    if name.startswith(("conv", "_conv")):
        groups = max(1, int(node["attrs"].get("groups", 1)))
        weight = ins[1]
        if "transpose" in name or node["attrs"].get("transposed"):
            # One product per output phase: of the kernel's taps, every stride-th meets an input element.
            taps = -(-prod(weight[2:]) // prod(node["attrs"].get("stride", [1])))
            return [(groups, prod(out) // out[1], weight[1], weight[0] // groups * taps)]
        return [(groups, prod(out) // out[1], weight[0] // groups, prod(weight[1:]))]
    if name == "scaled_dot_product_attention":
        q, k, v = ins[0], ins[1], ins[2]
        batch = prod(q[:-2])
        return [(batch, q[-2], k[-2], q[-1]), (batch, q[-2], v[-1], k[-2])]
    if name in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        steps = ins[0][0] * ins[0][1]
        weights = [shape for shape in ins[1:] if len(shape) == 2]
        return [(1, steps, shape[0], shape[1]) for shape in weights]
    return []


def channels(node, shapes):
    """(input, output) channels of one group of a convolution."""
    groups = max(1, int(node["attrs"].get("groups", 1)))
    x = shapes.inputs(node)[0]
    return x[1] // groups, shapes.output(node)[1] // groups


def reduction(node, shapes):
    """(rows, length, inner) of a reduction or normalisation, or None. `inner` counts what lies behind
    the reduced dimensions: 1 means that rows are contiguous."""
    name = base_name(node["op"])
    ins, attrs = shapes.inputs(node), node["attrs"]
    if not ins:
        return None
    shape = ins[0]
    if name in REDUCTIONS:
        if "dim" not in attrs:
            return (1, prod(shape), 1) if len(ins) == 1 else None
        dims = attrs["dim"] if isinstance(attrs["dim"], list) else [attrs["dim"]]
        dims = [d % max(1, len(shape)) for d in dims] or list(range(len(shape)))
    elif name in ("layer_norm", "rms_norm"):
        dims = list(range(len(shape) - len(attrs["normalized_shape"]), len(shape)))
    elif name in ("batch_norm", "_native_batch_norm_legit_functional"):
        return shape[1], prod(shape) // shape[1], prod(shape[2:])
    elif name == "instance_norm":
        return prod(shape[:2]), prod(shape[2:]), 1
    elif name == "group_norm":
        rows = shape[0] * int(attrs["num_groups"])
        return rows, prod(shape) // rows, 1
    else:
        return None
    length = prod(shape[d] for d in dims)
    return prod(shape) // max(1, length), length, prod(shape[max(dims) + 1 :])


def measures(graph):
    """{(node index, what): extent}: everything that a tier sets a floor for."""
    shapes = Shapes(graph)
    found = {}
    for index, node in enumerate(graph["nodes"]):
        name = base_name(node["op"])
        for part, (batch, m, n, k) in enumerate(products(node, shapes)):
            found[index, f"batch{part}"] = batch
            found[index, f"M{part}"] = m
            found[index, f"N{part}"] = n
            found[index, f"K{part}"] = k
        if "conv" in name:
            found[index, "ins"], found[index, "outs"] = channels(node, shapes)
            for axis, extent in enumerate(shapes.output(node)[2:]):
                found[index, f"extent{axis}"] = extent
        reduced = reduction(node, shapes)
        if reduced is not None:
            found[index, "rows"], found[index, "length"], found[index, "inner"] = reduced
        elif name not in VIEWS and not products(node, shapes):
            out = shapes.output(node)
            found[index, "elements"] = prod(out)
            found[index, "last"] = out[-1] if out else 1
    return found


def floors(original, tier):
    """The floor of every measure of the original graph at a tier."""
    found = measures(original)
    whole = largest(original)
    result = {}
    for (index, what), extent in found.items():
        floor = 1
        kind = what.rstrip("0123456789")
        if kind in ("M", "N", "K"):
            part = what[len(kind) :]
            thin = min(found[index, f"M{part}"], found[index, f"N{part}"]) < VECTOR
            if kind == "K":
                floor = max(tier.depth, min(tier.row, 2049)) if thin else tier.depth
            else:
                floor = tier.rows if thin else tier.tile
        elif kind == "batch":
            floor = 2
        elif kind == "outs":
            floor = min(tier.tile, 65)
        elif kind == "ins":
            floor = INPUT_CHANNELS
        elif kind == "extent":
            floor = EXTENT
        elif kind == "length":
            floor = _length_floor(found, index, extent, tier)
        elif kind == "rows":
            short = found[index, "length"] <= SHORT_ROW and found[index, "inner"] == 1
            floor = tier.rows if short else 3
        elif kind == "inner":
            floor = tier.column
        elif kind == "elements":
            floor = tier.stream if extent == whole else tier.column
        elif kind == "last":
            floor = tier.last
        result[index, what] = min(floor, extent)
    return result


def _length_floor(found, index, extent, tier):
    if found[index, "rows"] == 1:
        return tier.stream
    if extent < tier.column:
        return extent // 2 + 1
    return tier.row if found[index, "inner"] == 1 else tier.column


def first_tier(graph):
    """Index of the first tier worth trying: the earlier ones ask more of a convolution than fits any budget."""
    return 3 if any("conv" in node["op"] for node in graph["nodes"]) else 0


def flops(graph):
    shapes = Shapes(graph)
    return sum(2 * b * m * n * k for node in graph["nodes"] for b, m, n, k in products(node, shapes))


def largest(graph):
    return max(prod(value["shape"]) for value in graph["values"])


def shortfall(graph, original, tier):
    """By which factor the measure farthest below its floor would have to grow; 1 if none is."""
    found, wanted = measures(graph), floors(original, tier)
    return max((floor / max(1, found.get(key, 0)) for key, floor in wanted.items()), default=1)


def missed(graph, original, tier):
    """What the first measure below its floor is, as text, or None."""
    found, wanted = measures(graph), floors(original, tier)
    for key, floor in wanted.items():
        if found.get(key, 0) < floor:
            index, what = key
            return f"{what} of node {index} ({graph['nodes'][index]['op']}) is {found.get(key)}, below {floor}"
    return None
