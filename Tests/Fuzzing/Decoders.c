// The decoders of PNG and JPEG files under libFuzzer; scripts/fuzz compiles them together.
#include <CJPEG.h>
#include <CPNG.h>
#include <stdlib.h>

#define MOST_PIXELS (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  char message[200];
  cjpeg_picture picture;
  if (!cjpeg_decode(bytes, count, MOST_PIXELS, &picture, message)) {
    if ((size_t)picture.width * picture.height > MOST_PIXELS) abort();
    free(picture.pixels);
    free(picture.exif);
  }
  for (int with_texts = 0; with_texts < 2; with_texts++) {
    uint32_t width, height;
    int channels;
    cpng_buffer pixels, texts, exif;
    if (cpng_decode(bytes, count, MOST_PIXELS, &width, &height, &channels, &pixels,
                    with_texts ? &texts : NULL, &exif, message))
      continue;
    if (pixels.count != (size_t)width * height * (size_t)channels) abort();
    free(pixels.bytes);
    if (with_texts) free(texts.bytes);
    free(exif.bytes);
  }
  return 0;
}
