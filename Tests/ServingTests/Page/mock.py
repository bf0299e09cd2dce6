"""A server that speaks the wire format of `twinflow serve` and draws simple shapes, for testing the page.

usage: mock.py [--port 8090] [--key KEY] [--models emoji,large,edit]

Prompts ask for faults: "error 400 seed" (any field), "error 429", "error 503" (both once, with
Retry-After: 1), "error 500", "error gone" (the connection breaks once), "error stream".
"""

import argparse
import base64
import collections
import email.parser
import email.policy
import hashlib
import http.server
import json
import math
import os
import random
import select
import socket
import struct
import threading
import time
import zlib

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../Sources/Serving/Page/page.html")
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self'")
STYLES = ["few", "multi", "any"]
MODELS = {
    "emoji": {"size": "64x64", "steps": 1, "guidance": 0, "styles": STYLES, "edits": False},
    "large": {
        "size": "512x512", "steps": 20, "guidance": 4, "styles": [], "edits": False,
        "free_size": True},
    "edit": {"size": "512x512", "steps": 4, "guidance": 0, "styles": STYLES, "edits": True},
}
#: Seconds that an evaluation of the network takes.
PACE = {"emoji": 0.03, "large": 0.05, "edit": 0.3}


# Pictures


def chunk(kind, data):
    return (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def png(pixels, side, texts=()):
    """A PNG file of 8-bit RGB rows, with text chunks (kind, data)."""
    rows = b"".join(b"\0" + row for row in pixels)
    header = struct.pack(">IIBBBBB", side[0], side[1], 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        + b"".join(chunk(kind, data) for kind, data in texts)
        + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def shapes(prompt, seed):
    """Discs (x, y, radius, colour) of a picture: a face, or fruit with a leaf, by the words."""
    dice = random.Random(f"{prompt}:{seed}")
    hue = hashlib.sha256(prompt.strip().lower().encode()).digest()
    named = {
        "red": (226, 62, 52), "blue": (66, 120, 226), "green": (80, 176, 92),
        "cat": (246, 168, 72), "smil": (252, 208, 74)}
    colour = next(
        (value for word, value in named.items() if word in prompt.lower()),
        (90 + hue[0] // 2, 90 + hue[1] // 2, 90 + hue[2] // 2))
    x, y = 32 + dice.uniform(-3, 3), 33 + dice.uniform(-3, 3)
    r = 21 + dice.uniform(-3, 4)
    dark = tuple(int(value * 0.72) for value in colour)
    light = tuple(int(value + (255 - value) * 0.4) for value in colour)
    discs = [(x, y, r, dark), (x, y - 1.2, r - 1.6, colour)]
    if "apple" in prompt.lower():
        return discs + [(x - 7, y - 8, 5, light), (x + 6, y - r - 2, 5, (92, 160, 72))]
    tilt = dice.uniform(-0.25, 0.25)
    ears = "cat" in prompt.lower()
    if ears:
        discs = [(x + side * 14, y - 17, 8, dark) for side in (-1, 1)] + discs
    for side in (-1, 1):
        ex, ey = x + side * 8 * math.cos(tilt), y - 5 + side * 8 * math.sin(tilt)
        discs += [(ex, ey, 3.1, (52, 38, 34)), (ex - 0.9, ey - 1, 1, (255, 255, 255))]
    mouth = [t / 10 for t in range(-8, 9)]
    return discs + [
        (x + 11 * math.sin(t), y - 1 + 11 * math.cos(t), 1.5, (110, 48, 40)) for t in mouth]


def picture(prompt, seed, steps, size, texts=(), noise=None):
    """The file of a picture; noise falls with the number of steps, as it would."""
    discs = shapes(prompt, seed)
    dice = random.Random(seed)
    noise = 26 / steps if noise is None else noise
    width, height = size
    scale = max(1, min(width, height) // 64)
    small = (width // scale, height // scale)
    shift = ((small[0] - 64) / 2, (small[1] - 64) / 2)
    rows = []
    for v in range(small[1]):
        row = bytearray()
        for u in range(small[0]):
            px, py = u + 0.5 - shift[0], v + 0.5 - shift[1]
            colour = (255.0, 255.0, 255.0)
            for x, y, r, paint in discs:
                d = r + 0.5 - math.hypot(px - x, py - y)
                if d > 0:
                    a = min(d, 1.0)
                    colour = tuple(c + (p - c) * a for c, p in zip(colour, paint))
            for c in colour:
                row += bytes([max(0, min(255, int(c + dice.gauss(0, noise))))])
        wide = b"".join(bytes(row[i : i + 3]) * scale for i in range(0, len(row), 3))
        rows += [wide] * scale
    return png(rows, (small[0] * scale, small[1] * scale), texts)


def texts(settings):
    """The text chunks of a picture that was made with these settings."""
    record = json.dumps(settings, ensure_ascii=False)
    parameters = (
        f"{settings['prompt']}\nSteps: {settings['steps']}, Sampler: TwinFlow {settings['style']}, "
        f"CFG scale: {settings['guidance'] or 1.0}, Seed: {settings['seed']}, "
        f"Size: {settings['size']}, Model: {settings['model']}")
    return [
        (b"iTXt", b"parameters\0\0\0\0\0" + parameters.encode()),
        (b"iTXt", b"twinflow\0\0\0\0\0" + record.encode())]


# The server


class Gone(Exception):
    """The client closed the connection."""


class Refused(Exception):
    """An error that is answered."""

    def __init__(self, status, message, param=None, code=None, wait=None):
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.wait = (
            status, message, param, code, wait)

    @property
    def body(self):
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {
            "message": self.message, "type": kind, "param": self.param, "code": self.code}}


class Mock(http.server.ThreadingHTTPServer):
    """The server; `requests` notes what was asked and how it ended."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port=0, models=("emoji",), key=None):
        super().__init__(("127.0.0.1", port), Handler)
        self.models, self.key = list(models), key
        self.pace = dict(PACE)
        self.is_away = False  # whether connections break, but for the page itself
        self.requests = []
        self.faults = collections.Counter()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def start(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def handle_error(self, request, address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json", headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, error):
        headers = [("Retry-After", str(error.wait))] if error.wait else []
        self.answer(error.status, error.body, headers=headers)

    def allowed(self):
        key = self.server.key
        if key is None or self.headers.get("Authorization") == f"Bearer {key}":
            return True
        self.refuse(Refused(401, "Give the server's key.", code="invalid_api_key"))
        return False

    def do_GET(self):
        if self.path in ("/", "/health"):
            if self.path == "/health":
                return self.answer(200, {"status": "ok"})
            with open(PAGE, "rb") as file:
                page = file.read()
            policy = [("Content-Security-Policy", POLICY)]
            return self.answer(200, page, "text/html; charset=utf-8", policy)
        if self.server.is_away:
            return self.connection.shutdown(socket.SHUT_RDWR)
        if not self.allowed():
            return None
        if self.path != "/v1/models":
            return self.refuse(Refused(404, "There is nothing here."))
        data = [{
            "id": name, "object": "model", "created": 0, "owned_by": "twinflow",
            "twinflow": {**MODELS[name], "default": index == 0, "loras": []},
        } for index, name in enumerate(self.server.models)]
        return self.answer(200, {"object": "list", "data": data})

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.allowed():
            return
        note = {"path": self.path, "state": "running"}
        try:
            asked = self.fields(data)
            note.update(asked)
            self.server.requests.append(note)
            self.draw(asked)
            note["state"] = "done"
        except Refused as error:
            note["state"] = f"refused {error.status}"
            self.refuse(error)
        except (Gone, ConnectionError):
            note["state"] = "cancelled"
            self.close_connection = True

    def fields(self, data):
        """The fields of a JSON body, or of a form with a picture."""
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/form-data"):
            return json.loads(data)
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + data)
        asked = {}
        for part in form.iter_parts():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            asked[name] = len(content) if name == "image" else content.decode()
        for name in ("n", "seed", "num_inference_steps", "partial_images"):
            if name in asked:
                asked[name] = int(asked[name])
        asked["stream"] = asked.get("stream") == "true"
        return asked

    def fault(self, prompt):
        """Fails in the way that the prompt asks for."""
        words = prompt.split()
        if words[:1] != ["error"] or len(words) < 2:
            return
        self.server.faults[prompt] += 1
        first = self.server.faults[prompt] == 1
        if words[1] == "400":
            param = words[2] if len(words) > 2 else "prompt"
            raise Refused(400, f"The value of {param} cannot be used.", param)
        if words[1] in ("429", "503") and first:
            raise Refused(int(words[1]), "The queue is full.", code="busy", wait=1)
        if words[1] == "500":
            raise Refused(500, "The device ran out of memory.")
        if words[1] == "gone" and first:
            # A browser repeats a request by itself if its connection breaks before the answer begins.
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
            self.connection.shutdown(socket.SHUT_RDWR)
            raise Gone

    def wait(self, seconds):
        """Waits as work would, and notices a client that closes."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self.connection], [], [], min(left, 0.02))
            if ready and not self.connection.recv(1, socket.MSG_PEEK):
                raise Gone

    def draw(self, asked):
        prompt, name = asked["prompt"], asked.get("model", self.server.models[0])
        model = MODELS[name]
        self.fault(prompt)
        if asked.get("size") and "free_size" not in model and asked["size"] != model["size"]:
            raise Refused(400, f"{name} draws {model['size']} only.", "size")
        steps = asked.get("num_inference_steps", model["steps"])
        guidance = float(asked.get("guidance_scale", model["guidance"]))
        size = asked.get("size", model["size"])
        pace = self.server.pace[name] * steps * (2 if guidance > 0 else 1)
        settings = [{
            "model": name, "prompt": prompt, "negative": asked.get("negative_prompt", ""),
            "seed": asked.get("seed", 0) + index, "steps": steps, "guidance": guidance,
            "size": size, "style": asked.get("twinflow_style", "few"),
        } for index in range(asked.get("n", 1))]
        if asked.get("stream"):
            self.stream(asked, settings, pace)
        else:
            self.whole(settings, pace)

    def whole(self, settings, pace):
        self.wait(pace * len(settings) ** 0.5)
        data = [{"b64_json": self.file(one), "seed": one["seed"]} for one in settings]
        timing = {"queue_ms": 0.2, "text_ms": 2.1, "denoise_ms": pace * 1000, "decode_ms": 1.4,
                  "total_ms": pace * 1000 + 3.7}
        self.answer(200, {
            "created": int(time.time()), "data": data, "output_format": "png",
            "size": settings[0]["size"], "usage": {}, "timing": timing})

    def stream(self, asked, settings, pace):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        partials = asked.get("partial_images", 0)
        for one in settings:
            for index in range(partials):
                self.wait(pace / (partials + 1))
                self.event("image_generation.partial_image", {
                    "b64_json": self.file(one, noise=90 / (index + 1)),
                    "partial_image_index": index})
            if asked["prompt"].startswith("error stream"):
                error = Refused(500, "The device ran out of memory.")
                return self.event("error", error.body)
            self.wait(pace / (partials + 1))
            self.event("image_generation.completed", {
                "b64_json": self.file(one), "seed": one["seed"], "output_format": "png"})
        return None

    def event(self, kind, data):
        text = f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"
        self.wfile.write(text.encode())

    def file(self, one, noise=None):
        size = tuple(int(side) for side in one["size"].split("x"))
        data = picture(one["prompt"], one["seed"], one["steps"], size, texts(one), noise)
        return base64.b64encode(data).decode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--key")
    parser.add_argument("--models", default="emoji,large,edit")
    options = parser.parse_args()
    server = Mock(options.port, options.models.split(","), options.key)
    print(f"listening on {server.url}", flush=True)
    server.serve_forever()
