"""Sizes worth trying before any search, by what a module-level integer is called.

A guess is only accepted when the demands of some tier say so (demands.py); most models of one layer and
its epilogue have such names, and one export instead of fifty decides.
"""

import math

BATCH = {"batch_size", "batch"}
INPUTS = {"in_channels", "input_channels"}
OUTPUTS = {"out_channels", "output_channels"}
SPATIAL = ["length", "depth", "height", "width", "depth_in", "height_in", "width_in", "size"]
FEATURES = {
    "in_features": 132, "input_size": 132, "input_features": 132,
    "out_features": 140, "output_size": 140, "output_features": 140,
    "hidden_size": 148, "hidden_features": 148,
}  # fmt: skip

# (input channels, output channels, extents of the last dimensions): from the most telling to the least
CONVOLUTIONS = [
    (20, 36, {1: [261], 2: [13, 28], 3: [7, 9, 20]}),
    (20, 36, {1: [261], 2: [19, 36], 3: [9, 12, 20]}),
    (12, 20, {1: [261], 2: [35, 44], 3: [11, 20, 28]}),
    (12, 20, {1: [523], 2: [60, 76], 3: [13, 36, 44]}),
]
ROWS = [129, 65, 33, 17]


def guesses(constants, graph):
    """Candidate sizes {label: value}; values at or above the original are left out."""
    groups = math.lcm(*[c.value for c in constants if "groups" in c.name], 1)
    rank = max((len(_weight(graph, node)) - 2 for node in graph["nodes"] if "conv" in node["op"]), default=0)
    if rank:
        for inputs, outputs, extents in CONVOLUTIONS:
            yield _pick(constants, 3, _multiple(inputs, groups), _multiple(outputs, groups), extents[rank])
    else:
        for rows in ROWS:
            yield _pick(constants, rows, 20, 36, [9, 20], groups)


def _weight(graph, node):
    return next(value["shape"] for value in graph["values"] if value["name"] == node["in"][1])


def _multiple(wanted, unit):
    """The least odd multiple of a unit that is not below what is wanted."""
    times = -(-wanted // unit)
    return wanted if unit == 1 else unit * (times + 1 - times % 2)


def _pick(constants, rows, inputs, outputs, extents, groups=1):
    spatial = [c for c in constants if c.name.lower() in SPATIAL]
    sizes = {}
    for constant in constants:
        name = constant.name.lower()
        if name in BATCH:
            value = rows
        elif name in INPUTS:
            value = inputs
        elif name in OUTPUTS:
            value = outputs
        elif name in FEATURES:
            value = FEATURES[name]
            if groups > 1 and constant.value % groups == 0:  # more than half of a normalised group
                value = max(_multiple(value, groups), groups * (constant.value // groups // 2 + 1))
        elif constant in spatial:
            value = extents[max(0, len(extents) - len(spatial) + spatial.index(constant))]
        else:
            continue
        if constant.value >= 16 and value < constant.value or name in BATCH and value < constant.value:
            sizes[constant.label] = value
    return sizes
