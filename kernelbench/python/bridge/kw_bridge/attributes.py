"""Arguments of operators as JSON."""

import math

import torch

from . import BridgeError

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
    """A float as core/json.h reads it: infinities and NaN as strings. Text (packed data) stays."""
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def explicit_equation(equation, ranks):
    """An einsum equation with its result spelled out and `...` replaced by letters."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    free = [c for c in "zyxwvutsrqponmlkjihgfedcba" if c not in left + right]
    hidden = [rank - len(term.replace("...", "")) if "..." in term else 0 for term, rank in zip(terms, ranks)]
    letters = "".join(free[: max(hidden)])
    terms = [term.replace("...", letters[len(letters) - n :]) for term, n in zip(terms, hidden)]
    if arrow:
        return ",".join(terms) + "->" + right.replace("...", letters)
    named = "".join(terms)
    single = sorted(c for c in set(named) if named.count(c) == 1 and c not in letters)
    return ",".join(terms) + "->" + letters + "".join(single)
