"""Loads `twinflow serve`: many connections at once, and many pictures after each other.

usage: test_load.py [PROGRAM [MODEL [REQUESTS]]]

1,000 requests from 64 connections: each is answered once, with the picture of its own seed. Then
10,000 requests, or as many as are named: the memory of the server stays flat. Prints the pictures a
second and the latencies by the number of connections.
"""

import hashlib
import http.client
import json
import sys
import threading
import time
import urllib.parse

from server import Server


class Client(threading.Thread):
    """A connection that asks for one picture after the other."""

    def __init__(self, url, seeds):
        super().__init__(daemon=True)
        self.place = urllib.parse.urlparse(url)
        self.seeds = seeds
        self.answers, self.seconds, self.error = {}, [], None

    def run(self):
        try:
            connection = http.client.HTTPConnection(self.place.hostname, self.place.port, timeout=300)
            for seed in self.seeds:
                start = time.perf_counter()
                while True:
                    connection.request(
                        "POST", "/v1/images/generations",
                        json.dumps({"prompt": "red apple", "seed": seed}),
                        {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    body = json.loads(answer.read())
                    if answer.status != 429:
                        break
                    time.sleep(float(answer.headers["Retry-After"]))
                assert answer.status == 200, body
                (picture,) = body["data"]
                assert picture["seed"] == seed and seed not in self.answers
                self.answers[seed] = hashlib.sha256(picture["b64_json"].encode()).hexdigest()
                self.seconds.append(time.perf_counter() - start)
            connection.close()
        except Exception as error:  # told by the main thread
            self.error = error


def loaded(url, count, connections, first=0):
    """Asks for pictures of the seeds from `first` on: their hashes, the seconds of each, all seconds."""
    clients = [
        Client(url, range(first + number, first + count, connections))
        for number in range(connections)]
    start = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
        if client.error:
            raise client.error
    seconds = time.perf_counter() - start
    answers = {seed: made for client in clients for seed, made in client.answers.items()}
    assert len(answers) == count, f"{len(answers)} of {count} were answered"
    return answers, sorted(second for client in clients for second in client.seconds), seconds


def percentile(values, share):
    return values[min(len(values) - 1, int(share * len(values)))]


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ".build/release/twinflow"
    model = ["--model", sys.argv[2]] if len(sys.argv) > 2 else []
    many = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
    with Server(program, *model) as server:
        loaded(server.url, 64, 16)
        print("connections  pictures/s  p50 ms  p95 ms  p99 ms")
        for connections in [1, 4, 16, 64]:
            answers, each, seconds = loaded(server.url, 1000, connections)
            times = "".join(f"{1000 * percentile(each, share):8.1f}" for share in (.5, .95, .99))
            print(f"{connections:11d}{1000 / seconds:12.1f}{times}", flush=True)
        assert len(set(answers.values())) == 1000, "pictures of different seeds are equal"
        made = server.metric('twinflow_pictures_total{outcome="made"}')
        before, most = server.resident(), 0
        for start in range(0, many, 2000):
            loaded(server.url, min(2000, many - start), 64, first=1000 + start)
            most = max(most, server.resident())
            print(f"{start + min(2000, many - start)} pictures later: {server.resident() / 1e6:.0f} MB", flush=True)
        assert most < before * 1.1 + 50e6, f"memory grew from {before} to {most} bytes"
        counted = server.metric('twinflow_pictures_total{outcome="made"}') - made
        assert counted == many, f"{counted} pictures were made for {many} requests"
        assert server.stop() == 0
    print("passed")


if __name__ == "__main__":
    main()
