#!/usr/bin/env python3
"""Times KernelBench problems under PyTorch: eager and torch.compile, cold L2, same policy as ours.

    python baseline.py --kernelbench DIR --problems 1/1,1/19,2/12 -o baseline.jsonl

One JSON line per problem: {"problem", "eager_ms", "compile_ms", "eager_default_ms", "spread": {...},
"samples": {...}, "clocks": {...}, "peak_gib", "error"}; the first line describes machine and protocol.
`eager_ms` and `compile_ms` run at the policy asked for (ieee: TF32 off everywhere), `eager_default_ms` as
PyTorch ships. Every problem runs in a worker process that is replaced when it dies or hangs.

Protocol: inputs and parameters are made on the device. Each sample reads a buffer larger than L2 and is
timed by a pair of events around one forward; median of at least --samples samples and --least-ms of time.
"""

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "bridge"))

from baseline_worker import worker  # noqa: E402
from kw_bridge import BridgeError, source  # noqa: E402

VERSION = 1


class Worker:
    """One worker process; killed whole when it passes a deadline, started again on the next request."""

    def __init__(self, device, environment):
        self.command = [sys.executable, os.path.abspath(__file__), "--worker", "--device", device]
        self.environment = environment
        self.process = None
        self.lines = None

    def _start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=self.environment, start_new_session=True,
        )  # fmt: skip
        self.lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, self.lines), daemon=True).start()

    @staticmethod
    def _read(process, lines):
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    def ask(self, request, timeout_s):
        if self.process is None or self.process.poll() is not None:
            self._start()
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.lines.get(timeout=timeout_s)
        except queue.Empty:
            self.stop()
            return {"problem": request.get("problem"), "error": f"no result within {timeout_s} s"}
        except OSError:
            line = None
        if line is None:
            code = self.process.wait()
            self.process = None
            return {"problem": request.get("problem"), "error": f"the worker ended with status {code}"}
        return json.loads(line)

    def stop(self):
        if self.process is not None:
            try:
                os.killpg(self.process.pid, 9)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None


class MemoryBudget:
    """Lets warm-up compilations run side by side while their estimated memory fits."""

    def __init__(self, total):
        self.free = total
        self.total = total
        self.changed = threading.Condition()

    def take(self, amount):
        amount = min(amount, self.total)  # one that fits nowhere runs alone
        with self.changed:
            self.changed.wait_for(lambda: self.free >= amount)
            self.free -= amount
        return amount

    def give(self, amount):
        with self.changed:
            self.free += amount
            self.changed.notify_all()


def warm_compile(requests, own, device, environment, jobs, budget_bytes, timeout_s):
    """Fills the shared inductor cache, so that the measuring process compiles nothing. `own` estimates
    how much memory each problem takes; one whose estimate fails is compiled alone."""
    budget = MemoryBudget(budget_bytes)
    sized = []
    for request in requests:
        answer = own.ask({"what": "estimate", "path": request["path"]}, 30)
        sized.append((answer.get("bytes", 1 << 62) + (2 << 30), request))
    own.stop()  # its context's memory belongs to the compilations
    waiting = queue.Queue()
    for item in sorted(sized, key=lambda x: -x[0]):
        waiting.put(item)

    def serve():
        own = Worker(device, environment)
        try:
            while True:
                try:
                    amount, request = waiting.get_nowait()
                except queue.Empty:
                    return
                taken = budget.take(amount)
                try:
                    own.ask({**request, "warm": True}, timeout_s)
                finally:
                    budget.give(taken)
        finally:
            own.stop()

    threads = [threading.Thread(target=serve) for _ in range(min(jobs, len(requests)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernelbench", default=os.environ.get("KERNELBENCH_DIR"), help="a KernelBench checkout")
    parser.add_argument("--problems", help="comma-separated, as in 1/1,2/12")
    parser.add_argument("-o", "--output", default="-", help="file for the JSON lines (default: standard output)")
    parser.add_argument("--policy", default="ieee", choices=["ieee", "tf32", "default"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--least-ms", type=float, default=100.0)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for one problem")
    parser.add_argument("--jobs", type=int, default=min(8, os.cpu_count() or 1), help="parallel compilations")
    parser.add_argument("--memory-gib", type=float, default=64.0, help="device memory for them")
    parser.add_argument("--no-compile", action="store_true", help="eager only")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
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


def _measure_all(arguments):
    requests = [
        {
            "problem": problem,
            "path": source.find_problem(arguments.kernelbench, problem),
            "policy": arguments.policy,
            "compile": not arguments.no_compile,
            "samples": arguments.samples,
            "least_ms": arguments.least_ms,
            "warm": False,
        }
        for problem in arguments.problems.split(",")
    ]
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kw_inductor_") as cache:
        environment = {"TORCHINDUCTOR_CACHE_DIR": cache, "TORCHINDUCTOR_FX_GRAPH_CACHE": "1", **os.environ}
        if arguments.jobs > 1:  # problems are compiled side by side; a pool inside each only adds start-up
            environment["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        own = Worker(arguments.device, environment)
        header = own.ask({"what": "describe"}, 120)
        if "error" in header:
            own.stop()
            raise BridgeError(header["error"])
        if not arguments.no_compile and arguments.jobs > 1:
            warm_compile(requests, own, arguments.device, environment, arguments.jobs,
                         int(arguments.memory_gib * 2**30), 2 * arguments.timeout)  # fmt: skip
        warm_s = time.monotonic() - begin
        out = sys.stdout if arguments.output == "-" else open(arguments.output, "w", encoding="utf-8")
        on_gpu = arguments.device.startswith("cuda")
        header.update({"v": VERSION, "kind": "baseline", "policy": arguments.policy,
                       "l2": "cold by reading" if on_gpu else "as it is",
                       "clock": "events" if on_gpu else "host", "statistic": "median", "samples": arguments.samples,
                       "least_ms": arguments.least_ms, "warm_s": round(warm_s, 1)})  # fmt: skip
        _line(out, header)
        failed = 0
        for request in requests:
            result = own.ask(request, arguments.timeout)
            failed += "error" in result
            _line(out, result)
        own.stop()
        if out is not sys.stdout:
            out.close()
    print(f"baseline: {len(requests) - failed} of {len(requests)} problems in "
          f"{time.monotonic() - begin:.0f} s (compiling {warm_s:.0f} s)", file=sys.stderr)  # fmt: skip
    return 1 if failed else 0


def _line(out, value):
    out.write(json.dumps(value, sort_keys=True) + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
