#!/usr/bin/env python3
"""Random cases of GenEval and DPG-Bench, judged by the functions of the published scripts.

    benchmarks.py GENEVAL ELLA OUT
    twinflow check-golden OUT

GENEVAL and ELLA are checkouts of djghosh13/geneval and TencentQQGYLab/ELLA. Only NumPy is needed: detectors,
colors and answers are random, and pandas is replaced where it reads the questions.
"""

import csv
import json
import os
import random
import re
import sys
import types
from collections import defaultdict

import numpy as np

COLORS = ["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white"]


def functions(path, names, scope):
    """Defines functions of a script without running the rest of it."""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    for name in names:
        exec(re.search(rf"^def {name}\(.*?(?=^\S)", source, re.S | re.M).group(0), scope)
    return scope


def write_lines(path, values):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(value + "\n" for value in values)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)


def detections(metadata, classes, draw):
    """Objects of a picture: those of the prompt, now and then one more, and two others."""
    clauses = metadata["include"]
    names = [c["class"] for c in clauses for _ in range(c["count"] + draw.choice([0, 0, 1]))]
    found, scores = [], set()
    for name in names + draw.sample(classes, 2):
        low, high = draw.choice([(0.25, 0.35), (0.88, 0.99), (0, 1)])
        score = np.float32(draw.uniform(low, high))
        while score in scores:
            score = np.nextafter(score, np.float32(1))
        scores.add(score)
        corner = np.float32([draw.uniform(0, 300), draw.uniform(0, 300)])
        size = np.float32([draw.uniform(20, 200), draw.uniform(20, 200)])
        wanted = next((c["color"] for c in clauses if c["class"] == name and "color" in c), None)
        color = wanted if wanted and draw.random() < 0.7 else draw.choice(COLORS)
        found.append({
            "class": name, "box": [float(x) for x in [*corner, *(corner + size)]],
            "score": float(score), "color": color})
    return found


def geneval(checkout, out, seed):
    draw = random.Random(seed)
    os.makedirs(out, exist_ok=True)
    with open(f"{checkout}/prompts/evaluation_metadata.jsonl", encoding="utf-8") as file:
        prompts = draw.sample([json.loads(line) for line in file], 100)
    with open(f"{checkout}/prompts/object_names.txt", encoding="utf-8") as file:
        classes = [line.strip() for line in file]
    for _ in range(20):  # What the published prompts do not combine.
        a, b, c = draw.sample(classes, 3)
        prompts.append({
            "tag": "color_attr", "prompt": f"{a} / {b}", "exclude": [{"class": c, "count": 3}],
            "include": [
                {"class": a, "count": 2, "color": draw.choice(COLORS)},
                {"class": b, "count": 1, "position": [draw.choice(["above", "left of"]), 0]},
                {"class": c, "count": 2, "position": ["below", 1]}]})
    pictures = [
        {"filename": f"images/{i:05}/samples/{k:05}.png", "prompt_index": i,
         "detections": detections(prompt, classes, draw)}
        for i, prompt in enumerate(prompts) for k in range(3)]
    runs = {"default": {}, "options": {
        "threshold": 0.5, "counting_threshold": 0.92, "max_objects": 3,
        "max_overlap": draw.choice([0.3, 0.7]), "position_threshold": 0.2}}
    scope = {
        "np": np, "json": json, "COLORS": COLORS, "classnames": classes, "object_detector": None,
        "ImageOps": types.SimpleNamespace(exif_transpose=lambda image: image),
        "Image": types.SimpleNamespace(open=lambda path: None)}
    script = f"{checkout}/evaluation/evaluate_images.py"
    functions(script, ["compute_iou", "relative_position", "evaluate", "evaluate_image"], scope)
    for name, options in runs.items():
        scope["THRESHOLD"] = options.get("threshold", 0.3)
        scope["COUNTING_THRESHOLD"] = options.get("counting_threshold", 0.9)
        scope["MAX_OBJECTS"] = options.get("max_objects", 16)
        scope["NMS_THRESHOLD"] = options.get("max_overlap", 1.0)
        scope["POSITION_THRESHOLD"] = options.get("position_threshold", 0.1)
        results = []
        for picture in pictures:
            own = picture["detections"]
            boxes = [
                np.float32([d["box"] + [d["score"]] for d in own if d["class"] == c]).reshape(-1, 5)
                for c in classes]
            colors = {(d["class"], *d["box"]): d["color"] for d in own}
            scope["inference_detector"] = lambda detector, path: boxes
            scope["color_classification"] = lambda image, objects, name: [
                colors[(name, *box[:4].tolist())] for box, _ in objects]
            results.append(
                scope["evaluate_image"](picture["filename"], prompts[picture["prompt_index"]]))
        write_lines(f"{out}/expected_{name}_results.jsonl", [
            json.dumps(row, separators=(",", ":")).replace("/", "\\/") for row in results])
        write_lines(f"{out}/expected_{name}_summary.txt", summary(results))
    write_json(f"{out}/config.json", {"kind": "eval_geneval", "runs": runs})
    write_lines(f"{out}/metadata.jsonl", map(json.dumps, prompts))
    write_lines(f"{out}/detections.jsonl", map(json.dumps, pictures))
    write_lines(f"{out}/object_names.txt", classes)


