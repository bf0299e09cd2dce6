import CPNG
import Files
import Foundation

/// The content of a PNG file.
struct PNGFile {
  /// The pixels, gray, RGB or RGBA.
  let picture: Picture
  /// The text chunks in the order of the file.
  let texts: [(key: String, text: String)]
  /// The EXIF block, empty without one.
  let exif: [UInt8]

  /// Reads a file.
  ///
  /// - Throws: `FileError.unreadable`, `PictureError.damaged` and `tooLarge`.
  init(_ path: String) throws {
    let file = try MappedFile(path)
    self = try withExtendedLifetime(file) { try PNGFile(file.bytes, path: path) }
  }

  /// Decodes the bytes of a file.
  ///
  /// - Parameters:
  ///   - keepsTexts: whether text chunks are read. Otherwise they are skipped, since compressed ones of
  ///     a small file can grow to gigabytes.
  ///   - mostPixels: the limit of pixels, checked before anything of their size is allocated.
  /// - Throws: `PictureError.damaged`, `tooManyPixels` and `tooLarge`.
  init(
    _ bytes: UnsafeRawBufferPointer, path: String, keepsTexts: Bool = true, mostPixels: Int = .max
  ) throws(PictureError) {
    var (width, height, channels) = (UInt32(0), UInt32(0), Int32(0))
    var (pixels, texts, exif) = (cpng_buffer(), cpng_buffer(), cpng_buffer())
    var message = [CChar](repeating: 0, count: 160)
    let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let status = withUnsafeMutablePointer(to: &texts) { texts in
      cpng_decode(
        start, bytes.count, mostPixels, &width, &height, &channels, &pixels,
        keepsTexts ? texts : nil, &exif, &message)
    }
    defer {
      free(pixels.bytes)
      free(texts.bytes)
      free(exif.bytes)
    }
    guard status != 2 else {
      throw .beyondLimits(
        path: path, width: Int(width), height: Int(height), mostPixels: mostPixels)
    }
    guard status == 0 else { throw .damaged(path: path, reason: String(message: message)) }
    let values = Array(UnsafeBufferPointer(start: pixels.bytes, count: pixels.count))
    picture = Picture(
      width: Int(width), height: Int(height), channels: Int(channels), values: values)
    let strings = UnsafeBufferPointer(start: texts.bytes, count: texts.count)
      .split(separator: 0, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    self.texts = stride(from: 0, to: strings.count - 1, by: 2).map {
      (strings[$0], strings[$0 + 1])
    }
    self.exif = Array(UnsafeBufferPointer(start: exif.bytes, count: exif.count))
  }

  /// The bytes of a file: text in Latin-1 as `tEXt`, which every program reads, other text as `iTXt`.
  static func encode(_ picture: Picture, texts: [(key: String, text: String)]) -> Data {
    let chunks = texts.map { key, text in
      let latin = text.latin1
      return cpng_text(
        key: copy(keyword(key)), text: latin.map(copy) ?? strdup(text),
        is_latin1: latin == nil ? 0 : 1)
    }
    defer {
      for chunk in chunks {
        free(UnsafeMutablePointer(mutating: chunk.key))
        free(UnsafeMutablePointer(mutating: chunk.text))
      }
    }
    var out = cpng_buffer()
    var message = [CChar](repeating: 0, count: 160)
    let status = cpng_encode(
      picture.values, UInt32(picture.width), UInt32(picture.height), Int32(picture.channels),
      chunks, Int32(chunks.count), &out, &message)
    defer { free(out.bytes) }
    precondition(status == 0, "a picture could not be encoded: \(String(message: message))")
    return Data(bytes: out.bytes, count: out.count)
  }

  /// A keyword's bytes.
  private static func keyword(_ key: String) -> [UInt8] {
    guard let latin = key.latin1, (1...79).contains(latin.count) else {
      preconditionFailure("a keyword has 1 to 79 Latin-1 characters, not \(key)")
    }
    return latin
  }

  /// A copy of bytes with a terminating zero.
  private static func copy(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar>? {
    (bytes + [0]).withUnsafeBytes { bytes in
      bytes.withMemoryRebound(to: CChar.self) { strdup($0.baseAddress!) }
    }
  }
}

extension String {
  /// The text of a message from C.
  init(message: [CChar]) {
    self.init(
      decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The printable text in Latin-1, nil where it has other characters.
  fileprivate var latin1: [UInt8]? {
    let isPrintable = unicodeScalars.allSatisfy { scalar in
      switch scalar.value {
      case 0x0A, 0x20...0x7E, 0xA0...0xFF: true
      default: false
      }
    }
    return isPrintable ? unicodeScalars.map { UInt8($0.value) } : nil
  }
}
