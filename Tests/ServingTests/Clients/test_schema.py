"""Sends requests that schemathesis makes from docs/server-api.yaml: no answer is an error of the server,
and each is as the description says.

usage: test_schema.py [PROGRAM [MODEL]]
"""

import os
import subprocess
import sys
import tempfile

from server import Server

CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,"
          "response_schema_conformance")


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ".build/release/twinflow"
    model = ["--model", sys.argv[2]] if len(sys.argv) > 2 else []
    schema = os.path.abspath("docs/server-api.yaml")
    # schemathesis leaves its findings in the folder that it runs in.
    with Server(program, *model) as server, tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", schema, "--url", server.url,
             "--max-examples", "60", "--seed", "1", "--checks", CHECKS, "--request-timeout", "60"],
            cwd=folder)
        status = server.stop()
    sys.exit(done.returncode or status)


if __name__ == "__main__":
    main()
