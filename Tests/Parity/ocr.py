"""Compares the reader of texts with rapidocr-onnxruntime, on rendered pictures of texts.

    python ocr.py --twinflow ../../.build/release/twinflow [--folder out/parity/ocr] [--seeds 2] [--font CJK.ttc]

Both have the networks that scripts/fetch-ocr fetches. The pictures have lines of words in several fonts, sizes,
colors and angles, upside down and upright, on plain and uneven grounds, in sizes from 20 to 2600 pixels; with
a font of Chinese also Chinese ones. Lines are paired by their places: of each pair the texts are compared,
and the corners, which may be 2 pixels apart. Fails where more than 2 % of the texts or of the corners differ.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from rapidocr_onnxruntime import RapidOCR

WORDS = """open daily market fresh bread coffee Summer Festival 2024 river garden SALE 50% off today only welcome
home library science history Museum hours 9:00-17:30 please keep quiet thank you for visiting our shop No. 42
Avenue Saint-Germain train platform 7 departs at 12:45 tickets $19.99 (students $12) invitation birthday party""".split()
CHINESE = "欢迎光临本店今日特价新鲜水果蔬菜面包咖啡图书馆历史博物馆开放时间请保持安静谢谢您的参观夏季音乐节公园河流列车站台出发票价学生优惠"
FONTS = "/usr/share/fonts/truetype/dejavu"


def line(generator, chinese):
    if chinese:
        return "".join(generator.choice(CHINESE) for _ in range(generator.randint(2, 14)))
    return " ".join(generator.choice(WORDS) for _ in range(generator.randint(1, 5)))


def ground(generator, width, height, kind):
    if kind == "plain":
        color = tuple(generator.randint(150, 255) for _ in range(3))
        return Image.new("RGB", (width, height), color), tuple(generator.randint(0, 90) for _ in range(3))
    if kind == "dark":
        return Image.new("RGB", (width, height), (20, 30, 60)), (240, 230, 120)
    noise = np.random.default_rng(generator.randint(0, 1 << 30)).integers(120, 255, (6, 6, 3), dtype=np.uint8)
    smooth = Image.fromarray(noise).resize((width, height), Image.BICUBIC)
    return smooth, (10, 10, 10)


def picture(generator, fonts, width, height, kind="plain", angle=0, sizes=(18, 60), chinese=False, blur=0):
    image, color = ground(generator, width, height, kind)
    layer = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(layer)
    top = generator.randint(2, 12)
    while True:
        font = ImageFont.truetype(generator.choice(fonts), generator.randint(*sizes))
        text = line(generator, chinese)
        left, upper, right, lower = draw.textbbox((0, 0), text, font=font)
        if top + lower - upper > height:
            break
        start = generator.randint(0, max(0, width - right))
        draw.text((start, top - upper), text, fill=255, font=font)
        top += lower - upper + generator.randint(4, 40)
    if angle:
        layer = layer.rotate(angle, Image.BICUBIC, expand=abs(angle) == 90)
        if layer.size != image.size:
            image = image.resize(layer.size)
    image.paste(color, (0, 0), layer)
    return image.filter(ImageFilter.GaussianBlur(blur)) if blur else image


def cases(seed, fonts, chinese_fonts):
    generator = random.Random(seed)

    def made(name, *arguments, own=fonts, **settings):
        return name, picture(generator, own, *arguments, **settings)

    for number in range(3):
        yield made("square", 1024, 1024)
        yield made("square", 512, 512, kind="uneven")
        yield made("dark", 768, 512, kind="dark")
        yield made("small text", 640, 640, sizes=(11, 16))
        yield made("rotated", 800, 800, angle=generator.uniform(-25, 25))
        yield made("rotated", 800, 800, angle=generator.uniform(-8, 8), kind="uneven")
        yield made("upside down", 700, 500, angle=180)
        yield made("upright", 600, 800, angle=90)
        yield made("blurred", 600, 400, blur=1.2)
    yield made("large", 2600, 1400, sizes=(40, 120))
    yield made("wide", 1200, 90, sizes=(30, 50))
    yield made("flat", 300, 26, sizes=(14, 18))
    yield made("tiny", 60, 20, sizes=(10, 12))
    yield "empty", Image.new("RGB", (400, 300), (90, 120, 150))
    if chinese_fonts:
        for number in range(3):
            yield made("Chinese", 1024, 1024, own=chinese_fonts, chinese=True)
            yield made("Chinese", 700, 700, own=chinese_fonts, chinese=True, kind="uneven", angle=generator.uniform(-10, 10))


def pairs(own, other):
    """Pairs lines by the nearest centers."""
    left = list(other)
    for one in own:
        center = np.mean(one["corners"], axis=0)
        best = min(left, key=lambda each: np.abs(np.mean(each["corners"], axis=0) - center).max(), default=None)
        if best is None or np.abs(np.mean(best["corners"], axis=0) - center).max() > 12:
            yield one, None
        else:
            left.remove(best)
            yield one, best
    for each in left:
        yield None, each


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twinflow", default="twinflow", help="the program")
    parser.add_argument("--folder", default="out/parity/ocr")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--font", action="append", default=[], help="a font of Chinese")
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    os.makedirs(given.folder)
    fonts = [f"{FONTS}/{name}.ttf" for name in (
        "DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSansMono",
        "DejaVuSansCondensed")]
    fonts = [font for font in fonts if os.path.exists(font)]
    names, files = [], []
    for seed in range(given.seeds):
        for name, image in cases(seed, fonts, given.font):
            path = os.path.join(given.folder, f"{len(files):03d}-{name.replace(' ', '-')}.png")
            image.save(path)
            names.append(name)
            files.append(path)
    found = subprocess.run([given.twinflow, "read", *files], check=True, stdout=subprocess.PIPE, text=True)
    found = [json.loads(each)["lines"] for each in found.stdout.splitlines()]
    engine = RapidOCR()
    table, worst = {}, 0.0
    for name, path, own in zip(names, files, found):
        result, _ = engine(path)
        other = [dict(corners=box, text=text, score=score) for box, text, score in result or []]
        row = table.setdefault(name, dict(lines=0, alone=0, texts=0, corners=0, order=0, distance=0.0, score=0.0))
        row["order"] += [each["text"] for each in own] != [each["text"] for each in other]
        for one, peer in pairs(own, other):
            row["lines"] += 1
            if one is None or peer is None:
                row["alone"] += 1
                print(f"{path}: only {'rapidocr' if one is None else 'twinflow'} has {(one or peer)['text']!r}")
                continue
            distance = float(np.abs(np.array(one["corners"]) - peer["corners"]).max())
            row["distance"] = max(row["distance"], distance)
            row["corners"] += distance > 2
            row["score"] = max(row["score"], abs(one["score"] - peer["score"]))
            if one["text"] != peer["text"]:
                row["texts"] += 1
                print(f"{path}: {one['text']!r}, rapidocr {peer['text']!r}")
    print(f"{'pictures':12} {'lines':>6} {'alone':>6} {'texts':>6} {'corners':>8} {'farthest':>9} {'score':>8} {'order':>6}")
    for name, row in table.items():
        print(f"{name:12} {row['lines']:6} {row['alone']:6} {row['texts']:6} {row['corners']:8} "
              f"{row['distance']:9.1f} {row['score']:8.4f} {row['order']:6}")
    lines = sum(row["lines"] for row in table.values())
    differ = sum(row["alone"] + row["texts"] for row in table.values())
    apart = sum(row["alone"] + row["corners"] for row in table.values())
    print(f"of {lines} lines in {len(files)} pictures, the texts of {differ} and the corners of {apart} differ")
    sys.exit(0 if lines and max(differ, apart) <= 0.02 * lines else 1)
