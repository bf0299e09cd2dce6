"""Writes class folders of made-up JPEG pictures with the detail of photographs.

usage: pictures.py FOLDER COUNT SIDE
"""

import os
import sys

import numpy
from PIL import Image

folder, count, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = numpy.random.default_rng(0)
frequency = numpy.hypot(*numpy.meshgrid(numpy.fft.fftfreq(512), numpy.fft.rfftfreq(512), indexing="ij"))
# The spectrum of natural pictures falls with the frequency.
amplitude = 1 / numpy.maximum(frequency, 1 / 512)
for number in range(count):
    noise = random.normal(size=(3, 512, 257)) + 1j * random.normal(size=(3, 512, 257))
    waves = numpy.fft.irfft2(noise * amplitude)
    pixels = (128 + 50 * waves / waves.std()).clip(0, 255).astype(numpy.uint8)
    image = Image.fromarray(numpy.moveaxis(pixels, 0, 2))
    if side != 512:
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    name = f"{folder}/class-{number % 10}"
    os.makedirs(name, exist_ok=True)
    image.save(f"{name}/{number:05}.jpg", quality=90)
