import Tensors

/// Classifier-free guidance around a network: `F∅ + (1 + scale)·(F − F∅)`, Ho and Salimans,
/// "Classifier-free diffusion guidance", 2022.
public struct GuidedModel: VelocityModel {
  let network: any VelocityModel
  let unconditional: Named<Tensor>
  let scale: Tensor

  /// Makes a guided network; a scale of 0 is the network itself.
  ///
  /// - Parameter scale: a scalar.
  public init(_ network: any VelocityModel, unconditional: Named<Tensor>, scale: Tensor) {
    self.network = network
    self.unconditional = unconditional
    self.scale = scale
  }

  /// Makes a guided network; a scale of 0 is the network itself.
  public init(_ network: any VelocityModel, unconditional: Named<Tensor>, scale: Double) {
    self.init(network, unconditional: unconditional, scale: .constant(scale, .float32))
  }

  /// The guided velocity, from one evaluation of twice the batch.
  public func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let twice = { (t: Tensor) in Tensor.concatenate([t, t]) }
    let both = network(
      twice(x), time: twice(time), target: twice(target),
      condition: condition.appending(unconditional)
    ).split(2)
    return both[0] + (both[0] - both[1]) * scale.cast(to: x.dtype)
  }
}
