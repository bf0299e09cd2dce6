import Tensors

/// A matrix `[rows, columns]` in 8-bit whole numbers with a scale for each row: symmetric
/// quantization, as in Dettmers and others, "LLM.int8()", 2022, without outliers.
public struct QuantizedTensor {
  /// The whole numbers, s8 `[rows, columns]`, within ±127.
  public let values: Tensor
  /// What each row is multiplied with, f32 `[rows]`.
  public let scales: Tensor

  /// Makes a matrix of its parts.
  public init(values: Tensor, scales: Tensor) {
    precondition(
      values.rank == 2 && scales.shape == [values.shape[0]] && values.dtype == .int8,
      "\(values.type) and \(scales.type) are no quantized matrix")
    self.values = values
    self.scales = scales
  }

  /// Quantizes a matrix: each row's largest magnitude becomes 127.
  public init(_ matrix: Tensor) {
    let wide = matrix.cast(to: .float32)
    let largest = wide.abs().max([1]).maximum(1e-12)
    scales = largest / 127
    values = (wide / scales.expanded([1])).rounded().cast(to: .int8)
  }

  /// The matrix in a floating-point type.
  public func dequantized(to dtype: DType) -> Tensor {
    (values.cast(to: .float32) * scales.expanded([1])).cast(to: dtype)
  }
}
