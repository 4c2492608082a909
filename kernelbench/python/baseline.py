#!/usr/bin/env python3
"""Times KernelBench problems under PyTorch: eager, eager under a CUDA graph, the library's best calls, and
torch.compile; cold L2, same policy as ours.

    python baseline.py --kernelbench DIR --problems 1,2,3 --what eager,graph -o baseline.jsonl --seconds 420

One JSON line per problem: {"problem", "eager_ms", "eager_default_ms", "graph_ms", "library_ms", "library",
"compile_ms", "spread": {...}, "samples": {...}, "clocks": {...}, "peak_gib", "error", "graph_error", ...}; the
first line describes machine and protocol. Everything runs at the policy asked for (ieee: TF32 off everywhere)
but `eager_default_ms`, which is as PyTorch ships.

An output file that exists is gone on from: what it holds is not measured again, and another --what adds lines to
it. Every line is written at once. Every problem runs in a worker process that is replaced when it dies or passes
--timeout; what it had measured by then counts.

eager    the model's forward
graph    the same captured once and replayed: what is left without the cost of launching
library  the forward under each choice that the libraries offer, and the fastest of them: cuBLAS or cuBLASLt for
         products, cuDNN with its algorithms tried out for convolutions and RNNs. Only where the forward calls one
         of these; "library_only" says that it does nothing else
compile  torch.compile; all problems are compiled side by side into a shared cache before any of them is timed,
         and one that was not compiled in time is not timed

Protocol: inputs and parameters are made on the device. Each sample reads a buffer larger than L2 and is
timed by a pair of events around one forward; median of at least --samples samples and --least-ms of time.
"""

import argparse
import json
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "bridge"))

from baseline_pool import Worker, compile_all  # noqa: E402
from baseline_record import Record  # noqa: E402
from baseline_worker import KINDS, worker  # noqa: E402
from kw_bridge import BridgeError, source  # noqa: E402

