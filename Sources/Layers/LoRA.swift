import Tensors

/// Low-rank adaptation of the weights of linear maps: Hu et al., "LoRA: Low-rank adaptation of large
/// language models", 2021.
///
/// A map with the weight W computes `x·Wᵀ + (alpha / rank)·(x·Aᵀ)·Bᵀ`. At the start B is 0, and the
/// network computes the same as without LoRA.
public struct LoRA: Hashable, Sendable {
  /// The rank: rows of A, columns of B.
  public var rank: Int
  /// The numerator of the scale `alpha / rank`.
  public var alpha: Double
  /// The maps that have LoRA, by components of their paths; all of them if empty.
  public var layers: [String]
  /// The weights that are trained in full, by components of their paths.
  public var full: [String]

  /// Makes a description.
  public init(rank: Int, alpha: Double, layers: [String] = [], full: [String] = []) {
    self.rank = rank
    self.alpha = alpha
    self.layers = layers
    self.full = full
  }

  /// The names of the two factors, below the path of a map.
  package static let (down, up) = ("lora_A.weight", "lora_B.weight")

  /// Whether the map at a path has LoRA.
  func apply(to path: String) -> Bool {
    !isFull(path) && (layers.isEmpty || layers.contains { Self.matches(path, $0) })
  }

  private func isFull(_ path: String) -> Bool { full.contains { Self.matches(path, $0) } }

  /// Whether a name is that of one of the factors.
  public static func isFactor(_ name: String) -> Bool {
    name.hasSuffix(".\(down)") || name.hasSuffix(".\(up)")
  }

  /// Whether a weight is trained: the factors and the weights in `full`.
  public func trains(_ name: String) -> Bool { Self.isFactor(name) || isFull(name) }

  /// Whether a path has a component, or several joined by dots.
  private static func matches(_ path: String, _ part: String) -> Bool {
    ".\(path).".contains(".\(part).")
  }

  /// The weights with the scale multiplied into B, for files that programs read which take the scale
  /// of LoRA for 1: then alpha is the rank.
  public func withUnitScale(_ weights: Named<Tensor>) -> Named<Tensor> {
    weights.map { name, weight in
      name.hasSuffix(".\(Self.up)") ? weight * (alpha / Double(rank)) : weight
    }
  }

  /// The weights with LoRA merged: each product is added to its weight.
  public func merged(_ weights: Named<Tensor>) -> Named<Tensor> {
    weights.filter { !Self.isFactor($0) }.map { name, weight in
      let path = name.dropLast(".weight".count)
      guard name.hasSuffix(".weight"), let a = weights["\(path).\(Self.down)"],
        let b = weights["\(path).\(Self.up)"]
      else { return weight }
      return weight + b.matmul(a).reshape(weight.shape) * (alpha / Double(rank))
    }
  }
}
