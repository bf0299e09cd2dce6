import Foundation
import Testing

@testable import Pictures

/// JPEG and WebP files that are written, read back by the decoders.
@Suite struct EncoderTests {
  enum Format: CaseIterable {
    case jpeg, webp

    func bytes(_ picture: Picture, quality: Int) throws -> Data {
      switch self {
      case .jpeg: try picture.jpeg(quality: quality)
      case .webp: try picture.webp(quality: quality)
      }
    }

    /// The largest side of a picture.
    var largest: Int { self == .jpeg ? 65_500 : 16_383 }
  }

  /// A picture with gradients, a disc and fine lines.
  private func sample(width: Int = 96, height: Int = 64, channels: Int = 3) -> Picture {
    var values: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        let (dx, dy) = (x - width / 2, y - height / 2)
        let isDisc = dx * dx + dy * dy < height * height / 9
        let line = y > height * 3 / 4 && x % 8 < 4 ? 60 : 0
        let colors = [
          isDisc ? 220 : x * 255 / width, isDisc ? 40 : y * 255 / height, 128 + line,
          isDisc ? 255 : x * 255 / width,
        ]
        values += (channels == 1 ? [colors[0]] : Array(colors.prefix(channels))).map(UInt8.init)
      }
    }
    return Picture(width: width, height: height, channels: channels, values: values)
  }

  private func read(_ data: Data, mostPixels: Int = .max) throws -> RGBImage {
    try data.withUnsafeBytes { try RGBImage($0, path: "x", mostPixels: mostPixels) }
  }

  /// The peak signal-to-noise ratio in dB.
  private func ratio(_ first: RGBImage, _ second: RGBImage) -> Double {
    let squares = zip(first.values, second.values).reduce(0.0) {
      $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
    }
    return 10 * log10(255 * 255 * Double(first.values.count) / squares)
  }

  @Test(arguments: Format.allCases, [1, 3, 4]) func isCloseToThePicture(
    format: Format, channels: Int
  ) throws {
    let picture = sample(channels: channels)
    for (quality, least) in [(95, 30.0), (75, 27), (10, 19)] {
      let image = try read(format.bytes(picture, quality: quality))
      #expect(image.width == 96 && image.height == 64)
      let found = ratio(image, RGBImage(picture))
      #expect(found > least && found < 60, "quality \(quality): \(found) dB")
    }
  }

  @Test(arguments: Format.allCases, [1, 3, 4]) func sizesFallWithQuality(
    format: Format, channels: Int
  ) throws {
    let picture = sample(channels: channels)
    let sizes = try [100, 90, 70, 40, 10, 0].map { try format.bytes(picture, quality: $0).count }
    #expect(sizes == sizes.sorted(by: >), "\(sizes)")
    #expect(try format.bytes(picture, quality: 80) == format.bytes(picture, quality: 80))
  }

  /// Sizes that are no multiples of blocks.
  @Test(arguments: Format.allCases, [(1, 1), (1, 17), (15, 2), (33, 31)])
  func anySizeIsWritten(format: Format, size: (Int, Int)) throws {
    let image = try read(format.bytes(sample(width: size.0, height: size.1), quality: 90))
    #expect(image.width == size.0 && image.height == size.1)
  }

  @Test(arguments: Format.allCases) func refusesSizesThatTheFormatCannotHold(
    format: Format
  ) throws {
    for (width, height) in [(format.largest + 1, 1), (1, format.largest + 1), (0, 0)] {
      let picture = Picture(
        width: width, height: height, channels: 1,
        values: [UInt8](repeating: 0, count: width * height))
      let error = #expect(throws: PictureError.self) { try format.bytes(picture, quality: 50) }
      #expect(error?.description.contains("each side must have 1 to \(format.largest)") == true)
    }
    let line = Picture(
      width: format.largest, height: 1, channels: 1,
      values: [UInt8](repeating: 9, count: format.largest))
    #expect(try read(format.bytes(line, quality: 50)).width == format.largest)
  }

  @Test func webpKeepsOpacity() throws {
    let picture = sample(channels: 4)
    let data = try picture.webp(quality: 90)
    let found = try data.withUnsafeBytes { try WebPFile($0, path: "x").picture }
    #expect(found.channels == 4)
    let opacity = { (picture: Picture) in
      stride(from: 3, to: picture.values.count, by: 4).map { picture.values[$0] }
    }
    #expect(opacity(found) == opacity(picture))
  }

  /// The markers of a file before its pixels: JFIF's header, tables and a frame with color at half the
  /// resolution.
  @Test(arguments: [1, 3]) func jpegHasNoMetadata(channels: Int) throws {
    let bytes = Array(try sample(channels: channels).jpeg(quality: 80))
    var markers: [UInt8] = []
    var place = 2
    while bytes[place + 1] != 0xDA {
      markers.append(bytes[place + 1])
      if bytes[place + 1] == 0xC0 {
        let factors = (0..<channels).map { bytes[place + 11 + 3 * $0] }
        #expect(factors == (channels == 1 ? [0x11] : [0x22, 0x11, 0x11]))
      }
      place += 2 + Int(bytes[place + 2]) << 8 + Int(bytes[place + 3])
    }
    #expect(Set(markers) == [0xE0, 0xDB, 0xC0, 0xC4])
  }

  @Test func decodingIsLimitedByPixels() throws {
    let picture = sample()
    let files = try [
      picture.png(), picture.jpeg(quality: 80), picture.webp(quality: 80),
      sample(channels: 4).webp(quality: 80),
    ]
    for file in files {
      #expect(try read(file, mostPixels: 96 * 64).width == 96)
      #expect(
        throws: PictureError.tooManyPixels(path: "x", width: 96, height: 64, limit: 96 * 64 - 1)
      ) { try read(file, mostPixels: 96 * 64 - 1) }
    }
  }

  /// Text chunks are not even decompressed where only the pixels are read.
  @Test func textsOfPicturesAreSkipped() throws {
    let picture = sample()
    let texts = (0..<3).map { (key: "k\($0)", text: String(repeating: "é靴", count: 1000)) }
    let data = picture.png(texts: texts)
    #expect(try read(data) == RGBImage(picture))
    let file = try data.withUnsafeBytes { try PNGFile($0, path: "x", keepsTexts: false) }
    #expect(file.texts.isEmpty && file.picture == picture)
    let whole = try data.withUnsafeBytes { try PNGFile($0, path: "x") }
    #expect(whole.texts.map(\.text) == texts.map(\.text))
  }
}
