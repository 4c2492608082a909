import json
import os
import unittest

from support import ModelFileTest

from kw_bridge import BridgeError
from kw_bridge.__main__ import dump
from kw_bridge.check import check_task
from kw_bridge.export import export_file


def ops(task):
    return [node["op"] for node in task["graph"]["nodes"]]


class Graphs(ModelFileTest):
    def test_scalar_operands_are_attributes_and_defaults_are_filled_in(self):
        task = export_file(self.model_file("return (1 - x * 2.5) + x", "[torch.rand(4, 8)]"))
        self.assertEqual(ops(task), ["aten.mul", "aten.rsub.Scalar", "aten.add"])
        attrs = [node["attrs"] for node in task["graph"]["nodes"]]
        self.assertEqual(attrs, [{"other": 2.5}, {"other": 1, "alpha": 1}, {"alpha": 1}])

    def test_numbers_among_the_inputs_are_specialised(self):
        task = export_file(self.model_file("return x * s", "[torch.rand(4, 8), 3.14]", parameters="x, s"))
        self.assertEqual(task["graph"]["nodes"][0]["attrs"], {"other": 3.14})
        self.assertEqual(list(task["draws"]), ["x"])

    def test_views_and_transposes_are_nodes_with_shapes(self):
        task = export_file(
            self.model_file("return (x.T.unsqueeze(0).transpose(1, 2).reshape(-1))", "[torch.rand(4, 8)]")
        )
        shapes = {value["name"]: value["shape"] for value in task["graph"]["values"]}
        self.assertEqual(shapes[task["graph"]["outputs"][0]], [32])
        self.assertIn("aten.transpose.int", ops(task))

    def test_high_level_operators_are_kept(self):
        task = export_file(
            self.model_file(
                "return torch.softmax(self.norm(self.conv(x)).flatten(1), dim=1)",
                "[torch.rand(2, 3, 8, 8)]",
                init="self.conv = nn.Conv2d(3, 4, 3)\nself.norm = nn.GroupNorm(2, 4)",
            )
        )
        self.assertEqual(
            ops(task), ["aten.conv2d", "aten.group_norm", "aten.flatten.using_ints", "aten.softmax.int"]
        )

    def test_infinities_and_dtypes_are_written_as_the_core_reads_them(self):
        task = export_file(
            self.model_file(
                "return x.masked_fill(x > 0.5, float('-inf')).to(torch.float16)", "[torch.rand(4, 8)]"
            )
        )
        attrs = [node["attrs"] for node in task["graph"]["nodes"]]
        self.assertIn({"value": {"number": "-inf"}}, attrs)
        self.assertEqual(task["graph"]["values"][-1]["dtype"], "f16")
        json.dumps(task, allow_nan=False)

    def test_updated_buffers_are_state_and_come_after_the_outputs(self):
        task = export_file(
            self.model_file("return self.norm(x)", "[torch.rand(8, 4)]", init="self.norm = nn.BatchNorm1d(4)")
        )
        roles = {value["name"]: value["role"] for value in task["graph"]["values"]}
        self.assertEqual(roles["norm.running_mean"], "state")
        self.assertEqual(roles["norm.weight"], "weight")
        self.assertEqual(
            set(task["graph"]["outputs"][1:]),
            {"norm.running_mean.next", "norm.running_var.next", "norm.num_batches_tracked.next"},
        )

    def test_results_that_nobody_reads_are_null(self):
        task = export_file(
            self.model_file(
                "return self.lstm(x)[0]", "[torch.rand(2, 5, 8)]", init="self.lstm = nn.LSTM(8, 8, batch_first=True)"
            )
        )
        lstm = next(node for node in task["graph"]["nodes"] if node["op"].startswith("aten.lstm"))
        self.assertEqual(lstm["out"][1:], [None, None])

    def test_in_place_operators_become_functional(self):
        task = export_file(self.model_file("y = x + 1\ny.relu_()\nreturn y", "[torch.rand(4, 8)]"))
        self.assertEqual(ops(task), ["aten.add", "aten.relu"])

    def test_names_of_parameters_win_over_names_of_intermediates(self):
        task = export_file(
            self.model_file("return x + self.add", "[torch.rand(4)]", init="self.add = nn.Parameter(torch.randn(4))")
        )
        self.assertEqual(task["graph"]["nodes"][0]["in"], ["x", "add"])
        self.assertEqual(task["graph"]["outputs"], ["add_1"])

    def test_the_same_file_gives_the_same_bytes(self):
        path = self.model_file("return self.l(x)", "[torch.rand(4, 8)]", init="self.l = nn.Linear(8, 3)")
        self.assertEqual(dump(export_file(path)), dump(export_file(path)))

    def test_large_inputs_cost_nothing(self):
        task = export_file(self.model_file("return x.relu()", "[torch.rand(1 << 20, 1 << 13)]"))
        self.assertEqual(task["graph"]["values"][0]["shape"], [1 << 20, 1 << 13])

    def test_what_no_card_holds_is_refused(self):
        with self.assertRaisesRegex(BridgeError, "128 GiB, more than a card holds"):
            export_file(self.model_file("return x.relu()", "[torch.rand(1 << 20, 1 << 14)]"))

    def test_a_buffer_gives_way_to_a_parameter_of_forward_of_its_name(self):
        path = self.model_file(
            "self.total.add_(1)\nreturn x + total + self.total",
            "[torch.rand(4, 8), torch.rand(8)]",
            init="self.register_buffer('total', torch.zeros(8))",
            parameters="x, total",
        )
        graph = export_file(path)["graph"]
        self.assertEqual([v["name"] for v in graph["values"][:3]], ["x", "total", "total_1"])
        self.assertEqual(graph["outputs"][1], "total_1.next")

    def test_recurrent_layers_keep_the_shape_of_their_states(self):
        for layer, count in ("LSTM", 2), ("GRU", 1), ("RNN", 1):
            path = self.model_file(
                "y, state = self.r(x)\nreturn (y, *state)" if count == 2 else "return self.r(x)",
                "[torch.rand(2, 5, 3)]",
                init=f"self.r = nn.{layer}(3, 4, num_layers=2, batch_first=True, bidirectional=True)",
            )
            graph = export_file(path)["graph"]
            shapes = {v["name"]: v["shape"] for v in graph["values"]}
            self.assertEqual([shapes[o] for o in graph["outputs"]], [[2, 5, 8]] + [[4, 2, 4]] * count)


