"""Worker processes of baseline.py: one that measures, several that compile side by side."""

import json
import os
import queue
import subprocess
import sys
import threading
import time


class Worker:
    """One worker process; killed whole when it passes a deadline, started again on the next request."""

    def __init__(self, device, environment):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.py")
        self.command = [sys.executable, script, "--worker", "--device", device]
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
        """The last answer, with "error" when the worker died or ran out of time before it was done. What
        had been measured by then stays in it."""
        answer = {"problem": request["problem"]} if "problem" in request else {}
        if self.process is None or self.process.poll() is not None:
            self._start()
        until = time.monotonic() + timeout_s
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            while True:
                line = self.lines.get(timeout=max(until - time.monotonic(), 0.001))
                if line is None:
                    break
                answer = json.loads(line)
                if not answer.pop("more", False):
                    return answer
        except queue.Empty:
            self.stop()
            return {**answer, "error": f"no result within {timeout_s:g} s"}
        except OSError:
            pass
        code = self.process.wait()
        self.process = None
        return {**answer, "error": f"the worker ended with status {code}"}

    def stop(self):
        if self.process is not None:
            try:
                os.killpg(self.process.pid, 9)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None


class MemoryBudget:
    """Lets compilations run side by side while their estimated memory fits."""

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


def compile_all(sized, device, environment, jobs, budget_bytes, timeout_s, until):
    """Fills the shared inductor cache, so that the measuring process compiles nothing. `sized` holds
    (bytes, request); nothing is begun after `until` (monotonic). {problem: error, None when compiled};
    what was not begun is absent."""
    budget = MemoryBudget(budget_bytes)
    waiting = queue.Queue()
    for item in sorted(sized, key=lambda x: -x[0]):
        waiting.put(item)
    errors = {}

    def serve():
        own = Worker(device, environment)
        try:
            while time.monotonic() < until:
                try:
                    amount, request = waiting.get_nowait()
                except queue.Empty:
                    return
                taken = budget.take(amount)
                try:
                    if time.monotonic() < until:
                        left = min(timeout_s, until - time.monotonic())
                        answer = own.ask({**request, "what": ["compile"], "warm": True}, left)
                        errors[request["problem"]] = answer.get("error", answer.get("compile_error"))
                finally:
                    budget.give(taken)
        finally:
            own.stop()

    threads = [threading.Thread(target=serve) for _ in range(max(1, min(jobs, len(sized))))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors
