/// Fashion-MNIST: 28 × 28 gray pictures of clothes in ten classes (Xiao, Rasul and Vollgraf, 2017).
public struct FashionMNIST: Sendable {
  /// The splits of the set.
  public enum Split: String, Sendable, CaseIterable {
    /// 60,000 pictures to train on.
    case training = "train"
    /// 10,000 pictures to compare with.
    case test = "t10k"
  }

  /// The names of the classes, by number.
  public static let classNames = [
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot",
  ]

  /// The folder that Debian's package installs.
  public static let folder = "/usr/share/datasets/fashion-mnist"

  /// The split.
  public let split: Split
  /// The number of pictures.
  public let count: Int
  /// The height and width of a picture.
  public let size = 28
  /// The gray values of all pictures, row-major; 0 is black.
  public let pixels: [UInt8]
  /// Each picture's class, an index into `classNames`.
  public let classes: [UInt8]

  /// Reads a split from its gzip files.
  ///
  /// - Throws: `DatasetError` where a file is missing or damaged, or the two do not match;
  ///   `FileError` where one cannot be read.
  public init(_ split: Split, folder: String? = nil) throws {
    let folder = folder ?? Self.folder
    let package = "dataset-fashion-mnist"
    let imagePath = "\(folder)/\(split.rawValue)-images-idx3-ubyte.gz"
    let classPath = "\(folder)/\(split.rawValue)-labels-idx1-ubyte.gz"
    let images = try IDX(gzip: imagePath, rank: 3, package: package)
    let classes = try IDX(gzip: classPath, rank: 1, package: package)
    guard images.sizes[0] > 0, images.sizes[1...] == [28, 28] else {
      throw DatasetError.inconsistent(
        path: imagePath, reason: "its pictures are \(images.sizes), [count, 28, 28] is expected")
    }
    guard classes.sizes[0] == images.sizes[0] else {
      throw DatasetError.inconsistent(
        path: classPath,
        reason: "it has \(classes.sizes[0]) classes for \(images.sizes[0]) pictures")
    }
    guard classes.bytes.allSatisfy({ $0 < Self.classNames.count }) else {
      throw DatasetError.inconsistent(
        path: classPath, reason: "a class is \(classes.bytes.max() ?? 0), 0 to 9 are expected")
    }
    self.split = split
    count = images.sizes[0]
    pixels = images.bytes
    self.classes = classes.bytes
  }

  /// Some pictures within ±1, `[indices, 28, 28, 1]`.
  public func images(_ indices: some Sequence<Int>, mirrored: (Int) -> Bool = { _ in false })
    -> [Float]
  {
    var result: [Float] = []
    for index in indices {
      let mirror = mirrored(index)
      for row in 0..<size {
        let start = index * size * size + row * size
        for column in 0..<size {
          let value = pixels[start + (mirror ? size - 1 - column : column)]
          result.append(Float(value) / 127.5 - 1)
        }
      }
    }
    return result
  }
}
