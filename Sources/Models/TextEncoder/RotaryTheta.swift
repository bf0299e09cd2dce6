import Recipe

/// The keys of `config.json` for rotary position embedding.
///
/// Transformers 4 writes `rope_theta` and `rope_scaling`, transformers 5 one object `rope_parameters`.
struct RotaryTheta {
  /// The base of the frequencies.
  let value: Double
  /// The number of pairs of features for each axis of positions that have several; nil where that is
  /// not said.
  let sections: [Int]?

  private enum CodingKeys: String, CodingKey {
    case theta = "rope_theta"
    case scaling = "rope_scaling"
    case parameters = "rope_parameters"
  }

  private enum Parameters: String, CodingKey {
    case theta = "rope_theta"
    case kind = "rope_type"
    case oldKind = "type"
    case sections = "mrope_section"
    case full = "full_attention"
    case sliding = "sliding_attention"
  }

  /// Reads the base.
  ///
  /// - Parameters:
  ///   - standard: the base where there is none.
  ///   - kinds: the values of `rope_type` that mean frequencies without scaling.
  /// - Throws: an error that names a key for frequencies that are scaled, or that depend on the layer.
  init(
    from decoder: any Decoder, default standard: Double = 10_000, kinds: [String] = ["default"]
  ) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    var theta = try keys.decodeIfPresent(Double.self, forKey: .theta)
    var sections: [Int]?
    // As in transformers, the older key has precedence.
    let places: [CodingKeys] = [.scaling, .parameters]
    if let place = try places.first(where: {
      try keys.contains($0) && !keys.decodeNil(forKey: $0)
    }) {
      let inner = try keys.nestedContainer(keyedBy: Parameters.self, forKey: place)
      for key in [Parameters.kind, .oldKind] {
        guard let kind = try inner.decodeIfPresent(String.self, forKey: key) else { continue }
        guard kinds.contains(kind) else {
          throw InvalidRecipeValue(
            place, kind, "only the `rope_type` \(kinds.joined(separator: " or ")) is supported")
        }
        break
      }
      for key in [Parameters.full, .sliding] where inner.contains(key) {
        throw InvalidRecipeValue(
          place, key.rawValue, "parameters for each kind of layer are not supported")
      }
      theta = try inner.decodeIfPresent(Double.self, forKey: .theta) ?? theta
      sections = try inner.decodeIfPresent([Int].self, forKey: .sections)
    }
    value = theta ?? standard
    self.sections = sections
    guard value > 0, value.isFinite else {
      throw InvalidRecipeValue(CodingKeys.theta, value, "it must be above 0")
    }
  }

  /// The pairs of features for the time, the row and the column of a token.
  ///
  /// - Parameters:
  ///   - standard: those where a config does not say.
  ///   - pairs: their number in a head.
  ///   - key: what errors name.
  /// - Throws: an error that names the key for other than three numbers with that sum.
  func sections(
    default standard: [Int], pairs: Int, _ key: some CodingKey
  ) throws -> [Int] {
    let sections = sections ?? standard
    guard sections.count == 3, sections.allSatisfy({ (0...pairs).contains($0) }),
      sections.reduce(0, +) == pairs
    else {
      throw InvalidRecipeValue(
        key, "`mrope_section` \(sections)", "three numbers with the sum \(pairs) were expected")
    }
    return sections
  }

  /// The form of transformers 5.
  struct Written: Encodable {
    let theta: Double
    var sections: [Int]?
    var kind = "default"

    enum CodingKeys: String, CodingKey {
      case theta = "rope_theta"
      case sections = "mrope_section"
      case kind = "rope_type"
    }
  }
}
