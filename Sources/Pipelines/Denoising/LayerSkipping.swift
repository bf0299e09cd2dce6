/// Guidance by how much worse a network is without some of its blocks, during a part of the steps: the
/// skip-layer guidance of Stable Diffusion 3.5.
public struct LayerSkipping: Codable, Hashable, Sendable {
  /// The numbers of the blocks that are left out.
  public var layers: [Int]
  /// The factor of the difference that they make.
  public var scale: Double
  /// The fraction of the steps after which it begins.
  public var start: Double
  /// The fraction of the steps at which it ends.
  public var stop: Double

  /// Makes a guidance; by default as it is recommended for Stable Diffusion 3.5 medium.
  public init(
    layers: [Int] = [7, 8, 9], scale: Double = 2.8, start: Double = 0.01, stop: Double = 0.2
  ) {
    (self.layers, self.scale, self.start, self.stop) = (layers, scale, start, stop)
  }

  /// Whether it guides a step.
  ///
  /// - Parameters:
  ///   - step: the step's number from 0.
  ///   - count: the number of steps.
  package func guides(_ step: Int, of count: Int) -> Bool {
    Double(step) > Double(count) * start && Double(step) < Double(count) * stop
  }
}
