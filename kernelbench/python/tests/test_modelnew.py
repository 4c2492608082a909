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
    def __init__(self, results):
        self.calls, self.results = [], results

    def kw_forward(self, inputs, held):
        self.calls.append((inputs, held))
        return self.results


def module(buffers="", held="", updated="", random="", results="1", value="results[0]", extension=None):
    with open(TEMPLATE) as file:
        text = file.read()
    rows = "".join(f"    {tuple(call)!r},\n" for call in CALLS)
    holes = {
        "CONSTRUCTOR": rows, "BUFFERS": buffers, "HELD": held, "UPDATED": updated, "RANDOM": random,
        "RESULTS": results, "RETURN": value, "NOTES": "#",
    }  # fmt: skip
    pieces = text.split("@")
    pieces[1::2] = [holes.get(name, name) for name in pieces[1::2]]
    scope = {}
    with mock.patch("torch.utils.cpp_extension.load_inline", return_value=extension):
        exec("".join(pieces), scope)
    return scope


class ModelNew(unittest.TestCase):
    def test_parameters_are_those_of_the_constructor(self):
        scope = module(held='("turned", [2, 3]),')
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

    def test_state_is_replaced_and_random_numbers_are_drawn_where_they_belong(self):
        fresh = torch.full((), 5)
        extension = Extension([torch.ones(3), fresh])
        scope = module(
            buffers='    ("bn.count", torch.int64, [], [["constant", 4.0]]),\n',
            held='    ("scale", [1]),\n    ("bn.count", []),\n',
            updated='"bn.count", ',
            random='(1, "rand", [2, 2]), ',
            extension=extension,
        )
        model = scope["ModelNew"]()
        x, y = torch.zeros(7), torch.ones(7)
        self.assertTrue(torch.equal(model(x, 3, y), torch.ones(3)))
        (inputs, held), = extension.calls
        self.assertIs(inputs[0], x)
        self.assertIs(inputs[2], y)
        self.assertEqual(list(inputs[1].shape), [2, 2])
        self.assertEqual([t.item() for t in held], [1.5, 4])
        self.assertIs(model.bn.count, fresh)

    def test_moving_a_model_moves_what_a_call_is_given(self):
        extension = Extension([torch.ones(3)])
        model = module(held='("scale", [1]),', extension=extension)["ModelNew"]().to(torch.float64)
        model(torch.zeros(1))
        self.assertEqual(extension.calls[0][1][0].dtype, torch.float64)

    def test_names_do_not_meet_those_of_a_problem_file(self):
        scope = module()
        own = [name for name in scope if not name.startswith("__")]
        self.assertEqual([n for n in own if not n.startswith("_kw_")], ["base64", "torch", "nn", "load_inline", "ModelNew"])


if __name__ == "__main__":
    unittest.main()
