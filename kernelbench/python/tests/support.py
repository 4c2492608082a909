"""Model files for the tests, written to a temporary folder."""

import os
import sys
import tempfile
import textwrap
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bridge"))

PREAMBLE = "import torch\nimport torch.nn as nn\n"
NO_ARGUMENTS = "def get_init_inputs():\n    return []\n"


class ModelFileTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="kw_bridge_test_")
        self.addCleanup(self.folder.cleanup)
        self.count = 0

    def model_file(self, forward, inputs, constants="", init="pass", parameters="x", extra=""):
        """A model whose constructor body, forward expression and inputs are given as source text."""
        text = PREAMBLE + textwrap.dedent(constants) + "\n"
        text += "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        text += textwrap.indent(textwrap.dedent(init), " " * 8) + "\n"
        text += f"    def forward(self, {parameters}):\n"
        text += textwrap.indent(textwrap.dedent(forward), " " * 8) + "\n"
        text += f"def get_inputs():\n    return {inputs}\n" + NO_ARGUMENTS + textwrap.dedent(extra)
        return self.write(text)

    def write(self, text, name=None):
        self.count += 1
        path = os.path.join(self.folder.name, name or f"model_{self.count}.py")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path
