"""Tests the page of `twinflow serve` in a headless Chromium.

usage: test_page.py [--url URL] [--shots FOLDER] [--only WORDS]

Without --url the page talks to mock.py, which can fail and be slow on demand; with it the checks
that need no faults run against a real server.
"""

import argparse
import base64
import json
import os
import struct
import tempfile
import time
import zlib

import chromium
import mock

CHECKS = []
DELAY = 1.5  #: seconds after which a picture that stays is in the history


def check(function=None, *, faults=False):
    """Registers a check; `faults` ones need the mock server."""
    if function is None:
        return lambda function: check(function, faults=faults)
    CHECKS.append((function, faults))
    return function


class Page:
    """The page in a browser, and what its server saw."""

    def __init__(self, browser, server, url):
        self.browser, self.server, self.url = browser, server, url
        self.folder = tempfile.mkdtemp(prefix="page-files-")

    def __getattr__(self, name):
        return getattr(self.browser, name)

    def fresh(self, address="", live=None):
        """Opens the page as for the first time."""
        self.size(1280, 800)
        self.theme("light")
        self.open(self.url)
        self.run("localStorage.clear(), sessionStorage.clear()")
        if live is not None:
            self.run(f"sessionStorage.setItem('live', {'on' if live else 'off'!r})")
        self.open(self.url + address)
        self.until("models.size > 0 || $('key-dialog').open")
        if self.server:
            self.server.requests.clear()
            self.server.faults.clear()

    def write(self, text):
        """Replaces the prompt by typing."""
        self.run("$('prompt').focus(), $('prompt').select()")
        self.type(text)

    def drawn(self, prompt, count=1, seconds=60):
        """Waits until all pictures on the stage are of a prompt."""
        self.until(
            f"!flight && shown.length === {count} && [...document.querySelectorAll('#cells img')]"
            f".filter(i => i.dataset.prompt === {prompt!r}).length === {count}", seconds)

    def value(self, field):
        return self.run(f"$({field!r}).value")

    def text(self, element):
        return self.run(f"$({element!r}).textContent.trim()")

    def shows(self, element):
        return self.run(f"$({element!r}).checkVisibility()")

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def picture(self):
        """The bytes of the first picture on the stage."""
        return base64.b64decode(self.run("shown[0].image.src.split(',')[1]"))

    def set(self, field, value):
        """Sets a field as a person's input would."""
        self.run(
            f"$({field!r}).value = {value!r}; "
            f"$({field!r}).dispatchEvent(new Event('input', {{bubbles: true}})), "
            f"$({field!r}).dispatchEvent(new Event('change', {{bubbles: true}}))")


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


# Drawing


@check
def typing_ends_at_the_newest_picture(page):
    page.fresh(live=True)
    page.run("""
      window.wrong = [];
      (function look() {
        for (const image of document.querySelectorAll('.cell:not(.stale) img'))
          if (image.checkVisibility() && image.dataset.prompt !== $('prompt').value)
            wrong.push([image.dataset.prompt, $('prompt').value]);
        requestAnimationFrame(look);
      })();
      new MutationObserver((changes) => {
        for (const image of changes.flatMap((change) => [...change.addedNodes]))
          if (image.dataset?.prompt !== undefined && image.dataset.prompt !== $('prompt').value)
            wrong.push([image.dataset.prompt, $('prompt').value]);
      }).observe($('cells'), {childList: true, subtree: true})""")
    page.type("a red apple on a plate")
    page.run("""
      const decode = HTMLImageElement.prototype.decode;
      HTMLImageElement.prototype.decode = async function () {
        await new Promise((done) => setTimeout(done, 120));
        return decode.call(this);
      }; 0""")
    for _ in range(3):
        page.press("Backspace")
        time.sleep(0.15)
    page.type("ate")
    page.drawn("a red apple on a plate")
    equal(page.run("wrong"), [])
    assert page.text("latency").split()[1] in ("ms", "s") or "ms" in page.text("latency")
    if page.server:
        states = [request["state"] for request in page.server.requests]
        assert states.count("cancelled") >= 5, states
        equal(states[-1], "done")
        equal(page.server.requests[-1]["prompt"], "a red apple on a plate")
    page.write("a")
    page.press("Backspace")
    page.until("!$('empty').hidden && $('cells').hidden")


