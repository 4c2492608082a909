#!/usr/bin/env python3
"""Runs KernelBench's own evaluation, from the user's checkout, on exported modules.

    evaluate.py KERNELBENCH RUN -o results.jsonl              # correctness, 5 trials, the reference as shipped
    evaluate.py KERNELBENCH RUN -o ieee.jsonl --no-tf32       # the reference in FP32 throughout
    evaluate.py KERNELBENCH RUN -o times.jsonl --timed 100    # and both sides timed
    evaluate.py KERNELBENCH RUN -o results.jsonl --every 5 --seconds 420 --parallel 3

RUN holds level_L_problem_P_sample_0_kernel.py files. First every module is compiled, several at a time; then one problem
after another is evaluated in a process of its own kind that a fault cannot take others down with. A line of JSON is written
for each problem as it ends; problems that the output already holds are left out, so a run that was stopped goes on.
RUN/eval_results_levelL.json are written anew at the end, in KernelBench's format. Exit code: 0 when all were evaluated, 4 when time ran out.
"""

import argparse
import concurrent.futures
import contextlib
import importlib
import io
import json
import os
import re
import subprocess
import sys
import time
import types

NAME = re.compile(r"level_(\d+)_problem_(\d+)_sample_0_kernel\.py$")
# What KernelBench's package imports for its language-model side, or could do without.
OPTIONAL = ("dotenv", "openai", "litellm", "tqdm", "requests", "datasets", "pydantic")


def main():
    options = arguments()
    if options.role == "build":
        return build(options.run)
    if options.role == "evaluate":
        return evaluate_listed(options)
    problems = listed(options)
    done = finished(options.output)
    deadline = time.monotonic() + options.seconds if options.seconds else None
    waiting = [p for p in problems if key_of(p) not in done]
    print(f"{len(problems)} modules, {len(problems) - len(waiting)} evaluated before", file=sys.stderr)
    build_all(waiting, options, deadline)
    with concurrent.futures.ThreadPoolExecutor(options.parallel) as pool:
        shares = [waiting[i :: options.parallel] for i in range(options.parallel)]
        whole = all(list(pool.map(lambda share: evaluate_all(share, options, deadline), shares)))
    options.parallel = 1
    done = finished(options.output)
    alone = [p for p in waiting if key_of(p) not in done]
    whole = whole and evaluate_all(alone, options, deadline)
    summarise(options)
    return 0 if whole else 4


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", help="KernelBench's checkout: the folder with src/kernelbench")
    parser.add_argument("run", help="folder of exported modules")
    parser.add_argument("-o", "--output", required=True, help="JSON lines")
    parser.add_argument("--problems", help="folder of level1, level2, level3; the checkout's KernelBench/ unless given")
    parser.add_argument("--every", type=int, default=1, help="only problems whose number N divides")
    parser.add_argument("--no-tf32", action="store_true", help="the reference computes in FP32")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--timed", type=int, default=0, help="timed runs of each side; 0: none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilations at a time")
    parser.add_argument("--parallel", type=int, default=1, help="problems evaluated at a time; 1 where they are timed")
    parser.add_argument("--arch", default="9.0", help="TORCH_CUDA_ARCH_LIST")
    parser.add_argument("--builds", default="kw_builds", help="folder of compiled extensions")
    parser.add_argument("--seconds", type=float, default=0, help="stop in time; 0: no limit")
    parser.add_argument("--role", choices=("build", "evaluate"), help=argparse.SUPPRESS)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.timed and options.parallel > 1:
        parser.error("--parallel would disturb what --timed measures")
    options.problems = options.problems or os.path.join(options.checkout, "KernelBench")
    os.environ["TORCH_CUDA_ARCH_LIST"] = options.arch
    os.environ["TORCH_EXTENSIONS_DIR"] = os.path.abspath(options.builds)
    return options


def listed(options):
    found = []
    for name in os.listdir(options.run):
        match = NAME.search(name)
        if match and int(match[2]) % options.every == 0:
            found.append((int(match[1]), int(match[2]), os.path.join(options.run, name)))
    return sorted(found)


def key_of(problem):
    return f"{problem[0]}/{problem[1]}"


def finished(path, with_crowded=False):
    """Lines by problem. One that found no memory beside its neighbours is no answer: it is asked again, alone."""
    if not os.path.exists(path):
        return {}
    with open(path) as file:
        lines = {line["problem"]: line for line in map(json.loads, file)}
    return {name: line for name, line in lines.items() if with_crowded or not line.get("crowded")}


def write(options, line):
    with open(options.output, "a") as file:
        file.write(json.dumps(line) + "\n")


def again(options, role, *more):
    """This program once more, in another role."""
    command = [sys.executable, os.path.abspath(__file__), options.checkout, options.run, "-o", options.output]
    command += ["--problems", options.problems, "--arch", options.arch, "--builds", options.builds]
    command += ["--trials", str(options.trials), "--timed", str(options.timed), "--role", role]
    command += ["--parallel", str(options.parallel)]
    return command + (["--no-tf32"] if options.no_tf32 else []) + list(more)


def build(path):
    os.environ["MAX_JOBS"] = "1"
    with open(path) as file:
        exec(compile(file.read(), path, "exec"), {})
    return 0


