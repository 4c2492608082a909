"""Chooses the sizes of a small variant by shrinking the file's own module-level integers.

The search goes down from the sizes of the file, so every step is a model that can be built. It is
deterministic; docs/formats/small_shapes.md states the rule.
"""

import itertools
import math

from torch._subclasses.fake_tensor import FakeTensorMode

from . import BridgeError, constructor, demands
from .export import fake_inputs, plain_tensors, tensor_names
from .graph import GraphBuilder
from .guess import guesses
from .program import export_program
from .small_sizes import SIZES
from .source import kernelbench_name, parse_sizes, quiet

SMALLEST_SIZE = 16  # integers below this are kernel sizes, strides, dimensions: structure, not size


class Knob:
    """One size, or several that must change together."""

    def __init__(self, constants):
        self.labels = [constant.label for constant in constants]
        self.original = constants[0].value
        self.step = 1  # the model only builds at multiples of it
        self.aligned = False  # a multiple of 4, and the last extent of an input, weight or output

    def sizes(self, value):
        return {label: value for label in self.labels}

    def ladder(self):
        """Ascending values to try: odd multiples, so that no tile divides them; the original is last."""
        unit = math.lcm(self.step, 4) if self.aligned else self.step
        first = 1 if unit >= 3 else 3
        values = list(itertools.takewhile(lambda v: v < self.original, itertools.count(first * unit, 2 * unit)))
        return values + [self.original]


class Shrinker:
    def __init__(self, source):
        self.source = source
        self.graphs = {}

    def graph(self, sizes):
        """The graph at sizes, or None when the model cannot be built there."""
        key = tuple(sorted(sizes.items()))
        if key not in self.graphs:
            try:
                self.graphs[key] = shape_graph(self.source, sizes)
            except BridgeError:
                self.graphs[key] = None
        return self.graphs[key]

    def knobs(self):
        constants = [c for c in self.source.constants() if _is_size(c)]
        knobs, tied = [], set()
        for constant in constants:
            if constant.label in tied:
                continue
            knob = self._probe(Knob([constant]))
            if knob is None:  # perhaps it moves only together with others of the same value
                same = [c for c in constants if c.value == constant.value and c.label not in tied]
                knob = self._probe(Knob(same)) if len(same) > 1 else None
                if knob is not None:
                    tied.update(knob.labels)
            if knob is not None:
                knobs.append(knob)
        return knobs

    def _probe(self, knob):
        """Finds a knob's step and alignment; None if nothing smaller can be built or nothing changes."""
        base = self.graph({})
        for step in _divisors(knob.original):
            moved = self.graph(knob.sizes(knob.original - step))
            if moved is None or not _same_operators(base, moved):
                continue
            pairs = list(zip(base["values"], moved["values"]))
            if all(a["shape"] == b["shape"] for a, b in pairs):
                return None
            if any(len(a["shape"]) != len(b["shape"]) for a, b in pairs):
                return None
            stored = [(a["shape"], b["shape"]) for a, b in pairs if a["role"] != "scratch"]
            last = any(a[-1:] != b[-1:] for a, b in stored)
            knob.step, knob.aligned = step, last and knob.original % 4 == 0
            return knob
        return None

    def tier_of(self, sizes):
        """The first tier whose floors and budget the model meets at sizes, or None."""
        graph, original = self.graph(sizes), self.graph({})
        if not sizes or graph is None or not _same_operators(original, graph):
            return None
        for number, tier in enumerate(demands.TIERS, start=1):
            affordable = demands.flops(graph) <= tier.flops and demands.largest(graph) <= tier.elements
            if affordable and demands.missed(graph, original, tier) is None:
                return number
        return None

    def shrink(self, knobs, tier):
        """The smallest sizes that keep every floor of a tier, one knob after the other."""
        original = self.graph({})
        sizes = {}
        for knob in knobs:
            taken = set(sizes.values()) if tier.distinct else set()
            ladder = [v for v in knob.ladder() if v not in taken or v == knob.original]
            best = self._lowest(knob, ladder, sizes, original, tier)
            if best == knob.original:  # distinct values are a wish, not a need
                best = self._lowest(knob, knob.ladder(), sizes, original, tier)
            sizes.update(knob.sizes(best))
        return sizes

    def _lowest(self, knob, ladder, sizes, original, tier):
        """The lowest rung that misses no floor: a jump to where measures would suffice if they grew with
        the knob, then halving of what lies between the last rung that did not fit and the first that did."""

        def shortfall(index):
            graph = self.graph({**sizes, **knob.sizes(ladder[index])})
            return None if graph is None else demands.shortfall(graph, original, tier)

        low, high = -1, len(ladder) - 1  # the last is the original, which fits
        index = 0
        while low + 1 < high:
            factor = shortfall(index)
            if factor is not None and factor <= 1:
                high = index
                index = (low + high) // 2
                continue
            low = index
            if high == len(ladder) - 1:
                wanted = ladder[index] * (factor or 2)
                index = next(i for i, value in enumerate(ladder) if value >= wanted or i == high)
            else:
                index = (low + high) // 2
            index = min(max(index, low + 1), high - 1)
        return ladder[high]


def shrink(source):
    """({label: value}, notes for the provenance) of a model file."""
    problem, _, _ = kernelbench_name(source.path)
    chosen = SIZES.get(problem)
    if chosen:
        return parse_sizes(chosen), {}
    shrinker = Shrinker(source)
    shape_graph(source, {})  # a model that cannot be exported says why
    for sizes in guesses(source.constants(), shrinker.graph({})):
        tier = shrinker.tier_of(sizes)
        if tier is not None:
            return sizes, {"small_tier": str(tier)}
    knobs = shrinker.knobs()
    if not knobs:
        raise BridgeError(f"{source.path} has no module-level sizes that can shrink")
    first = demands.first_tier(shrinker.graph({}))
    for number, tier in list(enumerate(demands.TIERS, start=1))[first:]:
        sizes = shrinker.shrink(knobs, tier)
        graph = shrinker.graph(sizes)
        work, largest = demands.flops(graph), demands.largest(graph)
        if work <= tier.flops and largest <= tier.elements:
            return sizes, {"small_tier": str(number)}
    raise BridgeError(
        f"{source.path} has no small variant within {tier.flops} operations and {tier.elements} elements: "
        f"at {_text(sizes)} it still has {work} and {largest}"
    )


def shape_graph(source, sizes):
    """The graph document of a model at sizes, made without allocating a tensor."""
    module = source.module(sizes)
    with quiet(), FakeTensorMode(allow_non_fake_inputs=True):
        model, _ = constructor.build(module, source.path)
        inputs, _ = fake_inputs(module, source.path)
        names = [name for name, _ in tensor_names(model, inputs, source.path)]
        plain_tensors(model)
        return GraphBuilder(export_program(model, inputs, source.path), names, source.path).build()


def _is_size(constant):
    return constant.value >= SMALLEST_SIZE or ("batch" in constant.name and constant.value > 3)


def _divisors(value):
    """Steps to try, ascending: divisors that leave at least one step."""
    return [step for step in range(1, value // 2 + 1) if value % step == 0][:24]


def _same_operators(a, b):
    return [node["op"] for node in a["nodes"]] == [node["op"] for node in b["nodes"]]


def _text(sizes):
    return ",".join(f"{label}={value}" for label, value in sizes.items())
