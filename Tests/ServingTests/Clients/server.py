"""Starts `twinflow serve` for a test."""

import os
import re
import signal
import subprocess
import threading
import time
import urllib.request


class Server:
    """A server on a free port of this machine; stopped at the end of a `with` block."""

    def __init__(self, program, *arguments, key=None):
        environment = dict(os.environ)
        environment.pop("TWINFLOW_API_KEY", None)
        if key:
            environment["TWINFLOW_API_KEY"] = key
        self.log = []
        self.process = subprocess.Popen(
            [program, "serve", "--port", "0", *arguments], env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        threading.Thread(target=self._keep, daemon=True).start()
        line = self.process.stdout.readline()
        found = re.search(r"at (http://\S+)", line)
        if not found:
            self.process.wait(10)
            raise RuntimeError("the server did not start: " + "".join(self.log[-20:]))
        self.url = found[1]

    def _keep(self):
        for line in self.process.stderr:
            self.log.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, seconds=60):
        """Stops it by SIGTERM, and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def metric(self, name, key=None):
        """A value of /metrics by its name with labels."""
        request = urllib.request.Request(self.url + "/metrics")
        if key:
            request.add_header("Authorization", "Bearer " + key)
        with urllib.request.urlopen(request, timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.rsplit(" ", 1)[0] == name:
                    return float(line.rsplit(" ", 1)[1])
        return None

    def resident(self):
        """The resident bytes of its process."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def until(self, condition, seconds=30):
        """Waits for a condition."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("waited too long")
            time.sleep(0.05)
