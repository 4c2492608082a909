import io
import json
import os
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
    def test_a_problem_that_kills_its_worker_does_not_stop_the_others(self):
        good = "import torch\nclass Model(torch.nn.Module):\n    def forward(self, x):\n        {}\n"
        tail = "def get_inputs():\n    return [torch.rand(64, 64)]\ndef get_init_inputs():\n    return []\n"
        self.write(good.format("return x.relu()") + tail, name="level1/1_good.py")
        self.write(good.format("import os; os._exit(7)") + tail, name="level1/2_dies.py")
        self.write(good.format("import time; time.sleep(60)") + tail, name="level1/3_hangs.py")
        self.write(good.format("return x.relu()") + tail, name="level1/4_good.py")
        done = subprocess.run(
            [sys.executable, os.path.join(PYTHON, "baseline.py"), "--kernelbench", self.folder.name, "--problems",
             "1/1,1/2,1/3,1/4", "--device", "cpu", "--no-compile", "--least-ms", "1", "--timeout", "20"],
            capture_output=True, text=True,
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(lines[0]["kind"], "baseline", done.stderr)
        self.assertEqual([line["problem"] for line in lines[1:]], ["1/1", "1/2", "1/3", "1/4"])
        self.assertGreater(lines[1]["eager_ms"], 0)
        self.assertIn("status 7", lines[2]["error"])
        self.assertIn("no result within", lines[3]["error"])
        self.assertGreater(lines[4]["eager_ms"], 0)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
