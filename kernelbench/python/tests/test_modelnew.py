"""The Python half of an exported module: parameters, buffers, random numbers, state. The extension is left out."""

import os
import unittest
from unittest import mock

import torch

import support  # noqa: F401  (puts the bridge on the path)
from kw_bridge import constructor, packed

TEMPLATE = os.path.join(os.path.dirname(__file__), "..", "modelnew", "model.py")

CALLS = [
    ["", "randn", [3, 5], []],
    ["net.0.weight", "uniform_", [4, 6], [-0.25, 0.25]],
    ["net.0.bias", "fill_", [4], [0.0]],
    ["net.1.weight", "copy_of net.0.weight", [4, 6], []],
    ["scale", "full", [1], [1.5]],
    ["noise", "rand", [2, 2], []],
    ["turned", "normal_", [6], [0.0, 0.02]],
    ["turned", "rsub_", [2, 3], [1.0]],
]


class Extension:
    def __init__(self, failure=""):
        self.calls, self.failure = [], failure

    def kw_call(self, given, workspace, device, stream):
        self.calls.append(given)
        return self.failure


def module(buffers="", inputs="", held="", made="", updated="", random="", extension=None):
    with open(TEMPLATE) as file:
        text = file.read()
    rows = "".join(f"    {tuple(call)!r},\n" for call in CALLS)
    holes = {
        "CONSTRUCTOR": rows, "BUFFERS": buffers, "INPUTS": inputs, "HELD": held, "MADE": made, "UPDATED": updated,
        "RANDOM": random, "WORKSPACE": "256", "RESULTS": "1", "RETURN": "made[0]", "NOTES": "#",
    }  # fmt: skip
    pieces = text.split("@")
    pieces[1::2] = [holes.get(name, name) for name in pieces[1::2]]
    scope = {}
    with mock.patch("torch.utils.cpp_extension.load_inline", return_value=extension):
        exec("".join(pieces), scope)
    scope["_kw_device"] = "cpu"
    return scope


class ModelNew(unittest.TestCase):
    def test_parameters_are_those_of_the_constructor(self):
        scope = module(held='("turned", torch.float32, [2, 3]),')
        constructor.set_seed()
        model = scope["ModelNew"](1, "any", arguments=2)
        wanted = constructor.replay(CALLS)
        self.assertEqual(set(dict(model.named_parameters())), set(wanted))
        for name, parameter in model.named_parameters():
            self.assertTrue(torch.equal(parameter.flatten(), wanted[name].flatten()), name)
        self.assertEqual(list(model.turned.shape), [2, 3])

    def test_buffers_are_made_by_their_steps(self):
        table = torch.arange(100).repeat(40).to(torch.int64)
        text = packed.pack(table.numpy().tobytes())
        scope = module(
            buffers=f"""
    ("net.table", torch.int64, [40, 100], [["values", "{text}"]]),
    ("mask", torch.float32, [4, 4], [["constant", 1.0], ["tril", 0]]),
    ("count", torch.int64, [], [["constant", 0.0]]),
    ("ramp", torch.float32, [2], [["constant", 2.0], ["mul", 3.0], ["add", 1.0]]),
"""
        )
        model = scope["ModelNew"]()
        self.assertTrue(torch.equal(model.net.table, table.reshape(40, 100)))
        self.assertTrue(torch.equal(model.mask, torch.tril(torch.ones(4, 4))))
        self.assertEqual(model.count.dtype, torch.int64)
        self.assertEqual(model.ramp.tolist(), [7.0, 7.0])

    def test_a_call_is_given_inputs_then_the_model_then_results(self):
        extension = Extension()
        scope = module(
            buffers='    ("bn.count", torch.int64, [], [["constant", 4.0]]),\n',
            inputs='("x", torch.float32, [7]), ("random.0", torch.float32, [2, 2]), ("y", torch.float32, [7]),',
            held='("scale", torch.float32, [1]), ("bn.count", torch.int64, []),',
            made='("z", torch.float32, [3]), ("bn.count.next", torch.int64, []),',
            updated='"bn.count", ',
            random='(1, "rand", [2, 2]), ',
            extension=extension,
        )
        model = scope["ModelNew"]()
        before, x, y = model.bn.count, torch.zeros(7), torch.ones(7)
        with mock.patch("torch.cuda.current_stream"):
            result = model(x, 3, y)
        (given,) = extension.calls
        self.assertEqual(len(given), 7)
        self.assertEqual([given[0], given[2]], [x.data_ptr(), y.data_ptr()])
        self.assertEqual(given[3:5], [model.scale.data_ptr(), before.data_ptr()])
        self.assertEqual(given[5:], [result.data_ptr(), model.bn.count.data_ptr()])
        self.assertIsNot(model.bn.count, before)

    def test_other_shapes_types_and_failed_launches_are_errors(self):
        extension = Extension("no such kernel")
        model = module(
            inputs='("x", torch.float32, [7]),', made='("z", torch.float32, [7]),', extension=extension
        )["ModelNew"]()
        for wrong in (torch.zeros(8), torch.zeros(7, dtype=torch.float64)):
            with self.assertRaisesRegex(ValueError, r"x torch.float32 \[7\]"):
                model(wrong)
        self.assertFalse(extension.calls)
        with mock.patch("torch.cuda.current_stream"), self.assertRaisesRegex(RuntimeError, "no such kernel"):
            model(torch.zeros(7))

    def test_views_are_copied_to_where_kernels_can_read_them(self):
        extension = Extension()
        model = module(
            inputs='("x", torch.float32, [4, 2]),', made='("z", torch.float32, [1]),', extension=extension
        )["ModelNew"]()
        with mock.patch("torch.cuda.current_stream"):
            model(torch.zeros(2, 4).T)
            model(torch.zeros(9)[1:].view(4, 2))
        self.assertEqual([given[0] % 16 for given in extension.calls], [0, 0])

    def test_names_do_not_meet_those_of_a_problem_file(self):
        scope = module()
        own = [name for name in scope if not name.startswith("__")]
        self.assertEqual([n for n in own if not n.startswith("_kw_")], ["base64", "torch", "nn", "load_inline", "ModelNew"])


if __name__ == "__main__":
    unittest.main()
