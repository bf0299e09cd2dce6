import Layers
import Models
import Runtime
import Tensors

extension Engine {
  /// A network's weights in the element type that they are to be stored in, see `ModelFile.write`.
  func stored(
    _ weights: Named<ShardedArray>, of model: ModelConfig, as dtype: DType, path: String,
    allowsOverflow: Bool
  ) throws -> Named<ShardedArray> {
    let isQuantized = weights.pairs.contains { name, array in
      let scales = weights[name + QuantizedTensor.scaleSuffix]
      return Quantization(values: array.type, scales: scales?.type) != nil
    }
    if dtype == .int8 {
      let matrices = model.weights.filter { weights[$0]?.type.dtype.isFloat == true }
        .pairs.filter(\.value.isMatrix).map(\.name)
      guard !matrices.isEmpty else { return weights }
      let chosen = Set(matrices)
      return try compile(weights.types, shardings: weights.shardings) {
        $0.quantized(chosen.contains)
      }(weights)
    }
    let whole =
      isQuantized
      ? try compile(weights.types, shardings: weights.shardings) { $0.dequantized() }(weights)
      : weights
    return try cast(whole, of: path, allowsOverflow: allowsOverflow) { $0.isFloat ? dtype : $0 }
  }

  /// The arrays with other element types; nothing is copied where none changes.
  ///
  /// - Parameters:
  ///   - path: the file of the arrays, for messages.
  ///   - allowsOverflow: whether finite numbers may become infinite.
  /// - Throws: `PipelineError.beyondRange` with the number of those that would, and the plugin's
  ///   errors.
  package func cast(
    _ arrays: Named<ShardedArray>, of path: String, allowsOverflow: Bool = false,
    to dtype: (DType) -> DType
  ) throws -> Named<ShardedArray> {
    let wanted = arrays.mapValues { dtype($0.type.dtype) }
    guard arrays.names.contains(where: { arrays[$0]!.type.dtype != wanted[$0]! }) else {
      return arrays
    }
    let narrowed = arrays.filter { arrays[$0]!.type.dtype.infinite > wanted[$0]!.infinite }
    if !allowsOverflow, !narrowed.isEmpty {
      let counts = try compile(narrowed.types, shardings: narrowed.shardings) {
        $0.map { name, array in
          let size = array.abs()
          let large = size.greaterOrEqual(.constant(wanted[name]!.infinite, size.dtype))
          return (large.cast(to: .int64) * size.less(.infinity).cast(to: .int64)).sum()
        }
      }(narrowed).mapValues { Int(try $0.array(of: Int64.self)[0]) }
      let lost = counts.names.filter { counts[$0]! > 0 }
      guard lost.isEmpty else {
        throw PipelineError.beyondRange(
          path: path, dtype: wanted[lost[0]]!, names: lost, count: counts.values.reduce(0, +))
      }
    }
    return try compile(arrays.types, shardings: arrays.shardings) {
      $0.map { $1.cast(to: wanted[$0]!) }
    }(arrays)
  }
}

extension DType {
  /// The least number that a floating-point type rounds to infinity: half a step above its largest
  /// finite number. Infinite for types that are not floating-point, or that no weight is converted to.
  fileprivate var infinite: Double {
    switch self {
    case .float16: 65520
    case .bfloat16: 0x1.FFp127
    case .float32: 0x1.FFFFFFp127
    case .float64, .float8e4m3, .float8e5m2, .bool, .int8, .int16, .int32, .int64, .uint8, .uint16,
      .uint32, .uint64:
      .infinity
    }
  }
}
