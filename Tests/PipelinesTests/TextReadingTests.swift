import Foundation
import Pictures
import TestSupport
import Testing

@testable import Pipelines

/// PP-OCR with the fetched networks.
@Suite(.enabled(if: ONNXFiles.networks != nil, "scripts/fetch-ocr was not run"))
struct TextReadingTests {
  private static let reading = Result { try TextReading() }

  private func page(_ lines: [(text: String, x: Double, y: Double, size: Double)]) throws
    -> RGBImage
  {
    let canvas = try Canvas(width: 480, height: 320)
    for line in lines { canvas.text(line.text, x: line.x, y: line.y, size: line.size) }
    return RGBImage(canvas.picture)
  }

  @Test func textsAreReadInOrder() throws {
    let reading = try Self.reading.get()
    #expect(reading.name == "PP-OCRv4" && reading.files.count == 3)
    let image = try page([
      ("Festivals", 40, 80, 36), ("Saturday", 40, 170, 28), ("12:45", 320, 171, 28),
      ("welcome", 40, 260, 22),
    ])
    let lines = try reading.lines(in: image)
    #expect(lines.map(\.text) == ["Festivals", "Saturday", "12:45", "welcome"])
    #expect(lines.allSatisfy { $0.score > 0.9 })
    let first = try #require(lines.first)
    #expect(first.corners[0].x > 20 && first.corners[0].x < 44 && first.corners[0].y < 60)
    #expect(first.corners[2].x > 180 && first.corners[2].x < 300, "\(first.corners)")
    #expect(first.corners[2].y > 75 && first.corners[2].y < 105, "\(first.corners)")
    // Upside down, and with the picture on its side.
    let turned = try reading.lines(in: image.turnedUpsideDown())
    #expect(Set(turned.map(\.text)) == Set(lines.map(\.text)))
    let upright = try page([("Museum", 40, 160, 40)])
    #expect(try reading.lines(in: upright.turnedCounterclockwise()).map(\.text) == ["Museum"])
    #expect(try reading.lines(in: page([])).isEmpty)
  }

  /// A folder with copies of the networks, of which some are others.
  private func folder(_ others: [String: (String) throws -> Void] = [:]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for path in try Self.reading.get().files {
      let name = (path as NSString).lastPathComponent
      let copy = "\(folder.path)/\(name)"
      if let part = others.keys.first(where: name.contains) {
        try others[part]!(copy)
      } else {
        try FileManager.default.createSymbolicLink(atPath: copy, withDestinationPath: path)
      }
    }
    return folder
  }

  private func copy(_ part: String, _ change: @escaping (inout Data) -> Void) -> (String) throws ->
    Void
  {
    { path in
      let own = try Self.reading.get().files.first { $0.contains(part) }!
      var data = try Data(contentsOf: URL(fileURLWithPath: own))
      change(&data)
      try data.write(to: URL(fileURLWithPath: path))
    }
  }

  private func expectError(
    _ hints: String..., at folder: String?, environment: [String: String] = [:]
  ) {
    let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    do {
      _ = try TextReading(folder, environment: all)
      Issue.record("nothing was thrown, instead of \(hints)")
    } catch {
      let text = "\(error)"
      for hint in hints { #expect(text.contains(hint), "\(text)") }
      #expect(!text.contains("\n"), "\(text)")
    }
  }

  @Test func otherFoldersAreNamed() throws {
    let whole = try folder()
    let all = ["XDG_CACHE_HOME": "/nowhere"]
    #expect(!TextReading.isFetched(environment: all) && TextReading.isFetched())
    expectError("pp-ocrv4", "scripts/fetch-ocr", at: nil, environment: all)
    expectError("onnxruntime.so", "scripts/fetch-ocr", at: whole.path, environment: all)
    expectError(
      "/other.so", "there is no such file", at: whole.path,
      environment: ["TWINFLOW_ONNXRUNTIME": "/other.so"])
    let without = try folder(["_cls_": { _ in }])
    expectError("*cls*.onnx", "there is none", "scripts/fetch-ocr", at: without.path)
    let twice = try folder()
    try Data().write(to: URL(fileURLWithPath: twice.path + "/en_rec.onnx"))
    expectError("*rec*.onnx", "en_rec.onnx", at: twice.path)
  }

  @Test func otherNetworksAreNamed() throws {
    let cut = try folder(["_det_": copy("_det_") { $0.removeLast(5000) }])
    expectError("_det_", "not a complete network", at: cut.path)
    let gray = try folder([
      "_det_": {
        try ONNXModel(
          [.init("Neg")], input: [nil, 1, nil, nil], output: [nil, 1, nil, nil]
        ).write(to: $0)
      }
    ])
    expectError("[any, 1, any, any]", "[any, 3, any, any]", "finds lines of text", at: gray.path)
    let classes = try folder([
      "_cls_": {
        try ONNXModel(
          [.init("ReduceMax", [("axes", [2, 3])], dropsAxes: true)], input: [nil, 3, 48, 192],
          output: [nil, 3]
        ).write(to: $0)
      }
    ])
    expectError("[any, 3]", "[any, 2]", "direction", at: classes.path)
  }

  @Test func otherListsOfCharactersAreNamed() throws {
    let short = try folder([
      "_rec_": copy("_rec_") { $0.append(contentsOf: ONNXModel.metadata([("character", "a\nb")])) }
    ])
    expectError("2 characters", "6625 classes", at: short.path)
    let without = try folder([
      "_rec_": {
        try ONNXModel(
          [.init("ReduceMax", [("axes", [3])], dropsAxes: true)], input: [nil, 3, 48, nil],
          output: [nil, 3, 48]
        ).write(to: $0)
      }
    ])
    expectError("no list of characters", at: without.path)
  }
}
