import Files
import Foundation
import Testing

@testable import Pictures

/// Pictures from files of all formats, against Pillow.
@Suite struct RGBImageTests {
  /// A file as Pillow writes it, of 9 × 6 pixels, and the hash of the pixels that Pillow reads, over
  /// white.
  struct Sample: Sendable, CustomTestStringConvertible {
    let name: String
    let hash: UInt64
    let base64: String

    var data: Data { Data(base64Encoded: base64) ?? Data() }
    var testDescription: String { name }
  }

  static let samples = [
    Sample(
      name: "jpeg", hash: 0xCD6288B9B39224C1,
      base64: "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHS"
        + "UfGhsjHBYWICwgIyYnKSopGR8tMC0oMCUoKSj/2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgoKCgo"
        + "KCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCj/wAARCAAGAAkDASIAAhEBAxEB/8QAHwAAAQ"
        + "UBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1Fh"
        + "ByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZW"
        + "ZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW"
        + "19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtR"
        + "EAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcY"
        + "GRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJ"
        + "maoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMB"
        + "AAIRAxEAPwCJvAFrt2q6qQcdSRTP+EGtf+eh/M0UVy/WKsG1GVh/V6U/ijc//9k="),
    Sample(
      name: "prog", hash: 0x518FEEB8E90F9755,
      base64: "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOk"
        + "o+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09P"
        + "T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wgARCAAGAAkDAREAAhEBAxEB/8QAFAABAA"
        + "AAAAAAAAAAAAAAAAAAAf/EABUBAQEAAAAAAAAAAAAAAAAAAAIB/9oADAMBAAIQAxAAAAEJFP/EABYQAAMA"
        + "AAAAAAAAAAAAAAAAAAABE//aAAgBAQABBQKCII//xAAXEQEAAwAAAAAAAAAAAAAAAAAAAhIh/9oACAEDAQ"
        + "E/AcVg/8QAFxEBAAMAAAAAAAAAAAAAAAAAAAESE//aAAgBAgEBPwGzSX//xAAUEAEAAAAAAAAAAAAAAAAA"
        + "AAAQ/9oACAEBAAY/Aj//xAAVEAEBAAAAAAAAAAAAAAAAAAAAYf/aAAgBAQABPyFUf//aAAwDAQACAAMAAA"
        + "AQQ//EABkRAQACAwAAAAAAAAAAAAAAAAEAEXGhsf/aAAgBAwEBPxBGW8mfU//EABcRAQEBAQAAAAAAAAAA"
        + "AAAAAAEAEWH/2gAIAQIBAT8Q0OhcS//EABkQAQACAwAAAAAAAAAAAAAAAAEAEWFxkf/aAAgBAQABPxBroQ"
        + "rbMrrP/9k="),
    Sample(
      name: "gray", hash: 0xC866899974D4058F,
      base64: "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHS"
        + "UfGhsjHBYWICwgIyYnKSopGR8tMC0oMCUoKSj/wAALCAAGAAkBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAA"
        + "AAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwR"
        + "VS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqD"
        + "hIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6e"
        + "rx8vP09fb3+Pn6/9oACAEBAAA/AIm8AWu3arqpBx1JFM/4Qa1/56H8zX//2Q=="),
    Sample(
      name: "cmyk", hash: 0x3F0EEA030509B96B,
      base64: "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAGBAUGBQQGBgUGBwcGCAoQCgoJCQoUDg8MEBcUGBgXFBYWGh0lHx"
        + "obIxwWFiAsICMmJykqKRkfLTAtKDAlKCko/8AAFAgABgAJBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEB"
        + "AAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZ"
        + "GhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0"
        + "dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4u"
        + "Pk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwDOufh5pDREyFQ/94QAk59y3Xg1Ivw+jwI45fL2"
        + "nGPNYjtVB/CaQS5t47YhWAAcv0596+qaq/8ACsfDH966/wC/a/403/hCT/z3H/fxqn+wXX9yx/75b/Giv/"
        + "/Z"),
    Sample(
      name: "webp", hash: 0xB6F5598D1D56CCA0,
      base64: "UklGRkIAAABXRUJQVlA4IDYAAADQAQCdASoJAAYAAoBCJYgCdAEU9MnsAAD+3P8Fl/EAP4mWmat76SuDtn"
        + "/31KkTYpwX1m2AAAA="),
    Sample(
      name: "lossless", hash: 0x9D61286BC8BDF224,
      base64: "UklGRvIAAABXRUJQVlA4TOYAAAAvCEABAK/BKJIkRcvMMu5//g0x4+zZYBvbtqn3vu3Iin4Tv//8t6DM1h"
        + "lWsW0ref5w1wIMDehfgCD8uXPu/EdbDQUMxmRAelFZgTeVcAJ+QmpF/wrZuY9IjNUMXcEL9Ox1fqLaM1P6"
        + "CmXESZAnVAkUVvi8KP6jBAdViBpghQfLvv7wXI31fpIIRrGQTNzSKiBZMOQwMMRMDyydjr7zabWGCoyR0H"
        + "vj2+f/AANuhiTqAtkDhgEAFo3OyLZtF9H/AELqiqFqJsSEM0Rtq/SD0HG9uiryLE3iJmq3tRv6cZmn/9zv"
        + "43q+Fw=="),
    Sample(
      name: "alpha", hash: 0x76A52EED5D57B14E,
      base64: "UklGRhoBAABXRUJQVlA4TA0BAAAvCEABEKfBIACAJHT3DK7w/wXYnTdYSZJkav1sW/e/lf5sBqvYtpW8d5"
        + "/g8sdQgCEBCchPEXfnXCa2bStJH3cYhLtl5h/JZHeHW6LkNZGfJmiT3AMUR7AhCq7j+4DDRynXMPU+YwZy"
        + "2m1AHofpOL7HB3wa4/mHxhlK1loVJygIO5gAm5qPBxH/SuBxlYJ+t2AusMgQPTD/PqAQoO1+ddSOeb8KLG"
        + "pMXylOpbksJXBAIChwcB1iWY0PIH9i64rmkTNkSAVBigPPvdH1M/4XN/whn4i5AD28gl+DYQCARaMzsm3b"
        + "RfQ/fgApYphwU9csxVClKDw/sB23KvMsTeKoDpt1aftumKfxO7ZrP+/3AQA="),
  ]