@check(faults=True)
def pictures_follow_slow_typing(page):
    page.fresh()
    for length in range(1, 6):
        page.type("apple"[length - 1])
        page.drawn("apple"[:length])
    equal([request["state"] for request in page.server.requests], ["done"] * 5)
    assert page.shows("draw") and not page.shows("cancel")


@check(faults=True)
def sliders_wait_for_the_request_under_way(page):
    page.fresh("#prompt=cat")
    page.drawn("cat")
    page.server.requests.clear()
    for seed in range(2, 40):
        page.set("seed-slider", str(seed))
    page.until("!flight && shown[0].settings.seed === '39'")
    states = {request["state"] for request in page.server.requests}
    equal(states, {"done"})
    assert len(page.server.requests) < 30, len(page.server.requests)


@check(faults=True)
def slow_models_wait_for_enter(page):
    page.fresh("#model=large")
    page.type("a")
    page.drawn("a")
    page.until("!$('live').checked")
    page.server.requests.clear()
    page.write("a red apple")
    time.sleep(0.3)
    equal(page.server.requests, [])
    equal(page.text("made"), "Drawn for “a”")
    equal(page.run("document.querySelectorAll('.cell.stale').length"), 1)
    page.run("""
      window.seen = [];
      new MutationObserver(() => seen.push($('progress-bar').value)).observe(
        $('cells'), {childList: true, subtree: true})""")
    page.press("Enter")
    page.until("$('progress').checkVisibility() && $('cancel').checkVisibility()")
    page.drawn("a red apple")
    assert len(set(page.run("seen"))) >= 3, page.run("seen")
    equal(page.server.requests[0]["stream"], True)
    assert not page.shows("progress") and page.shows("draw")
    page.click("#live")
    page.until("flight")


@check(faults=True)
def escape_cancels(page):
    page.fresh("#model=large")
    page.type("apple")
    page.press("Enter")
    page.until("$('cancel').checkVisibility()")
    page.press("Escape")
    page.until("!flight && !$('cancel').checkVisibility()")
    page.until("$('status').textContent === 'Cancelled.'")
    end = time.monotonic() + 3
    while page.server.requests[-1]["state"] != "cancelled" and time.monotonic() < end:
        time.sleep(0.02)
    equal(page.server.requests[-1]["state"], "cancelled")
    page.press("Enter")
    page.until("$('cancel').checkVisibility() && shown[0]?.isPart")
    page.click("#cancel")
    page.until("$('made').textContent === 'Unfinished, for “apple”'")
    page.until("!flight && $('draw').checkVisibility()")
    equal(page.run("document.activeElement.id"), "draw")


@check
def views_show_seeds_and_steps(page):
    page.fresh("#prompt=a+blue+heart&seed=7")
    page.drawn("a blue heart")
    page.click("input[value=seeds]")
    page.drawn("a blue heart", 9)
    equal(page.run("shown.map(p => p.settings.seed).join()"), "7,8,9,10,11,12,13,14,15")
    page.set("count", "4")
    page.drawn("a blue heart", 4)
    page.click("input[value=steps]")
    if not page.run("flight !== null"):
        page.press("Enter")
    page.drawn("a blue heart", 4, 300)
    equal(page.run("shown.map(p => [p.settings.seed, p.settings.steps].join()).join(' ')"),
          "7,1 7,2 7,4 7,50")
    if page.server:
        asked = [request.get("num_inference_steps", 1) for request in page.server.requests[-4:]]
        equal(asked, [1, 2, 4, 50])


@check(faults=True)
def guidance_brings_what_to_avoid(page):
    page.fresh("#prompt=cat")
    page.drawn("cat")
    assert not page.shows("negative-field")
    page.set("guidance-slider", "3.5")
    page.until("$('negative').checkVisibility()")
    page.set("negative", "blurry")
    page.until("!flight && shown[0]?.settings.negative === 'blurry'")
    asked = page.server.requests[-1]
    equal((asked["guidance_scale"], asked["negative_prompt"]), (3.5, "blurry"))
    page.run("document.querySelector('input[name=style][value=multi]').click()")
    page.until("!flight && shown[0]?.settings.style === 'multi'")
    equal(page.server.requests[-1]["twinflow_style"], "multi")


@check(faults=True)
def sizes_are_offered_where_they_are_free(page):
    page.fresh("#model=large", live=False)
    page.until("$('size').options.length > 4")
    sizes = page.run("[...$('size').options].map(o => o.value)")
    for size in sizes:
        width, height = map(int, size.split("x"))
        assert width % 16 == height % 16 == 0 and 0.9 < width * height / 512**2 < 1.1, size
    page.set("model", "emoji")
    page.until("!$('size').checkVisibility()")
    equal((page.value("steps"), page.value("guidance")), ("1", "0"))


