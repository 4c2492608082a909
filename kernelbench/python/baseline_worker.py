"""One process of baseline.py: reads requests, times models, writes results."""

import gc
import json
import os
import statistics
import subprocess
import sys
import time

from kw_bridge import BridgeError, source

KINDS = ("eager", "graph", "library", "compile")


class Device:
    """Timing on one GPU; on the CPU the same calls with a host clock, for trying the script."""

    def __init__(self, name):
        import torch

        self.torch = torch
        self.name = name
        self.cuda = name.startswith("cuda")
        if self.cuda and not torch.cuda.is_available():
            raise BridgeError("torch finds no CUDA device")
        self._flush = None
        self.broken = False  # nothing more can be measured in this process

    def describe(self):
        if not self.cuda:
            return {"device": "cpu"}
        p = self.torch.cuda.get_device_properties(0)
        return {"device": p.name, "uuid": str(p.uuid), "l2_bytes": p.L2_cache_size, "driver": _smi("driver_version")}

    def cool(self):
        """Evicts L2 by reading, which leaves no dirty lines to be written inside the timed window."""
        if not self.cuda:
            return
        if self._flush is None:
            l2 = self.torch.cuda.get_device_properties(0).L2_cache_size
            self._flush = self.torch.zeros(max(3 * l2, 256 << 20) // 4, device=self.name)
            self._sum = self.torch.zeros((), device=self.name)
        self.torch.sum(self._flush, dim=0, out=self._sum)

    def sync(self):
        if self.cuda:
            self.torch.cuda.synchronize()

    def answers(self):
        """False after a fault that outlives the call that made it."""
        try:
            self.sync()
            return True
        except Exception:
            return False

    def sample(self, function, count):
        """Milliseconds of `count` calls, each from a cold L2. The queue is kept filled, so that the host
        is not what is timed."""
        if not self.cuda:
            times = []
            for _ in range(count):
                begin = time.perf_counter()
                function()
                times.append((time.perf_counter() - begin) * 1e3)
            return times
        pairs = []
        for _ in range(count):
            pair = [self.torch.cuda.Event(enable_timing=True) for _ in range(2)]
            self.cool()
            pair[0].record()
            result = function()
            pair[1].record()
            del result
            pairs.append(pair)
        self.sync()
        return [a.elapsed_time(b) for a, b in pairs]


def set_policy(torch, policy):
    """ieee: no TF32 anywhere. default: as PyTorch ships (cuDNN may use TF32, matrix products do not).
    tf32: both may."""
    torch.backends.cuda.matmul.allow_tf32 = policy == "tf32"
    torch.backends.cudnn.allow_tf32 = policy in ("tf32", "default")


def measure(device, function, samples, least_ms, most_s=6.0):
    """{"ms", "spread", "samples"}: median, and (p90 - p10) / median."""
    for _ in range(3):
        function()
    device.sync()
    times, begin = [], time.monotonic()
    while len(times) < samples or sum(times) < least_ms:
        times += device.sample(function, min(10, samples))
        if time.monotonic() - begin > most_s and len(times) >= 5:
            break
    ordered = sorted(times)
    middle = statistics.median(ordered)
    p10, p90 = ordered[len(ordered) // 10], ordered[(len(ordered) * 9) // 10]
    return {"ms": middle, "spread": (p90 - p10) / middle if middle else 0.0, "samples": len(ordered)}


def load(device, path, torch):
    module = source.Source(path).module()
    with torch.device(device.name):
        source.set_seed()
        arguments = module["get_init_inputs"]()
        source.set_seed()
        model = module["Model"](*arguments).to(device.name)
        source.set_seed()
        inputs = [x.to(device.name) if isinstance(x, torch.Tensor) else x for x in module["get_inputs"]()]
    return model, inputs


def run_problem(device, request, report):
    """The result line of one problem; `report` gets it as far as it is, after each kind. `warm` only compiles."""
    torch = device.torch
    result = {"problem": request["problem"]}
    warm = request.get("warm", False)
    model, inputs = load(device, request["path"], torch)
    kinds = {"eager": _eager, "graph": _graph, "library": _library, "compile": _compiled}
    with torch.no_grad():
        for what in request["what"]:
            set_policy(torch, request["policy"])
            try:
                kinds[what](device, request, model, inputs, result)
            except Exception as error:  # the other kinds stand
                if what == "eager":
                    raise
                result[f"{what}_error"] = source.describe(error)
                if device.cuda and what == "graph":  # a capture that fails may leave its stream unusable
                    device.broken = True
                    break
            report(result)
    if device.cuda and not warm:
        if "eager" in request["what"]:
            result["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 3)
        result["clocks"] = clocks()
    return result


def _forward(model, inputs):
    return lambda: model(*inputs)


def _eager(device, request, model, inputs, result):
    forward = _forward(model, inputs)
    _note(result, "eager", measure(device, forward, request["samples"], request["least_ms"]))
    set_policy(device.torch, "default")
    _note(result, "eager_default", measure(device, forward, request["samples"], request["least_ms"]))


def _graph(device, request, model, inputs, result):
    torch = device.torch
    if not device.cuda:
        raise BridgeError("there are no CUDA graphs on a CPU")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # libraries make their workspaces before the capture
        for _ in range(3):
            model(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        model(*inputs)
    _note(result, "graph", measure(device, graph.replay, request["samples"], request["least_ms"]))


def _library(device, request, model, inputs, result):
    """The fastest of the libraries' own choices."""
    torch = device.torch
    ops = dispatched(torch, model, inputs)
    products, images = ops & PRODUCTS, ops & IMAGES
    if not products and not images:
        result["library_error"] = "the forward calls no library"
        return
    forward = _forward(model, inputs)
    choices = [("", "")]
    if device.cuda and products:
        choices = [("cublas", "cuBLAS"), ("cublaslt", "cuBLASLt")]
    best = None
    for blas, name in choices:
        names = [name] if name else []
        try:
            if blas:
                torch.backends.cuda.preferred_blas_library(blas)
            if images and device.cuda:
                torch.backends.cudnn.benchmark = True
                names.append("cuDNN")
            timing = measure(device, forward, request["samples"], request["least_ms"])
        finally:
            torch.backends.cudnn.benchmark = False
            if blas:
                torch.backends.cuda.preferred_blas_library("default")
        if best is None or timing["ms"] < best[0]["ms"]:
            best = timing, ", ".join(names) or "CPU"
    _note(result, "library", best[0])
    result["library"] = best[1]
    result["library_only"] = not ops - PRODUCTS - IMAGES


# Operators that PyTorch hands to cuBLAS or cuBLASLt, and to cuDNN.
PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "addbmm", "mv", "addmv", "dot", "_addmm_activation"}
IMAGES = {"convolution", "cudnn_convolution", "cudnn_convolution_transpose", "_cudnn_rnn", "cudnn_batch_norm",
          "mkldnn_convolution", "mkldnn_rnn_layer"}  # fmt: skip
# What moves no element.
VIEWS = {"view", "_unsafe_view", "reshape", "t", "transpose", "permute", "expand", "squeeze", "unsqueeze", "alias", "detach",
         "as_strided", "select", "slice", "unbind", "split"}  # fmt: skip


def dispatched(torch, model, inputs):
    """Names of the operators that one forward runs, views left out."""
    from torch.utils._python_dispatch import TorchDispatchMode

    found = set()

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            found.add(function.overloadpacket.__name__)
            return function(*arguments, **(keywords or {}))

    with Watch():
        model(*inputs)
    return found - VIEWS


def _compiled(device, request, model, inputs, result):
    begin = time.monotonic()
    compiled = device.torch.compile(model)
    compiled(*inputs)
    device.sync()
    result["compile_s"] = round(time.monotonic() - begin, 2)
    if not request.get("warm", False):
        _note(result, "compile", measure(device, _forward(compiled, inputs), request["samples"], request["least_ms"]))


def _note(result, what, timing):
    result[f"{what}_ms"] = timing["ms"]
    result.setdefault("spread", {})[what] = round(timing["spread"], 4)
    result.setdefault("samples", {})[what] = timing["samples"]


def estimate_bytes(path):
    """Bytes of parameters, inputs and every intermediate of one forward, from shapes alone."""
    from kw_bridge.small import shape_graph

    sizes = {"f64": 8, "i64": 8, "f16": 2, "bf16": 2, "i16": 2, "i8": 1, "u8": 1, "bool": 1}
    total = 0
    for value in shape_graph(source.Source(path), {})["values"]:
        count = sizes.get(value["dtype"], 4)
        for extent in value["shape"]:
            count *= extent
        total += count
    return total


def _smi(fields):
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", "--id=0"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired):
        return None


def clocks():
    names = ["sm_mhz", "memory_mhz", "temperature_c", "power_w"]
    values = (_smi("clocks.sm,clocks.mem,temperature.gpu,power.draw") or "").split(",")
    found = {}
    for name, value in zip(names, values):
        try:
            found[name] = float(value)
        except ValueError:
            pass
    return found


def _reply(device, request, report):
    ask = request.get("ask", "run")
    if ask == "describe":
        return {**device.describe(), "torch": device.torch.__version__}
    if ask == "estimate":
        return {"bytes": estimate_bytes(request["path"])}
    return run_problem(device, request, report)


def worker(device_name):
    """Reads requests, writes results, until the input ends. A line with "more" is followed by another."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints on standard output goes to standard error
    device = None

    def send(value):
        out.write(json.dumps(value) + "\n")
        out.flush()

    for line in sys.stdin:
        request = json.loads(line)
        try:
            device = device or Device(device_name)
            if device.cuda:
                device.torch.cuda.reset_peak_memory_stats()
            reply = _reply(device, request, lambda result: send({**result, "more": True}))
        except Exception as error:
            reply = {"error": source.describe(error)}
            if "problem" in request:
                reply["problem"] = request["problem"]
            if device is not None and not device.answers():
                device.broken = True
        send(reply)
        if device is not None:
            if device.broken:
                return
            device.torch.compiler.reset()
            gc.collect()
            if device.cuda:
                device.torch.cuda.empty_cache()
