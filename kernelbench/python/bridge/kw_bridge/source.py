"""A model file as data: its text, its own constants, and what executing it defines."""

import ast
import contextlib
import hashlib
import logging
import os
import random
import re
import subprocess
import sys

from . import BridgeError

REQUIRED = ("Model", "get_inputs", "get_init_inputs")
SEED = 42  # the seed of KernelBench's set_seed before inputs and before the constructor


class Constant:
    """A module-level integer: `N = 4096`, an element of `shape = (32, 64)`, or N of `M, N = 32, 64`."""

    def __init__(self, label, name, value):
        self.label = label  # "N", "shape[1]"
        self.name = name
        self.value = value


def _integer(node):
    """The value of a constant integer expression such as 256 * 8, or None."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.BinOp):
        left, right = _integer(node.left), _integer(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.FloorDiv) and right > 0:
            return left // right
        if isinstance(node.op, ast.Pow) and 0 <= right < 64:
            return left**right
        if isinstance(node.op, ast.LShift) and 0 <= right < 64:
            return left << right
    return None


class _Slot:
    """A place in the syntax tree that holds the value of a module-level name."""

    def __init__(self, label, name, holder, key):
        self.label = label
        self.name = name
        self._holder = holder  # a list of expressions, or an assignment
        self._key = key

    @property
    def expression(self):
        return self._holder[self._key] if isinstance(self._holder, list) else self._holder.value

    def replace(self, value):
        if isinstance(self._holder, list):
            self._holder[self._key] = ast.Constant(value)
        else:
            self._holder.value = ast.Constant(value)


def _slots(tree):
    for statement in tree.body:
        if not isinstance(statement, ast.Assign):
            continue
        target, value = statement.targets[0], statement.value
        several = isinstance(value, (ast.Tuple, ast.List))
        if isinstance(target, ast.Name) and several:
            for index in range(len(value.elts)):
                yield _Slot(f"{target.id}[{index}]", target.id, value.elts, index)
        elif isinstance(target, ast.Name):
            yield _Slot(target.id, target.id, statement, None)
        elif isinstance(target, ast.Tuple) and several and len(target.elts) == len(value.elts):
            for index, name in enumerate(target.elts):
                if isinstance(name, ast.Name):
                    yield _Slot(name.id, name.id, value.elts, index)


def _literals(tree):
    """Integers in the file that are no module-level constants: {value: [node, ...]} in the order of the text."""
    held = {id(node) for slot in _slots(tree) if _integer(slot.expression) is not None for node in ast.walk(slot.expression)}
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and type(n.value) is int and id(n) not in held]
    by_value = {}
    for node in sorted(found, key=lambda n: (n.lineno, n.col_offset)):
        by_value.setdefault(node.value, []).append(node)
    return by_value


def _replace_literal(tree, label, value):
    """`literal[64]`: every 64 of the file; `literal[64]#1`: the second of them. False if there is none."""
    match = re.fullmatch(r"literal\[(\d+)\](?:#(\d+))?", label)
    nodes = tree.get(int(match[1]), []) if match else []
    if match and match[2] is not None:
        nodes = nodes[int(match[2]) :][:1]
    for node in nodes:
        node.value = value
    return bool(nodes)


class Source:
    """The text of one model file. `sizes` replaces module-level integers by label, in the syntax tree, and
    other integers by value (`literal[64]`)."""

    def __init__(self, path):
        self.path = path
        try:
            with open(path, "rb") as file:
                raw = file.read()
        except OSError as error:
            raise BridgeError(f"{path}: {error.strerror}") from None
        self.sha256 = hashlib.sha256(raw).hexdigest()
        try:
            self.tree = ast.parse(raw, filename=path)
        except (SyntaxError, ValueError) as error:
            raise BridgeError(f"{path} is not Python: {error}") from None

    def constants(self):
        found = ((slot, _integer(slot.expression)) for slot in _slots(self.tree))
        return [Constant(slot.label, slot.name, value) for slot, value in found if value is not None]

    def _rewritten(self, sizes):
        tree = ast.parse(ast.unparse(self.tree), filename=self.path)
        literals = _literals(tree)
        unused = {label for label, value in sizes.items() if not _replace_literal(literals, label, value)}
        for slot in _slots(tree):
            if slot.label in sizes:
                slot.replace(sizes[slot.label])
                unused.discard(slot.label)
        if unused:
            names = ", ".join(constant.label for constant in self.constants())
            raise BridgeError(
                f"{self.path} has no module-level integer {sorted(unused)[0]}; it has: {names or 'none'}"
            )
        return ast.fix_missing_locations(tree)

    def module(self, sizes=None):
        """Executes the file and returns its namespace."""
        tree = self._rewritten(sizes) if sizes else self.tree
        namespace = {"__name__": "kw_bridge_model", "__file__": self.path}
        folder = os.path.dirname(os.path.abspath(self.path))
        sys.path.insert(0, folder)
        try:
            exec(compile(tree, self.path, "exec"), namespace)
        except ModuleNotFoundError as error:
            raise BridgeError(f"{self.path} imports {error.name}, which is not installed") from None
        except Exception as error:
            raise BridgeError(f"{self.path} fails when executed: {describe(error)}") from None
        finally:
            sys.path.remove(folder)
        for name in REQUIRED:
            if not callable(namespace.get(name)):
                raise BridgeError(f"{self.path} does not define {name}")
        return namespace


def parse_sizes(text):
    """{label: value} of "N=5,literal[64]=16", or None of an empty text."""
    pairs = (item.rpartition("=") for item in text.split(",") if item)
    return {label: int(value) for label, _, value in pairs} or None


def set_seed(seed=SEED):
    import torch

    random.seed(seed)
    torch.manual_seed(seed)


@contextlib.contextmanager
def quiet():
    """torch logs at length what it cannot build; the exception that follows says it once."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def describe(error):
    text = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def kernelbench_name(path):
    """("1/19", ".../KernelBench", "level1/19_ReLU.py") of a file in a KernelBench checkout, or Nones."""
    absolute = os.path.abspath(path)
    match = re.search(r"^(.*)/(level(\d+)/(\d+)_[^/]*\.py)$", absolute)
    if not match:
        return None, None, None
    return f"{match[3]}/{match[4]}", match[1], match[2]


