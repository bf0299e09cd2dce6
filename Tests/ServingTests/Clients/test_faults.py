"""What goes wrong between `twinflow serve` and its clients: each ends as it should, and the server goes on.

usage: test_faults.py [PROGRAM [MODEL]]
"""

import http.client
import json
import socket
import struct
import sys
import threading
import time
import urllib.parse
import zlib

from server import Server

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def connected(server):
    place = urllib.parse.urlparse(server.url)
    return socket.create_connection((place.hostname, place.port), timeout=30)


def asked(server, body, path="/v1/images/generations", type="application/json", timeout=120):
    """The status and the JSON of an answer."""
    place = urllib.parse.urlparse(server.url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=timeout)
    connection.request("POST", path, body, {"Content-Type": type})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


def head(length):
    return (f"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n").encode()


def works(server):
    status, answer = asked(server, json.dumps({"prompt": "rocket", "seed": 1}))
    assert status == 200 and answer["data"], answer


def outcome(server, name):
    return server.metric(f'twinflow_pictures_total{{outcome="{name}"}}') or 0


def idle(server):
    return server.metric("twinflow_busy") == 0 and server.metric("twinflow_queue_pictures") == 0


@check
def a_client_that_goes(server):
    """Its pictures are not made to their end."""
    for stream in [False, True]:
        before, made = outcome(server, "cancelled"), outcome(server, "made")
        body = json.dumps({"prompt": "rocket", "n": 10, "num_inference_steps": 200, "stream": stream,
                           "partial_images": 8 if stream else 0}).encode()
        client = connected(server)
        client.sendall(head(len(body)) + body)
        server.until(lambda: server.metric("twinflow_busy") == 1)
        client.close()
        start = time.monotonic()
        server.until(lambda: idle(server), seconds=5)
        assert outcome(server, "cancelled") > before, "nothing was cancelled"
        assert outcome(server, "made") == made, "pictures were made for nobody"
        assert time.monotonic() - start < 5
    works(server)


@check
def half_a_body(server):
    """A connection that ends within a body asks for nothing."""
    made = outcome(server, "made")
    for part in [b"", b'{"prompt": "ro']:
        client = connected(server)
        client.sendall(head(100) + part)
        client.close()
    time.sleep(0.3)
    assert idle(server) and outcome(server, "made") == made
    works(server)


@check
def many_that_say_nothing(server):
    """Connections without a request take no place of others."""
    silent = [connected(server) for _ in range(200)]
    works(server)
    for client in silent:
        client.close()


@check
def no_http(server):
    """Bytes that are no request end their connection alone."""
    for text in [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\x00" * 5000,
                 b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 1_000_000 + b"\r\n\r\n"]:
        client = connected(server)
        try:
            client.sendall(text)
            client.settimeout(2)
            client.recv(1000)
        except (TimeoutError, ConnectionError):
            pass
        client.close()
    works(server)


@check
def wrong_text(server):
    """Bad UTF-8 and a prompt of 10 MB are refused."""
    status, answer = asked(server, b'{"prompt": "\xff\xfe"}')
    assert status == 400 and answer["error"]["message"], answer
    status, answer = asked(server, json.dumps({"prompt": "a" * 10_000_000}))
    assert status == 400 and answer["error"]["param"] == "prompt", answer
    status, answer = asked(server, b'{"prompt": ' + b"[" * 100_000)
    assert status == 400, answer


@check
def a_bomb(server):
    """A small file of many pixels is refused before it is unpacked."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(
            ">I", zlib.crc32(kind + content))

    side = 30_000
    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(b"\0" * (3 * side + 1)) for _ in range(side)) + packed.flush()
    file = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    form = (b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na\r\n--b\r\nContent-Disposition: '
            b'form-data; name="image"; filename="a.png"\r\n\r\n' + file + b"\r\n--b--\r\n")
    before = server.resident()
    status, answer = asked(server, form, "/v1/images/edits", "multipart/form-data; boundary=b")
    assert status == 400 and answer["error"]["code"] == "image_too_large", answer
    assert server.resident() < before + 100e6
    works(server)


@check
def sigterm_under_load(server):
    """What was asked is answered, and the server ends."""
    results, errors = [], []

    def ask(seed):
        try:
            results.append(asked(
                server, json.dumps({"prompt": "rocket", "seed": seed, "num_inference_steps": 50})))
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(40)]
    for thread in threads:
        thread.start()
    server.until(lambda: server.metric("twinflow_queue_pictures") > 10)
    status = server.stop(120)
    for thread in threads:
        thread.join()
    assert status == 0, f"status {status}: {''.join(server.log[-5:])}"
    assert not errors, errors
    assert [status for status, _ in results] == [200] * 40, results
    try:
        connected(server)
    except OSError:
        return
    raise AssertionError("it still listens")


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ".build/release/twinflow"
    model = ["--model", sys.argv[2]] if len(sys.argv) > 2 else []
    failed = 0
    with Server(program, *model) as server:
        for function in CHECKS:
            try:
                function(server)
                print("passed ", function.__name__, flush=True)
            except Exception as error:  # a report of every check
                failed += 1
                print("FAILED ", function.__name__, f"{type(error).__name__}: {error}", flush=True)
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} passed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
