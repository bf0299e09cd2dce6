import Layers
import Tensors
import TestSupport

extension Named<ParameterSpec> {
  /// Random values for every weight, whatever it starts from in training.
  func random(seed: UInt64 = 1, _ dtype: DType = .float32) -> Named<Numbers> {
    var seed = seed
    return mapValues {
      seed += 1
      return .random($0.shape.sizes, seed: seed, in: -0.5...0.5, dtype)
    }
  }

  /// Names and shapes, one line each.
  var listing: [String] { pairs.map { "\($0.name) \($0.value.shape)" } }

  /// The number of elements of all weights.
  var elements: Int { values.reduce(0) { $0 + $1.shape.count } }
}

extension Numbers {
  /// One row of the first axis.
  func row(_ row: Int) -> Numbers {
    let width = count / shape[0]
    return Numbers(
      Array(values[row * width..<(row + 1) * width]), [1] + shape.dropFirst(), dtype)
  }
}
