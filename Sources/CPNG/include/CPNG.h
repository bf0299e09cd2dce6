// PNG pictures in memory with libpng, whose errors use longjmp and so must be caught in C.
#ifndef CPNG_H
#define CPNG_H

#include <stddef.h>
#include <stdint.h>

// The largest size in bytes of a decoded picture.
#define CPNG_LARGEST ((size_t)1 << 30)

// Bytes allocated with malloc; the caller frees them.
typedef struct {
  uint8_t *bytes;
  size_t count;
  size_t capacity;
} cpng_buffer;

// A text chunk: a keyword of 1 to 79 Latin-1 characters, and text in Latin-1 (tEXt) or UTF-8 (iTXt).
typedef struct {
  const char *key;
  const char *text;
  int is_latin1;
} cpng_text;

// Encodes 8-bit pixels, row-major, 1 (gray), 3 (RGB) or 4 (RGBA) channels.
// Returns 0, or 1 with a message in `message`; `out` is then empty.
int cpng_encode(const uint8_t *pixels, uint32_t width, uint32_t height, int channels,
                const cpng_text *texts, int text_count, cpng_buffer *out, char message[160]);

// Decodes a picture to 8-bit pixels with 1, 3 or 4 channels. `texts` gets the text chunks in UTF-8 as
// keyword, zero, text, zero … , or is NULL to leave them out; `exif` gets the eXIf chunk. Returns 0, or 1
// with a message; the buffers are then empty. Returns 2 with the size and without a message where the
// picture has more than `most_pixels` or its pixels would take more than CPNG_LARGEST bytes. Nothing of
// that size has been allocated.
int cpng_decode(const uint8_t *bytes, size_t count, size_t most_pixels, uint32_t *width,
                uint32_t *height, int *channels, cpng_buffer *pixels, cpng_buffer *texts,
                cpng_buffer *exif, char message[160]);

#endif
