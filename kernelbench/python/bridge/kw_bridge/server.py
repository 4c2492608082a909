"""One JSON object per line: a request on standard input, its answer on standard output.

{"cmd":"export","file":PATH,("small":true),("sizes":{...}),("name":...),("policy":...)}
    -> {"ok":true,"task":{...}}
{"cmd":"hello"} -> {"ok":true,"bridge":"1","torch":"2.11.0"}
anything wrong  -> {"ok":false,"error":"..."}, with "missing":"torch" where a package is absent
"""

import contextlib
import json
import os
import sys

from . import VERSION, BridgeError
from .source import describe


def serve_stdio():
    """Serves on the descriptors 0 and 1. What a model writes on 1 afterwards goes to 2."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return serve(sys.stdin, out)


def serve(lines, out):
    """Answers until the input ends. What a model file prints goes to standard error."""
    for line in lines:
        if line.strip():
            with contextlib.redirect_stdout(sys.stderr):
                reply = answer(line)
            out.write(json.dumps(reply, allow_nan=False) + "\n")
            out.flush()
    return 0


def answer(line):
    try:
        request = json.loads(line)
        if not isinstance(request, dict) or not isinstance(request.get("cmd"), str):
            raise BridgeError("a request is an object with a cmd")
        if request["cmd"] not in _COMMANDS:
            raise BridgeError(f"unknown cmd {request['cmd']!r}; known: {', '.join(sorted(_COMMANDS))}")
        return {"ok": True, **_COMMANDS[request["cmd"]](request)}
    except json.JSONDecodeError as error:
        return {"ok": False, "error": f"not JSON: {error}"}
    except BridgeError as error:
        return {"ok": False, "error": str(error)}
    except ModuleNotFoundError as error:
        return {"ok": False, "error": f"{error.name} is not installed", "missing": error.name}
    except Exception as error:  # the last net: one bad model must not end the process
        return {"ok": False, "error": f"the bridge failed: {describe(error)}"}


def _hello(request):
    import torch

    return {"bridge": VERSION, "torch": torch.__version__}


def _export(request):
    from .export import export_file

    known = {"cmd", "file", "small", "sizes", "name", "policy", "revision"}
    unknown = sorted(set(request) - known)
    if unknown:
        raise BridgeError(f"unknown member {unknown[0]!r} in an export request")
    if not isinstance(request.get("file"), str):
        raise BridgeError("an export request needs a file")
    task = export_file(
        request["file"],
        sizes=request.get("sizes"),
        name=request.get("name"),
        policy=request.get("policy", "ieee"),
        revision=request.get("revision"),
        small=bool(request.get("small", False)),
    )
    return {"task": task}


_COMMANDS = {"export": _export, "hello": _hello}
