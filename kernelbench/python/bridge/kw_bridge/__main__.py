"""python -m kw_bridge export|export-suite|serve|check"""

import argparse
import json
import os
import sys

from . import BridgeError, source


def main(argv=None):
    parser = argparse.ArgumentParser(prog="kw_bridge", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("export", help="one model file to a task")
    one.add_argument("file")
    one.add_argument("--small", action="store_true", help="at sizes for quick judging")
    one.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a module-level integer")
    one.add_argument("--name", help="name of the task")
    one.add_argument("--policy", default="ieee")
    one.add_argument("--revision", help="revision of the checkout, if git cannot tell")
    one.add_argument("-o", "--output", help="file to write (default: standard output)")
    suite = commands.add_parser("export-suite", help="problems of a KernelBench checkout")
    suite.add_argument("dir")
    suite.add_argument("--problems", required=True, help="comma-separated: problems, ranges, levels, as in 1/1,2/12-40,3")
    suite.add_argument("--missing", action="store_true", help="only documents that the directory lacks")
    suite.add_argument("--policy", default="ieee")
    suite.add_argument("--revision")
    suite.add_argument("-o", "--output", required=True, help="directory")
    commands.add_parser("serve", help="JSON lines on standard input and output")
    check = commands.add_parser("check", help="does a task's graph compute what the model computes?")
    check.add_argument("dir", help="KernelBench checkout")
    check.add_argument("tasks", nargs="+", help="task files exported from it")
    arguments = parser.parse_args(argv)
    try:
        return _COMMANDS[arguments.command](arguments)
    except BridgeError as error:
        print(f"kw_bridge: {error}", file=sys.stderr)
        return 2


def dump(task):
    """Stable text: the same task gives the same bytes; one line per value, node and draw."""
    text = json.dumps(task, sort_keys=True, indent=1, allow_nan=False)
    return _fold(text) + "\n"


def _fold(text):
    """Joins the innermost arrays and objects of indented JSON onto one line."""
    lines, out = text.split("\n"), []
    i = 0
    while i < len(lines):
        if lines[i].rstrip().endswith(("[", "{")):
            depth, j = 0, i
            joined = ""
            while True:
                part = lines[j].strip()
                depth += part.endswith(("[", "{"))
                depth -= part.startswith(("]", "}"))
                joined += part + (" " if part.endswith(",") else "")
                j += 1
                if depth == 0 or len(joined) > 160:
                    break
            indent = lines[i][: len(lines[i]) - len(lines[i].lstrip())]
            if depth == 0 and len(indent + joined.rstrip()) <= 160:
                out.append(indent + joined.rstrip())
                i = j
                continue
        out.append(lines[i])
        i += 1
    return "\n".join(out)


def _write(path, task):
    if path is None:
        sys.stdout.write(dump(task))
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(dump(task))


def _export(arguments):
    from .export import export_file

    sizes = {}
    for item in arguments.set:
        label, _, value = item.partition("=")
        if not value.lstrip("-").isdigit():
            raise BridgeError(f"--set {item}: expected NAME=INTEGER")
        sizes[label] = int(value)
    if sizes and arguments.small:
        raise BridgeError("--set and --small exclude each other")
    task = export_file(
        arguments.file,
        sizes=sizes or None,
        name=arguments.name,
        policy=arguments.policy,
        revision=arguments.revision,
        small=arguments.small,
    )
    _write(arguments.output, task)
    return 0


def _export_suite(arguments):
    from .export import export_file

    os.makedirs(arguments.output, exist_ok=True)
    failed = 0
    for problem in source.expand_problems(arguments.dir, arguments.problems):
        for small in (False, True):
            level, number = problem.split("/")
            target = os.path.join(arguments.output, f"level{level}_{number}{'.small' if small else ''}.json")
            if arguments.missing and os.path.exists(target):
                continue
            try:
                path = source.find_problem(arguments.dir, problem)
                task = export_file(path, policy=arguments.policy, revision=arguments.revision, small=small)
                _write(target, task)
                print(f"{task['name']}: {task['provenance'].get('sizes', '')}", file=sys.stderr)
            except BridgeError as error:
                failed += 1
                print(f"kw_bridge: {problem}: {error}", file=sys.stderr)
    return 1 if failed else 0


def _serve(arguments):
    from .server import serve_stdio

    return serve_stdio()


def _check(arguments):
    from .check import check_tasks

    return check_tasks(arguments.dir, arguments.tasks)


_COMMANDS = {"export": _export, "export-suite": _export_suite, "serve": _serve, "check": _check}

if __name__ == "__main__":
    sys.exit(main())
