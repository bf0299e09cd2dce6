// JPEG pictures in memory with libjpeg, whose errors must be caught with longjmp in C.
#ifndef CJPEG_H
#define CJPEG_H

#include <stddef.h>
#include <stdint.h>

// The largest size in bytes of a decoded picture.
#define CJPEG_LARGEST ((size_t)1 << 30)

// The largest number of scans of a progressive picture; programs write about ten.
#define CJPEG_MOST_SCANS 100

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
// picture is then empty. Truncated and damaged files are refused. Returns 2 without a message where the
// picture has more than `most_pixels` or its pixels would take more than CJPEG_LARGEST bytes; the picture
// then has its size and nothing else. Nothing of that size has been allocated.
int cjpeg_decode(const uint8_t *bytes, size_t count, size_t most_pixels, cjpeg_picture *picture,
                 char message[200]);

// Encodes 8-bit pixels, row-major, 1 (gray) or 3 (RGB) channels, as a baseline file with color at half the
// resolution (4:2:0) and without EXIF and comments. `quality` is 0 to 100. Returns 0 with bytes that the
// caller frees, or 1 with a message and no bytes.
int cjpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height, int channels, int quality,
                 uint8_t **bytes, size_t *count, char message[200]);

#endif
