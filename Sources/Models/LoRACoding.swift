import Layers
import Recipe

extension LoRA: Codable {
  enum CodingKeys: String, CodingKey { case rank, alpha, layers, full }

  /// Reads the rank, with `alpha` (the rank), `layers` (all) and `full` (none).
  ///
  /// - Throws: an error that names the key whose value cannot be.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let rank: Int = try keys.value(.rank, in: 1...1 << 16)
    self.init(
      rank: rank,
      alpha: try keys.value(
        .alpha, default: Double(rank), where: { $0 > 0 }, "it must be above 0"),
      layers: try keys.value(.layers, default: []), full: try keys.value(.full, default: []))
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(rank, forKey: .rank)
    try keys.encode(alpha, forKey: .alpha)
    try keys.encode(layers, forKey: .layers)
    try keys.encode(full, forKey: .full)
  }
}
