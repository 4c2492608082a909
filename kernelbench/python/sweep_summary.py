#!/usr/bin/env python3
"""Sums up the JSON lines of `kernelwright bench --lines`: what passed, what did not and why, where time went.

    python3 sweep_summary.py sweep.jsonl
"""

import collections
import json
import sys


def main(path):
    results = {}
    for line in open(path, encoding="utf-8"):
        if line.endswith("\n"):
            result = json.loads(line)
            results[result["task"]] = result
    kinds = collections.Counter()
    wall = collections.Counter()
    for result in results.values():
        outcome = result["outcome"]
        kinds[outcome.get("kind", outcome["verdict"])] += 1
        for part in ("generate_s", "compile_s", "judge_s"):
            wall[part] += result[part]
        counters = outcome.get("evidence", {}).get("counters", {})
        for part in ("wall.run_ms", "wall.reference_ms"):
            wall[part] += counters.get(part, 0) / 1e3
    print(len(results), "tasks:", dict(kinds))
    print("seconds:", {part: round(value, 1) for part, value in wall.items()})
    for result in sorted(results.values(), key=lambda r: -r["judge_s"])[:12]:
        print(f"slow {result['task']} judged in {result['judge_s']:.1f} s, {len(result['refused'])} refused")
    for result in results.values():
        for text in result["refused"]:
            print(f"{result['task']}: {text[:170]}")


if __name__ == "__main__":
    main(sys.argv[1])
