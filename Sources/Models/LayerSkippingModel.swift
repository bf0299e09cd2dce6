import Flow

/// A network whose blocks can be left out, to guide it by how much worse it is without them: Hong and
/// others, "Perturbed-attention guidance", 2024; Hyung and others, "Spatiotemporal skip guidance", 2024.
public protocol LayerSkippingModel: VelocityModel {
  /// The same network without some blocks, which then leave their inputs as they are.
  ///
  /// - Parameter layers: the numbers of the blocks; those that it does not have change nothing.
  func skipping(_ layers: Set<Int>) -> Self
}
