import Tensors

/// A low-rank change of a linear map: `((x·Aᵀ)·scale)·Bᵀ`.
struct LowRank {
  /// A, `[rank, input]`.
  let down: Tensor
  /// B, `[output, rank]`.
  let up: Tensor
  /// The factors of the components, f32 `[rank]` or a scalar.
  let scale: Tensor

  /// The change of the map's result for rows `[rows, input]`.
  func callAsFunction(_ x: Tensor) -> Tensor {
    x.dot(down.cast(to: x.dtype), contracting: ([1], [1])).scaled(by: scale)
      .dot(up.cast(to: x.dtype), contracting: ([1], [1]))
  }
}

/// LoRA that is bound beside the weights of a network, any number of them for each linear map.
///
/// The map at the path `PATH` has the adapter `NAME` where `PATH.lora.NAME.A` `[rank, input]`,
/// `PATH.lora.NAME.B` `[output, rank]` and `PATH.lora.NAME.scale` f32 `[rank]` are among the
/// weights: it computes `x·Wᵀ + b + ((x·Aᵀ)·scale)·Bᵀ`, and W is left as it is stored. In a stack the
/// three have a leading axis over the layers; layers of a smaller rank are padded with zeros.
public enum Adapter {
  /// The tensors of an adapter.
  public enum Part: String, CaseIterable, Sendable {
    /// The first factor.
    case down = "A"
    /// The second factor.
    case up = "B"
    /// The factors of the components, which hold `alpha / rank` and the scale that a user chooses.
    case scale
  }

  private static let marker = "lora"

  /// The name of an adapter's tensor for the map at a path.
  public static func name(_ part: Part, of adapter: String, path: String) -> String {
    precondition(!adapter.contains("."), "the name of the adapter \(adapter) has a dot")
    return "\(path).\(marker).\(adapter).\(part.rawValue)"
  }

  /// The path of the map and the adapter whose first factor has a name; nil for other names.
  static func parse(_ name: String) -> (path: String, adapter: String)? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count > 3, parts[parts.count - 3] == marker, parts.last! == Part.down.rawValue
    else { return nil }
    return (parts.dropLast(3).joined(separator: "."), String(parts[parts.count - 2]))
  }

  /// Whether a name is that of one of an adapter's tensors.
  public static func isPart(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count > 3 && parts[parts.count - 3] == marker
      && Part(rawValue: String(parts.last!)) != nil
  }

  /// The declarations of an adapter's tensors for the map at a path.
  ///
  /// - Parameter matrix: the map's matrix, or those of a stack.
  public static func specs(
    of adapter: String, path: String, matrix: ParameterSpec, rank: Int
  ) -> Named<ParameterSpec> {
    precondition(
      matrix.isMatrix && matrix.shape.rank >= 2, "\(path) with \(matrix.shape) is no linear map")
    let (layers, sizes) = (Array(matrix.shape.sizes.dropLast(2)), matrix.shape.sizes.suffix(2))
    let axes = matrix.axes.count == matrix.shape.rank ? matrix.axes : []
    func spec(_ sizes: [Int], _ own: [LogicalAxis?]) -> ParameterSpec {
      ParameterSpec(
        shape: Shape(layers + sizes), initializer: .zeros,
        axes: axes.isEmpty ? [] : Array(axes.dropLast(2)) + own)
    }
    let (to, from) = axes.isEmpty ? (nil, nil) : (axes[axes.count - 2], axes[axes.count - 1])
    return Named([
      (name(.down, of: adapter, path: path), spec([rank, sizes.last!], [nil, from])),
      (name(.up, of: adapter, path: path), spec([sizes.first!, rank], [to, nil])),
      (name(.scale, of: adapter, path: path), spec([rank], [nil])),
    ])
  }
}

extension Named<Tensor> {
  /// The weights with every adapter merged: `B·(scale·A)` is added to its matrix in f32 at least, and
  /// the sum rounded to the matrix's element type. Quantized matrices must be dequantized before.
  public func mergingAdapters() -> Named {
    var merged = filter { !Adapter.isPart($0) }
    for name in names {
      guard let (path, adapter) = Adapter.parse(name) else { continue }
      func part(_ part: Adapter.Part) -> Tensor {
        guard let tensor = self[Adapter.name(part, of: adapter, path: path)] else {
          preconditionFailure("the adapter \(adapter) of \(path) has no \(part.rawValue)")
        }
        return tensor
      }
      guard let weight = merged["\(path).weight"], weight.dtype.isFloat else {
        preconditionFailure("the adapter \(adapter) cannot be merged into \(path)")
      }
      let wide = weight.dtype == .float64 ? weight.dtype : .float32
      let down = part(.down).cast(to: wide) * part(.scale).cast(to: wide).expanded([-1])
      let change = part(.up).cast(to: wide).matmul(down)
      merged["\(path).weight"] = (weight.cast(to: wide) + change).cast(to: weight.dtype)
    }
    return merged
  }
}
