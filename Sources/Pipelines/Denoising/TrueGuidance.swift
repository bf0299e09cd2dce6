import Flow
import Models
import Tensors

/// How a guided velocity follows from the conditional one c and the unconditional one u.
public enum GuidanceRule: Hashable, Sendable {
  /// `u + s·(c − u)`: Ho and Salimans, 2022.
  case standard
  /// The network has learned guided velocities and embeds the scale: Meng and others, "On distillation of
  /// guided diffusion models", 2023. There is no u.
  case embedded
  /// `u + s·(c − u)`, with the norm of each token scaled to that of c: Qwen-Image. A token is a square
  /// patch of latents of the given size.
  case rescaled(patch: Int)
  /// `c + s·(c − u)`: Z-Image. With a limit, the norm of each sample is at most the limit times that
  /// of c.
  case extrapolated(limit: Double?)
}

/// Classifier-free guidance by two evaluations, each with conditions of its own length: Ho and Salimans,
/// "Classifier-free diffusion guidance", 2022.
package struct TrueGuidance: VelocityModel {
  let network: any VelocityModel
  let unconditional: Named<Tensor>
  let scale: Tensor
  let rule: GuidanceRule
  let skipping: (layers: Set<Int>, scale: Tensor)?

  /// Makes a guided network.
  ///
  /// - Parameter skipping: the blocks that a third evaluation leaves out, and the factor of `c` minus its
  ///   result, which is added; nil for two evaluations.
  package init(
    network: any VelocityModel, unconditional: Named<Tensor>, scale: Tensor, rule: GuidanceRule,
    skipping: (layers: Set<Int>, scale: Tensor)? = nil
  ) {
    (self.network, self.unconditional) = (network, unconditional)
    (self.scale, self.rule, self.skipping) = (scale, rule, skipping)
  }

  /// The guided velocity, see `GuidanceRule`.
  package func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    if rule == .embedded {
      var condition = condition
      condition["guidance"] = scale.cast(to: .float32).broadcast(to: [x.shape[0]])
      return network(x, time: time, target: target, condition: condition)
    }
    let c = network(x, time: time, target: target, condition: condition).cast(to: .float32)
    let u = network(x, time: time, target: target, condition: unconditional).cast(to: .float32)
    let scale = scale.cast(to: .float32)
    let guided = guided(c, u, scale)
    guard let skipping else { return guided.cast(to: x.dtype) }
    guard let network = network as? any LayerSkippingModel else {
      preconditionFailure("\(type(of: network)) cannot leave out blocks")
    }
    let s = network.skipping(skipping.layers)(
      x, time: time, target: target, condition: condition
    ).cast(to: .float32)
    return (guided + skipping.scale.cast(to: .float32) * (c - s)).cast(to: x.dtype)
  }

  /// The guided velocity by the rule, in f32.
  private func guided(_ c: Tensor, _ u: Tensor, _ scale: Tensor) -> Tensor {
    switch rule {
    case .standard, .embedded: return u + scale * (c - u)
    case .rescaled(let patch):
      let guided = u + scale * (c - u)
      // Guidance of 0 has no direction to scale.
      let ratio = c.patchNorms(patch) / guided.patchNorms(patch).maximum(1e-30)
      return guided * ratio.enlarged(patch)
    case .extrapolated(let limit):
      let guided = c + scale * (c - u)
      guard let limit else { return guided }
      let axes = Array(1..<c.rank)
      let largest = (c * c).sum(axes, keep: true).sqrt() * limit
      let norm = (guided * guided).sum(axes, keep: true).sqrt()
      let factor = norm.greater(largest).select(largest / norm, norm * 0 + 1)
      return guided * factor
    }
  }
}

extension Tensor {
  /// The norms of square patches of latents `[batch, height, width, channels]`,
  /// `[batch, rows, columns]`.
  fileprivate func patchNorms(_ patch: Int) -> Tensor {
    let (height, width) = (shape[1] / patch, shape[2] / patch)
    return (self * self).reshape([shape[0], height, patch, width, patch, shape[3]])
      .sum([2, 4, 5]).sqrt()
  }

  /// Numbers for patches `[batch, rows, columns]` repeated for each latent,
  /// `[batch, height, width, 1]`.
  fileprivate func enlarged(_ patch: Int) -> Tensor {
    let (rows, columns) = (shape[1], shape[2])
    return reshape([shape[0], rows, 1, columns, 1, 1])
      .broadcast(to: [shape[0], rows, patch, columns, patch, 1])
      .reshape([shape[0], rows * patch, columns * patch, 1])
  }
}
