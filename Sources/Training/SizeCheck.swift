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
    func bytes(_ specs: Named<ArraySpec>) -> Double {
      specs.values.reduce(0) { sum, spec in
        let local = spec.sharding.local(spec.type.shape, mesh)
        return sum + local.sizes.reduce(Double(spec.type.dtype.byteCount)) { $0 * Double($1) }
      }
    }
    let moments = optimizer.optimizer.state(for: specs.filter(trains))
    let sample = model.sampleShape().sizes.reduce(4) { $0 * Double($1) }
    return bytes(specs) + bytes(moments)
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
