import CZlib
import Files
import Foundation
import Testing

@testable import Pictures

/// PNG files of all color types and bit depths: ISO/IEC 15948.
@Suite struct PNGFormsTests {
  /// A file of one row.
  ///
  /// - Parameters:
  ///   - row: the packed bytes of the row.
  ///   - further: chunks before the pixels, as of a palette.
  private func png(
    width: Int, depth: UInt8, type: UInt8, row: [UInt8], further: [(String, [UInt8])] = []
  ) -> Data {
    func number(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }
    func chunk(_ kind: String, _ content: [UInt8]) -> [UInt8] {
      let body = Array(kind.utf8) + content
      let check = Int(crc32(0, body, UInt32(body.count)))
      return number(content.count) + body + number(check)
    }
    let header = number(width) + number(1) + [depth, type, 0, 0, 0]
    let raw = [0] + row
    var size = compressBound(UInt(raw.count))
    var packed = [UInt8](repeating: 0, count: Int(size))
    compress(&packed, &size, raw, UInt(raw.count))
    return Data(
      [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header)
        + further.flatMap { chunk($0.0, $0.1) } + chunk("IDAT", Array(packed.prefix(Int(size))))
        + chunk("IEND", []))
  }

  private func read(_ data: Data, over ground: UInt8 = 255) throws -> RGBImage {
    try data.withUnsafeBytes {
      try RGBImage($0, path: "x.png", transparency: .over(red: ground, green: ground, blue: ground))
    }
  }

  private func gray(_ values: [UInt8]) -> [UInt8] { values.flatMap { [$0, $0, $0] } }