class Draws(ModelFileTest):
    def draw(self, expression, before=""):
        path = self.model_file("return x.float() + 0", "inputs()", extra=f"def inputs():\n    {before or 'pass'}\n    return [{expression}]\n")
        return export_file(path)["draws"]["x"]

    def test_sources(self):
        self.assertEqual(self.draw("torch.rand(4, 8)"), [["uniform", 0.0, 1.0]])
        self.assertEqual(self.draw("torch.randn(4, 8)"), [["normal", 0.0, 1.0]])
        self.assertEqual(self.draw("torch.randint(0, 9, (4,))"), [["integers", 0.0, 9.0]])
        self.assertEqual(self.draw("torch.ones(4)"), [["constant", 1.0]])
        self.assertEqual(self.draw("torch.empty(4).uniform_(-1, 2)"), [["uniform", -1.0, 2.0]])

    def test_pointwise_changes(self):
        self.assertEqual(
            self.draw("torch.randint(0, 2, (4,)).float() * 2 - 1"),
            [["integers", 0.0, 2.0], ["mul", 2.0], ["add", -1.0]],
        )
        self.assertEqual(self.draw("1 - torch.rand(4) / 4"), [["uniform", 0.0, 1.0], ["mul", 0.25], ["mul", -1.0], ["add", 1.0]])

    def test_a_random_factor_for_the_whole_tensor(self):
        self.assertEqual(
            self.draw("torch.rand(4, 8) * scale", "scale = torch.rand(()) * 3"),
            [["uniform", 0.0, 1.0], ["mul_uniform", 0.0, 3.0]],
        )

    def test_a_view_of_the_whole_keeps_the_draw(self):
        self.assertEqual(self.draw("torch.rand(4, 8).T.contiguous().view(2, 16)"), [["uniform", 0.0, 1.0]])

    def test_triangles(self):
        self.assertEqual(self.draw("torch.triu(torch.rand(4, 4))"), [["uniform", 0.0, 1.0], ["triu", 0.0]])

    def test_what_no_draw_expresses_is_drawn_between_its_extremes(self):
        for expression, low, high in [
            ("torch.rand(4, 4).softmax(dim=-1)", 0.0, 1.0),
            ("torch.rand(4, 4) + torch.rand(4, 4)", 0.0, 2.0),
            ("torch.tensor([1.0, 2.0])", 1.0, 2.0),
        ]:
            with self.subTest(expression):
                ((op, least, most),) = self.draw(expression)
                self.assertEqual(op, "uniform")
                self.assertTrue(low <= least < most <= high, (least, most))


