"""The JSON lines of baseline.py: read where they exist, added to one by one."""

import json
import os
import sys

from kw_bridge import BridgeError

SAME = ("v", "device", "torch", "policy", "l2", "statistic")  # of the header, for lines to belong together


class Record:
    def __init__(self, path, header):
        self.known = {}  # problem: what its lines say together
        if path == "-":
            self.file = sys.stdout
            self._write(header)
            return
        earlier = self._read(path)
        if earlier is not None:
            for key in SAME:
                if earlier.get(key) != header.get(key):
                    raise BridgeError(f"{path} was measured with {key} {earlier.get(key)!r}, now {header.get(key)!r}: "
                                      "give another file")  # fmt: skip
        self.file = open(path, "a", encoding="utf-8")
        if earlier is None:
            self._write(header)

    def _read(self, path):
        """The header, or None of a new file. A torn last line is cut off."""
        try:
            with open(path, "rb") as file:
                text = file.read()
        except FileNotFoundError:
            return None
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            os.truncate(path, whole)
        header = None
        for number, line in enumerate(text[:whole].splitlines(), 1):
            try:
                value = json.loads(line)
            except ValueError:
                raise BridgeError(f"{path}, line {number}: not JSON; is this baseline.py's output?") from None
            if value.get("kind") == "baseline":
                header = value
            else:
                self._take(value)
        if header is None and self.known:
            raise BridgeError(f"{path}: no line describes the machine; is this baseline.py's output?")
        return header

    def _take(self, value):
        self.known.setdefault(value["problem"], {}).update(value)

    def missing(self, problem, what, retry):
        """Those of `what` that no line has an answer to: a time or, without retry, an error. A problem that
        failed as a whole has no answers to come."""
        known = self.known.get(problem, {})
        if "error" in known and not retry:
            return []
        return [x for x in what if f"{x}_ms" not in known and (retry or f"{x}_error" not in known)]

    def peak_bytes(self, problem):
        peak = self.known.get(problem, {}).get("peak_gib")
        return None if peak is None else int(peak * 2**30)

    def add(self, value):
        self._take(value)
        self._write(value)

    def _write(self, value):
        self.file.write(json.dumps(value, sort_keys=True) + "\n")
        self.file.flush()

    def close(self):
        if self.file is not sys.stdout:
            self.file.close()
