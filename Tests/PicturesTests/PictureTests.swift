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

  /// What is wrong with a file by `PictureError.damaged`.
  private func damage(_ bytes: Data) -> String? {
    do {
      _ = try read(bytes)
    } catch PictureError.damaged(_, let reason) {
      return reason
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

  @Test func scalesNumbers() {
    let picture = Picture(
      width: 5, height: 1, channels: 1, numbers: [-1, 0, 1, -7, .infinity] as [Float])
    #expect(picture.values == [0, 128, 255, 0, 255])
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
