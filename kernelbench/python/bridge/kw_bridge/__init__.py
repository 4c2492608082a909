"""Turns a PyTorch model file into a Kernelwright task document.

A model file follows the convention of KernelBench: a class `Model`, `get_inputs()` and
`get_init_inputs()`. The package imports nothing but torch and the standard library.
"""

VERSION = "1"


class BridgeError(Exception):
    """A file that cannot become a task. The message names the thing and, where known, the cure."""
