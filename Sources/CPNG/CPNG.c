#include "CPNG.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(png_structp png, png_const_charp text) {
  char *message = png_get_error_ptr(png);
  strncpy(message, text, 159);
  message[159] = 0;
  longjmp(png_jmpbuf(png), 1);
}

static void ignore(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static int append(cpng_buffer *buffer, const void *bytes, size_t count) {
  if (count > SIZE_MAX - buffer->count) return 0;
  size_t needed = buffer->count + count;
  if (needed > buffer->capacity) {
    // Grows by half, so that appending many small pieces copies rarely.
    size_t capacity = needed > SIZE_MAX - needed / 2 ? needed : needed + needed / 2;
    uint8_t *grown = realloc(buffer->bytes, capacity);
    if (!grown) return 0;
    buffer->bytes = grown;
    buffer->capacity = capacity;
  }
  if (count) memcpy(buffer->bytes + buffer->count, bytes, count);
  buffer->count += count;
  return 1;
}

// Appends Latin-1 text as UTF-8, with its terminating zero.
static int append_latin1(cpng_buffer *buffer, const char *text) {
  for (const uint8_t *byte = (const uint8_t *)text;; byte++) {
    uint8_t pair[2] = {*byte, 0};
    int is_wide = *byte >= 0x80;
    if (is_wide) {
      pair[0] = (uint8_t)(0xC0 | *byte >> 6);
      pair[1] = (uint8_t)(0x80 | (*byte & 0x3F));
    }
    if (!append(buffer, pair, is_wide ? 2 : 1)) return 0;
    if (!*byte) return 1;
  }
}

static void discard(cpng_buffer *buffer) {
  free(buffer->bytes);
  memset(buffer, 0, sizeof *buffer);
}

static void write_bytes(png_structp png, png_bytep bytes, size_t count) {
  if (!append(png_get_io_ptr(png), bytes, count)) png_error(png, "out of memory");
}

static void flush(png_structp png) { (void)png; }

int cpng_encode(const uint8_t *pixels, uint32_t width, uint32_t height, int channels,
                const cpng_text *texts, int text_count, cpng_buffer *out, char message[160]) {
  memset(out, 0, sizeof *out);
  message[0] = 0;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, fail, ignore);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_write_struct(&png, NULL);
    strcpy(message, "out of memory");
    return 1;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    discard(out);
    return 1;
  }
  png_set_write_fn(png, out, write_bytes, flush);
  int color = channels == 1   ? PNG_COLOR_TYPE_GRAY
              : channels == 3 ? PNG_COLOR_TYPE_RGB
                              : PNG_COLOR_TYPE_RGB_ALPHA;
  png_set_IHDR(png, info, width, height, 8, color, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  for (int i = 0; i < text_count; i++) {
    png_text chunk = {0};
    size_t length = strlen(texts[i].text);
    chunk.key = (png_charp)texts[i].key;
    chunk.text = (png_charp)texts[i].text;
    if (texts[i].is_latin1) {
      chunk.compression = PNG_TEXT_COMPRESSION_NONE;
      chunk.text_length = length;
    } else {
      chunk.compression = PNG_ITXT_COMPRESSION_NONE;
      chunk.itxt_length = length;
    }
    png_set_text(png, info, &chunk, 1);
  }
  png_write_info(png, info);
  for (uint32_t row = 0; row < height; row++)
    png_write_row(png, pixels + (size_t)row * width * (size_t)channels);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return 0;
}

typedef struct {
  const uint8_t *bytes;
  size_t left;
} source;

static void read_bytes(png_structp png, png_bytep bytes, size_t count) {
  source *from = png_get_io_ptr(png);
  if (count > from->left) png_error(png, "the file is truncated");
  memcpy(bytes, from->bytes, count);
  from->bytes += count;
  from->left -= count;
}

int cpng_decode(const uint8_t *bytes, size_t count, size_t most_pixels, uint32_t *width,
                uint32_t *height, int *channels, cpng_buffer *pixels, cpng_buffer *texts,
                cpng_buffer *exif, char message[160]) {
  memset(pixels, 0, sizeof *pixels);
  if (texts) memset(texts, 0, sizeof *texts);
  memset(exif, 0, sizeof *exif);
  message[0] = 0;
  if (count < 8 || png_sig_cmp(bytes, 0, 8)) {
    strcpy(message, "it does not begin with the signature of a PNG file");
    return 1;
  }
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, fail, ignore);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_read_struct(&png, NULL, NULL);
    strcpy(message, "out of memory");
    return 1;
  }
  source from = {bytes, count};
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    discard(pixels);
    if (texts) discard(texts);
    discard(exif);
    return 1;
  }
  png_set_read_fn(png, &from, read_bytes);
  // By default damaged text chunks are ignored silently.
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  // Each compressed chunk of a small file can grow to megabytes.
  if (!texts)
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER,
                                (png_const_bytep)"tEXt\0zTXt\0iTXt\0iCCP\0sPLT", 5);
  png_read_info(png, info);
  *width = png_get_image_width(png, info);
  *height = png_get_image_height(png, info);
  if ((size_t)*width * *height > most_pixels) {
    png_destroy_read_struct(&png, &info, NULL);
    return 2;
  }
  png_set_expand(png);
  png_set_strip_16(png);
  int kind = png_get_color_type(png, info);
  int has_alpha = kind & PNG_COLOR_MASK_ALPHA || png_get_valid(png, info, PNG_INFO_tRNS);
  if (has_alpha && !(kind & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  *channels = png_get_channels(png, info);
  size_t stride = png_get_rowbytes(png, info);
  if (*channels != 1 && *channels != 3 && *channels != 4)
    png_error(png, "its pixels have a number of channels other than 1, 3 and 4");
  if (stride == 0 || stride / (size_t)*channels != *width || stride % (size_t)*channels != 0)
    png_error(png, "its pixels cannot be made 8 bits deep");
  // A small file can claim any size, so the size is limited before memory is allocated.
  if (*height > CPNG_LARGEST / stride) {
    png_destroy_read_struct(&png, &info, NULL);
    return 2;
  }
  pixels->count = pixels->capacity = stride * *height;
  pixels->bytes = malloc(pixels->count ? pixels->count : 1);
  if (!pixels->bytes) png_error(png, "out of memory");
  for (int pass = 0; pass < passes; pass++)
    for (uint32_t row = 0; row < *height; row++)
      png_read_row(png, pixels->bytes + (size_t)row * stride, NULL);
  png_read_end(png, info);
  png_textp found;
  int n = texts ? png_get_text(png, info, &found, NULL) : 0;
  for (int i = 0; i < n; i++) {
    int is_utf8 = found[i].compression == PNG_ITXT_COMPRESSION_NONE ||
                  found[i].compression == PNG_ITXT_COMPRESSION_zTXt;
    if (!append_latin1(texts, found[i].key) ||
        !(is_utf8 ? append(texts, found[i].text, strlen(found[i].text) + 1)
                  : append_latin1(texts, found[i].text)))
      png_error(png, "out of memory");
  }
  png_uint_32 exif_count = 0;
  png_bytep exif_bytes = NULL;
  if (png_get_eXIf_1(png, info, &exif_count, &exif_bytes) &&
      !append(exif, exif_bytes, exif_count))
    png_error(png, "out of memory");
  png_destroy_read_struct(&png, &info, NULL);
  return 0;
}
