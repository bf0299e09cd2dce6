import Foundation
import Pictures
import TestSupport
import Testing

@testable import Pipelines

@Suite struct PictureRecordTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var record: PictureRecord {
    PictureRecord(
      version: "1", model: "models/Qwen-Image", replaced: [:],
      hashes: ["transformer": "0123456789abcdef"], loras: [], images: [],
      prompt: "a fox, 一只橘猫", negative: "dark", guidance: 4, seed: .max, width: 768,
      height: 1024, steps: 50, sampler: nil, scheduler: .euler(FlowMatchEuler()), shift: nil,
      precision: .float32, weights: .stored, encoderWeights: .stored, device: "cpu")
  }

  @Test func aPictureTellsHowItWasMade() throws {
    let path = folder.path + "/picture.png"
    let picture = Picture(width: 1, height: 1, channels: 3, values: [1, 2, 3])
    try picture.write(to: path, texts: record.texts())
    let texts = try Picture.read(path).texts
    #expect(try PictureRecord(#require(texts[PictureRecord.key]), path: path) == record)
    #expect(
      texts["parameters"] == """
        a fox, 一只橘猫
        Negative prompt: dark
        Steps: 50, Sampler: Euler, CFG scale: 4.0, Seed: 18446744073709551615, Size: 768x1024, \
        Model hash: 0123456789, Model: Qwen-Image, Version: twinflow 1
        """)
  }

  @Test func otherTextsAreRefused() {
    #expect(throws: PipelineError.self) { try PictureRecord("{}", path: "p.png") }
    #expect(throws: PipelineError.self) { try PictureRecord("no JSON", path: "p.png") }
  }

  @Test func changedFilesAreNoticed() throws {
    let cache = HashCache(directory: folder.path)
    let path = folder.path + "/input"
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
    let file = try PictureRecord.InputFile(path, cache)
    try file.check(cache)
    try Data([1, 2, 4]).write(to: URL(fileURLWithPath: path))
    #expect(throws: PipelineError.self) { try file.check(cache) }
  }

  @Test func hashesOfLargeFilesAreRemembered() throws {
    let cache = HashCache(directory: folder.path)
    let path = folder.path + "/large"
    try Data(count: 17 << 20).write(to: URL(fileURLWithPath: path))
    let hash = try cache.hash(of: path)
    #expect(FileManager.default.fileExists(atPath: folder.path + "/hashes.json"))
    #expect(try cache.hash(of: path) == hash)
    // Another content of the same size is another hash, because the time of change differs.
    try Data(repeating: 1, count: 17 << 20).write(to: URL(fileURLWithPath: path))
    #expect(try cache.hash(of: path) != hash)
  }
}
