import Flow
import Runtime
import Tensors

/// What a denoiser is made of, and what a run of it is given.
extension Denoiser {
  /// The network that predicts velocities.
  package struct Network: Sendable {
    /// Its weights.
    package let component: Component
    /// The element type that it computes in.
    package let compute: DType
    /// The network bound to weights.
    package let bound: @Sendable (Named<Tensor>) -> any VelocityModel

    /// Makes a network.
    package init(
      _ component: Component, compute: DType,
      bound: @escaping @Sendable (Named<Tensor>) -> any VelocityModel
    ) {
      (self.component, self.compute, self.bound) = (component, compute, bound)
    }
  }

  /// Where the random numbers of a batch come from.
  package enum Randomness: Hashable, Sendable {
    /// One key for the batch: `key` ui64[2] and the `number` of the run with it.
    case batch
    /// A key for each sample, `key` ui64[batch, 2], so that a sample's noise does not depend on the
    /// batch that it is in.
    case perSample
  }

  /// The conditions of a batch.
  package struct Conditions: Sendable {
    /// What the network is given, batch first.
    let given: Named<ShardedArray>
    /// What it is given for guidance, empty for none.
    let unconditional: Named<ShardedArray>
    /// The scale of guidance, f32 scalar.
    let scale: ShardedArray?
    /// The guidance by skipped blocks, and its scale, f32 scalar; nil for none.
    private(set) var skipping: (rule: LayerSkipping, scale: ShardedArray)?

    /// Makes the conditions without guidance.
    package init(_ given: Named<ShardedArray>) {
      (self.given, unconditional, scale) = (given, Named(), nil)
    }

    /// Makes the conditions of a guided run.
    package init(
      _ given: Named<ShardedArray>, unconditional: Named<ShardedArray>, scale: ShardedArray
    ) {
      (self.given, self.unconditional, self.scale) = (given, unconditional, scale)
    }

    /// The same conditions, with guidance by skipped blocks too.
    package func skipping(_ rule: LayerSkipping, scale: ShardedArray) -> Conditions {
      var conditions = self
      conditions.skipping = (rule, scale)
      return conditions
    }

    /// Whether a step is guided by skipped blocks.
    func skips(_ step: Int, of count: Int) -> Bool {
      skipping?.rule.guides(step, of: count) ?? false
    }

    /// The types of the conditions, those of a step that is not guided by skipped blocks.
    package var types: ConditionTypes {
      ConditionTypes(
        given: given.types, unconditional: unconditional.types, isGuided: scale != nil)
    }
  }

  /// The types of a batch's conditions, which programs are compiled for.
  package struct ConditionTypes: Hashable, Sendable {
    let given: Named<TensorType>
    let unconditional: Named<TensorType>
    let isGuided: Bool
    /// The numbers of skipped blocks; empty for none.
    private(set) var skipped: Set<Int> = []

    /// Makes the types of conditions.
    package init(
      given: Named<TensorType>, unconditional: Named<TensorType> = Named(), isGuided: Bool = false
    ) {
      (self.given, self.unconditional, self.isGuided) = (given, unconditional, isGuided)
    }

    /// The same with guidance by skipped blocks.
    package func skipping(_ layers: Set<Int>) -> ConditionTypes {
      var types = self
      types.skipped = layers
      return types
    }

    /// The same without guidance.
    var unguided: ConditionTypes { ConditionTypes(given: given) }
  }

  /// The conditions of a traced program.
  package struct TracedConditions {
    /// What the network is given.
    package let given: Named<Tensor>
    /// What it is given for guidance, and the scale of guidance; nil for none.
    package let guidance: (unconditional: Named<Tensor>, scale: Tensor)?
    /// The blocks that a further evaluation leaves out, and the scale of this guidance; nil for none.
    package var skipping: (layers: Set<Int>, scale: Tensor)?
  }

  /// An image that the samples of a run start from: Meng and others, "SDEdit", 2022.
  package struct Source: Sendable {
    /// Its latents, f32 of the shape of one sample, batch 1.
    let latents: ShardedArray
    /// The time that the run starts at, above 0 and at most 1; 1 keeps nothing of the image.
    let strength: Double
    /// 1 where samples may differ from the image and 0 where they may not, f32
    /// `[1, height, width, 1]`; nil for everywhere.
    let mask: ShardedArray?

    /// Makes a source.
    package init(latents: ShardedArray, strength: Double, mask: ShardedArray? = nil) {
      precondition(strength > 0 && strength <= 1, "a run cannot start at time \(strength)")
      (self.latents, self.strength, self.mask) = (latents, strength, mask)
    }
  }
}
