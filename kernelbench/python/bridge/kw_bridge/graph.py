"""torch.export's graph as the JSON of codegen/core's graph.h.

Operators stay as exported, before decomposition. Only a graph that updates something in place (batch
normalisation's running statistics) is passed through functionalisation, which decomposes nothing.
"""

import math
import operator
import warnings

import torch

from . import BridgeError
from .source import describe, quiet

DTYPES = {
    torch.float64: "f64",
    torch.float32: "f32",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.int64: "i64",
    torch.int32: "i32",
    torch.int16: "i16",
    torch.int8: "i8",
    torch.uint8: "u8",
    torch.bool: "bool",
}
PLACEMENT = {"device", "layout", "pin_memory", "non_blocking", "cudnn_enable", "cudnn_enabled"}
IDENTITIES = {"lift_fresh", "lift_fresh_copy", "alias", "detach"}
ASSERTIONS = {"_assert_tensor_metadata", "_assert_async", "_assert_scalar", "sym_constrain_range"}


def export_program(model, inputs, path):
    """torch.export in the mode the model is in (KernelBench leaves it in train mode)."""
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.export.export(model, tuple(inputs), strict=False)
            if any(_mutates(node) for node in program.graph.nodes):
                program = program.run_decompositions({})
        except Exception as error:
            raise BridgeError(f"{path}: torch.export refuses the model: {describe(error)}") from None
    for node in program.graph.nodes:
        if _mutates(node):
            raise BridgeError(f"{path}: {node.target} writes in place and was not functionalised")
    return program


def _mutates(node):
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return False
    if node.target is torch.ops.aten.batch_norm.default and node.args[5]:
        return node.args[3] is not None
    if node.target is torch.ops.aten.instance_norm.default:
        return node.args[3] is not None and bool(node.args[5])
    return node.target._schema.is_mutable


def _used(node, count):
    """Which of several results anything reads. The others are null in the document."""
    indices = set()
    for user in node.users:
        if user.target is not operator.getitem:
            return set(range(count))
        if user.users:
            indices.add(user.args[1])
    return indices


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
        self.tensors = {}  # value name -> the tensor of a weight, buffer or lifted constant
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
                self._place(node, spec.target, "state" if spec.target in mutated else "weight")
            elif spec.kind == InputKind.CONSTANT_TENSOR:
                self._place(node, spec.target, "weight")
                self.tensors[spec.target] = self.program.constants[spec.target]
            else:
                raise BridgeError(f"{self.path}: {spec.target} is an input of kind {spec.kind.name}")

    def _place(self, node, name, role):
        self.names.take(name)
        self.value_of[node] = name
        self.values.append(self._value(name, node.meta["val"], role, keep_strides=role == "input"))

    def _value(self, name, tensor, role, keep_strides=False):
        if tensor.dtype not in DTYPES:
            raise BridgeError(f"{self.path}: {name} has dtype {tensor.dtype}, which no task can hold")
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
        if packet in IDENTITIES:
            self.value_of[node] = self.value_of[node.args[0]]
            return
        inputs, attrs = self._arguments(node)
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
            names.append(self.names.take(f"{node.name}.{index}" if several else node.name))
            self.values.append(self._value(names[-1], tensor, "scratch"))
        self.value_of[node] = names if several else names[0]
        self.nodes.append({"op": op_name(node.target), "in": inputs, "out": names, "attrs": attrs})

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
                self.outputs.append(self.value_of[by_name[spec.arg.name]])
            elif spec.kind == OutputKind.BUFFER_MUTATION:
                updates.append((spec.target, self.value_of[by_name[spec.arg.name]]))
            else:
                raise BridgeError(f"{self.path}: the model changes {spec.target} ({spec.kind.name})")
        by_value = {value["name"]: value for value in self.values}
        for name in self.outputs:
            if by_value[name]["role"] == "scratch":
                by_value[name]["role"] = "output"
        for buffer, name in updates:
            self._rename(name, f"{buffer}.next")
            self.outputs.append(f"{buffer}.next")

    def _rename(self, old, new):
        """The updated value of state `b` is an output called `b.next`, after those that are returned."""
        self.names.take(new)
        for value in self.values:
            if value["name"] == old:
                value["name"], value["role"] = new, "output"
        for node in self.nodes:
            node["in"] = [new if name == old else name for name in node["in"]]
            node["out"] = [new if name == old else name for name in node["out"]]


def attribute(value, kind, what):
    """A non-tensor argument as JSON: by the schema's type, so that an eps of 1 stays a number."""
    if isinstance(value, (list, tuple)):
        items = [attribute(item, kind.replace("List[", "").rstrip("]"), what) for item in value]
        return [int(item) if isinstance(item, bool) else item for item in items]
    if isinstance(value, torch.dtype):
        if value not in DTYPES:
            raise BridgeError(f"{what}: dtype {value} is not supported")
        return DTYPES[value]
    if isinstance(value, torch.memory_format):
        return str(value).removeprefix("torch.").removesuffix("_format")
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return float(value) if "float" in kind else value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"number": number(value)}
    raise BridgeError(f"{what}: an argument of type {type(value).__name__} is not supported")


def number(value):
    """A float as core/json.h reads it: infinities and NaN as strings."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