  /// Gray of 1 to 16 bits.
  @Test(
    arguments: [
      (1, 3, [0b1010_0000], [255, 0, 255]), (2, 4, [0b0001_1011], [0, 85, 170, 255]),
      (4, 3, [0x08, 0xF0], [0, 136, 255]), (8, 2, [7, 200], [7, 200]),
      (16, 2, [0x12, 0x10, 0xFF, 0xFF], [0x12, 0xFF]),
    ] as [(UInt8, Int, [UInt8], [UInt8])])
  func readsGray(depth: UInt8, width: Int, row: [UInt8], values: [UInt8]) throws {
    #expect(
      try read(png(width: width, depth: depth, type: 0, row: row)).values == gray(values))
  }

  /// Palettes of 1 to 8 bits, whose second color is half transparent and lies over black or white.
  @Test(
    arguments: [(1, [0b0100_0000]), (2, [0b0001_0000]), (4, [0x01]), (8, [0, 1])]
      as [(UInt8, [UInt8])])
  func readsPalettesWithTransparency(depth: UInt8, row: [UInt8]) throws {
    let palette = ("PLTE", [10, 20, 30, 100, 200, 0] as [UInt8])
    let opaque = png(width: 2, depth: depth, type: 3, row: row, further: [palette])
    #expect(try read(opaque).values == [10, 20, 30, 100, 200, 0])
    let clear = png(
      width: 2, depth: depth, type: 3, row: row, further: [palette, ("tRNS", [255, 51])])
    #expect(try read(clear, over: 0).values == [10, 20, 30, 20, 40, 0])
    #expect(try read(clear, over: 255).values == [10, 20, 30, 224, 244, 204])
  }

  /// Colors and alpha of 8 and 16 bits, and colors that stand for transparency.
  @Test func readsColorsAndAlpha() throws {
    #expect(try read(png(width: 1, depth: 8, type: 2, row: [1, 2, 3])).values == [1, 2, 3])
    #expect(
      try read(png(width: 1, depth: 16, type: 2, row: [1, 9, 2, 9, 3, 9])).values == [1, 2, 3])
    #expect(
      try read(png(width: 2, depth: 8, type: 4, row: [40, 255, 40, 0])).values
        == [40, 40, 40, 255, 255, 255])
    #expect(
      try read(png(width: 1, depth: 16, type: 4, row: [40, 0, 0, 0]), over: 9).values
        == [9, 9, 9])
    #expect(try read(png(width: 1, depth: 8, type: 6, row: [5, 6, 7, 255])).values == [5, 6, 7])
    #expect(
      try read(
        png(width: 1, depth: 16, type: 6, row: [5, 0, 6, 0, 7, 0, 0, 0]), over: 3
      ).values
        == [3, 3, 3])
    let key = png(
      width: 2, depth: 8, type: 0, row: [7, 8], further: [("tRNS", [0, 7])])
    #expect(try read(key, over: 100).values == gray([100, 8]))
    let color = png(
      width: 2, depth: 8, type: 2, row: [1, 2, 3, 1, 2, 4],
      further: [("tRNS", [0, 1, 0, 2, 0, 3])])
    #expect(try read(color, over: 100).values == [100, 100, 100, 1, 2, 4])
  }

  /// Each channel has its own ground.
  @Test func liesOverAnyGround() {
    let picture = Picture(width: 1, height: 1, channels: 4, values: [255, 0, 100, 51])
    let image = RGBImage(picture, transparency: .over(red: 0, green: 200, blue: 100))
    #expect(image.values == [51, 160, 100])
  }

  /// An EXIF block with an orientation.
  private func exif(_ number: UInt8) -> [UInt8] {
    [
      0x4D, 0x4D, 0, 0x2A, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, number, 0, 0, 0, 0, 0,
      0,
    ]
  }

  @Test(arguments: 1...8) func pngsAreTurned(number: Int) throws {
    let turned = png(
      width: 2, depth: 8, type: 0, row: [10, 20], further: [("eXIf", exif(UInt8(number)))])
    let orientation = try #require(Orientation(rawValue: number))
    let upright = try read(png(width: 2, depth: 8, type: 0, row: [10, 20]))
    let image = try read(turned)
    #expect(image == upright.turned(orientation))
    let size = try turned.withUnsafeBytes { try PictureSize($0, path: "") }
    #expect(size == PictureSize(height: image.height, width: image.width))
  }

  /// A WebP file with its features and an EXIF block around the pixels.
  @Test(arguments: 1...8) func webPsAreTurned(number: Int) throws {
    func chunk(_ kind: String, _ content: [UInt8]) -> [UInt8] {
      Array(kind.utf8) + (0..<4).map { UInt8(content.count >> (8 * $0) & 255) } + content
        + [UInt8](repeating: 0, count: content.count % 2)
    }
    let plain = RGBImageTests.samples.first { $0.name == "lossless" }!.data
    let features = [8, 0, 0, 0, 8, 0, 0, 5, 0, 0] as [UInt8]
    let body =
      Array("WEBP".utf8) + chunk("VP8X", features) + Array(plain.dropFirst(12))
      + chunk("EXIF", exif(UInt8(number)))
    let turned = Data(
      Array("RIFF".utf8) + (0..<4).map { UInt8(body.count >> (8 * $0) & 255) } + body)
    let orientation = try #require(Orientation(rawValue: number))
    let image = try read(turned)
    #expect(try image == read(plain).turned(orientation))
    let size = try turned.withUnsafeBytes { try PictureSize($0, path: "") }
    #expect(size == PictureSize(height: image.height, width: image.width))
  }

  /// The size in the head is that of the decoded picture; cut heads are refused.
  @Test(arguments: RGBImageTests.samples) func sizesAreThoseOfPixels(_ sample: RGBImageTests.Sample)
    throws
  {
    let size = { (data: Data) in
      try data.withUnsafeBytes { try PictureSize($0, path: "x") }
    }
    #expect(try size(sample.data) == PictureSize(height: 6, width: 9))
    for count in 0..<16 {
      _ = #expect(throws: PictureError.self, "\(count)") { try size(sample.data.prefix(count)) }
    }
    for place in sample.data.indices {
      var changed = sample.data
      changed[place] ^= 0x5A
      do {
        _ = try size(changed)
      } catch is PictureError {}
    }
  }
}
