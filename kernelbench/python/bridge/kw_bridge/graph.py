"""An exported program as the JSON of codegen/core's graph.h."""

import operator

import torch

from . import BridgeError
from .attributes import DTYPES, attribute, explicit_equation

NOT_RANDOM = {"scaled_dot_product_attention", "lstm", "gru", "rnn_tanh", "rnn_relu"}  # unless their p is above 0
PLACEMENT = {"device", "layout", "pin_memory", "non_blocking", "cudnn_enable", "cudnn_enabled"}
IDENTITIES = {"lift_fresh", "lift_fresh_copy", "alias", "detach", "clone", "contiguous"}
CASTS = {"to", "_to_copy", "type_as"}
SPELLINGS = {"multiply": "mul", "divide": "div", "true_divide": "div", "subtract": "sub", "expand_as": "expand"}
RANDOM = {
    "rand": ["uniform", 0.0, 1.0], "rand_like": ["uniform", 0.0, 1.0],
    "randn": ["normal", 0.0, 1.0], "randn_like": ["normal", 0.0, 1.0],
}  # fmt: skip
ASSERTIONS = {"_assert_tensor_metadata", "_assert_async", "_assert_scalar", "sym_constrain_range"}


def _used(node, count):
    """Which of several results anything reads. The others are null in the document."""
    indices = set()
    for user in node.users:
        if user.target is not operator.getitem:
            return set(range(count))
        if user.users:
            indices.add(user.args[1])
    return indices


def _alike(a, b):
    return a.dtype == b.dtype and a.shape == b.shape


def op_name(target):
    """"aten.linear", "aten.sum.dim_IntList": the overload only where it says more than the name."""
    overload = target._overloadname
    base = f"{target.namespace}.{target._opname}"
    return base if overload in ("default", "Tensor") else f"{base}.{overload}"


class Names:
    """Distinct names of values: those of the model first, intermediates give way."""

    def __init__(self):
        self.taken = set()

    def take(self, wanted):
        name, count = wanted, 0
        while name in self.taken:
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name


