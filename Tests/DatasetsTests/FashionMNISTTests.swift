import Testing

@testable import Datasets

@Suite struct FashionMNISTTests {
  /// Writes a set of `count` pictures whose pixels count upwards, and opens it.
  private func open(
    images: [UInt32] = [3, 28, 28], labels: [UInt8] = [0, 9, 4],
    split: FashionMNIST.Split = .training
  ) throws -> FashionMNIST {
    try withFolder { folder in
      let pixels = (0..<images.reduce(1, *)).map { UInt8(truncatingIfNeeded: $0) }
      try write(
        gzip(idx(images, pixels)), to: "\(folder)/\(split.rawValue)-images-idx3-ubyte.gz")
      try write(
        gzip(idx([UInt32(labels.count)], labels)),
        to: "\(folder)/\(split.rawValue)-labels-idx1-ubyte.gz")
      return try FashionMNIST(split, folder: folder)
    }
  }

  @Test(arguments: FashionMNIST.Split.allCases) func reads(split: FashionMNIST.Split) throws {
    let set = try open(split: split)
    #expect(set.count == 3)
    #expect(set.classes == [0, 9, 4])
    #expect(set.pixels.count == 3 * 28 * 28)
    #expect(set.pixels[785] == 785 % 256)
  }

  @Test func scalesAndMirrors() throws {
    let set = try open()
    let images = set.images([2, 0, 2], mirrored: { $0 == 0 })
    #expect(images.count == 3 * 784)
    #expect(images.min() == -1 && images.max() == 1)
    let first = 2 * 784 % 256
    #expect(images[0] == Float(first) / 127.5 - 1)
    #expect(images[784..<812].elementsEqual((0..<28).reversed().map { Float($0) / 127.5 - 1 }))
    #expect(images[..<784] == images[1568...].prefix(784).map { $0 }[...])
  }

  @Test(
    arguments: [
      ([3, 28, 28], [0, 1], "2 classes for 3 pictures"),
      ([3, 28, 28], [0, 1, 10], "a class is 10"),
      ([3, 27, 28], [0, 1, 2], "[3, 27, 28]"),
      ([0, 28, 28], [], "[0, 28, 28]"),
    ] as [([UInt32], [UInt8], String)])
  func refuses(images: [UInt32], labels: [UInt8], word: String) {
    let error = #expect(throws: DatasetError.self) { try open(images: images, labels: labels) }
    guard case .inconsistent(_, let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains(word), "\(reason)")
  }

  @Test func saysHowToGetTheSet() {
    let error = #expect(throws: DatasetError.self) {
      try FashionMNIST(.test, folder: "/nowhere")
    }
    for word in ["/nowhere/t10k-images", "dataset-fashion-mnist", "scripts/setup"] {
      #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }
  }

  @Test func hasTenClasses() { #expect(FashionMNIST.classNames.count == 10) }
}
