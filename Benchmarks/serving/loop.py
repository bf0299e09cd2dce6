"""Serves a model by diffusers: one picture after the other, as a simple server does.

usage: loop.py MODEL
"""

import base64
import http.server
import io
import json
import sys
import threading

import torch
from diffusers import DiffusionPipeline

pipeline = DiffusionPipeline.from_pretrained(sys.argv[1])
pipeline.set_progress_bar_config(disable=True)
turn = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body go out together: apart they cost 40 ms.
    wbufsize = 1 << 20
    disable_nagle_algorithm = True

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        width, height = map(int, asked["size"].split("x"))
        with turn, torch.inference_mode():
            picture = pipeline(
                asked["prompt"], width=width, height=height, guidance_scale=0,
                num_inference_steps=asked["num_inference_steps"],
                generator=torch.Generator().manual_seed(asked["seed"])).images[0]
        file = io.BytesIO()
        picture.save(file, "PNG")
        body = json.dumps(
            {"data": [{"b64_json": base64.b64encode(file.getvalue()).decode(),
                       "seed": asked["seed"]}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
print(f"Serving at http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