class GraphBuilder:
    """Walks one exported program. `input_names` are forward's parameters that carry tensors."""

    def __init__(self, program, input_names, path):
        self.program = program
        self.path = path
        self.names = Names()
        self.values = []
        self.nodes = []
        self.outputs = []
        self.value_of = {}  # fx node -> value name, or list of value names
        self.tensors = {}  # value name -> the tensor of a lifted constant
        self.held = {}  # value name of a weight or state -> its name in the model
        self.buffers = set()  # value names of what the model holds and does not learn
        self.random = {}  # inputs that forward draws itself: name -> draw
        self._given = 0  # how many values are inputs, weights and state
        self._input_names = list(input_names)

    def build(self):
        self._placeholders()
        for node in self.program.graph.nodes:
            if node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                self._outputs()
            elif node.op != "placeholder":
                raise BridgeError(f"{self.path}: the exported graph has a {node.op} node")
        self._prune()
        return {"v": 1, "values": self.values, "nodes": self.nodes, "outputs": self.outputs}

    def _placeholders(self):
        from torch.export.graph_signature import InputKind

        signature = self.program.graph_signature
        mutated = set(signature.buffers_to_mutate.values())
        specs = {spec.arg.name: spec for spec in signature.input_specs}
        nodes = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        user = [n for n in nodes if specs[n.name].kind == InputKind.USER_INPUT]
        tensors = [n for n in user if isinstance(n.meta.get("val"), torch.Tensor)]
        if len(tensors) != len(self._input_names):
            raise BridgeError(f"{self.path}: inputs that are tuples or dictionaries are not supported")
        for node, name in zip(tensors, self._input_names):
            self._place(node, name, "input")
        for node in nodes:
            spec = specs[node.name]
            if spec.kind == InputKind.USER_INPUT:
                continue
            if spec.kind == InputKind.PARAMETER:
                self._place(node, spec.target, "weight")
            elif spec.kind == InputKind.BUFFER:
                role = "state" if spec.target in mutated else "weight"
                self.buffers.add(self._place(node, spec.target, role))
            elif spec.kind == InputKind.CONSTANT_TENSOR:
                name = self._place(node, spec.target, "weight")
                self.tensors[name] = self.program.constants[spec.target]
            else:
                raise BridgeError(f"{self.path}: {spec.target} is an input of kind {spec.kind.name}")
        self._given = len(self.values)

    def _place(self, node, wanted, role):
        """A buffer that is called like one of forward's parameters gives way."""
        name = self.names.take(wanted)
        self.value_of[node] = name
        if role != "input":
            self.held[name] = wanted
        self.values.append(self._value(name, node.meta["val"], role, keep_strides=role == "input"))
        return name

    def _value(self, name, tensor, role, keep_strides=False):
        if tensor.layout != torch.strided:
            raise BridgeError(f"{self.path}: {name} is {tensor.layout}; tasks hold dense tensors")
        if tensor.dtype not in DTYPES:
            raise BridgeError(f"{self.path}: {name} has dtype {tensor.dtype}, which no task can hold")
        if not all(isinstance(extent, int) for extent in tensor.shape):
            raise BridgeError(f"{self.path}: {name} has a shape that depends on values: {list(tensor.shape)}")
        shape = [int(extent) for extent in tensor.shape]
        value = {"name": name, "dtype": DTYPES[tensor.dtype], "shape": shape, "role": role}
        if keep_strides and not tensor.is_contiguous():
            value["strides"] = [int(stride) for stride in tensor.stride()]
        return value

    def _call(self, node):
        if node.target is operator.getitem:
            self.value_of[node] = self.value_of[node.args[0]][node.args[1]]
            return
        if not isinstance(node.target, torch._ops.OpOverload):
            raise BridgeError(f"{self.path}: {node.target} is not a tensor operator")
        packet = node.target._opname
        if packet in ASSERTIONS:
            return
        inputs, attrs = self._arguments(node)
        if packet == "copy":  # what is overwritten does not matter
            if not _alike(node.args[1].meta["val"], node.meta["val"]):
                raise BridgeError(f"{self.path}: a copy that broadcasts or casts is not supported")
            self.value_of[node] = inputs[1]
            return
        if self._is_identity(node, packet, attrs):
            several = isinstance(node.meta["val"], (tuple, list))  # native_dropout: the mask is not read
            self.value_of[node] = [inputs[0], None] if several else inputs[0]
        elif packet in RANDOM:
            self.value_of[node] = self._random(node.meta["val"].shape, RANDOM[packet])
        elif packet in ("dropout", "native_dropout"):
            self._dropout(node, inputs, attrs)
        elif packet == "broadcast_tensors":
            self.value_of[node] = [
                name if self._shape(name) == list(made.shape) else self._expand(node, name, made)
                for name, made in zip(inputs, node.meta["val"])
            ]
        else:
            self._check_random(node, packet, attrs)
            self._plain(node, packet, inputs, attrs)

    def _plain(self, node, packet, inputs, attrs):
        if packet == "expand_as":
            inputs, attrs = inputs[:1], {"size": list(node.meta["val"].shape), "implicit": False}
        if packet == "einsum":
            attrs["equation"] = explicit_equation(attrs["equation"], [len(self._shape(name)) for name in inputs])
        name = op_name(node.target)
        if packet in SPELLINGS:
            name = name.replace(packet, SPELLINGS[packet], 1)
        made = node.meta["val"]
        several = isinstance(made, (tuple, list))
        names = []
        used = _used(node, len(made)) if several else {0}
        for index, tensor in enumerate(made if several else [made]):
            if index not in used:
                names.append(None)
                continue
            if not isinstance(tensor, torch.Tensor):
                raise BridgeError(f"{self.path}: {op_name(node.target)} returns something that is no tensor")
            names.append(self._scratch(f"{node.name}.{index}" if several else node.name, tensor))
        self.value_of[node] = names if several else names[0]
        self.nodes.append({"op": name, "in": inputs, "out": names, "attrs": attrs})

    def _scratch(self, wanted, tensor):
        name = self.names.take(wanted)
        self.values.append(self._value(name, tensor, "scratch"))
        return name

    def _shape(self, name):
        return next(value["shape"] for value in self.values if value["name"] == name)

    def _is_identity(self, node, packet, attrs):
        """Operators that leave every element as it is. (Views are values, so a copy is nothing.)"""
        if packet in IDENTITIES:
            return True
        if packet in CASTS:
            return node.args[0].meta["val"].dtype == node.meta["val"].dtype
        if packet in ("dropout", "native_dropout"):
            return attrs["p"] == 0 or not attrs.get("train", True)
        return False

    def _random(self, shape, draw):
        """What forward draws is an input, so that the graph is a function (docs/formats/operators.md)."""
        name = self.names.take(f"random.{len(self.random)}")
        self.random[name] = [draw]
        value = {"name": name, "dtype": "f32", "shape": [int(extent) for extent in shape], "role": "input"}
        self.values.insert(self._given + len(self.random) - 1, value)
        return name

    def _dropout(self, node, inputs, attrs):
        made = node.meta["val"]
        if isinstance(made, (tuple, list)):
            if _used(node, 2) - {0}:
                raise BridgeError(f"{self.path}: the mask of a dropout is used")
            made = made[0]
        drawn = self._random(made.shape, RANDOM["rand"])
        name = self._scratch(node.name, made)
        self.nodes.append({"op": "kw.dropout", "in": [inputs[0], drawn], "out": [name], "attrs": {"p": attrs["p"]}})
        self.value_of[node] = [name, None] if node.target._opname == "native_dropout" else name

    def _check_random(self, node, packet, attrs):
        inside = attrs.get("dropout_p", 0) or (attrs.get("dropout", 0) if attrs.get("train") else 0)
        if inside:
            raise BridgeError(f"{self.path}: {packet} with a live dropout of {inside} has no stated random numbers")
        if torch.Tag.nondeterministic_seeded in node.target.tags and packet not in NOT_RANDOM:
            raise BridgeError(f"{self.path}: {op_name(node.target)} in forward draws random numbers of no stated kind")

    def _expand(self, node, name, made):
        wide = self._scratch(f"{node.name}.{name}", made)
        attrs = {"size": [int(extent) for extent in made.shape], "implicit": False}
        self.nodes.append({"op": "aten.expand", "in": [name], "out": [wide], "attrs": attrs})
        return wide

    def _arguments(self, node):
        inputs, attrs = [], {}
        position = 0
        for argument in node.target._schema.arguments:
            if not argument.kwarg_only and position < len(node.args):
                value = node.args[position]
                position += 1
            elif argument.name in node.kwargs:
                value = node.kwargs[argument.name]
            else:
                value = argument.default_value if argument.has_default_value() else None
            self._argument(node, argument, value, inputs, attrs)
        while inputs and inputs[-1] is None:
            inputs.pop()
        return inputs, attrs

    def _argument(self, node, argument, value, inputs, attrs):
        kind = str(argument.type)
        if isinstance(value, torch.fx.Node):
            inputs.append(self.value_of[value])
        elif "Tensor" in kind and isinstance(value, (list, tuple)):
            inputs.extend(None if item is None else self.value_of[item] for item in value)
        elif "Tensor" in kind and value is None:
            inputs.append(None)
        elif argument.name not in PLACEMENT and value is not None:
            attrs[argument.name] = attribute(value, kind, f"{op_name(node.target)}.{argument.name}")

    def _outputs(self):
        from torch.export.graph_signature import OutputKind

        by_name = {node.name: node for node in self.program.graph.nodes}
        updates = []
        for spec in self.program.graph_signature.output_specs:
            if spec.kind == OutputKind.USER_OUTPUT:
                if not hasattr(spec.arg, "name"):
                    raise BridgeError(f"{self.path}: forward returns something that is no tensor")
                self.outputs.append(self._output(by_name[spec.arg.name]))
            elif spec.kind == OutputKind.BUFFER_MUTATION:
                updates.append((spec.target, self._output(by_name[spec.arg.name])))
            elif spec.kind == OutputKind.USER_INPUT_MUTATION:
                raise BridgeError(f"{self.path}: forward writes into its input {spec.target}, which a task forbids")
            else:
                raise BridgeError(f"{self.path}: the model changes {spec.target} ({spec.kind.name})")
        for buffer, updated in updates:
            state = next(name for name, held in self.held.items() if held == buffer)
            self._rename(updated, f"{state}.next")
            self.outputs.append(f"{state}.next")

    def _output(self, node):
        """The value of a result, now with role output. What is an input, or already an output, is copied."""
        name = self.value_of[node]
        value = next(value for value in self.values if value["name"] == name)
        if value["role"] != "scratch":
            copy = self._scratch(f"{node.name}.copy", node.meta["val"])
            attrs = {}
            self.nodes.append({"op": "aten.clone", "in": [name], "out": [copy], "attrs": attrs})
            value = self.values[-1]
        value["role"] = "output"
        return value["name"]

    def _prune(self):
        """Drops what no output depends on. Inputs and parameters stay: they are given all the same."""
        live, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if live & set(node["out"]):
                live.update(node["in"])
                kept.append(node)
        self.nodes = kept[::-1]
        for node in self.nodes:
            node["out"] = [name if name in live else None for name in node["out"]]
        unread = {v["name"] for v in self.values if v["role"] == "scratch" or v["name"] in self.buffers} - live
        self.values = [v for v in self.values if v["name"] not in unread or v["role"] == "state"]

    def _rename(self, old, new):
        """The updated value of state `b` is an output called `b.next`, after those that are returned."""
        self.names.take(new)
        for value in self.values:
            if value["name"] == old:
                value["name"], value["role"] = new, "output"
        for node in self.nodes:
            node["in"] = [new if name == old else name for name in node["in"]]
            node["out"] = [new if name == old else name for name in node["out"]]