# Pictures as sources of settings


def chunked(kind, key, text):
    if kind == b"tEXt":
        return kind, key + b"\0" + text
    if kind == b"zTXt":
        return kind, key + b"\0\0" + zlib.compress(text)
    if kind == b"iTXz":
        return b"iTXt", key + b"\0\1\0de\0Schluessel\0" + zlib.compress(text)
    return kind, key + b"\0\0\0\0\0" + text


@check
def dropping_a_picture_takes_its_settings(page):
    page.fresh("#prompt=a+smiling+cat&seed=18446744073709551610&steps=2")
    page.drawn("a smiling cat")
    path = page.file("made.png", page.picture())
    page.write("something else")
    page.set("seed", "3")
    page.set("steps", "4")
    page.drawn("something else")
    page.drop(path)
    page.until("$('prompt').value === 'a smiling cat'")
    equal((page.value("seed"), page.value("steps")), ("18446744073709551610", "2"))
    page.drawn("a smiling cat")
    assert not page.shows("drop")
    assert "taken" in page.text("notice-text")


@check(faults=True)
def all_text_chunks_are_read(page):
    record = {
        "model": "/models/emoji", "prompt": "käse, \"mit\" 日本 \n\"seed\": 4", "negative": "wax",
        "guidance": 2.5, "seed": 9007199254740993, "width": 64, "height": 64, "steps": 6,
        "sampler": {"style": "any"}}
    parameters = (
        "a fox, (red:1.2)\nin snow\nNegative prompt: blurry,\nbad hands\n"
        "Steps: 12, Sampler: Euler, CFG scale: 4.5, Seed: 77, Size: 512x768, Model: other, "
        "Lora hashes: \"one: 12, Steps: 3\", Version: v1.9")
    plain = (0, 0, 0)
    for kind in (b"iTXt", b"iTXz", b"tEXt", b"zTXt"):
        text = json.dumps(record, ensure_ascii=kind in (b"tEXt", b"zTXt")).encode()
        chunks = [chunked(b"tEXt", b"parameters", b"other words"), chunked(kind, b"twinflow", text)]
        path = page.file("record.png", mock.png([bytes(plain)], (1, 1), chunks))
        page.fresh(live=False)
        page.drop(path)
        page.until("$('prompt').value !== ''")
        equal(page.run("({...state, format: '', count: 0})"), {
            "model": "emoji", "prompt": record["prompt"], "negative": "wax", "steps": 6,
            "guidance": 2.5, "seed": "9007199254740993", "style": "any", "size": "64x64",
            "format": "", "view": "one", "count": 0})
    for kind in (b"tEXt", b"zTXt", b"iTXt"):
        chunks = [chunked(kind, b"parameters", parameters.encode())]
        page.fresh("#model=large", live=False)
        page.drop(page.file("a1111.png", mock.png([bytes(plain)], (1, 1), chunks)))
        page.until("$('prompt').value !== ''")
        equal(page.run("[state.prompt, state.negative, state.steps, state.guidance, state.seed, state.size]"),
              ["a fox, (red:1.2)\nin snow", "blurry,\nbad hands", 12, 4.5, "77", "512x768"])
        assert "does not have its model, other" in page.text("notice-text")


@check(faults=True)
def files_without_settings_say_so(page):
    bomb = chunked(b"zTXt", b"parameters", b"a" * (64 << 20))
    broken = struct.pack(">I", 1 << 31) + b"tEXtparameters\0words"
    files = {
        "bare.png": mock.png([b"\0\0\0"], (1, 1)), "bomb.png": mock.png([b"\0\0\0"], (1, 1), [bomb]),
        "short.png": b"\x89PNG\r\n\x1a\n\0\0", "empty.png": b"", "text.txt": b"words",
        "broken.png": b"\x89PNG\r\n\x1a\n" + broken}
    for name, data in files.items():
        page.fresh()
        page.drop(page.file(name, data))
        page.until("$('notice').checkVisibility()")
        assert "no settings" in page.text("notice-text"), name
        equal(page.value("prompt"), "")


