import Foundation
import Pictures
import Tensors
import Testing

@testable import Datasets

/// Folders of classes for networks that take classes.
@Suite struct ClassImageTests {
  private func withClasses<Result>(_ body: (ClassImageData) throws -> Result) throws -> Result {
    try withFolder { folder in
      for (number, name) in ["cat", "dog"].enumerated() {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        for index in 0..<4 {
          let gray = UInt8(100 * number + 10 * index)
          // A white column at the right.
          try Picture(
            width: 4, height: 2, channels: 1,
            values: [gray, gray, gray, 255, gray, gray, gray, 255]
          ).write(to: "\(folder)/\(name)/\(index).png")
        }
      }
      var data = ClassImageData.defaults
      (data.path, data.classes, data.size) = (folder, 2, [2, 4])
      return try body(data)
    }
  }

  @Test func givesPicturesWithTheirClasses() throws {
    try withClasses { data in
      var batches = try data.batches(size: 8, seed: 1)
      let batch = try batches.next(rows: 0..<8)
      let sample = try #require(batch[InputSpec.sample])
      #expect(sample.type.shape == [8, 2, 4, 3])
      let values = sample.array(of: Float.self)
      let labels = try #require(batch["class"]).array(of: Int32.self)
      let grays = (0..<8).map { Int(((values[$0 * 24] + 1) * 127.5).rounded()) }
      #expect(Set(grays) == [0, 10, 20, 30, 100, 110, 120, 130])
      #expect(labels == grays.map { $0 < 100 ? 0 : 1 })
      // Another process reads its rows of the same batch.
      var others = try data.batches(size: 8, seed: 1)
      let rest = try others.next(rows: 5..<8)
      #expect(rest["class"]?.array(of: Int32.self) == Array(labels[5...]))
    }
  }

  @Test func flipsAndCropsByTheDraw() throws {
    try withClasses { data in
      var data = data
      (data.size, data.flip, data.crop, data.channels) = ([2, 2], true, .random, 1)
      var batches = try data.batches(size: 8, seed: 3)
      var patterns = Set<[Bool]>()
      for _ in 0..<12 {
        let batch = try batches.next(rows: 0..<8)
        let values = batch[InputSpec.sample]!.array(of: Float.self)
        for row in 0..<8 { patterns.insert((0..<2).map { values[row * 4 + $0] > 0.99 }) }
      }
      // The white column is absent, at the right, or mirrored at the left.
      #expect(patterns == [[false, false], [false, true], [true, false]])
      let saved = try batches.saved()
      var resumed = try data.batches(size: 8, seed: 3)
      try resumed.restore(saved)
      for _ in 0..<3 {
        let (a, b) = (try batches.next(rows: 0..<8), try resumed.next(rows: 0..<8))
        #expect(a[InputSpec.sample]?.bytes == b[InputSpec.sample]?.bytes)
      }
    }
  }

  @Test func damagedPicturesAreNamedAndLeftOut() throws {
    try withClasses { data in
      let path = "\(data.path)/dog/2.png"
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      try whole.prefix(40).write(to: URL(fileURLWithPath: path))
      var notices: [String] = []
      var batches = try data.batches(size: 7, seed: 1) { notices.append($0) }
      #expect(notices.count == 1 && notices[0].hasPrefix("Left out: \(path) is truncated"))
      let labels = try batches.next(rows: 0..<7)["class"]!.array(of: Int32.self)
      #expect(labels.filter { $0 == 1 }.count == 3)
      var strict = data
      strict.maxDamaged = 0
      #expect(throws: DatasetError.self) { try strict.batches(size: 7, seed: 1) }
      #expect(throws: DatasetError.tooFewSamples(path: data.path, count: 7, batch: 8)) {
        try data.batches(size: 8, seed: 1)
      }
    }
  }

  @Test func saysWhatIsWrong() throws {
    try withClasses { data in
      var other = data
      other.classes = 3
      #expect(throws: DatasetError.otherClasses(path: data.path, found: 2, expected: 3)) {
        try other.batches(size: 2, seed: 0)
      }
      try Picture(width: 1, height: 1, channels: 1, values: [0]).write(to: "\(data.path)/x.png")
      let error = #expect(throws: DatasetError.self) { try data.batches(size: 2, seed: 0) }
      #expect(error?.description.contains("x.png is in no subfolder") == true)
    }
    try withFolder { folder in
      var data = ClassImageData.defaults
      data.path = folder
      #expect(throws: DatasetError.self) { try data.batches(size: 1, seed: 0) }
    }
  }

  @Test func picturesHaveTheNumbersOfTheirClassesAsPrompts() throws {
    try withClasses { data in
      var data = data
      data.flip = true
      let labelled = data.labelled
      #expect(labelled.size == data.size && labelled.maxDamaged == data.maxDamaged)
      let samples = try labelled.samples()
      let prompts = try samples.all
      #expect(Set(prompts) == [["0"], ["1"]])
      // Each is there mirrored too.
      #expect(prompts[0] == prompts[1] && samples.count % 2 == 0)
      #expect(data.classNames.count == 2 && data.classNames == data.classNames.sorted())
      data.classes = 3
      #expect(throws: DatasetError.otherClasses(path: data.path, found: 2, expected: 3)) {
        try data.labelled.samples()
      }
      #expect(data.classNames.isEmpty)
    }
  }
}