def revision_of(folder):
    """The git revision of the checkout that a folder is, or lies directly below; else None."""
    try:
        done = subprocess.run(
            ["git", "-C", folder, "rev-parse", "--show-toplevel", "HEAD"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    top, _, text = done.stdout.strip().partition("\n")
    own = os.path.realpath(top) in (os.path.realpath(folder), os.path.realpath(os.path.join(folder, "..")))
    return text if done.returncode == 0 and own and re.fullmatch(r"[0-9a-f]{40}", text) else None


def expand_problems(folder, text):
    """["1/1", ...] of "1/1,2/12-40,3": single problems, ranges of one level, whole levels of a checkout."""
    found = []
    for item in text.split(","):
        match = re.fullmatch(r"(\d+)(?:/(\d+)(?:-(\d+))?)?", item)
        if not match:
            raise BridgeError(f"not a problem: {item!r} (expected LEVEL, LEVEL/NUMBER or LEVEL/FIRST-LAST)")
        if match[2]:
            numbers = range(int(match[2]), int(match[3] or match[2]) + 1)
        else:
            names = os.listdir(os.path.dirname(find_problem(folder, f"{match[1]}/1")))
            numbers = sorted(int(name.split("_")[0]) for name in names if re.match(r"\d+_.*\.py$", name))
        found += [f"{match[1]}/{number}" for number in numbers]
    return found


def find_problem(folder, problem):
    """The file of problem "1/19" below a KernelBench checkout or its KernelBench/ folder."""
    match = re.fullmatch(r"(\d+)/(\d+)", problem)
    if not match:
        raise BridgeError(f"not a problem: {problem!r} (expected LEVEL/NUMBER, as in 1/19)")
    for base in (os.path.join(folder, "KernelBench"), folder):
        level = os.path.join(base, f"level{match[1]}")
        if os.path.isdir(level):
            for name in sorted(os.listdir(level)):
                if name.startswith(match[2] + "_") and name.endswith(".py"):
                    return os.path.join(level, name)
            raise BridgeError(f"{level} has no problem {match[2]}")
    raise BridgeError(f"{folder} is no KernelBench checkout: it has no KernelBench/level{match[1]}")
