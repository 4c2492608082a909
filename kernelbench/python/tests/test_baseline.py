"""What baseline.py leaves, and what a later start makes of it; on the CPU."""

import json
import os
import subprocess
import sys
import unittest

from support import ModelFileTest

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, FOLDER)

from baseline_record import Record  # noqa: E402
from kw_bridge import BridgeError  # noqa: E402

HEADER = {"v": 1, "kind": "baseline", "device": "cpu", "torch": "2", "policy": "ieee"}


class RecordTest(ModelFileTest):
    def path(self):
        return os.path.join(self.folder.name, "lines.jsonl")

    def test_goes_on_from_a_torn_file(self):
        record = Record(self.path(), HEADER)
        record.add({"problem": "1/1", "eager_ms": 2.0, "graph_error": "no", "peak_gib": 0.5})
        record.close()
        with open(self.path(), "a", encoding="utf-8") as file:
            file.write('{"problem": "1/2", "eag')
        again = Record(self.path(), HEADER)
        self.assertEqual(again.missing("1/1", ["eager", "graph", "compile"], False), ["compile"])
        self.assertEqual(again.missing("1/1", ["eager", "graph", "compile"], True), ["graph", "compile"])
        self.assertEqual(again.missing("1/2", ["eager"], False), ["eager"])
        self.assertEqual(again.peak_bytes("1/1"), 1 << 29)
        again.add({"problem": "1/2", "error": "no result within 60 s"})
        again.close()
        third = Record(self.path(), HEADER)
        self.assertEqual(third.missing("1/2", ["eager", "graph"], False), [])
        third.close()
        with open(self.path(), encoding="utf-8") as file:
            self.assertEqual([json.loads(line).get("problem") for line in file], [None, "1/1", "1/2"])

    def test_refuses_lines_of_another_machine(self):
        Record(self.path(), HEADER).close()
        with self.assertRaisesRegex(BridgeError, "policy 'ieee', now 'tf32'"):
            Record(self.path(), {**HEADER, "policy": "tf32"})


class BaselineTest(ModelFileTest):
    def run_baseline(self, *more):
        command = [sys.executable, os.path.join(FOLDER, "baseline.py"), "--kernelbench", self.folder.name]
        command += ["--problems", "1", "--device", "cpu", "--samples", "3", "--least-ms", "1"]
        command += ["-o", os.path.join(self.folder.name, "lines.jsonl"), *more]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    def lines(self):
        with open(os.path.join(self.folder.name, "lines.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def test_a_model_that_hangs_or_fails_costs_only_itself(self):
        for number, forward in enumerate(["return x @ x", "import time; time.sleep(900)", "return x @ x[:2]"], 1):
            written = self.model_file(forward, "[torch.rand(4, 4)]")
            os.makedirs(os.path.join(self.folder.name, "level1"), exist_ok=True)
            os.rename(written, os.path.join(self.folder.name, "level1", f"{number}_model.py"))
        done = self.run_baseline("--what", "eager,library", "--timeout", "25")
        self.assertEqual(done.returncode, 1, done.stderr)
        header, product, hangs, fails = self.lines()
        self.assertEqual(header["kind"], "baseline")
        self.assertGreater(product["eager_ms"], 0)
        self.assertGreater(product["library_ms"], 0)
        self.assertTrue(product["library_only"])
        self.assertIn("no result within 25 s", hangs["error"])
        self.assertIn("RuntimeError", fails["error"])
        again = self.run_baseline("--what", "eager,library")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(len(self.lines()), 4)


if __name__ == "__main__":
    unittest.main()