  private func withFile<Result>(_ data: Data, _ body: (String) throws -> Result) throws -> Result {
    let path = NSTemporaryDirectory() + "image-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try data.write(to: URL(fileURLWithPath: path))
    return try body(path)
  }

  private func read(
    _ data: Data, transparency: RGBImage.Transparency = .overWhite
  ) throws -> RGBImage {
    try withFile(data) { try RGBImage(contentsOf: $0, transparency: transparency) }
  }

  @Test(arguments: samples) func equalsPillow(_ sample: Sample) throws {
    let image = try read(sample.data)
    #expect(image.width == 9 && image.height == 6)
    #expect(image.values.hash64 == sample.hash)
  }

  @Test(arguments: samples) func refusesEveryTruncation(_ sample: Sample) throws {
    for count in 0..<sample.data.count {
      let error = #expect(throws: PictureError.self, "\(count) bytes") {
        try read(sample.data.prefix(count))
      }
      #expect(error?.description.contains("\n") == false)
    }
  }

  /// Damaged bytes end with an error or other pixels.
  @Test(arguments: samples) func survivesEveryChangedByte(_ sample: Sample) throws {
    for place in sample.data.indices {
      var changed = sample.data
      changed[place] ^= 0x5A
      do {
        _ = try read(changed)
      } catch is PictureError {}
    }
  }

  @Test func transparencyLiesOverWhiteOrIsIgnored() throws {
    let picture = Picture(
      width: 4, height: 1, channels: 4,
      values: [10, 20, 30, 255, 10, 20, 30, 128, 10, 20, 30, 1, 10, 20, 30, 0])
    // 255 − 245 · 128 / 255 is 132.02, 255 − 245 / 255 is 254.04.
    #expect(
      RGBImage(picture).values
        == [10, 20, 30, 132, 137, 142, 254, 254, 254, 255, 255, 255])
    let colors = [10, 20, 30, 10, 20, 30, 10, 20, 30, 10, 20, 30] as [UInt8]
    #expect(RGBImage(picture, transparency: .ignored).values == colors)
    #expect(try read(picture.png(), transparency: .ignored).values == colors)
    let gray = Picture(width: 2, height: 1, channels: 1, values: [7, 9])
    #expect(try read(gray.png()).values == [7, 7, 7, 9, 9, 9])
    #expect(
      RGBImage(gray).picture
        == Picture(width: 2, height: 1, channels: 3, values: [7, 7, 7, 9, 9, 9]))
  }

  /// The pixels of 3 × 2 in each orientation, as Pillow's `exif_transpose` turns them.
  static let orientations = [
    (1, 3, "abcdef"), (2, 3, "cbafed"), (3, 3, "fedcba"), (4, 3, "defabc"), (5, 2, "adbecf"),
    (6, 2, "daebfc"), (7, 2, "fcebda"), (8, 2, "cfbead"),
  ]

  @Test(arguments: orientations) func turns(number: Int, width: Int, pixels: String) throws {
    func image(_ width: Int, _ text: String) -> RGBImage {
      RGBImage(
        width: width, height: 6 / width, values: text.utf8.flatMap { [$0, $0 + 1, $0 + 2] })
    }
    let orientation = try #require(Orientation(rawValue: number))
    #expect(image(3, "abcdef").turned(orientation) == image(width, pixels))
  }

  /// An EXIF block whose directory has a camera's name and an orientation.
  private func exif(_ number: UInt8, isLittle: Bool) -> [UInt8] {
    func digits(_ value: Int, _ count: Int) -> [UInt8] {
      let big = (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      return isLittle ? big.reversed() : big
    }
    let header = isLittle ? [0x49, 0x49, 0x2A, 0] : [0x4D, 0x4D, 0, 0x2A] as [UInt8]
    let maker = digits(0x010F, 2) + digits(2, 2) + digits(3, 4) + Array("me".utf8) + [0, 0]
    let turn = digits(0x0112, 2) + digits(3, 2) + digits(1, 4) + digits(Int(number), 2) + [0, 0]
    return header + digits(8, 4) + digits(2, 2) + maker + turn + digits(0, 4)
  }

  @Test(arguments: 1...8, [true, false]) func jpegsAreTurned(number: Int, isLittle: Bool) throws {
    let sample = Self.samples[0]
    let block = Array("Exif".utf8) + [0, 0] + exif(UInt8(number), isLittle: isLittle)
    let marker = [0xFF, 0xE1, 0, UInt8(block.count + 2)] as [UInt8]
    let turned = try read(sample.data.prefix(2) + Data(marker + block) + sample.data.dropFirst(2))
    let orientation = try #require(Orientation(rawValue: number))
    #expect(try turned == read(sample.data).turned(orientation))
  }

  @Test func damagedOrientationsAreUpright() {
    let whole = exif(6, isLittle: true)
    #expect(Orientation(exif: whole) == .clockwise)
    for count in 0..<32 { #expect(Orientation(exif: Array(whole.prefix(count))) == .upright) }
    #expect(Orientation(exif: exif(9, isLittle: true)) == .upright)
    #expect(Orientation(exif: exif(0, isLittle: false)) == .upright)
  }

  @Test func otherFilesAreNamed() throws {
    let error = #expect(throws: PictureError.self) { try read(Data("GIF89a".utf8)) }
    #expect(error?.description.contains("is not a PNG, JPEG or WebP picture") == true)
    #expect(throws: PictureError.self) { try read(Data()) }
    #expect(throws: FileError.self) { try RGBImage(contentsOf: "/nowhere/x.jpg") }
  }

  /// A JPEG header of 65,500 × 65,500 pixels with nothing behind it.
  @Test func refusesSizesBeyondTheLimit() throws {
    var data = Self.samples[0].data
    let frame = try #require(data.firstRange(of: Data([0xFF, 0xC0])))
    data.replaceSubrange(
      frame.upperBound + 3..<frame.upperBound + 7, with: [0xFF, 0xDC, 0xFF, 0xDC])
    let error = #expect(throws: PictureError.self) { try read(data) }
    #expect(error?.description.contains("more than the limit of 1024 MiB") == true)
  }

  @Test func textsAreReadInOrder() throws {
    let picture = Picture(width: 1, height: 1, channels: 1, values: [0])
    let texts = [
      (key: "parameters", text: "a dog\nSteps: 1, Größe: 5"), (key: "Title", text: "靴 👕"),
      (key: "Größe", text: ""), (key: "Title", text: "again"),
    ]
    let bytes = picture.png(texts: texts)
    // Text in Latin-1 is in the chunk that every program reads.
    let kinds = ["tEXt", "iTXt"].map { kind in bytes.ranges(of: Data(kind.utf8)).count }
    #expect(kinds == [3, 1])
    try withFile(bytes) { path in
      let found = try PNGText.read(path)
      #expect(found.map(\.key) == texts.map(\.key) && found.map(\.text) == texts.map(\.text))
      #expect(try Picture.read(path).texts["Title"] == "again")
    }
    try withFile(Self.samples[0].data) { path in
      _ = #expect(throws: PictureError.self) { try PNGText.read(path) }
    }
  }
}

extension [UInt8] {
  /// The FNV-1a hash of 64 bits.
  var hash64: UInt64 { reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } }
}
