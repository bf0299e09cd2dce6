import Files
import Foundation
import Recipe
import Tensors

/// Fashion-MNIST as recipes name it.
public struct FashionMNISTData: ArrayDataSet {
  /// The name in recipes.
  public static let kinds = ["fashion-mnist"]

  /// The folder; nil for that of the Debian package.
  public var path: String?
  /// Whether half of the pictures are mirrored.
  public var flip: Bool

  /// Names the set.
  public init(path: String? = nil, flip: Bool = false) { (self.path, self.flip) = (path, flip) }

  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    Pictures of clothes, 28 × 28 in gray, in ten classes. The folder is
    `/usr/share/datasets/fashion-mnist` where `path` names no other.
    """

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("path", path: \.path, "folder of the four gzip files; absent for the Debian package's")
      .mayDiffer(.always),
    Field("flip", \.flip, "whether half of the pictures are mirrored"),
  ]

  /// The name in recipes.
  public var kind: String { Self.kinds[0] }

  /// Pictures with their classes.
  public var arrays: [InputSpec] {
    [.sample([28, 28, 1]), .classIndex(of: FashionMNIST.classNames.count)]
  }

  /// Batches of training pictures within ±1.
  public func batches(size: Int, seed: UInt64) throws -> any BatchSource {
    FashionMNISTBatches(
      try FashionMNIST(.training, folder: path), size: size, flip: flip, seed: seed)
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

  mutating func next(rows: Range<Int>) -> Named<HostArray> {
    let picks = sampler.next(size)[rows]
    let images = picks.flatMap { pick in
      set.images(CollectionOfOne(pick.index), mirrored: { _ in flip && pick.coin })
    }
    return Named([
      (
        InputSpec.sample,
        HostArray(images, shape: [rows.count, set.size, set.size, 1])
      ),
      ("class", HostArray(picks.map { Int32(set.classes[$0.index]) }, shape: [rows.count])),
    ])
  }

  func saved() throws -> String {
    try JSONFile.text(sampler.position)
  }

  mutating func restore(_ saved: String) throws {
    try sampler.restore(
      JSONDecoder().decode(BatchSampler.Position.self, from: Data(saved.utf8)))
  }
}

extension FashionMNIST {
  /// The hash of the pictures and their classes.
  package var contentHash: String {
    let hash = ContentHash()
    pixels.withUnsafeBytes { hash.add($0) }
    classes.withUnsafeBytes { hash.add($0) }
    return hash.text
  }
}
