import Tensors

/// A matrix `[…, rows, columns]` in numbers of 4 or 8 bits with scales, see `Quantization`.
///
/// It is frozen: no gradient passes to it.
public struct QuantizedTensor {
  /// The stored numbers.
  public let values: Tensor
  /// The factors on the rows or on groups of columns.
  public let scales: Tensor
  /// How the two hold the matrix.
  public let quantization: Quantization

  /// Makes a matrix of numbers and scales.
  public init(values: Tensor, scales: Tensor, _ quantization: Quantization = .int8) {
    let columns = (values.shape.sizes.last ?? 0) * quantization.columnsPerValue
    precondition(
      values.rank >= 2 && values.dtype == quantization.valueType
        && scales.shape == quantization.scales(of: values.shape.replacing(-1, with: columns)),
      "\(values.type) and \(scales.type) are no matrix that is quantized as \(quantization)")
    // Values of floating-point types and scales could have gradients, of which each would take one of
    // the whole matrix.
    self.values = values.dtype.isFloat ? values.stopGradient() : values
    self.scales = scales.stopGradient()
    self.quantization = quantization
  }

  /// Quantizes a matrix in 8 bits: each row's largest magnitude becomes 127.
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
    let factors = scales.cast(to: .float32).expanded([-1])
    guard quantization.hasGroups else {
      return (values.cast(to: .float32) * factors).cast(to: dtype)
    }
    let width = Quantization.groupSize / quantization.columnsPerValue
    var numbers = values.reshape(Shape(scales.shape.sizes + [width]))
    if quantization == .int4 {
      let halves = [numbers & .constant(15, .uint8), numbers >> 4]
      numbers = Tensor.concatenate(halves, axis: -1).cast(to: .int8) - 8
    }
    let matrix = (numbers.cast(to: .float32) * factors).cast(to: dtype)
    return matrix.reshape(
      values.shape.replacing(-1, with: values.shape[-1] * quantization.columnsPerValue))
  }
}

extension Named<Tensor> {
  /// The parameters with the chosen matrices quantized in 8 bits, each followed by its scales.
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
    var (kinds, scales): ([String: Quantization], Set<String>) = ([:], [])
    for (name, tensor) in pairs {
      let scale = name + QuantizedTensor.scaleSuffix
      guard let kind = Quantization(values: tensor.type, scales: self[scale]?.type) else {
        continue
      }
      kinds[name] = kind
      scales.insert(scale)
    }
    return filter { !scales.contains($0) }.map { name, tensor in
      guard let kind = kinds[name] else { return tensor }
      guard let scales = self[name + QuantizedTensor.scaleSuffix] else {
        preconditionFailure("the scales of \(name) are missing")
      }
      return QuantizedTensor(values: tensor, scales: scales, kind).dequantized(to: .float32)
    }
  }
}