def summary(results):
    """What summary_scores.py prints, which needs pandas."""
    tasks, prompts = defaultdict(list), defaultdict(bool)
    for row in results:
        tasks[row["tag"]].append(row["correct"])
        prompts[row["metadata"]] |= row["correct"]
    means = {tag: np.mean(correct) for tag, correct in tasks.items()}
    return [
        "Summary", "=======", f"Total images: {len(results)}", f"Total prompts: {len(prompts)}",
        f"% correct images: {np.mean([row['correct'] for row in results]):.2%}",
        f"% correct prompts: {np.mean(list(prompts.values())):.2%}", "", "Task breakdown",
        "==============",
        *(f"{tag:<16} = {means[tag]:.2%} ({sum(tasks[tag])} / {len(tasks[tag])})" for tag in tasks),
        "", f"Overall score (avg. over tasks): {np.mean(list(means.values())):.5f}"]


class Table:
    """The rows of a file, in place of pandas."""

    def __init__(self, path):
        with open(path, encoding="utf-8", newline="") as file:
            self.rows = [types.SimpleNamespace(**row) for row in csv.DictReader(file)]

    def iterrows(self):
        return enumerate(self.rows)


def dpg(checkout, out, seed):
    draw = random.Random(seed)
    os.makedirs(out, exist_ok=True)
    head = ["item_id", "text", "keywords", "proposition_id", "dependency", "category_broad",
            "category_detailed", "tuple", "question_natural_language"]
    categories = ["entity - whole", "attribute - color", "global", "global - ", " other - text "]
    rows, answers = [], []
    for item in range(60):
        count = draw.randint(1, 9)
        for number in range(1, count + 1):
            parents = draw.choice(
                ["0", f"{draw.randint(0, count)}", f"{draw.randint(0, count)}, {number + 1}"])
            rows.append([
                f"item{item}", f'A "prompt",\nnumber {item}', "", number, parents, "", "",
                f"{draw.choice(categories)} (a, (b))", f"Question {number} of {item}?"])
        answers.append({"file": f"item{item}.v2.png", "crops": [
            {str(n): draw.choice(["yes", "yes", "yes", "no", "Yes"]) for n in range(1, count + 1)}
            for _ in range(4)]})
    rows += rows[5:8]  # Rows of an item that begin again.
    runs = {"single": {"csv": "single.csv", "pic_num": 4}, "double": {"csv": "double.csv", "pic_num": 2}}
    for lines, name in enumerate(runs, start=1):
        with open(f"{out}/{name}.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([head] * lines + rows)
    scope = functions(
        f"{checkout}/dpg_bench/compute_dpg_bench.py",
        ["prepare_dpg_data", "crop_image", "compute_dpg_one_sample"],
        {"pd": types.SimpleNamespace(read_csv=Table), "defaultdict": defaultdict, "osp": os.path,
         "Image": types.SimpleNamespace(
             open=lambda path: types.SimpleNamespace(crop=lambda place: place))})
    expected = {}
    for name, run in runs.items():
        arguments = types.SimpleNamespace(
            csv=f"{out}/{run['csv']}", pic_num=run["pic_num"], res_path=f"{out}/published.txt")
        questions = scope["prepare_dpg_data"](arguments)
        items, failed, fine, broad = {}, [], defaultdict(list), defaultdict(list)
        for picture in answers:
            def answer(place, question):
                number = question.split()[1]
                return picture["crops"][place[0] // 8 + place[1] // 8 * 2][number]
            try:
                score, tuples, yes = scope["compute_dpg_one_sample"](
                    arguments, questions, f"images/{picture['file']}",
                    types.SimpleNamespace(vqa=answer), 8)
            except (KeyError, TypeError) as error:
                failed.append(f"{picture['file']} {error}")
                continue
            with open(arguments.res_path, encoding="utf-8") as file:
                crops = file.readlines()[-1].split(", ")[1:-1]
            items[f"images/{picture['file']}"] = {"crops": [float(c) for c in crops], "score": score}
            for number, text in tuples.items():
                category = text.split("(")[0].strip()
                fine[category].append(yes[number])
                broad[category.split("-")[0].strip()].append(yes[number])
        percent = lambda values: {key: 100 * float(np.mean(all)) for key, all in values.items()}
        expected[name] = {
            "items": items, "failed": failed, "L1": percent(broad), "L2": percent(fine),
            "overall": 100 * float(np.mean([item["score"] for item in items.values()]))}
    write_json(f"{out}/config.json", {"kind": "eval_dpg", "runs": runs})
    write_json(f"{out}/expected.json", expected)
    write_lines(f"{out}/answers.jsonl", map(json.dumps, answers))


if __name__ == "__main__":
    for seed in range(4):
        geneval(sys.argv[1], f"{sys.argv[3]}/eval_geneval_{seed}", seed)
        dpg(sys.argv[2], f"{sys.argv[3]}/eval_dpg_{seed}", seed)