@check(faults=True)
def pictures_can_be_chosen_and_pasted(page):
    data = mock.png([b"\0\0\0"], (1, 1), [chunked(b"tEXt", b"parameters", b"a boat\nSteps: 3, Seed: 5")])
    page.fresh()
    node = page.send("DOM.getDocument")["root"]["nodeId"]
    node = page.send("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
    page.send("DOM.setFileInputFiles", nodeId=node, files=[page.file("boat.png", data)])
    page.drawn("a boat")
    page.fresh()
    page.run(f"""
      clipboard = new DataTransfer();
      clipboard.items.add(new File([Uint8Array.from(atob({base64.b64encode(data).decode()!r}),
        c => c.charCodeAt(0))], 'boat.png', {{type: 'image/png'}}));
      $('prompt').dispatchEvent(new ClipboardEvent('paste', {{clipboardData: clipboard, bubbles: true}}))""")
    page.drawn("a boat")
    equal((page.value("steps"), page.value("seed")), ("3", "5"))


@check(faults=True)
def editing_sends_the_picture(page):
    page.fresh("#model=edit", live=False)
    record = json.dumps({"prompt": "a cat", "seed": 4, "steps": 2}).encode()
    data = mock.picture("cat", 1, 4, (64, 64), [chunked(b"iTXt", b"twinflow", record)])
    page.drop(page.file("cat.png", data))
    page.until("$('reference').checkVisibility()")
    page.type("make it blue")
    page.press("Enter")
    page.drawn("make it blue")
    asked = page.server.requests[-1]
    equal((asked["path"], asked["image"]), ("/v1/images/edits", len(data)))
    page.click("#edit-this")
    page.until("reference.name.startsWith('make-it-blue')")
    page.drop(page.file("cat.png", data))
    page.until("$('notice-act').checkVisibility()")
    page.click("#notice-act")
    page.until("$('prompt').value === 'a cat' && !$('reference').checkVisibility()")
    equal(page.value("seed"), "4")


# Errors


@check(faults=True)
def errors_are_shown_at_their_fields(page):
    fields = {
        "prompt": "prompt", "seed": "seed", "num_inference_steps": "steps", "model": "model",
        "guidance_scale": "guidance", "twinflow_style": "style", "output_format": "format"}
    page.fresh()
    for param, field in fields.items():
        page.write(f"error 400 {param}")
        page.until(f"$('{field}-error').textContent === 'The value of {param} cannot be used.'")
        equal(page.run(f"$('{field}').getAttribute('aria-invalid')"), "true")
    page.write("error 400 nothing")
    page.until("$('notice-text').textContent.includes('nothing cannot be used')")
    page.write("a cat")
    page.drawn("a cat")
    equal(page.run("document.querySelectorAll('[aria-invalid]').length"), 0)
    assert not page.shows("notice")
    page.size(360, 740)
    page.write("error 400 seed")
    page.until("$('seed-error').checkVisibility() && $('seed-error').textContent")


@check(faults=True)
def busy_and_lost_servers_are_asked_again(page):
    page.fresh()
    for fault in ("429", "503"):
        page.run("""
          window.texts = [];
          new MutationObserver(() => texts.push($('notice-text').textContent)).observe(
            $('notice-text'), {childList: true})""")
        page.write(f"error {fault}")
        page.until("texts.length > 0")
        equal(page.run("texts[0]"), "The server is busy. Trying again in 1 s.")
        page.drawn(f"error {fault}")
        assert not page.shows("notice")
    page.write("error gone")
    page.until("$('notice-text').textContent.startsWith('The server does not answer. Trying again in')")
    page.drawn("error gone")
    page.server.faults.clear()
    page.write("error 429 again")
    page.until("waiting")
    page.press("Escape")
    time.sleep(1.4)
    equal(page.server.requests[-1]["state"], "refused 429")


@check(faults=True)
def servers_that_are_away_at_first_are_found_later(page):
    page.server.is_away = True
    try:
        page.open(page.url)
        page.run("localStorage.clear(), sessionStorage.clear()")
        page.open(page.url)
        page.until("$('notice-text').textContent.startsWith('The server does not answer. Trying again in')")
        page.write("cat")
        assert page.shows("notice")
    finally:
        page.server.is_away = False
    page.drawn("cat")
    assert not page.shows("notice")


@check(faults=True)
def other_errors_can_be_tried_again(page):
    page.fresh()
    page.write("error 500")
    page.until("$('notice').checkVisibility() && $('notice').classList.contains('error')")
    equal(page.text("notice-text"), "The device ran out of memory.")
    before = len(page.server.requests)
    page.click("#notice-act")
    page.until("$('notice').checkVisibility()")
    equal(len(page.server.requests), before + 1)
    page.fresh("#model=large")
    page.run("$('prompt').focus()")
    page.write("error stream")
    page.press("Enter")
    page.until("$('notice-text').textContent === 'The device ran out of memory.'")


@check
def impossible_settings_are_not_sent(page):
    page.fresh("#prompt=cat")
    page.drawn("cat")
    wrong = [("seed", "18446744073709551616"), ("seed", "-1"), ("steps", "0")]
    # The field of guidance is there for models that have a use for it.
    if page.run("guided()"):
        wrong.append(("guidance", ""))
    for field, value in wrong:
        page.set(field, value)
        page.until(f"$('{field}-error').textContent !== ''")
        page.set(field, "1")
        page.until(f"$('{field}-error').textContent === ''")
    page.run("$('prompt').value = '', $('prompt').dispatchEvent(new Event('input'))")
    page.run("$('prompt').focus()")
    page.press("Enter")
    page.until("$('prompt-error').textContent === 'Say what the picture shows.'")


@check(faults=True)
def guidance_is_offered_where_it_has_a_use(page):
    page.fresh("#prompt=cat&guidance=3")
    page.drawn("cat")
    assert page.shows("guidance") and page.shows("negative")
    equal(page.run("fieldsOf(state, 1).guidance_scale"), 3)
    page.run("models.get('emoji').guided = false, showSettings()")
    assert not page.shows("guidance") and not page.shows("negative")
    equal(page.run("fieldsOf(state, 1).guidance_scale ?? null"), None)


@check(faults=True)
def the_key_is_asked_for(page):
    page.server.key = "secret"
    try:
        page.fresh()
        page.until("$('key-dialog').open && document.activeElement.id === 'key'")
        page.type("wrong")
        page.press("Enter")
        page.until("$('key-dialog').open && $('key-text').textContent.includes('not accepted')")
        page.press("Escape")
        page.until("$('notice-act').checkVisibility()")
        page.write("cat")
        page.set("seed-slider", "9")
        page.click("#notice-act")
        page.until("$('key-dialog').open")
        page.type("secret")
        page.press("Enter")
        page.drawn("cat")
        equal(page.value("seed"), "9")
        page.open(page.url)
        page.drawn("cat")
        page.server.key = "another"
        page.write("d")
        page.until("$('key-dialog').open")
        page.type("another")
        page.press("Enter")
        page.drawn("d")
    finally:
        page.server.key = None


# Keys, history, links, files


@check
def everything_works_by_keys(page):
    page.fresh()
    equal(page.run("document.activeElement.id"), "prompt")
    page.type("a rocket")
    page.drawn("a rocket")
    page.press("Escape")
    equal(page.run("document.activeElement === document.body"), True)
    page.press("2")
    page.drawn("a rocket", 9)
    page.run("document.querySelector('button.cell').focus()")
    page.press("ArrowRight")
    page.press("ArrowDown")
    equal(page.run("document.activeElement.querySelector('img').dataset.seed"), "5")
    page.press("ArrowUp")
    page.press("End")
    page.press("ArrowLeft")
    equal(page.run("document.activeElement.querySelector('img').dataset.seed"), "8")
    page.press("Enter")
    page.until("state.view === 'one' && state.seed === '8' && shown.length === 1")
    page.press("Escape")
    page.press("r")
    page.until("state.seed !== '8' && !flight && shown[0].settings.seed === state.seed")
    page.press("/")
    equal(page.run("document.activeElement.id"), "prompt")
    page.press("Enter", modifiers=8)
    page.run("$('prompt').blur()")
    page.press("?")
    page.until("$('keys-dialog').open")
    page.press("Escape")
    page.until("!$('keys-dialog').open")


@check
def the_focus_order_follows_the_page(page):
    page.fresh("#prompt=cat")
    page.drawn("cat")
    page.run("$('prompt').focus()")
    order = []
    for _ in range(40):
        order.append(page.run("document.activeElement.id || document.activeElement.name || document.activeElement.tagName"))
        page.press("Tab")
    expected = ["prompt", "draw", "view", "save", "live", "steps", "steps-slider", "seed", "new-seed",
                "seed-slider", "guidance", "guidance-slider", "format", "reset"]
    if not page.run("guided()"):
        expected = [name for name in expected if not name.startswith("guidance")]
    places = [order.index(name) for name in expected]
    equal(places, sorted(places))


@check
def all_controls_have_names(page):
    page.fresh("#prompt=cat")
    page.drawn("cat")
    page.send("Accessibility.enable")
    for view in ("one", "seeds"):
        page.run(f"setView('{view}')")
        page.until(f"!flight && shown.length === {9 if view == 'seeds' else 1}", 60)
        roles = {"button", "textbox", "slider", "spinbutton", "combobox", "radio", "switch", "image"}
        nodes = page.send("Accessibility.getFullAXTree")["nodes"]
        controls = [node for node in nodes if node.get("role", {}).get("value") in roles and not node["ignored"]]
        assert len(controls) > 15, len(controls)
        nameless = [node["role"]["value"] for node in controls if not node.get("name", {}).get("value")]
        equal(nameless, [])


@check
def history_brings_settings_back(page):
    page.fresh()
    for words in ("a red apple", "a rocket"):
        page.write(words)
        page.press("Enter")
        page.drawn(words)
    page.until("$('strip').children.length === 2")
    page.set("steps", "3")
    page.drawn("a rocket")
    page.click("#strip button:last-child")
    page.until("$('prompt').value === 'a red apple'")
    page.drawn("a red apple")
    equal(page.value("steps"), page.run("String(defaults(state.model).steps)"))
    page.open(page.url)
    page.until("$('strip').children.length >= 2")
    equal(page.value("prompt"), "a red apple")
    page.click("#strip button:first-child")
    page.until("!flight && shown.length === 1")
    page.run("for (let i = 0; i < 40; i++) { state.seed = String(i); remember(); }")
    equal(page.run("$('strip').children.length"), 24)
    page.click("#forget")
    assert not page.shows("history")


@check
def links_hold_the_settings(page):
    page.fresh("#prompt=a+blue+heart&seed=12&steps=2&view=one&guidance=nonsense&size=1x")
    page.drawn("a blue heart")
    equal((page.value("seed"), page.value("steps")), ("12", "2"))
    page.set("seed", "13")
    page.run("$('prompt').blur()")
    page.press("l")
    page.until("location.hash.includes('seed=13')")
    assert "prompt=a+blue+heart" in page.run("location.hash")
    assert "guidance" not in page.run("location.hash")


@check
def downloads_are_named(page):
    page.fresh("#prompt=A+r%C3%A4d+apple,+twice!&seed=3")
    page.drawn("A räd apple, twice!")
    page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=page.folder)
    page.click("#save")
    path = os.path.join(page.folder, "A-räd-apple-twice-3.png")
    end = time.monotonic() + 5
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.05)
    with open(path, "rb") as file:
        equal(file.read(), page.picture())


