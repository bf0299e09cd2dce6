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
    data.path = folder
    data.options.size = [2, 2]
    data.options.referenceSize = [2, 4]
    change(&data)
    return data
  }

  @Test func readsPicturesInTheOrderOfTheirNamesWithTheirPrompts() throws {
    try picture("b.png", gray: 20)
    try picture("a.png", gray: 10)
    try write("a.txt", "  one \n\n two\r\n")
    try write("b.txt", "\u{FEFF}three")
    let samples = try data().samples()
    #expect(try samples.all == [["one", "two"], ["three"]])
    #expect(samples.name(1) == "\(folder)/b.png")
    let images = try samples.images(0)
    #expect(images.references.isEmpty)
    let gray = RGBImage(width: 2, height: 2, values: .init(repeating: 10, count: 12))
    #expect(images.picture == gray)
    // The hash is that of the content, wherever it is.
    let hash = samples.content
    #expect(try data { $0.options.size = [4, 4] }.samples().content == hash)
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
    let samples = try data { $0.options.references = 2 }.samples()
    #expect(samples.count == 1)
    let images = try samples.images(0).references
    #expect(images.map { $0.values[0] } == [20, 30])
    #expect(images.allSatisfy { ($0.width, $0.height) == (4, 2) })
    #expect(throws: DatasetError.missingBeside(path: "\(folder)/a.png", missing: "a.ref3.png")) {
      try data { $0.options.references = 3 }.samples()
    }
  }

  @Test func saysWhatIsMissing() throws {
    #expect(throws: FileError.self) { try data { $0.path += "/none" }.samples() }
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
    try write("notes.txt", "about them")
    #expect(throws: DatasetError.captionAlone(path: "\(folder)/notes.txt")) { try data().samples() }
    try FileManager.default.removeItem(atPath: "\(folder)/notes.txt")
    #expect(throws: PictureError.otherFormat(path: "\(folder)/a.jpg")) {
      try data().samples().images(0)
    }
  }

  /// A picture without caption, one with an empty one, and a caption without picture: all are noted.
  @Test func notesAllProblems() throws {
    for name in ["a", "b", "c"] { try picture("\(name).png", gray: 1) }
    try write("b.txt", "")
    try write("c.txt", "good")
    try write("d.txt", "alone")
    let rows = try data().rows()
    #expect(rows.count == 1)
    #expect(
      rows.problems.first == [
        .captionAlone(path: "\(folder)/d.txt"),
        .missingBeside(path: "\(folder)/a.png", missing: "a.txt"),
        .noPrompt(path: "\(folder)/b.txt"),
      ])
    let error = #expect(throws: DatasetError.self) { try data().samples() }
    #expect(error?.description.contains("2 more rows cannot be used") == true)
  }

  @Test func subfoldersWithoutCaptionsAreClasses() throws {
    for name in ["red_fox", "cat"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    }
    try picture("red_fox/1.png", gray: 1)
    try picture("cat/2.png", gray: 2)
    try picture("cat/10.png", gray: 3)
    let samples = try data().samples()
    #expect(try samples.all == [["cat"], ["cat"], ["red fox"]])
    #expect(samples.name(0) == "\(folder)/cat/10.png")
    // With one caption they are pictures with captions.
    try write("cat/2.txt", "a grey cat")
    let error = #expect(throws: DatasetError.self) { try data().samples() }
    #expect(error?.description.contains("cat/10.png has no 10.txt beside it") == true)
  }

  @Test func picturesAreUsedInAllVersions() throws {
    // The left half is black.
    try Picture(width: 4, height: 2, channels: 1, values: [0, 0, 255, 255, 0, 0, 255, 255])
      .write(to: "\(folder)/a.png")
    try picture("b.png", gray: 7)
    for name in ["a", "b"] { try write("\(name).txt", name) }
    let samples = try data {
      $0.options.size = [2, 4]
      $0.options.flip = true
    }.samples()
    #expect(try samples.all == [["a"], ["a"], ["b"], ["b"]])
    let rows = try (0..<2).map { try samples.images($0).picture!.values.prefix(12) }
    #expect(rows[0] == [0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255])
    #expect(rows[1] == [255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0])
    let random = try data {
      $0.options.size = [2, 2]
      $0.options.randomCrops = 8
    }.samples()
    #expect(random.count == 16)
    let crops = try (0..<8).map { try random.images($0).picture!.values }
    #expect(Set(crops).count == 3)
    #expect(try crops == (0..<8).map { try random.images($0).picture!.values })
  }

  @Test func picturesGetTheBucketOfTheNearestAspectRatio() throws {
    let sizes = [("a", 8, 8), ("b", 16, 8), ("c", 8, 16), ("d", 9, 8), ("e", 30, 8)]
    for (name, width, height) in sizes {
      try picture("\(name).png", gray: 1, width: width, height: height)
      try write("\(name).txt", name)
    }
    let data = data {
      $0.options.size = [4, 4]
      $0.options.buckets = [[4, 8], [8, 4]]
      $0.options.flip = true
    }
    let samples = try data.samples()
    #expect((0..<10).map(samples.bucket) == [0, 0, 1, 1, 2, 2, 0, 0, 1, 1])
    for index in 0..<10 {
      let (picture, size) = (try samples.images(index).picture!, data.sizes[samples.bucket(index)])
      #expect([picture.height, picture.width] == size)
    }
  }

  @Test func tagsAreShuffled() throws {
    try picture("a.png", gray: 1)
    try write("a.txt", "red, small,  round\nno tags")
    let prompts = try data { $0.options.captionOrders = 60 }.samples().prompts(0)
    #expect(prompts.count == 61 && prompts[0] == "red, small,  round" && prompts[60] == "no tags")
    let orders = Set(prompts[1..<60])
    #expect(orders.count == 6)
    let tags = orders.map { $0.components(separatedBy: ", ").sorted() }
    #expect(tags.allSatisfy { $0 == ["red", "round", "small"] })
  }

  @Test func transparentPixelsLieOverTheGround() throws {
    try Picture(width: 1, height: 1, channels: 4, values: [255, 255, 255, 0])
      .write(to: "\(folder)/a.png")
    try write("a.txt", "a")
    let samples = try data {
      $0.options.size = [1, 1]
      $0.options.ground = [1, 2, 3]
    }.samples()
    #expect(try samples.images(0).picture?.values == [1, 2, 3])
  }

  @Test func damagedPicturesAreLeftOutUpToALimit() throws {
    var damaged = DamagedPictures(of: folder, limit: 2)
    for name in ["a", "b"] {
      let text = try damaged.add(PictureError.otherFormat(path: name))
      #expect(text?.hasPrefix("Left out: \(name) is not a PNG, JPEG or WebP picture.") == true)
    }
    // The same picture in another version.
    #expect(try damaged.add(PictureError.otherFormat(path: "b")) == nil)
    let error = #expect(throws: DatasetError.self) {
      try damaged.add(PictureError.otherFormat(path: "c"))
    }
    #expect(
      error?.description.contains("3 pictures of \(folder) are damaged, and at most 2") == true)
    #expect(damaged.reasons.count == 3)
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
