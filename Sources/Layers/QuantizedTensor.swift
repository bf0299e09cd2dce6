import Tensors

/// A matrix `[…, rows, columns]` in 8-bit integers with a scale for each row: symmetric
/// quantization, as in Dettmers et al., "LLM.int8()", 2022, without outliers.
///
/// It is frozen: no gradient passes to it.
public struct QuantizedTensor {
  /// The integers, s8 `[…, rows, columns]`, within ±127.
  public let values: Tensor
  /// The factors on the rows, f32 `[…, rows]`.
  public let scales: Tensor

  /// Makes a matrix of integers and scales.
  public init(values: Tensor, scales: Tensor) {
    precondition(
      values.rank >= 2 && scales.shape == values.shape.withoutColumns && values.dtype == .int8,
      "\(values.type) and \(scales.type) are no quantized matrix")
    self.values = values
    // Scales could have gradients, of which each would take a gradient of the whole matrix.
    self.scales = scales.stopGradient()
  }

  /// Quantizes a matrix: each row's largest magnitude becomes 127.
  public init(_ matrix: Tensor) {
    let wide = matrix.cast(to: .float32)
    let largest = wide.abs().max([wide.rank - 1]).maximum(Self.leastMagnitude)
    let scales = largest / 127
    self.init(
      values: (wide / scales.expanded([-1])).rounded().cast(to: .int8), scales: scales)
  }

  /// The lower bound of the largest magnitude of a row, so that rows of zeros have a scale too.
  public static let leastMagnitude = 1e-12

  /// The suffix of a matrix's name in the name of its scales, as in compressed-tensors and torchao:
  /// `x.weight` and `x.weight_scale`.
  public static let scaleSuffix = "_scale"

  /// The matrix in a floating-point type.
  public func dequantized(to dtype: DType) -> Tensor {
    (values.cast(to: .float32) * scales.expanded([-1])).cast(to: dtype)
  }
}

extension Shape {
  /// The shape of a matrix's scales.
  fileprivate var withoutColumns: Shape { Shape(sizes.dropLast()) }
}

extension ParameterSpec {
  /// The declaration of this matrix's scales where it is quantized: a number for each row, sharded
  /// like the rows.
  public var scales: ParameterSpec {
    precondition(isMatrix, "only the matrices of linear maps are quantized")
    return ParameterSpec(
      shape: shape.withoutColumns, initializer: .ones,
      axes: Array(axes.prefix(shape.rank - 1)))
  }
}

extension Named<ParameterSpec> {
  /// The parameters of a network whose chosen matrices are quantized: each is followed by its scales.
  public func withScales(of isQuantized: (String) -> Bool) -> Named {
    var all = Named()
    for (name, spec) in pairs {
      all[name] = spec
      if isQuantized(name) { all[name + QuantizedTensor.scaleSuffix] = spec.scales }
    }
    return all
  }
}

extension Named<Tensor> {
  /// The parameters with the chosen matrices quantized, each followed by its scales.
  public func quantized(_ isQuantized: (String) -> Bool) -> Named {
    var all = Named()
    for (name, tensor) in pairs {
      guard isQuantized(name) else {
        all[name] = tensor
        continue
      }
      let matrix = QuantizedTensor(tensor)
      all[name] = matrix.values
      all[name + QuantizedTensor.scaleSuffix] = matrix.scales
    }
    return all
  }

  /// The parameters with every quantized matrix in f32, and without scales.
  public func dequantized() -> Named {
    let quantized = filter { self[$0]!.dtype == .int8 }
    let scales = Set(quantized.names.map { $0 + QuantizedTensor.scaleSuffix })
    return filter { !scales.contains($0) }.map { name, tensor in
      guard quantized[name] != nil else { return tensor }
      guard let scales = self[name + QuantizedTensor.scaleSuffix] else {
        preconditionFailure("the scales of \(name) are missing")
      }
      return QuantizedTensor(values: tensor, scales: scales).dequantized(to: .float32)
    }
  }
}
