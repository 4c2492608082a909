import unittest

from support import ModelFileTest

from kw_bridge import BridgeError, demands
from kw_bridge.export import export_file
from kw_bridge.small import shrink
from kw_bridge.source import Source


class SmallShapes(ModelFileTest):
    def sizes(self, forward, inputs, constants, **more):
        return shrink(Source(self.model_file(forward, inputs, constants=constants, **more)))

    def test_a_square_product_keeps_two_tiles_and_a_tail(self):
        sizes, notes = self.sizes("return x @ x", "[torch.rand(N, N)]", "N = 1024 * 4")
        self.assertEqual(sizes, {"N": 132})
        self.assertEqual(notes, {"small_tier": "1"})

    def test_different_sizes_stay_different(self):
        sizes, _ = self.sizes(
            "return self.l(x)",
            "[torch.rand(batch, inside)]",
            "batch = 1024\ninside = 8192\noutside = 8192",
            init="self.l = nn.Linear(inside, outside)",
        )
        self.assertEqual(len(set(sizes.values())), 3)

    def test_sizes_that_must_be_equal_move_together(self):
        sizes, _ = self.sizes(
            "return (x * y).mean()", "[torch.rand(A, B), torch.rand(A)]", "A = 4096\nB = 4096", parameters="x, y"
        )
        self.assertEqual(sizes["A"], sizes["B"])
        self.assertGreaterEqual(sizes["A"] * sizes["B"], 12289)

    def test_steps_that_groups_ask_for_are_kept(self):
        sizes, _ = self.sizes(
            "return self.n(x)",
            "[torch.rand(batch_size, channels, side, side)]",
            "batch_size = 64\nchannels = 512\ngroups = 8\nside = 64",
            init="self.n = nn.GroupNorm(groups, channels)",
        )
        self.assertEqual(sizes["channels"] % 8, 0)
        self.assertNotIn("groups", sizes)

    def test_structure_is_not_shrunk(self):
        sizes, _ = self.sizes(
            "return torch.sum(x, dim=axis, keepdim=True)", "[torch.rand(3, rows, columns)]", "rows = 4096\ncolumns = 4095\naxis = 1"
        )
        self.assertNotIn("axis", sizes)
        self.assertEqual(sizes["columns"] % 2, 1)  # as the original

    def test_sizes_inside_tuples_count(self):
        sizes, _ = self.sizes("return x.relu()", "[torch.rand(*shape)]", "shape = (4096, 8192)")
        self.assertEqual(sorted(sizes), ["shape[0]", "shape[1]"])

    def test_sizes_of_an_unpacked_tuple_count(self):
        sizes, _ = self.sizes("return x.relu()", "[torch.rand(M, N)]", "M, N = 4096, 8192")
        self.assertEqual(sorted(sizes), ["M", "N"])

    def test_a_file_without_sizes_says_so(self):
        with self.assertRaisesRegex(BridgeError, "no module-level sizes"):
            self.sizes("return x.relu()", "[torch.rand(4096, 8192)]", "")

    def test_a_model_that_stays_too_large_says_so(self):
        with self.assertRaisesRegex(BridgeError, "no small variant within"):
            self.sizes("return x.relu()", "[torch.rand(N, 8192, 8192)]", "N = 512")

    def test_floors_never_exceed_the_original(self):
        graph = export_file(self.model_file("return x.sum(dim=1)", "[torch.rand(5, 7)]"))["graph"]
        for tier in demands.TIERS:
            self.assertIsNone(demands.missed(graph, graph, tier))


if __name__ == "__main__":
    unittest.main()
