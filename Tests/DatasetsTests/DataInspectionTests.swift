import Foundation
import Pictures
import Testing

@testable import Datasets

/// What an inspection finds.
@Suite struct DataInspectionTests {
  private func picture(_ path: String, _ width: Int, _ height: Int, _ gray: UInt8) throws {
    try Picture(
      width: width, height: height, channels: 1,
      values: [UInt8](repeating: gray, count: width * height)
    ).write(to: path)
  }

  @Test func countsWhatThereIs() throws {
    try withFolder { folder in
      for (name, width, gray) in [("a", 8, 1), ("b", 8, 2), ("c", 16, 3), ("d", 8, 1)]
        as [(String, Int, UInt8)]
      {
        try picture("\(folder)/\(name).png", width, 8, gray)
      }
      for (name, text) in [
        ("a", "one\ntwo two"), ("b", "one"), ("c", "four"), ("d", "x"), ("e", "y"),
      ] {
        try write(Array(text.utf8), to: "\(folder)/\(name).txt")
      }
      try write(Array("no picture".utf8), to: "\(folder)/e.jpg")
      var data = try #require(FoundData.at(folder) as? ImageData)
      (data.options.size, data.options.buckets) = ([8, 8], [[8, 24]])
      var steps: [Int] = []
      let found = try DataInspection(data, thumbnails: 3) { done, all in
        #expect(all == 5)
        steps.append(done)
      }
      #expect(steps.last == 5)
      #expect(found.count == 5 && found.problems.count == 0)
      #expect(found.prompts == PromptLengths(count: 6, shortest: 1, median: 3, longest: 7))
      #expect(found.frequentPrompts.map(\.prompt) == ["one"])
      #expect(
        found.sizes.map { [$0.size.height, $0.size.width, $0.count] } == [[8, 8, 3], [8, 16, 1]])
      #expect(found.buckets.map(\.count) == [3, 1])
      #expect(found.smaller == 1)
      #expect(found.duplicates == [["\(folder)/a.png", "\(folder)/d.png"]])
      #expect(found.damaged.count == 1 && found.damaged[0].contains("e.jpg is not a PNG"))
      #expect(found.thumbnails.count == 3)
      #expect(found.maxDamaged == 10 && !found.isBroken)
      data.options.maxDamaged = 0
      #expect(try DataInspection(data).isBroken)
      data.options.maxDamaged = 9
      try write([], to: "\(folder)/b.txt")
      #expect(try DataInspection(data).isBroken)
    }
  }

  @Test("Pictures of IDX files have the names of their classes as prompts")
  func fashionMNIST() throws {
    try withFolder { folder in
      var pixels = [UInt8](repeating: 0, count: 3 * 784)
      pixels[784] = 255
      try write(gzip(idx([3, 28, 28], pixels)), to: "\(folder)/train-images-idx3-ubyte.gz")
      try write(gzip(idx([3], [9, 0, 9])), to: "\(folder)/train-labels-idx1-ubyte.gz")
      let found = try DataInspection(FoundData.at(folder), thumbnails: 3)
      #expect(found.kind == "fashion-mnist" && found.count == 3 && !found.isBroken)
      #expect(found.frequentPrompts.map(\.prompt) == ["Boot"])
      #expect(found.sizes.map { [$0.size.height, $0.size.width, $0.count] } == [[28, 28, 3]])
      #expect(found.duplicates == [["\(folder), picture 0", "\(folder), picture 2"]])
      #expect(found.thumbnails.count == 3)
    }
  }

  @Test func dataWithoutPicturesAreNamed() throws {
    #expect(throws: DatasetError.notInspected(kind: "moons")) {
      try DataInspection(PointData(.moons))
    }
  }

  @Test func recognizesData() throws {
    try withFolder { folder in
      try write(Array("{}".utf8), to: "\(folder)/metadata.jsonl")
      #expect(try (FoundData.at(folder) as? ManifestData)?.path == "\(folder)/metadata.jsonl")
      try write([], to: "\(folder)/a.tar")
      #expect(try FoundData.at(folder) is WebDatasetData)
      try write([], to: "\(folder)/a.parquet")
      #expect(try FoundData.at(folder) is ParquetData)
      try write(Array("a\nb\na".utf8), to: "\(folder)/p.txt")
      let prompts = try DataInspection(FoundData.at("\(folder)/p.txt"))
      #expect(prompts.count == 3 && prompts.frequentPrompts.map(\.count) == [2])
      #expect(throws: DatasetError.self) { try FoundData.at("\(folder)/none") }
      try write([], to: "\(folder)/x.bin")
      #expect(throws: DatasetError.self) { try FoundData.at("\(folder)/x.bin") }
    }
  }
}