# Looks

CONTRAST = """
(() => {
  const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => { paint.clearRect(0, 0, 1, 1); paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data]; };
  const ground = (e) => { for (; e; e = e.parentElement) {
    const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility() || e.matches('option, .sr, :disabled')) continue;
    const [a, b] = [light(rgba(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(`${e.tagName} ${e.textContent.trim()} ${(a + 0.05) / (b + 0.05)}`);
  }
  return poor;
})()"""
DARKNESS = "getComputedStyle(document.body).backgroundColor"


@check
def light_and_dark_are_legible(page):
    page.fresh("#prompt=cat&guidance=2")
    page.drawn("cat")
    grounds = {}
    for theme in ("light", "dark"):
        page.theme(theme)
        page.run("fieldError('seed', 'A message.'), notice('A message.', {isError: true, act: 'Act'})")
        equal(page.run(CONTRAST), [])
        page.run("notice('A message.'), $('keys-dialog').show()")
        equal(page.run(CONTRAST), [])
        page.run("$('keys-dialog').close(), clearErrors()")
        grounds[theme] = page.run(DARKNESS)
    assert grounds["light"] != grounds["dark"], grounds
    page.click("#theme")
    equal(page.run(DARKNESS), grounds["light"])
    page.open(page.url)
    equal(page.run(DARKNESS), grounds["light"])
    page.click("#theme")
    equal(page.run(DARKNESS), grounds["dark"])


