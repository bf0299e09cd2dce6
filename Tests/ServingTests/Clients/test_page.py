"""Tests the page on a real server: the checks of Page/test_page.py that need no faults.

usage: test_page.py [PROGRAM [MODEL]]
"""

import os
import subprocess
import sys

from server import Server

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Page", "test_page.py")


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ".build/release/twinflow"
    model = ["--model", sys.argv[2]] if len(sys.argv) > 2 else []
    with Server(program, *model) as server:
        done = subprocess.run([sys.executable, PAGE, "--url", server.url])
        status = server.stop()
    sys.exit(done.returncode or status)


if __name__ == "__main__":
    main()