class Constructors(ModelFileTest):
    def export(self, init, forward, inputs="[torch.rand(4, 8)]", constants=""):
        return export_file(self.model_file(forward, inputs, init=init, constants=constants))

    def test_initialisers_are_recorded_in_order(self):
        task = self.export("self.l = nn.Linear(8, 3)\nself.b = nn.Parameter(torch.randn(3) * 0.5)", "return self.l(x) + self.b")
        calls = [(call[0], call[1]) for call in task["constructor"]]
        self.assertEqual(
            calls, [("l.weight", "uniform_"), ("l.bias", "uniform_"), ("b", "randn"), ("b", "mul_")]
        )
        self.assertEqual(task["draws"]["b"], [["normal", 0.0, 1.0], ["mul", 0.5]])

    def test_random_numbers_that_are_thrown_away_still_advance_the_seed(self):
        task = self.export("torch.rand(3)\nself.l = nn.Linear(8, 3)", "return self.l(x)")
        self.assertEqual(task["constructor"][0][:2], ["", "rand"])

    def test_an_initialiser_that_replaces_another_is_replayed_after_it(self):
        task = self.export("self.l = nn.Linear(8, 3)\nnn.init.normal_(self.l.weight, 1.0, 2.0)", "return self.l(x)")
        self.assertEqual(task["draws"]["l.weight"], [["normal", 1.0, 2.0]])

    def test_a_truncated_normal_is_replayed_and_drawn_as_normal(self):
        task = self.export(
            "self.w = nn.Parameter(torch.empty(8, 8))\nnn.init.trunc_normal_(self.w, std=0.02)", "return x @ self.w"
        )
        self.assertEqual(task["draws"]["w"][0][0], "normal")

    def test_numbers_written_in_the_constructor_are_constants(self):
        task = self.export("self.s = nn.Parameter(torch.tensor(2.5))", "return x * self.s")
        self.assertEqual(task["constructor"], [["s", "full", [], [2.5]]])
        self.assertEqual(task["draws"]["s"], [["constant", 2.5]])

    def test_what_cannot_be_replayed_is_refused(self):
        with self.assertRaisesRegex(BridgeError, "parameter w is initialised by"):
            self.export(
                "self.w = nn.Parameter(torch.empty(8, 8))\nnn.init.orthogonal_(self.w)", "return x @ self.w"
            )

    def test_computed_buffers_are_packed(self):
        task = self.export("self.register_buffer('mask', torch.arange(8.0))", "return x * self.mask")
        self.assertEqual(task["draws"]["mask"][0][0], "values")

    def test_large_computed_buffers_are_refused(self):
        with self.assertRaisesRegex(BridgeError, "mask holds [0-9]+ bytes of computed values"):
            self.export(
                "self.register_buffer('mask', torch.rand(1 << 20).cumsum(0))", "return x * self.mask[:8]"
            )

    def test_constant_buffers_are_constants(self):
        task = self.export("self.register_buffer('scale', torch.full((8,), 3.0))", "return x * self.scale")
        self.assertEqual(task["draws"]["scale"], [["constant", 3.0]])


class BadFiles(ModelFileTest):
    def refuses(self, text, message):
        with self.assertRaisesRegex(BridgeError, message):
            export_file(self.write(text))

    def test_files_that_are_no_models(self):
        self.refuses("def (", "is not Python")
        self.refuses("x = 1", "does not define Model")
        self.refuses("import nonexistent_package_of_nobody", "imports nonexistent_package_of_nobody")
        self.refuses("raise ValueError('no')", "fails when executed: ValueError: no")
        with self.assertRaisesRegex(BridgeError, "No such file"):
            export_file(os.path.join(self.folder.name, "absent.py"))

    def test_models_that_cannot_be_exported_say_why(self):
        with self.assertRaisesRegex(BridgeError, "torch.export refuses"):
            export_file(self.model_file("return x if x.sum() > 0 else -x", "[torch.rand(4)]"))
        with self.assertRaisesRegex(BridgeError, "does not fit forward"):
            export_file(self.model_file("return x", "[torch.rand(4), torch.rand(4)]"))
        with self.assertRaisesRegex(BridgeError, "neither tensor nor number"):
            export_file(self.model_file("return x[0]", "[[torch.rand(4)]]"))


class Checks(ModelFileTest):
    def task(self):
        path = self.write(
            "import torch\nimport torch.nn as nn\nclass Model(nn.Module):\n"
            "    def __init__(self):\n        super().__init__()\n        self.l = nn.Linear(40, 24)\n"
            "    def forward(self, x):\n        return torch.relu(self.l(x) * 2)\n"
            "def get_inputs():\n    return [torch.rand(16, 40)]\ndef get_init_inputs():\n    return []\n",
            name="level1/1_demo.py",
        )
        return json.loads(dump(export_file(path)))

    def test_an_honest_task_passes(self):
        self.assertIn("largest difference 0", check_task(self.folder.name, self.task()))

    def test_a_changed_task_fails(self):
        for change in (
            lambda t: t["graph"]["nodes"][1]["attrs"].update(other=3),
            lambda t: t["draws"]["x"][0].__setitem__(2, 2.0),
            lambda t: t["constructor"][0][3].__setitem__(0, 0.5),
            lambda t: t["provenance"].update(sha256="0" * 64),
        ):
            task = self.task()
            change(task)
            with self.assertRaises(BridgeError):
                check_task(self.folder.name, task)


if __name__ == "__main__":
    unittest.main()
