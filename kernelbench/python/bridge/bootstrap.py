"""Imports kw_bridge from memory: the first line of standard input holds its files as a JSON object."""

import importlib.abc
import importlib.util
import json
import sys


class Embedded(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, files):
        self.files = files

    def _key(self, name):
        key = name.replace(".", "/")
        return key if key in self.files else f"{key}/__init__"

    def find_spec(self, name, path=None, target=None):
        key = self._key(name)
        if key not in self.files:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=key.endswith("/__init__"))

    def exec_module(self, module):
        key = self._key(module.__name__)
        exec(compile(self.files[key], f"<{key}.py>", "exec"), module.__dict__)


sys.path = [folder for folder in sys.path if folder]
sys.meta_path.insert(0, Embedded(json.loads(sys.stdin.readline())))

from kw_bridge.server import serve_stdio  # noqa: E402

sys.exit(serve_stdio())
