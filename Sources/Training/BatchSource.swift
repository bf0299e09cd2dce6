import Datasets
import Files
import Foundation

/// An endless, repeatable stream of labelled samples.
public protocol BatchSource {
  /// The hash of the data's content, wherever it lies.
  var content: String { get }

  /// The next batch: samples one after the other, images within ±1 in `[height, width, channels]`
  /// order, and labels.
  mutating func next() -> (samples: [Float], labels: [Int32])

  /// Where the stream stands, as text for a checkpoint.
  func saved() throws -> String

  /// Takes the stream to where it stood.
  mutating func restore(_ saved: String) throws
}

extension DataConfig {
  /// The stream of training batches.
  ///
  /// - Throws: `DatasetError` where the set is missing or damaged.
  public func batches(size: Int, seed: UInt64) throws -> any BatchSource {
    switch kind {
    case .fashionMNIST:
      FashionMNISTBatches(
        try FashionMNIST(.training, folder: path), size: size, flip: flip, seed: seed)
    case .points(let set): PointBatches(set: set, size: size, seed: seed)
    case .noise: NoiseBatches(elements: shape.count, size: size, seed: seed)
    }
  }
}

/// Batches of Fashion-MNIST.
struct FashionMNISTBatches: BatchSource {
  let set: FashionMNIST
  let size: Int
  let flip: Bool
  let content: String
  private var sampler: BatchSampler

  init(_ set: FashionMNIST, size: Int, flip: Bool, seed: UInt64) {
    self.set = set
    content = set.contentHash
    self.size = size
    self.flip = flip
    sampler = BatchSampler(count: set.count, seed: seed)
  }

  mutating func next() -> (samples: [Float], labels: [Int32]) {
    let picks = sampler.next(size)
    let images = picks.flatMap { pick in
      set.images(CollectionOfOne(pick.index), mirrored: { _ in flip && pick.coin })
    }
    return (images, picks.map { Int32(set.labels[$0.index]) })
  }

  func saved() throws -> String {
    try JSONFile.text(sampler.position)
  }

  mutating func restore(_ saved: String) throws {
    try sampler.restore(
      JSONDecoder().decode(BatchSampler.Position.self, from: Data(saved.utf8)))
  }
}

/// Batches of points, which have no classes.
struct PointBatches: BatchSource {
  let set: Points
  let size: Int
  let seed: UInt64
  var content: String { self.set.rawValue }
  private var number = 0

  init(set: Points, size: Int, seed: UInt64) {
    (self.set, self.size, self.seed) = (set, size, seed)
  }

  mutating func next() -> (samples: [Float], labels: [Int32]) {
    defer { number += 1 }
    return (set.sample(size, seed: seed, number: number), [Int32](repeating: 0, count: size))
  }

  func saved() throws -> String { "\(number)" }

  mutating func restore(_ saved: String) throws {
    guard let number = Int(saved), (0..<1 << 62).contains(number) else {
      throw DatasetError.wrongPosition(reason: "\(saved) is no number of batches")
    }
    self.number = number
  }
}

/// Batches of noise.
struct NoiseBatches: BatchSource {
  let elements: Int
  let size: Int
  let seed: UInt64
  var content: String { "noise of \(elements)" }
  private var number: UInt64 = 0

  init(elements: Int, size: Int, seed: UInt64) {
    (self.elements, self.size, self.seed) = (elements, size, seed)
  }

  mutating func next() -> (samples: [Float], labels: [Int32]) {
    defer { number += 1 }
    return Noise.batch(size, elements: elements, seed: seed, number: number)
  }

  func saved() throws -> String { "\(number)" }

  mutating func restore(_ saved: String) throws {
    guard let number = UInt64(saved), number < 1 << 62 else {
      throw DatasetError.wrongPosition(reason: "\(saved) is no number of batches")
    }
    self.number = number
  }
}

extension FashionMNIST {
  /// The hash of the pictures and their labels.
  package var contentHash: String {
    let hash = ContentHash()
    pixels.withUnsafeBytes { hash.add($0) }
    labels.withUnsafeBytes { hash.add($0) }
    return hash.text
  }
}