VERSION = 1


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernelbench", default=os.environ.get("KERNELBENCH_DIR"), help="a KernelBench checkout")
    parser.add_argument("--problems", help="comma-separated: 1/1, 2/12-40, or whole levels as in 1,2,3")
    parser.add_argument("--what", default=",".join(KINDS), help="comma-separated kinds of baseline (default: all)")
    parser.add_argument("-o", "--output", default="-", help="file for the JSON lines (default: standard output)")
    parser.add_argument("--shard", default="1/1", help="a part of the problems, as in 2/3: every third from the second")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin nothing after these")
    parser.add_argument("--retry", action="store_true", help="try again what failed")
    parser.add_argument("--policy", default="ieee", choices=["ieee", "tf32", "default"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--least-ms", type=float, default=100.0)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for one problem")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="parallel compilations")
    parser.add_argument("--memory-gib", type=float, default=64.0, help="device memory for them")
    parser.add_argument("--cache", help="folder of compiled code, to be used again (default: a temporary one)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser


def main():
    parser = _arguments()
    arguments = parser.parse_args()
    if arguments.worker:
        worker(arguments.device)
        return 0
    if not arguments.kernelbench or not arguments.problems:
        parser.error("--kernelbench (or KERNELBENCH_DIR) and --problems are needed")
    try:
        return _measure_all(arguments)
    except BridgeError as error:
        print(f"baseline: {error}", file=sys.stderr)
        return 2


def _requests(arguments, what):
    try:
        part, parts = (int(x) for x in arguments.shard.split("/"))
    except ValueError:
        part, parts = 0, 0
    if not 1 <= part <= parts:
        raise BridgeError(f"not a shard: {arguments.shard!r} (expected as in 2/3)")
    problems = source.expand_problems(arguments.kernelbench, arguments.problems)
    return [
        {
            "problem": problem,
            "path": source.find_problem(arguments.kernelbench, problem),
            "policy": arguments.policy,
            "what": what,
            "samples": arguments.samples,
            "least_ms": arguments.least_ms,
        }
        for problem in problems[part - 1 :: parts]
    ]


def _header(arguments, own):
    header = own.ask({"ask": "describe"}, 120)
    if "error" in header:
        own.stop()
        raise BridgeError(header["error"])
    on_gpu = arguments.device.startswith("cuda")
    return {**header, "v": VERSION, "kind": "baseline", "policy": arguments.policy,
            "l2": "cold by reading" if on_gpu else "as it is", "clock": "events" if on_gpu else "host",
            "statistic": "median", "samples": arguments.samples, "least_ms": arguments.least_ms}  # fmt: skip


def _compiled(arguments, requests, record, own, environment, until):
    """Compiles what is to be timed compiled: {problem: error or None}, absent when there was no time."""
    sized = []
    for request in requests:
        peak = record.peak_bytes(request["problem"])  # known where eager was measured before
        if peak is None:
            peak = own.ask({"ask": "estimate", "path": request["path"]}, 30).get("bytes", 1 << 62)
        sized.append((2 * peak + (2 << 30), request))
    own.stop()  # its context's memory belongs to the compilations
    jobs, budget = arguments.jobs, int(arguments.memory_gib * 2**30)
    return compile_all(sized, arguments.device, environment, jobs, budget, arguments.timeout, until)


def _blame(result, kinds):
    """An error belongs to the kind that was being measured; without eager the whole problem has failed."""
    at = next((x for x in kinds if f"{x}_ms" not in result and f"{x}_error" not in result), "eager")
    if at != "eager" and "error" in result:
        result[f"{at}_error"] = result.pop("error")
    return result


def _measure_all(arguments):
    what = arguments.what.split(",")
    if unknown := [x for x in what if x not in KINDS]:
        raise BridgeError(f"no baseline is called {unknown[0]!r}; there are {', '.join(KINDS)}")
    begin = time.monotonic()
    until = begin + arguments.seconds
    with tempfile.TemporaryDirectory(prefix="kw_inductor_") as temporary:
        environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": os.path.abspath(arguments.cache or temporary),
                       "TORCHINDUCTOR_FX_GRAPH_CACHE": "1"}  # fmt: skip
        if arguments.jobs > 1:  # problems are compiled side by side; a pool inside each only adds start-up
            environment["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        own = Worker(arguments.device, environment)
        record = Record(arguments.output, _header(arguments, own))
        todo = []
        for request in _requests(arguments, what):
            missing = record.missing(request["problem"], what, arguments.retry)
            if missing:
                todo.append({**request, "what": missing})
        compiled = {}
        wanted = [request for request in todo if "compile" in request["what"]]
        if wanted:  # half of the time at most, the rest is for timing
            half = min(begin + 0.5 * arguments.seconds, until)
            compiled = _compiled(arguments, wanted, record, own, environment, half)
        compile_s = time.monotonic() - begin
        done = failed = 0
        for request in todo:
            if time.monotonic() > until:
                break
            problem, kinds = request["problem"], request["what"]
            note = {}
            if "compile" in kinds and compiled.get(problem, "not begun") is not None:
                kinds = [kind for kind in kinds if kind != "compile"]
                if problem in compiled:
                    note = {"compile_error": f"not compiled: {compiled[problem]}"}
                if not kinds and not note:
                    continue  # a later start compiles it
            result = {"problem": problem}
            if kinds:
                result = _blame(own.ask({**request, "what": kinds}, arguments.timeout), kinds)
            record.add({**result, **note})
            done += 1
            failed += "error" in result
        own.stop()
        left = sum(1 for request in todo if record.missing(request["problem"], what, False))
        record.close()
    print(f"baseline: {done - failed} measured, {failed} failed, {left} left of {len(todo)} problems in "
          f"{time.monotonic() - begin:.0f} s (compiling {compile_s:.0f} s)", file=sys.stderr)  # fmt: skip
    return 4 if left else 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
