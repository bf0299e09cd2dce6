import Layers
import Models
import Runtime
import Tensors

extension TrainingRecipe {
  /// The bytes that a run takes on each device at least: weights, what the optimizer keeps for those
  /// that are trained, and a batch. What a step computes in between comes on top of that.
  ///
  /// - Parameter stored: how frozen weights are kept; in f32 where they are not named.
  func leastBytes(stored: Named<WeightStorage> = Named()) -> Double {
    let specs = model.weights(with: lora).arrays { stored[$0] ?? .float32 }
    func bytes(_ types: some Sequence<(name: String, value: TensorType)>) -> Double {
      types.reduce(0) { sum, pair in
        let shape = pair.value.shape
        let local = specs[pair.name].map { $0.sharding.local(shape, mesh) } ?? shape
        return sum + local.sizes.reduce(Double(pair.value.dtype.byteCount)) { $0 * Double($1) }
      }
    }
    let types = specs.types
    let trained = types.filter(trains)
    let moments = Double(optimizer.kind == .sgd ? (optimizer.betas[0] > 0 ? 1 : 0) : 2)
    let sample = model.sampleShape().sizes.reduce(4) { $0 * Double($1) }
    return bytes(types.pairs) + moments * bytes(trained.pairs)
      + Double(batch / mesh.batchShards) * sample
  }
}

extension Engine {
  /// Refuses a run whose weights and batches alone are more than the devices hold, before its step is
  /// traced and compiled.
  ///
  /// - Throws: `TrainingError.tooLarge`.
  func checkFits(_ recipe: TrainingRecipe, stored: Named<WeightStorage>) throws {
    guard let capacity = client.capacity(over: client.places(in: mesh).count) else { return }
    let needed = recipe.leastBytes(stored: stored)
    guard needed > Double(capacity) else { return }
    throw TrainingError.tooLarge(needed: needed, device: capacity)
  }
}
