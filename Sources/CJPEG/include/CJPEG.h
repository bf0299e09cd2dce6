// JPEG pictures in memory with libjpeg, whose errors must be caught with longjmp in C.
#ifndef CJPEG_H
#define CJPEG_H

#include <stddef.h>
#include <stdint.h>

// The largest size in bytes of a decoded picture.
#define CJPEG_LARGEST ((size_t)1 << 30)

// A decoded picture: 8-bit RGB pixels, row-major, and the EXIF block without its `Exif` header. Both
// are allocated with malloc, and the caller frees them; `exif` is NULL without one.
typedef struct {
  uint8_t *pixels;
  uint32_t width;
  uint32_t height;
  uint8_t *exif;
  size_t exif_count;
} cjpeg_picture;

// Decodes a gray, color or CMYK picture, baseline or progressive. Returns 0, or 1 with a message; the
// picture is then empty. Truncated and damaged files are refused, and pictures whose pixels would take
// more than CJPEG_LARGEST bytes.
int cjpeg_decode(const uint8_t *bytes, size_t count, cjpeg_picture *picture, char message[200]);

#endif
