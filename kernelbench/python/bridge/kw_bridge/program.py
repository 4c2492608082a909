"""torch.export in the mode the model is in (KernelBench leaves it in train mode).

Operators stay as exported, before decomposition. Only a graph that updates something in place (batch
normalisation's running statistics) is passed through functionalisation, which decomposes nothing.
"""

import contextlib
import warnings

import torch

from . import BridgeError
from .source import describe, quiet

aten = torch.ops.aten


def export_program(model, inputs, path):
    with quiet(), recurrent_shapes(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.export.export(model, tuple(inputs), strict=False)
            if any(mutates(node) for node in program.graph.nodes):
                program = program.run_decompositions({})
        except Exception as error:
            raise BridgeError(f"{path}: torch.export refuses the model: {describe(error)}") from None
    for node in program.graph.nodes:
        if mutates(node):
            raise BridgeError(f"{path}: {node.target} writes in place and was not functionalised")
    return program


def mutates(node):
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return False
    if node.target is torch.ops.aten.batch_norm.default and node.args[5]:
        return node.args[3] is not None
    if node.target is torch.ops.aten.instance_norm.default:
        return node.args[3] is not None and bool(node.args[5])
    return node.target._schema.is_mutable


@contextlib.contextmanager
def recurrent_shapes():
    """Recurrent operators answer a trace with shapes alone. Tracing would otherwise run every step of their
    decomposition, whose LSTM moreover gives its last states an extent of one too many."""
    saved = [(op, dict(op.py_kernels)) for op in _RECURRENT]
    for op, shapes in _RECURRENT.items():
        for key in op.py_kernels:
            op.py_kernels[key] = shapes
        op._dispatch_cache.clear()
    try:
        yield
    finally:
        for op, kernels in saved:
            op.py_kernels.update(kernels)
            op._dispatch_cache.clear()


def _lstm_shapes(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    last, cell = (torch.empty_like(state) for state in hx)
    return _sequence(input, last, bidirectional), last, cell


def _recurrent_shapes(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    last = torch.empty_like(hx)
    return _sequence(input, last, bidirectional), last


def _sequence(input, last, bidirectional):
    """What a recurrent layer gives at every step: the states of its one or two directions."""
    return input.new_empty([*input.shape[:2], last.shape[2] * (2 if bidirectional else 1)])


_RECURRENT = {
    aten.lstm.input: _lstm_shapes,
    aten.gru.input: _recurrent_shapes,
    aten.rnn_tanh.input: _recurrent_shapes,
    aten.rnn_relu.input: _recurrent_shapes,
}