@check
def phones_do_not_scroll_sideways(page):
    words = "W" * 80
    page.fresh(f"#prompt={words}&guidance=2")
    page.drawn(words)
    for width in (320, 360, 390, 768, 1024):
        page.size(width, 740, 2, True)
        page.run("$('panel').open = true, notice('N'.repeat(90), {act: 'Try again'})")
        for view in ("one", "seeds", "steps"):
            page.run(f"Object.assign(state, {{view: '{view}'}}), showSettings(), lay(state)")
            page.run("new Promise(requestAnimationFrame)")
            wide = page.run("document.documentElement.scrollWidth")
            assert wide <= width, f"{view} at {width}: {wide}"
    page.size(360, 740, 2, True)
    small = page.run(
        "[...document.querySelectorAll('button, select, summary')].filter(e => e.checkVisibility() "
        "&& (e.offsetHeight < 30 || e.offsetWidth < 30)).map(e => e.id || e.textContent)")
    equal(small, [])


@check
def small_pictures_are_enlarged(page):
    page.fresh("#prompt=cat")
    page.drawn("cat")
    if page.run("shown[0].image.naturalWidth") > 256:
        return
    assert page.run("shown[0].image.clientWidth / shown[0].image.naturalWidth") > 1.5
    equal(page.run("getComputedStyle(shown[0].image).imageRendering"), "auto")
    page.click("#pixels")
    equal(page.run("getComputedStyle(shown[0].image).imageRendering"), "pixelated")


