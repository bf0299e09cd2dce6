import Tensors

/// How a network receives the target time.
public enum TimeConvention: String, Codable, Hashable, Sendable, CaseIterable {
  /// As a second time besides the current one, for networks that have an embedder for it.
  case pair
  /// Combined into one time, `t − tt/2`, for networks without one: the published version for
  /// LoRA. The network cannot distinguish the pairs (t, t) and (t/2, 0).
  case middle

  /// A network that receives times by this convention.
  public func applied(to network: any VelocityModel) -> any VelocityModel {
    self == .pair ? network : MiddleTimeModel(network: network)
  }

  func applied(to networks: Networks) -> Networks {
    Networks(
      live: applied(to: networks.live), target: applied(to: networks.target),
      auxiliaries: networks.auxiliaries.mapValues { applied(to: $0) }, critics: networks.critics)
  }
}

/// A network that gets the time `t − tt/2` for both times.
struct MiddleTimeModel: VelocityModel {
  let network: any VelocityModel

  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let middle = time - target * 0.5
    return network(x, time: middle, target: middle, condition: condition)
  }
}
