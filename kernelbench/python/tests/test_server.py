import io
import json
import os
import shutil
import subprocess
import sys
import unittest

from support import ModelFileTest

from kw_bridge.server import answer, serve

PYTHON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


class Server(ModelFileTest):
    def test_every_request_gets_one_line(self):
        path = self.model_file("print('loud')\nreturn x.relu()", "[torch.rand(4)]", constants="print('loud')")
        requests = ['{"cmd":"hello"}', "", "nonsense", json.dumps({"cmd": "export", "file": path})]
        out = io.StringIO()
        self.assertEqual(serve(iter(line + "\n" for line in requests), out), 0)
        replies = [json.loads(line) for line in out.getvalue().splitlines()]
        self.assertEqual([reply["ok"] for reply in replies], [True, False, True])
        self.assertEqual(replies[2]["task"]["graph"]["nodes"][0]["op"], "aten.relu")

    def test_bad_requests_are_answered(self):
        for request in ("[]", "{}", '{"cmd":"x"}', '{"cmd":"export"}', '{"cmd":"export","file":"f","fast":1}'):
            self.assertFalse(answer(request)["ok"], request)

    def test_sizes_and_names_are_taken(self):
        path = self.model_file("return x.relu()", "[torch.rand(N)]", constants="N = 8")
        reply = answer(json.dumps({"cmd": "export", "file": path, "sizes": {"N": 3}, "name": "mine"}))
        self.assertEqual(reply["task"]["name"], "mine")
        self.assertEqual(reply["task"]["graph"]["values"][0]["shape"], [3])
        wrong = answer(json.dumps({"cmd": "export", "file": path, "sizes": {"M": 3}}))
        self.assertIn("no module-level integer M; it has: N", wrong["error"])

    def test_the_package_runs_from_memory(self):
        files = {}
        for folder, _, names in os.walk(os.path.join(PYTHON, "bridge")):
            for name in names:
                if name.endswith(".py"):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as file:
                        files[os.path.relpath(path, os.path.join(PYTHON, "bridge"))[:-3]] = file.read()
        path = self.model_file("os.write(1, b'noise')\nreturn x.relu()", "[torch.rand(4)]", constants="import os")
        lines = [files, {"cmd": "hello"}, {"cmd": "export", "file": path}]
        done = subprocess.run(
            [sys.executable, "-c", files["bootstrap"]],
            input="".join(json.dumps(line) + "\n" for line in lines),
            capture_output=True, text=True, cwd="/",
        )  # fmt: skip
        replies = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([reply["ok"] for reply in replies], [True, True], done.stderr)


class Baseline(ModelFileTest):
    def setUp(self):
        super().setUp()
        bodies = {"1_good": "return x.relu()", "2_dies": "import os; os._exit(7)",
                  "3_hangs": "import time; time.sleep(600)", "4_good": "return x.relu()"}  # fmt: skip
        for name, body in bodies.items():
            self.write(
                "import torch\nclass Model(torch.nn.Module):\n    def forward(self, x):\n        " + body + "\n"
                "def get_inputs():\n    return [torch.rand(64, 64)]\ndef get_init_inputs():\n    return []\n",
                name=f"level1/{name}.py",
            )

    def run_baseline(self, problems, *arguments):
        done = subprocess.run(
            [sys.executable, os.path.join(PYTHON, "baseline.py"), "--kernelbench", self.folder.name, "--problems",
             problems, "--device", "cpu", "--least-ms", "1", *arguments],
            capture_output=True, text=True,
        )  # fmt: skip
        self.assertIn(done.returncode, (0, 1), done.stderr)
        header, *lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(header["kind"], "baseline")
        return {line["problem"]: line for line in lines}

    def test_a_problem_that_kills_or_hangs_its_worker_does_not_stop_the_others(self):
        lines = self.run_baseline("1/1,1/2,1/3,1/4", "--no-compile", "--timeout", "30")
        self.assertGreater(lines["1/1"]["eager_ms"], 0)
        self.assertIn("status 7", lines["1/2"]["error"])
        self.assertIn("no result within", lines["1/3"]["error"])
        self.assertGreater(lines["1/4"]["eager_ms"], 0)

    @unittest.skipUnless(shutil.which("g++"), "torch.compile needs a C++ compiler on the CPU")
    def test_problems_are_compiled_ahead_side_by_side(self):
        lines = self.run_baseline("1/1,1/2,1/4", "--jobs", "2", "--timeout", "300")
        self.assertGreater(lines["1/1"]["compile_ms"], 0)
        self.assertIn("status 7", lines["1/2"]["error"])
        self.assertGreater(lines["1/4"]["compile_ms"], 0)


if __name__ == "__main__":
    unittest.main()
