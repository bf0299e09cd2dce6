import Files
import Foundation
import Testing

@testable import Pictures

@Suite struct PictureTests {
  private func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = NSTemporaryDirectory() + "pictures-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
  }

  private func read(_ bytes: Data) throws -> (picture: Picture, texts: [String: String]) {
    try withFolder { folder in
      try bytes.write(to: URL(fileURLWithPath: folder + "/x.png"))
      return try Picture.read(folder + "/x.png")
    }
  }

  /// What is wrong with a file by `PictureError.damaged` or `tooLarge`.
  private func damage(_ bytes: Data) -> String? {
    do {
      _ = try read(bytes)
    } catch PictureError.damaged(_, let reason) {
      return reason
    } catch let error as PictureError {
      guard case .tooLarge = error else { return nil }
      return error.description
    } catch {
      return nil
    }
    return nil
  }

  private func sample(channels: Int) -> Picture {
    Picture(
      width: 5, height: 3, channels: channels,
      values: (0..<15 * channels).map { UInt8($0 * 37 % 256) })
  }

  @Test(arguments: [1, 3, 4]) func readsBackWhatItWrote(channels: Int) throws {
    try withFolder { folder in
      let picture = sample(channels: channels)
      let texts = [("Software", "twinflow"), ("seed", "7"), ("Title", "Größe 靴 👕"), ("empty", "")]
      try picture.write(to: folder + "/x.png", texts: texts.map { (key: $0.0, text: $0.1) })
      let found = try Picture.read(folder + "/x.png")
      #expect(found.picture == picture)
      #expect(found.texts == Dictionary(uniqueKeysWithValues: texts))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["x.png"])
    }
  }

  @Test func writesEqualFilesForEqualPictures() {
    let texts = [(key: "a", text: "b")]
    #expect(sample(channels: 3).png(texts: texts) == sample(channels: 3).png(texts: texts))
    #expect(sample(channels: 3).png(texts: texts) != sample(channels: 3).png())
  }

  @Test func scalesNumbers() throws {
    let picture = try Picture(
      width: 5, height: 1, channels: 1, numbers: [-1, 0, 1, -7, .infinity] as [Float])
    #expect(picture.values == [0, 128, 255, 0, 255])
  }

  @Test(arguments: [-1, 0, 2, 5, Int.max]) func refusesPixelsWithoutAColor(channels: Int) {
    #expect(throws: PictureError.impossibleChannels(channels)) {
      try Picture(width: 1, height: 1, channels: channels, numbers: [] as [Float])
    }
  }

  /// Files of other kinds that the format knows, made by hand.
  @Test(
    arguments: [
      (
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAAnRSTlMAB+j3WJsAAAALSURBVHjaY2DnBAAAGgAR82lTdQ"
          + "AAAABJRU5ErkJggg==", 4, [7, 7, 7, 0, 9, 9, 9, 255]
      ),
      (
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAQAAABeK7cBAAAADUlEQVR42mNg/8/ZAAADsAGQ5jckagAAAABJRU5ErkJg"
          + "gg==", 4, [7, 7, 7, 255, 9, 9, 9, 128]
      ),
      (
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABAQAAAADcWUInAAAACklEQVR42mNwAAAAQgBBhL+OYgAAAABJRU5ErkJggg==",
        1, [0, 255]
      ),
      (
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABEAAAAACB2fwVAAAADUlEQVR42mNgZ+BkAAAAMwARhOwSFgAAAABJRU5ErkJg"
          + "gg==", 1, [7, 9]
      ),
      (
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAMAAADD/I+4AAAABlBMVEUBAgMEBQaVU29IAAAAC0lEQVR42mNgYAQAAAQA"
          + "AizeSK0AAAAASUVORK5CYII=", 3, [1, 2, 3, 4, 5, 6]
      ),
      (
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAMAAADD/I+4AAAABlBMVEUBAgMEBQaVU29IAAAAAXRSTlOArV5bRgAAAAtJ"
          + "REFUeNpjYGAEAAAEAAIs3kitAAAAAElFTkSuQmCC", 4, [1, 2, 3, 128, 4, 5, 6, 255]
      ),
      (
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAAGmThDAAAAADElEQVR42mNgZ+AEAAAiABHw32AyAAAAAElFTkSuQmCC",
        1, [7, 9]
      ),
    ] as [(String, Int, [UInt8])])
  func readsOtherKinds(base64: String, channels: Int, values: [UInt8]) throws {
    let bytes = try #require(Data(base64Encoded: base64))
    let expected = Picture(width: 2, height: 1, channels: channels, values: values)
    #expect(try read(bytes).picture == expected)
  }

  /// A PNG file of one row, made by hand.
  private func png(
    width: UInt32 = 2, height: UInt32 = 1, depth: UInt8, color: UInt8, palette: [UInt8]? = nil,
    transparent: [UInt8]? = nil, row: [UInt8]
  ) -> Data {
    func big(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian, Array.init) }
    /// The CRC of the PNG specification, bit by bit.
    func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
      let body = Array(name.utf8) + content
      var crc = UInt32.max
      for byte in body {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
      }
      return big(UInt32(content.count)) + body + big(~crc)
    }
    // One stored block of deflate within zlib's frame, with its Adler-32 sum.
    let line = [0] + row
    let (a, b) = line.reduce((UInt32(1), UInt32(0))) { sums, byte in
      let a = (sums.0 + UInt32(byte)) % 65521
      return (a, (sums.1 + a) % 65521)
    }
    let count = UInt8(line.count)
    let data = [0x78, 0x01, 0x01, count, 0, ~count, 0xFF] + line + big(b << 16 | a)
    return Data(
      [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        + chunk("IHDR", big(width) + big(height) + [depth, color, 0, 0, 0])
        + (palette.map { chunk("PLTE", $0) } ?? [])
        + (transparent.map { chunk("tRNS", $0) } ?? []) + chunk("IDAT", data) + chunk("IEND", []))
  }

  /// Every kind of pixel that the format has: depth, color type, palette, transparency, a row of
  /// two pixels, and what is read.
  @Test(
    arguments: [
      (1, 0, nil, nil, [0x40], 1, [0, 255]),
      (2, 0, nil, nil, [0x60], 1, [85, 170]),
      (4, 0, nil, nil, [0x1F], 1, [17, 255]),
      (8, 0, nil, nil, [7, 9], 1, [7, 9]),
      (16, 0, nil, nil, [7, 1, 9, 2], 1, [7, 9]),
      (1, 0, nil, [0, 0], [0x40], 4, [0, 0, 0, 0, 255, 255, 255, 255]),
      (16, 0, nil, [7, 1], [7, 1, 9, 2], 4, [7, 7, 7, 0, 9, 9, 9, 255]),
      (8, 2, nil, nil, [1, 2, 3, 4, 5, 6], 3, [1, 2, 3, 4, 5, 6]),
      (16, 2, nil, nil, [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0], 3, [1, 2, 3, 4, 5, 6]),
      (8, 2, nil, [0, 1, 0, 2, 0, 3], [1, 2, 3, 4, 5, 6], 4, [1, 2, 3, 0, 4, 5, 6, 255]),
      (1, 3, [1, 2, 3, 4, 5, 6], nil, [0x40], 3, [1, 2, 3, 4, 5, 6]),
      (4, 3, [1, 2, 3, 4, 5, 6], [9], [0x10], 4, [4, 5, 6, 255, 1, 2, 3, 9]),
      (8, 3, [1, 2, 3, 4, 5, 6], [9, 8], [1, 0], 4, [4, 5, 6, 8, 1, 2, 3, 9]),
      (8, 4, nil, nil, [7, 100, 9, 200], 4, [7, 7, 7, 100, 9, 9, 9, 200]),
      (
        16, 4, nil, nil, [7, 0, 100, 0, 9, 0, 200, 0], 4, [7, 7, 7, 100, 9, 9, 9, 200]
      ),
      (8, 6, nil, nil, [1, 2, 3, 4, 5, 6, 7, 8], 4, [1, 2, 3, 4, 5, 6, 7, 8]),
    ] as [(UInt8, UInt8, [UInt8]?, [UInt8]?, [UInt8], Int, [UInt8])])
  func readsEveryKindOfPixel(
    depth: UInt8, color: UInt8, palette: [UInt8]?, transparent: [UInt8]?, row: [UInt8],
    channels: Int, values: [UInt8]
  ) throws {
    let bytes = png(
      depth: depth, color: color, palette: palette, transparent: transparent, row: row)
    let expected = Picture(width: 2, height: 1, channels: channels, values: values)
    #expect(try read(bytes).picture == expected)
  }

  /// Sizes that are promised, with two pixels behind them.
  @Test(
    arguments: [
      (0, 1, "Invalid IHDR"), (1, 0, "Invalid IHDR"),
      (1_000_000, 1_000_000, "more than the limit of 1024 MiB"),
      (20_000, 20_000, "more than the limit of 1024 MiB"), (.max, 1, "out of range"),
      (1, .max, "out of range"), (.max, .max, "out of range"), (1 << 31, 1 << 31, "out of range"),
      (2, 2, "Not enough"), (3, 1, "Not enough"),
    ] as [(UInt32, UInt32, String)])
  func refusesSizesThatAreNotThere(width: UInt32, height: UInt32, word: String) {
    let reason = damage(
      png(width: width, height: height, depth: 8, color: 2, row: [1, 2, 3, 4, 5, 6]))
    #expect(reason?.contains(word) == true, "\(reason ?? "nothing")")
  }

  /// A file of another kind is no place for a picture.
  @Test func leavesAnotherFileAlone() throws {
    try withFolder { folder in
      let path = folder + "/recipe.yaml"
      try Data("steps: 1\n".utf8).write(to: URL(fileURLWithPath: path))
      #expect(
        throws: FileError.otherKind(path: path, found: "text", expected: "a PNG picture")
      ) { try sample(channels: 1).write(to: path) }
      #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("steps: 1\n".utf8))
    }
  }

  @Test func refusesEveryTruncation() {
    let whole = sample(channels: 3).png(texts: [(key: "key", text: "text")])
    for count in 0..<whole.count {
      #expect(damage(whole.prefix(count)) != nil, "\(count) bytes")
    }
  }

  @Test func refusesEveryChangedByte() {
    let whole = sample(channels: 3).png(texts: [(key: "key", text: "text")])
    for place in whole.indices {
      var changed = whole
      changed[place] ^= 0x11
      #expect(damage(changed) != nil, "byte \(place)")
    }
  }

  /// 900,000 × 900,000 RGBA pixels are promised, none are there.
  @Test func refusesAPictureBeyondMemory() throws {
    let bytes = try #require(
      Data(
        base64Encoded:
          "iVBORw0KGgoAAAANSUhEUgANu6AADbugCAYAAADQvZGPAAAACUlEQVR42mMAAAABAAGxDbaTAAAAAElF"
          + "TkSuQmCC"))
    #expect(damage(bytes) != nil)
  }

  @Test func saysWhyItCannotRead() {
    let error = #expect(throws: FileError.self) { try Picture.read("/nowhere/x.png") }
    #expect(error?.description.hasPrefix("/nowhere/x.png cannot be read: ") == true)
  }

  @Test(arguments: ["missing/x.png", "file/x.png", "folder"])
  func saysWhyItCannotWrite(name: String) throws {
    try withFolder { folder in
      try Data([7]).write(to: URL(fileURLWithPath: folder + "/file"))
      try FileManager.default.createDirectory(
        atPath: folder + "/folder", withIntermediateDirectories: false)
      let path = folder + "/" + name
      let error = #expect(throws: FileError.self) { try sample(channels: 1).write(to: path) }
      #expect(error?.description.hasPrefix("\(path) cannot be written: ") == true)
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(names == ["file", "folder"])
      #expect(try Data(contentsOf: URL(fileURLWithPath: folder + "/file")) == Data([7]))
    }
  }
}
