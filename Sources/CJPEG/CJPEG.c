#include "CJPEG.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>
#include <setjmp.h>

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf failed;
  char *message;
} errors;

static void fail(j_common_ptr info) {
  errors *to = (errors *)info->err;
  char text[JMSG_LENGTH_MAX];
  info->err->format_message(info, text);
  snprintf(to->message, 200, "%s", text);
  longjmp(to->failed, 1);
}

static void fail_with(j_common_ptr info, const char *text) {
  errors *to = (errors *)info->err;
  snprintf(to->message, 200, "%s", text);
  longjmp(to->failed, 1);
}

// The library continues after most warnings with made-up pixels.
static void message(j_common_ptr info, int level) {
  int code = info->err->msg_code;
  int is_harmless =
      code == JWRN_EXTRANEOUS_DATA || code == JWRN_JFIF_MAJOR || code == JWRN_ADOBE_XFORM;
  if (level < 0 && !is_harmless) fail(info);
}

static void nothing(j_decompress_ptr info) { (void)info; }

static boolean at_end(j_decompress_ptr info) {
  fail_with((j_common_ptr)info, "the file is truncated");
  return FALSE;
}

static void skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if ((size_t)count > info->src->bytes_in_buffer)
    fail_with((j_common_ptr)info, "the file is truncated");
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= (size_t)count;
}

// A small progressive file can have any number of scans, and each goes over the whole picture.
static void limit_scans(j_common_ptr info) {
  if (((j_decompress_ptr)info)->input_scan_number > CJPEG_MOST_SCANS)
    fail_with(info, "it has too many scans");
}

// Multiplies two values of 0 to 255 as fractions of 255, rounded.
static uint8_t product(unsigned a, unsigned b) {
  unsigned both = a * b + 128;
  return (uint8_t)((both + (both >> 8)) >> 8);
}

// Turns a row of CMYK pixels into RGB.
static void to_rgb(const uint8_t *cmyk, uint8_t *rgb, uint32_t width, int is_inverted) {
  for (uint32_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
    unsigned light = is_inverted ? cmyk[3] : 255u - cmyk[3];
    for (int i = 0; i < 3; i++)
      rgb[i] = product(is_inverted ? cmyk[i] : 255u - cmyk[i], light);
  }
}

// Keeps the first EXIF block.
static int keep_exif(j_decompress_ptr info, cjpeg_picture *picture) {
  for (jpeg_saved_marker_ptr marker = info->marker_list; marker; marker = marker->next) {
    if (marker->marker != JPEG_APP0 + 1 || marker->data_length < 6 ||
        memcmp(marker->data, "Exif\0\0", 6))
      continue;
    picture->exif_count = marker->data_length - 6;
    picture->exif = malloc(picture->exif_count ? picture->exif_count : 1);
    if (!picture->exif) return 0;
    memcpy(picture->exif, marker->data + 6, picture->exif_count);
    return 1;
  }
  return 1;
}