def build_all(waiting, options, deadline):
    def one(problem):
        if deadline and time.monotonic() > deadline:
            return problem, None
        command = again(options, "build")
        command[command.index(options.run)] = problem[2]
        return problem, subprocess.run(command, capture_output=True, text=True)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for count, (problem, ran) in enumerate(pool.map(one, waiting), 1):
            if ran is not None and ran.returncode != 0:
                print(f"{key_of(problem)} does not compile:\n{ran.stderr[-1500:]}", file=sys.stderr)
            if count % 10 == 0 or count == len(waiting):
                print(f"compiled {count} of {len(waiting)}", file=sys.stderr)


def evaluate_all(waiting, options, deadline):
    """One child evaluates until it dies; the problem it died of is recorded, and another goes on."""
    left = list(waiting)
    while left:
        if deadline and time.monotonic() > deadline:
            print(f"time is up, {len(left)} left", file=sys.stderr)
            return False
        budget = str(max(deadline - time.monotonic(), 1)) if deadline else "0"
        only = ",".join(key_of(p) for p in left)
        child = subprocess.run(again(options, "evaluate", "--only", only, "--seconds", budget))
        done = finished(options.output, with_crowded=options.parallel > 1)
        left = [p for p in left if key_of(p) not in done]
        if left and child.returncode not in (0, 4):
            write(options, {"problem": key_of(left[0]), "compiled": True, "correctness": False, "tf32": not options.no_tf32,
                            "error": f"the process ended with {child.returncode}"})  # fmt: skip
            left.pop(0)
        elif left and child.returncode == 0:
            raise RuntimeError("a child ended without an answer to all it was asked")
    return True


def evaluate_listed(options):
    evaluation = kernelbench(options.checkout)
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // options.parallel))
    if options.no_tf32:
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
    deadline = time.monotonic() + options.seconds if options.seconds else None
    wanted = set(options.only.split(","))
    for problem in listed(options):
        if key_of(problem) not in wanted:
            continue
        if deadline and time.monotonic() > deadline:
            return 4
        line = evaluate(evaluation, problem, options)
        write(options, line)
        verdict = "passes" if line["correctness"] else f"FAILS {line.get('error', '')[:160]}"
        print(f"{line['problem']}: {verdict} ({line['seconds']} s)", file=sys.stderr)
    return 0


def kernelbench(checkout):
    """kernelbench.eval of the checkout. Packages that only its language-model side needs may be missing."""
    sys.path.insert(0, os.path.join(checkout, "src"))
    for name in OPTIONAL:
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = Absent(name)
    return importlib.import_module("kernelbench.eval")


class Absent(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "BaseModel":  # pydantic's, as far as a record of results needs it
            return Record
        return lambda *arguments, **named: None


class Record:
    def __init__(self, **fields):
        for name in type(self).__annotations__:
            setattr(self, name, fields.get(name, getattr(type(self), name, None)))


def evaluate(evaluation, problem, options):
    level, number, path = problem
    folder = os.path.join(options.problems, f"level{level}")
    reference = next(n for n in os.listdir(folder) if n.startswith(f"{number}_"))
    with open(os.path.join(folder, reference)) as file, open(path) as module:
        sources = file.read(), module.read()
    start, said = time.monotonic(), io.StringIO()
    line = {"problem": key_of(problem), "compiled": False, "correctness": False, "tf32": not options.no_tf32}
    try:
        with contextlib.redirect_stdout(said):
            result = evaluation.eval_kernel_against_ref(
                *sources,
                num_correct_trials=options.trials,
                num_perf_trials=options.timed,
                measure_performance=options.timed > 0,
                build_dir=os.path.abspath(options.builds),
                device=0,
                backend="cuda",
            )
        line.update(
            compiled=result.compiled,
            correctness=result.correctness,
            metadata={k: plain(v) for k, v in result.metadata.items()},
            runtime=result.runtime,
            runtime_stats=plain(result.runtime_stats),
            ref_runtime=getattr(result, "ref_runtime", None),
            ref_runtime_stats=plain(getattr(result, "ref_runtime_stats", None)),
        )
        if not result.correctness:
            line["error"] = str(line["metadata"].get("runtime_error", "")) or said.getvalue()[-400:]
    except Exception as error:  # of the reference, say: its own failure is a result
        line["error"] = f"{type(error).__name__}: {error}"[:800]
    if options.parallel > 1 and "out of memory" in line.get("error", ""):
        line["crowded"] = True
    line["seconds"] = round(time.monotonic() - start, 1)
    return line


def plain(value):
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value if isinstance(value, (int, float, bool, type(None))) else str(value)[:800]


def summarise(options):
    done = finished(options.output)
    results = {}
    for name in sorted(done, key=lambda n: tuple(map(int, n.split("/")))):
        line = done[name]
        level, number = name.split("/")
        results.setdefault(level, {})[number] = [
            {
                "sample_id": 0,
                "compiled": line["compiled"],
                "correctness": line["correctness"],
                "metadata": line.get("metadata", {}),
                "runtime": line.get("runtime", -1.0),
                "runtime_stats": line.get("runtime_stats", {}),
            }
        ]
    for level, problems in results.items():
        passed = sum(problem[0]["correctness"] for problem in problems.values())
        print(f"level {level}: {passed} of {len(problems)} pass")
        with open(os.path.join(options.run, f"eval_results_level{level}.json"), "w") as file:
            json.dump(problems, file, indent=1)
    failed = [name for name, line in done.items() if not line["correctness"]]
    print("failed: " + (", ".join(failed) or "none"))


if __name__ == "__main__":
    sys.exit(main())
