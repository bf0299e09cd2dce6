import CWebP
import Foundation

/// The content of a WebP file.
struct WebPFile {
  /// The pixels as they are stored, RGB or RGBA.
  let picture: Picture
  /// The EXIF block, empty without one.
  let exif: [UInt8]

  /// Decodes the bytes of a file.
  ///
  /// - Parameter mostPixels: the limit of pixels, checked before anything of their size is allocated.
  /// - Throws: `PictureError.damaged`, also for animations, `tooManyPixels` and `tooLarge`.
  init(
    _ bytes: UnsafeRawBufferPointer, path: String, mostPixels: Int = .max
  ) throws(PictureError) {
    let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    var config = WebPDecoderConfig()
    guard WebPInitDecoderConfig(&config) != 0 else {
      throw .damaged(path: path, reason: "libwebp is of another version than its header")
    }
    try Self.check(WebPGetFeatures(start, bytes.count, &config.input), path)
    guard config.input.has_animation == 0 else {
      throw .damaged(path: path, reason: "it is an animation")
    }
    let (width, height) = (Int(config.input.width), Int(config.input.height))
    let channels = config.input.has_alpha != 0 ? 4 : 3
    guard width * height <= min(mostPixels, RGBImage.largest / channels) else {
      throw .beyondLimits(path: path, width: width, height: height, mostPixels: mostPixels)
    }
    config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB
    config.output.is_external_memory = 1
    var status = VP8_STATUS_OK
    let values = [UInt8](unsafeUninitializedCapacity: width * height * channels) { pixels, count in
      config.output.u.RGBA.rgba = pixels.baseAddress
      config.output.u.RGBA.stride = Int32(width * channels)
      config.output.u.RGBA.size = pixels.count
      status = WebPDecode(start, bytes.count, &config)
      count = status == VP8_STATUS_OK ? pixels.count : 0
    }
    try Self.check(status, path)
    picture = Picture(width: width, height: height, channels: channels, values: values)
    exif = Self.exif(bytes)
  }

  private static func check(_ status: VP8StatusCode, _ path: String) throws(PictureError) {
    let reason =
      switch status {
      case VP8_STATUS_OK: String?.none
      case VP8_STATUS_NOT_ENOUGH_DATA: "the file is truncated"
      case VP8_STATUS_OUT_OF_MEMORY: "out of memory"
      default: "its content is not that of a WebP file"
      }
    if let reason { throw .damaged(path: path, reason: reason) }
  }

  /// The content of the chunk `EXIF`, which follows the pixels.
  static func exif(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var place = 12
    while place + 8 <= bytes.count {
      let number = bytes.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self)
      let size = Int(UInt32(littleEndian: number))
      let content = place + 8..<min(bytes.count, place + 8 + size)
      if bytes[place..<place + 4].elementsEqual("EXIF".utf8) {
        // Some programs write the header of JPEG's block too.
        let block = bytes[content]
        let header = Array("Exif".utf8) + [0, 0]
        return Array(block.starts(with: header) ? block.dropFirst(header.count) : block)
      }
      place = content.upperBound + size % 2
    }
    return []
  }

  /// The bytes of a file with lossy compression, RGB, or RGBA with lossless opacity.
  ///
  /// - Throws: `PictureError.unencodable`.
  static func encode(_ picture: Picture, quality: Int) throws(PictureError) -> Data {
    let (width, height) = (picture.width, picture.height)
    func fail(_ reason: String) -> PictureError {
      .unencodable(format: "WebP", width: width, height: height, reason: reason)
    }
    let sides = 1...Int(WEBP_MAX_DIMENSION)
    guard sides.contains(width), sides.contains(height) else {
      throw fail("each side must have 1 to \(sides.upperBound) pixels")
    }
    var config = WebPConfig()
    var source = WebPPicture()
    guard WebPConfigInit(&config) != 0, WebPPictureInit(&source) != 0 else {
      throw fail("libwebp is of another version than its header")
    }
    defer { WebPPictureFree(&source) }
    config.quality = Float(quality)
    (source.width, source.height) = (Int32(width), Int32(height))
    let isImported =
      picture.channels == 4
      ? WebPPictureImportRGBA(&source, picture.values, Int32(width * 4))
      : WebPPictureImportRGB(&source, RGBImage(picture).values, Int32(width * 3))
    guard isImported != 0 else { throw fail("out of memory") }
    var writer = WebPMemoryWriter()
    WebPMemoryWriterInit(&writer)
    defer { WebPMemoryWriterClear(&writer) }
    let isEncoded = withUnsafeMutablePointer(to: &writer) { writer in
      source.writer = WebPMemoryWrite
      source.custom_ptr = UnsafeMutableRawPointer(writer)
      return WebPEncode(&config, &source)
    }
    guard isEncoded != 0, let bytes = writer.mem else {
      switch source.error_code {
      case VP8_ENC_ERROR_OUT_OF_MEMORY, VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY:
        throw fail("out of memory")
      case VP8_ENC_ERROR_PARTITION0_OVERFLOW, VP8_ENC_ERROR_PARTITION_OVERFLOW,
        VP8_ENC_ERROR_FILE_TOO_BIG:
        throw fail("it does not fit into the format's blocks at quality \(quality)")
      default: throw fail("libwebp reports error \(source.error_code.rawValue)")
      }
    }
    return Data(bytes: bytes, count: writer.size)
  }
}
