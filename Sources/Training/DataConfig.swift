import Datasets
import Recipe
import Tensors

/// Where samples come from.
public struct DataConfig: Codable, Hashable, Sendable {
  /// The sets that can be named.
  public enum Kind: Hashable, Sendable {
    /// Fashion-MNIST: 28 × 28 grey pictures of clothes in ten classes.
    case fashionMNIST
    /// Points in the plane.
    case points(Points)
    /// Noise of any size in ten classes, for planning and timing.
    case noise
  }

  /// The set.
  public var kind: Kind
  /// Its folder; absent for where the Debian package puts it.
  public var path: String?
  /// Whether half of the pictures are mirrored.
  public var flip: Bool
  /// The height and width of noise, and its channels.
  public var size = 0, channels = 0

  /// Names a set.
  public init(kind: Kind, path: String? = nil, flip: Bool = false) {
    self.kind = kind
    self.path = path
    self.flip = flip
  }

  enum CodingKeys: String, CodingKey { case kind, path, flip, size, channels }

  /// Reads a set's name and options.
  ///
  /// - Throws: an error that names the key, and what is valid.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    kind = try keys.value(.kind)
    guard kind == .fashionMNIST else {
      (path, flip) = (nil, false)
      if kind == .noise {
        size = try keys.value(.size, in: 1...1 << 16)
        channels = try keys.value(.channels, in: 1...1 << 16)
      }
      return
    }
    path = try keys.path(.path, default: nil)
    flip = try keys.value(.flip, default: false)
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(kind, forKey: .kind)
    if kind == .noise {
      try keys.encode(size, forKey: .size)
      try keys.encode(channels, forKey: .channels)
    }
    guard kind == .fashionMNIST else { return }
    try keys.encodeIfPresent(path, forKey: .path)
    try keys.encode(flip, forKey: .flip)
  }

  /// The number of classes, 0 for data without labels.
  var classes: Int {
    switch kind {
    case .fashionMNIST: FashionMNIST.classes.count
    case .points: 0
    case .noise: Noise.classes
    }
  }

  /// The shape of one sample.
  var shape: Shape {
    switch kind {
    case .fashionMNIST: [28, 28, 1]
    case .points: [2]
    case .noise: [size, size, channels]
    }
  }
}

extension DataConfig.Kind: Codable, RawRepresentable, CaseIterable {
  /// All sets.
  public static let allCases =
    [Self.fashionMNIST] + Points.allCases.map { Self.points($0) } + [.noise]

  /// The name in recipes.
  public var rawValue: String {
    switch self {
    case .fashionMNIST: "fashion-mnist"
    case .points(let set): set.rawValue
    case .noise: "noise"
    }
  }

  /// The set of a name.
  public init?(rawValue: String) {
    guard let kind = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = kind
  }
}
