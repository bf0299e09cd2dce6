import Tensors

/// The values of a weight before training.
public indirect enum Initializer: Sendable, Hashable {
  /// All 0.
  case zeros
  /// All 1.
  case ones
  /// Normal with a standard deviation.
  case normal(Double)
  /// Uniform within ± a bound.
  case uniform(Double)
  /// The positions of a square of tokens, `[1, tokens, features]`, scaled to the range of a square with
  /// sides of `base` tokens; see `Tensor.positions`.
  case positions(base: Int)
  /// Another initializer for each element of the first axis, with numbers of its own.
  case stacked(Initializer)

  /// Uniform within ± √(6 / (fan in + fan out)): Glorot and Bengio, 2010.
  public static func xavier(_ fanIn: Int, _ fanOut: Int) -> Initializer {
    .uniform((6 / Double(fanIn + fanOut)).squareRoot())
  }

  /// Normal with the standard deviation √(2 / (fan in + fan out)): Glorot and Bengio, 2010.
  public static func xavierNormal(_ fanIn: Int, _ fanOut: Int) -> Initializer {
    .normal((2 / Double(fanIn + fanOut)).squareRoot())
  }

  /// Uniform within ± 1/√(fan in), as PyTorch does by default.
  public static func fanIn(_ count: Int) -> Initializer {
    .uniform(1 / Double(count).squareRoot())
  }

  /// Fresh values.
  public func callAsFunction(_ key: Key, _ type: TensorType) -> Tensor {
    switch self {
    case .zeros: .zeros(type.shape, type.dtype)
    case .ones: .ones(type.shape, type.dtype)
    case .normal(let deviation): key.normal(type.shape, type.dtype) * deviation
    case .uniform(let bound): (key.uniform(type.shape, type.dtype) * 2 - 1) * bound
    case .positions(let base): Self.positions(type, base: base)
    case .stacked(let inner): inner(key, type)
    }
  }

  private static func positions(_ type: TensorType, base: Int) -> Tensor {
    let side = Int(Double(type.shape[1]).squareRoot().rounded())
    precondition(side * side == type.shape[1], "\(type) is no square of tokens")
    return .positions(height: side, width: side, features: type.shape[2], base: base)
      .reshape(type.shape).cast(to: type.dtype)
  }
}

extension Named<ParameterSpec> {
  /// Fresh f32 values for every parameter. A parameter's values depend on the key and its name alone.
  public func initialized(_ key: Key) -> Named<Tensor> {
    map { name, spec in
      spec.initializer(
        key.folded(.constant(integer: Int64(bitPattern: name.stableHash), .int64)), spec.type())
    }
  }
}

extension String {
  /// A hash that is the same in every process: 64-bit FNV-1a of the UTF-8 bytes.
  var stableHash: UInt64 {
    utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}
