import Files
import Foundation
import Pictures
import Testing

@testable import Datasets

/// Folders of pictures with captions, and files of prompts.
@Suite final class PromptDataTests {
  private let folder = NSTemporaryDirectory() + "twinflow-prompts-" + UUID().uuidString

  init() throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private func write(_ name: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
  }

  private func picture(_ name: String, gray: UInt8, width: Int = 6, height: Int = 4) throws {
    try Picture(
      width: width, height: height, channels: 1,
      values: [UInt8](repeating: gray, count: width * height)
    ).write(to: "\(folder)/\(name)")
  }

  private func data(_ change: (inout ImageData) -> Void = { _ in }) -> ImageData {
    var data = ImageData.defaults
    data.folder = folder
    data.size = [2, 2]
    data.referenceSize = [2, 4]
    change(&data)
    return data
  }

  @Test func readsPicturesInTheOrderOfTheirNamesWithTheirPrompts() throws {
    try picture("b.png", gray: 20)
    try picture("a.png", gray: 10)
    try write("a.txt", "  one \n\n two\r\n")
    try write("b.txt", "\u{FEFF}three")
    try write("notes.txt", "")
    let samples = try data().samples()
    #expect(try samples.all == [["one", "two"], ["three"]])
    #expect(samples.name(1) == "\(folder)/b.png")
    let images = try samples.images(0)
    #expect(images.references.isEmpty)
    let gray = RGBImage(width: 2, height: 2, values: .init(repeating: 10, count: 12))
    #expect(images.picture == gray)
    // The hash is that of the content, wherever it is.
    let hash = samples.content
    #expect(try data { $0.size = [4, 4] }.samples().content == hash)
    try picture("b.png", gray: 21)
    #expect(try data().samples().content != hash)
    try picture("b.png", gray: 20)
    #expect(try data().samples().content == hash)
    try write("b.txt", "other")
    #expect(try data().samples().content != hash)
  }

  @Test func readsReferenceImagesInTheirOrder() throws {
    try picture("a.png", gray: 10)
    try picture("a.ref2.png", gray: 30)
    try picture("a.ref1.png", gray: 20)
    try write("a.txt", "make it dark")
    let samples = try data { $0.references = 2 }.samples()
    #expect(samples.count == 1)
    let images = try samples.images(0).references
    #expect(images.map { $0.values[0] } == [20, 30])
    #expect(images.allSatisfy { ($0.width, $0.height) == (4, 2) })
    #expect(throws: DatasetError.missingBeside(path: "\(folder)/a.png", missing: "a.ref3.png")) {
      try data { $0.references = 3 }.samples()
    }
  }

  @Test func saysWhatIsMissing() throws {
    #expect(throws: FileError.self) { try data { $0.folder += "/none" }.samples() }
    #expect(
      throws: DatasetError.noSamples(
        path: folder, expected: "PNG, JPEG or WebP picture with a caption")
    ) { try data().samples() }
    try picture("a.png", gray: 1)
    #expect(throws: DatasetError.missingBeside(path: "\(folder)/a.png", missing: "a.txt")) {
      try data().samples()
    }
    try write("a.txt", " \n\n")
    #expect(throws: DatasetError.noPrompt(path: "\(folder)/a.txt")) { try data().samples() }
    try write("a.txt", "a")
    #expect(throws: DatasetError.tooFewSamples(path: folder, count: 1, batch: 2)) {
      try data().samples(forBatch: 2)
    }
    #expect(try data().samples(forBatch: 1).all == [["a"]])
    try write("a.jpg", "no picture")
    #expect(
      throws: DatasetError.inconsistent(
        path: folder, reason: "a.jpg and a.png have one name")
    ) { try data().samples() }
    try FileManager.default.removeItem(atPath: "\(folder)/a.png")
    #expect(throws: PictureError.otherFormat(path: "\(folder)/a.jpg")) {
      try data().samples().images(0)
    }
  }

  @Test func readsAFileOfPrompts() throws {
    var prompts = PromptData.defaults
    prompts.file = "\(folder)/prompts.txt"
    #expect(throws: DatasetError.missing(path: prompts.file, package: nil)) {
      try prompts.samples()
    }
    try write("prompts.txt", "a fox\n\n 一只橘猫\n")
    let samples = try prompts.samples()
    #expect(try samples.all == [["a fox"], ["一只橘猫"]])
    #expect(try samples.images(0).picture == nil)
    try Data([0xFF, 0xFE, 0x41]).write(to: URL(fileURLWithPath: prompts.file))
    #expect(throws: DatasetError.noPrompt(path: prompts.file)) { try prompts.samples() }
  }
}

extension PromptSamples {
  /// The prompts of all samples.
  var all: [[String]] { get throws { try (0..<count).map(prompts) } }
}
