import Datasets
import Files
import Foundation

/// An endless, repeatable stream of labelled images.
public protocol BatchSource {
  /// The next batch: images within ±1 in `[batch, height, width, channels]` order, and labels.
  mutating func next() -> (images: [Float], labels: [Int32])

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
    }
  }
}

/// Batches of Fashion-MNIST.
struct FashionMNISTBatches: BatchSource {
  let set: FashionMNIST
  let size: Int
  let flip: Bool
  private var sampler: BatchSampler

  init(_ set: FashionMNIST, size: Int, flip: Bool, seed: UInt64) {
    self.set = set
    self.size = size
    self.flip = flip
    sampler = BatchSampler(count: set.count, seed: seed)
  }

  mutating func next() -> (images: [Float], labels: [Int32]) {
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
