import Runtime
import Tensors

/// The peak speed of a device in matrix multiplications.
enum PeakSpeed {
  /// The time that repetitions may take together.
  private static let budget = 0.4

  /// The FLOP/s of multiplying two square matrices, the best of repetitions within a fraction of a
  /// second. The first repetition, in which memory is touched, is not counted.
  ///
  /// - Parameter dtype: the element type of the matrices.
  /// - Throws: the plugin's errors.
  static func measured(on engine: Engine, in dtype: DType) throws -> Double {
    let size = engine.client.platformName == "cpu" ? 1024 : 8192
    let type = TensorType([size, size], dtype)
    let shape: Shape = [size, size]
    let matrices = try engine.compile(Named<TensorType>()) { _ in
      // Values of order 1 / size, so that products stay small.
      let ramp = Tensor.iota(shape, axis: 0, .float32) * (1 / Double(size * size))
      return Named([("a", ramp.cast(to: dtype)), ("b", ramp.cast(to: dtype))])
    }(Named())
    let product = try engine.compile(Named([("a", type), ("b", type)])) {
      Named([("c", $0["a"]!.matmul($0["b"]!))])
    }
    let clock = ContinuousClock()
    var (best, spent) = (Double.infinity, 0.0)
    _ = try product(matrices)
    repeat {
      let start = clock.now
      _ = try product(matrices)
      let seconds = (clock.now - start).seconds
      best = min(best, seconds)
      spent += seconds
    } while spent < budget
    return 2 * Double(size) * Double(size) * Double(size) / best
  }
}
