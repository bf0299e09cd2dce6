"""Tests `twinflow serve` with the clients that people have: openai-python, and the requests of
open-webui and LibreChat as their sources send them.

usage: test_clients.py [PROGRAM [MODEL]]
"""

import base64
import concurrent.futures
import io
import json
import sys
import traceback
import urllib.request

import openai
from PIL import Image

from server import Server

CHECKS = []
KEY = "a-key-of-this-test-alone"


def check(function):
    CHECKS.append(function)
    return function


def opened(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def png(size=(64, 64), colour=(200, 30, 30), mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


def raised(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def posted(url, body, headers):
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


@check
def models(client, server):
    """The models are listed, and names of hosted ones stand for the default."""
    names = [model.id for model in client.models.list()]
    assert names, names
    assert client.models.retrieve("gpt-image-1").id == names[0]
    assert raised(openai.NotFoundError, lambda: client.models.retrieve("none")).code == "model_not_found"


@check
def generations(client, server):
    """Pictures by base64, with the same seed the same ones."""
    answer = client.images.generate(
        model="gpt-image-1", prompt="red apple", n=3, size="auto", quality="high", user="someone",
        background="auto", moderation="low", extra_body={"seed": 11})
    pictures = [opened(picture.b64_json) for picture in answer.data]
    assert len(pictures) == 3 and all(picture.format == "PNG" for picture in pictures)
    assert answer.size == f"{pictures[0].width}x{pictures[0].height}"
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert answer.output_format == "png" and answer.created > 0
    again = client.images.generate(prompt="red apple", extra_body={"seed": 12})
    # In a batch of another size sums may be rounded otherwise.
    pairs = zip(opened(again.data[0].b64_json).tobytes(), pictures[1].tobytes())
    assert max(abs(a - b) for a, b in pairs) <= 1
    assert "red apple" in pictures[1].text["parameters"], pictures[1].text


@check
def formats(client, server):
    """JPEG and WebP, of a size that the model does not make itself."""
    for name in ["png", "jpeg", "webp"]:
        answer = client.images.generate(
            prompt="rocket", output_format=name, output_compression=70, size="512x512")
        picture = opened(answer.data[0].b64_json)
        assert picture.format == name.upper() and picture.size == (512, 512), picture


@check
def addresses(client, server):
    """Pictures by address, which is read with the same key."""
    answer = client.images.generate(prompt="rocket", response_format="url", model="dall-e-3")
    request = urllib.request.Request(
        answer.data[0].url, headers={"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=10) as file:
        assert file.headers["Content-Type"] == "image/png"
        assert Image.open(io.BytesIO(file.read())).format == "PNG"


@check
def streams(client, server):
    """Previews come before the picture."""
    stream = client.images.generate(
        prompt="blue heart", stream=True, partial_images=2, extra_body={"num_inference_steps": 4})
    events = list(stream)
    assert [event.type for event in events] == [
        "image_generation.partial_image", "image_generation.partial_image",
        "image_generation.completed"], events
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    for event in events:
        assert opened(event.b64_json).size == (64, 64)


@check
def edits(client, server):
    """One image, several, a mask, and a stream."""
    one = client.images.edit(image=("a.png", png()), prompt="red apple", extra_body={"seed": 1})
    assert opened(one.data[0].b64_json).size == (64, 64)
    mask = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (32, 0, 64, 64))
    file = io.BytesIO()
    mask.save(file, "PNG")
    masked = opened(client.images.edit(
        image=png(), mask=file.getvalue(), prompt="red apple", n=1).data[0].b64_json)
    kept = masked.convert("RGB").crop((0, 0, 31, 64)).getcolors()
    assert kept == [(31 * 64, (200, 30, 30))], kept
    events = list(client.images.edit(
        image=png(), prompt="red apple", stream=True, partial_images=1,
        extra_body={"num_inference_steps": 3}))
    assert events[-1].type == "image_edit.completed", events


@check
def errors(client, server):
    """Errors are of the kinds that openai-python has, and name the parameter."""
    error = raised(
        openai.BadRequestError, lambda: client.images.generate(prompt="a", n=99))
    assert (error.param, error.type) == ("n", "invalid_request_error"), error
    assert error.request_id and error.status_code == 400
    error = raised(openai.BadRequestError, lambda: client.images.generate(prompt=""))
    assert error.param == "prompt"
    error = raised(
        openai.NotFoundError, lambda: client.images.generate(prompt="a", model="sdxl"))
    assert error.code == "model_not_found" and "sdxl" in error.message
    error = raised(
        openai.BadRequestError, lambda: client.images.edit(image=b"no image", prompt="a"))
    assert error.param == "image", error
    stranger = openai.OpenAI(base_url=server.url + "/v1", api_key="another-key-of-someone")
    raised(openai.AuthenticationError, lambda: stranger.images.generate(prompt="a"))


@check
def retries(client, server):
    """What a full queue refuses is asked for again, as Retry-After says."""
    patient = openai.OpenAI(base_url=server.url + "/v1", api_key=KEY, max_retries=20)
    impatient = openai.OpenAI(base_url=server.url + "/v1", api_key=KEY, max_retries=0)

    def made(client):
        answer = client.images.generate(
            prompt="rocket", n=10, extra_body={"num_inference_steps": 20})
        return len(answer.data)

    with concurrent.futures.ThreadPoolExecutor(48) as pool:
        waiting = [pool.submit(made, patient) for _ in range(47)]
        refused = None
        while refused is None and not all(future.done() for future in waiting):
            try:
                made(impatient)
            except openai.RateLimitError as error:
                refused = error
        assert [future.result() for future in waiting] == [10] * 47
    assert refused is not None, "the queue was never full"
    assert int(refused.response.headers["retry-after"]) >= 1
    assert refused.code == "rate_limit_exceeded"


@check
def open_webui(client, server):
    """open-webui's engine openai: its fields, and an edit by a form."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json",
               "X-OpenWebUI-User-Name": "someone"}
    answer = posted(
        server.url + "/v1/images/generations?api-version=1",
        json.dumps({"model": "gpt-image-1", "prompt": "cactus", "n": 2, "size": "512x512",
                    "response_format": "b64_json"}).encode(), headers)
    assert [opened(image["b64_json"]).size for image in answer["data"]] == [(512, 512)] * 2
    form = b"".join(
        f"--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n".encode()
        for name, value in [("model", "gpt-image-1"), ("prompt", "cactus"), ("n", "1"),
                            ("size", "512x512"), ("response_format", "b64_json")])
    form += (b"--x\r\nContent-Disposition: form-data; name=\"image[]\"; filename=\"image.png\"\r\n"
             b"Content-Type: image/png\r\n\r\n" + png((100, 80)) + b"\r\n--x--\r\n")
    headers["Content-Type"] = "multipart/form-data; boundary=x"
    answer = posted(server.url + "/v1/images/edits", form, headers)
    assert opened(answer["data"][0]["b64_json"]).size == (512, 512)


@check
def open_webui_automatic1111(client, server):
    """open-webui's engine automatic1111, whose key is sent as a password."""
    headers = {"Authorization": "Basic " + base64.b64encode(f"user:{KEY}".encode()).decode(),
               "Content-Type": "application/json"}

    def got(path):
        request = urllib.request.Request(server.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    names = [model["title"] for model in got("/sdapi/v1/sd-models")]
    options = got("/sdapi/v1/options")
    assert options["sd_model_checkpoint"] in names
    options["sd_model_checkpoint"] = names[0]
    posted(server.url + "/sdapi/v1/options", json.dumps(options).encode(), headers)
    answer = posted(
        server.url + "/sdapi/v1/txt2img",
        json.dumps({"prompt": "cactus", "batch_size": 2, "width": 512, "height": 512, "steps": 4,
                    "negative_prompt": "ugly", "cfg_scale": 7, "sampler_name": "DPM++ 2M",
                    "scheduler": "Karras"}).encode(), headers)
    assert [opened(image).size for image in answer["images"]] == [(512, 512)] * 2
    assert json.loads(answer["info"])["all_prompts"] == ["cactus"] * 2


@check
def librechat(client, server):
    """LibreChat's tools for pictures and edits."""
    answer = client.images.generate(
        model="gpt-image-1", prompt="fox", n=1, background="auto", output_format="webp",
        output_compression=100, quality="auto", size="auto")
    assert opened(answer.data[0].b64_json).format == "WEBP"
    form = b"".join(
        f"----b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n".encode()
        for name, value in [("model", "gpt-image-1"), ("prompt", "fox"), ("quality", "auto"),
                            ("size", "auto")])
    form += (b"----b\r\nContent-Disposition: form-data; name=\"image[]\"; filename=\"fox.png\"\r\n"
             b"Content-Type: image/png\r\n\r\n" + png() + b"\r\n----b--\r\n")
    answer = posted(
        server.url + "/v1/images/edits", form,
        {"Authorization": f"Bearer {KEY}", "Content-Type": "multipart/form-data; boundary=--b"})
    assert opened(answer["data"][0]["b64_json"]).size == (64, 64)


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ".build/release/twinflow"
    model = ["--model", sys.argv[2]] if len(sys.argv) > 2 else []
    failed = 0
    with Server(program, *model, key=KEY) as server:
        client = openai.OpenAI(base_url=server.url + "/v1", api_key=KEY, max_retries=0)
        for function in CHECKS:
            try:
                function(client, server)
                print("passed ", function.__name__, flush=True)
            except Exception as error:  # a report of every check
                failed += 1
                line = traceback.extract_tb(error.__traceback__)[-1].lineno
                print("FAILED ", function.__name__, f"line {line}: {type(error).__name__}: {error}",
                      flush=True)
        assert server.metric("twinflow_queue_pictures", KEY) in (0, None)
        status = server.stop()
        if status != 0:
            failed += 1
            print("FAILED  SIGTERM: status", status, "".join(server.log[-5:]))
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} passed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
