import Tensors

/// An affine map of the last axis, `x·Wᵀ + b`, with any number of low-rank changes: LoRA that is
/// trained, and adapters.
///
/// `Scope.linear` makes all of them, so that LoRA, freezing and quantization act on every
/// matrix of a network in one place.
public struct LinearMap {
  /// The matrix `[output, input]`.
  public enum Base {
    /// As it is stored.
    case dense(Tensor)
    /// In fewer bits, with scales.
    case quantized(QuantizedTensor)
  }

  /// The matrix.
  public let base: Base
  let bias: Tensor?
  let lora: [LowRank]
  let output: Int

  /// `[…, input]` to `[…, output]`, in the input's element type.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let rows = x.reshape([-1, x.shape[-1]])
    var y = rows.dot(base.matrix(x.dtype), contracting: ([1], [1]))
    if let scales = base.scales { y = y.scaled(by: scales) }
    for change in lora { y = y + change(rows) }
    if let bias { y = y + bias.cast(to: x.dtype) }
    return y.reshape(Shape(Array(x.shape.sizes.dropLast()) + [output]))
  }
}

extension LinearMap.Base {
  /// The matrix in an element type, without its rows' scales: 8 bits are exact in every type. Scales of
  /// groups are applied.
  func matrix(_ dtype: DType) -> Tensor {
    switch self {
    case .dense(let weight): weight.cast(to: dtype)
    case .quantized(let weight):
      weight.quantization.hasGroups ? weight.dequantized(to: dtype) : weight.values.cast(to: dtype)
    }
  }

  /// The factors on the features of the product, f32 `[output]`; nil for none.
  ///
  /// The scale of a row is a factor of one feature of the product. Applied there, it takes fewer
  /// operations, and nothing of the matrix is rounded.
  var scales: Tensor? {
    if case .quantized(let weight) = self, !weight.quantization.hasGroups {
      weight.scales
    } else {
      nil
    }
  }
}

extension Tensor {
  /// This times f32 numbers of its last axes, in f32 at least.
  func scaled(by scales: Tensor) -> Tensor {
    let wide = dtype == .float64 ? dtype : .float32
    return (cast(to: wide) * scales.cast(to: wide)).cast(to: dtype)
  }
}

/// Several maps of one input to as many outputs, such as those to queries, keys and values, computed as
/// one product.
public struct FusedMaps {
  let maps: [LinearMap]

  /// Fuses maps of equal sizes.
  public init(_ maps: [LinearMap]) {
    precondition(Set(maps.map(\.output)).count == 1, "maps of unequal sizes cannot be fused")
    self.maps = maps
  }

  /// `[…, input]` to `[…, maps, output]`, in the input's element type.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let rows = x.reshape([-1, x.shape[-1]])
    let (count, output) = (maps.count, maps[0].output)
    let weight = Tensor.stack(maps.map { $0.base.matrix(x.dtype) })
    var y = rows.dot(weight, contracting: ([1], [-1]))
    let scales = maps.map(\.base.scales)
    if scales.contains(where: { $0 != nil }) {
      y = y.scaled(by: .stack(scales.map { $0 ?? .ones([output], .float32) }))
    }
    if maps.contains(where: { !$0.lora.isEmpty }) {
      let changes = maps.map { map in
        map.lora.reduce(Tensor.zeros([rows.shape[0], output], x.dtype)) { $0 + $1(rows) }
      }
      y = y + Tensor.stack(changes, axis: 1)
    }
    if maps.contains(where: { $0.bias != nil }) {
      let biases = maps.map { $0.bias?.cast(to: x.dtype) ?? .zeros([output], x.dtype) }
      y = y + Tensor.stack(biases)
    }
    return y.reshape(Shape(Array(x.shape.sizes.dropLast()) + [count, output]))
  }
}

extension Scope {
  /// An affine map from `input` to `output` features, with the parameters `NAME.weight`
  /// `[output, input]` and, unless `bias` is false, `NAME.bias` `[output]`. A matrix that is quantized
  /// has `NAME.weight_scale` beside it, see `Quantization`.
  ///
  /// - Parameters:
  ///   - from: the logical axis of the input's features, by which weights are sharded over devices.
  ///   - to: the logical axis of the output's features.
  public func linear(
    _ name: String, _ input: Int, _ output: Int, bias: Bool = true, initial: Initializer? = nil,
    initialBias: Initializer = .zeros, from: LogicalAxis? = nil, to: LogicalAxis? = nil
  ) -> LinearMap {
    let scope = self / name
    return LinearMap(
      base: scope.matrix(
        "weight", [output, input], initial ?? .xavier(input, output), axes: [to, from]),
      bias: bias ? scope.weight("bias", [output], initialBias, axes: [to]) : nil,
      lora: scope.lowRank(input, output, from: from, to: to) + scope.adapters(input, output),
      output: output)
  }

  /// The LoRA of the linear map in this scope, none or one.
  private func lowRank(
    _ input: Int, _ output: Int, from: LogicalAxis?, to: LogicalAxis?
  ) -> [LowRank] {
    guard let lora, lora.apply(to: place) else { return [] }
    return [
      LowRank(
        down: weight(LoRA.down, [lora.rank, input], .fanIn(input), axes: [nil, from]),
        up: weight(LoRA.up, [output, lora.rank], .zeros, axes: [to, nil]),
        scale: .constant(lora.alpha / Double(lora.rank), .float32))
    ]
  }

  /// The adapters that are bound to the linear map in this scope.
  private func adapters(_ input: Int, _ output: Int) -> [LowRank] {
    let matrix = ParameterSpec(shape: [output, input], initializer: .zeros, isMatrix: true)
    return adapters(path: path, matrix: matrix) { adapter in
      LowRank(
        down: adapter.values[0], up: adapter.values[1], scale: adapter.values[2])
    }
  }
}