int cjpeg_decode(const uint8_t *bytes, size_t count, size_t most_pixels, cjpeg_picture *picture,
                 char text[200]) {
  memset(picture, 0, sizeof *picture);
  text[0] = 0;
  if (count < 2 || bytes[0] != 0xFF || bytes[1] != 0xD8) {
    strcpy(text, "it does not begin with the signature of a JPEG file");
    return 1;
  }
  struct jpeg_decompress_struct info;
  errors handler;
  info.err = jpeg_std_error(&handler.base);
  handler.base.error_exit = fail;
  handler.base.emit_message = message;
  handler.message = text;
  // Changed between setjmp and longjmp.
  uint8_t *volatile row = NULL;
  memset((char *)&info + sizeof info.err, 0, sizeof info - sizeof info.err);
  if (setjmp(handler.failed)) {
    jpeg_destroy_decompress(&info);
    free(row);
    free(picture->pixels);
    free(picture->exif);
    memset(picture, 0, sizeof *picture);
    return 1;
  }
  jpeg_create_decompress(&info);
  struct jpeg_source_mgr source = {.next_input_byte = bytes,
                                   .bytes_in_buffer = count,
                                   .init_source = nothing,
                                   .fill_input_buffer = at_end,
                                   .skip_input_data = skip,
                                   .resync_to_restart = jpeg_resync_to_restart,
                                   .term_source = nothing};
  info.src = &source;
  struct jpeg_progress_mgr progress = {.progress_monitor = limit_scans};
  info.progress = &progress;
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&info, TRUE);
  if (!keep_exif(&info, picture)) fail_with((j_common_ptr)&info, "out of memory");
  int is_cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
  // A small file can claim any size, so the size is limited before memory is allocated.
  size_t stride = (size_t)info.image_width * 3;
  if (info.image_height > CJPEG_LARGEST / stride ||
      (size_t)info.image_width * info.image_height > most_pixels) {
    free(picture->exif);
    *picture = (cjpeg_picture){.width = info.image_width, .height = info.image_height};
    jpeg_destroy_decompress(&info);
    return 2;
  }
  jpeg_start_decompress(&info);
  picture->width = info.output_width;
  picture->height = info.output_height;
  picture->pixels = malloc(stride * info.output_height);
  if (is_cmyk) row = malloc((size_t)info.output_width * 4);
  if (!picture->pixels || (is_cmyk && !row))
    fail_with((j_common_ptr)&info, "out of memory");
  while (info.output_scanline < info.output_height) {
    uint8_t *line = picture->pixels + stride * info.output_scanline;
    JSAMPROW target = is_cmyk ? row : line;
    jpeg_read_scanlines(&info, &target, 1);
    // Programs of Adobe store inverted values.
    if (is_cmyk) to_rgb(row, line, info.output_width, info.saw_Adobe_marker);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  free(row);
  return 0;
}

// Bytes that grow while a picture is encoded. They are where the caller sees them, so that an error
// can free them.
typedef struct {
  struct jpeg_destination_mgr base;
  uint8_t **bytes;
  size_t *capacity;
} destination;

static boolean grow(j_compress_ptr info) {
  destination *to = (destination *)info->dest;
  size_t filled = *to->capacity, capacity = filled ? filled * 2 : 1 << 15;
  uint8_t *grown = realloc(*to->bytes, capacity);
  if (!grown) fail_with((j_common_ptr)info, "out of memory");
  *to->bytes = grown;
  *to->capacity = capacity;
  to->base.next_output_byte = grown + filled;
  to->base.free_in_buffer = capacity - filled;
  return TRUE;
}

static void begin(j_compress_ptr info) { grow(info); }

static void end(j_compress_ptr info) { (void)info; }

int cjpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height, int channels, int quality,
                 uint8_t **bytes, size_t *count, char text[200]) {
  *bytes = NULL;
  *count = 0;
  text[0] = 0;
  struct jpeg_compress_struct info;
  errors handler;
  info.err = jpeg_std_error(&handler.base);
  handler.base.error_exit = fail;
  handler.base.emit_message = message;
  handler.message = text;
  memset((char *)&info + sizeof info.err, 0, sizeof info - sizeof info.err);
  if (setjmp(handler.failed)) {
    jpeg_destroy_compress(&info);
    free(*bytes);
    *bytes = NULL;
    *count = 0;
    return 1;
  }
  jpeg_create_compress(&info);
  destination target = {.base = {.init_destination = begin,
                                 .empty_output_buffer = grow,
                                 .term_destination = end},
                        .bytes = bytes,
                        .capacity = count};
  info.dest = &target.base;
  info.image_width = width;
  info.image_height = height;
  info.input_components = channels;
  info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  // Half the resolution of color in both directions.
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  info.optimize_coding = TRUE;
  jpeg_start_compress(&info, TRUE);
  size_t stride = (size_t)width * (size_t)channels;
  while (info.next_scanline < height) {
    // The library takes rows that it does not change as if it did.
    JSAMPROW line = (JSAMPROW)(pixels + stride * info.next_scanline);
    jpeg_write_scanlines(&info, &line, 1);
  }
  jpeg_finish_compress(&info);
  *count -= target.base.free_in_buffer;
  jpeg_destroy_compress(&info);
  return 0;
}