# Running


def shoot(page, folder):
    """Takes pictures of the page in its main states."""
    os.makedirs(folder, exist_ok=True)

    def take(name, whole=False):
        time.sleep(0.5)
        page.shoot(os.path.join(folder, f"{name}.png"), whole)

    page.fresh()
    take("empty")
    for words in ("a red apple", "a blue heart", "a smiling cat"):
        page.write(words)
        page.press("Enter")
        page.drawn(words)
    for theme in ("light", "dark"):
        page.theme(theme)
        take(theme)
    page.theme("light")
    page.size(1920, 1080)
    take("wide")
    page.size(1280, 800)
    page.run("setView('seeds')")
    page.drawn("a smiling cat", 9)
    take("grid")
    page.run("setView('steps')")
    page.press("Enter")
    page.drawn("a smiling cat", 4, 300)
    take("comparison")
    page.theme("dark")
    take("comparison-dark")
    page.theme("light")
    if page.server:
        page.run("setView('one')")
        page.drawn("a smiling cat")
        for name, words in (("error", "error 500"), ("error-field", "error 400 seed"), ("busy", "error 429")):
            page.write(words)
            take(name)
        page.server.key = "secret"
        page.fresh()
        page.until("$('key-dialog').open")
        take("key")
        page.server.key = None
        page.fresh("#model=large&prompt=a+red+apple")
        page.until("shown.length && $('progress').checkVisibility()")
        take("progress")
        page.fresh("#model=edit&prompt=make+it+blue", live=False)
        page.drop(page.file("cat.png", mock.picture("a cat", 1, 50, (256, 256))))
        page.press("Enter")
        page.drawn("make it blue")
        take("edit")
    page.fresh("#prompt=a+smiling+cat")
    page.size(360, 740, 2, True)
    page.drawn("a smiling cat")
    take("phone")
    page.run("$('panel').open = true")
    take("phone-settings", whole=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", help="the address of a real server")
    parser.add_argument("--shots", help="a folder for screenshots")
    parser.add_argument("--only", default="", help="runs the checks whose names hold these words")
    options = parser.parse_args()
    server = None if options.url else mock.Mock(models=["emoji", "large", "edit"]).start()
    url = options.url.rstrip("/") + "/" if options.url else server.url
    browser = chromium.Browser()
    page, failed, count = Page(browser, server, url), 0, 0
    try:
        for function, faults in CHECKS:
            if (faults and not server) or options.only not in function.__name__:
                continue
            count += 1
            started, browser.errors = time.monotonic(), []
            try:
                function(page)
                equal(browser.errors, [])
                result = "passed"
            except (AssertionError, KeyError, ValueError, OSError) as error:
                result, failed = f"FAILED: {error}", failed + 1
            print(f"{function.__name__.replace('_', ' ')}: {result} ({time.monotonic() - started:.1f} s)", flush=True)
        outside = {address for address in browser.addresses if not address.startswith(url)}
        if outside:
            print(f"FAILED: the page asked for {sorted(outside)}")
            failed += 1
        if options.shots:
            shoot(page, options.shots)
    finally:
        browser.close()
    print(f"{count - failed} of {count} checks passed")
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
