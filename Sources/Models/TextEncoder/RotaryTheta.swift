import Recipe

/// The keys of `config.json` for rotary position embedding.
///
/// Transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5 one object `rope_parameters`.
struct RotaryTheta: Decodable {
  /// The base of the frequencies.
  let value: Double

  private enum CodingKeys: String, CodingKey {
    case theta = "rope_theta"
    case scaling = "rope_scaling"
    case parameters = "rope_parameters"
  }

  private enum Parameters: String, CodingKey {
    case theta = "rope_theta"
    case kind = "rope_type"
    case oldKind = "type"
    case full = "full_attention"
    case sliding = "sliding_attention"
  }

  /// Reads the base, 10,000 where there is none.
  ///
  /// - Throws: an error that names a key for frequencies that are scaled, or that depend on the layer.
  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    var theta = try keys.decodeIfPresent(Double.self, forKey: .theta)
    // As in transformers, the older key has precedence.
    let places: [CodingKeys] = [.scaling, .parameters]
    if let place = try places.first(where: {
      try keys.contains($0) && !keys.decodeNil(forKey: $0)
    }) {
      let inner = try keys.nestedContainer(keyedBy: Parameters.self, forKey: place)
      for key in [Parameters.kind, .oldKind] {
        guard let kind = try inner.decodeIfPresent(String.self, forKey: key) else { continue }
        guard kind == "default" else {
          throw InvalidRecipeValue(place, kind, "only the `rope_type` default is supported")
        }
        break
      }
      for key in [Parameters.full, .sliding] where inner.contains(key) {
        throw InvalidRecipeValue(
          place, key.rawValue, "parameters for each kind of layer are not supported")
      }
      theta = try inner.decodeIfPresent(Double.self, forKey: .theta) ?? theta
    }
    value = theta ?? 10_000
    guard value > 0, value.isFinite else {
      throw InvalidRecipeValue(CodingKeys.theta, value, "it must be above 0")
    }
  }
}
