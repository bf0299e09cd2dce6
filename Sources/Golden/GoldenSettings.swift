import Flow

extension GoldenCase {
  /// The settings of a training case, by their published names.
  struct Method: Decodable, Sendable {
    var estimateOrder = 2
    var enhancedRatio = 0.0
    var targetEMADecay = 0.0
    var consistencyRatio = 1.0
    var distance = RegressionLoss.barron()
    var enhancedRange: [Double]?
    var timeDistribution: [Double]?
    var rectification: Double?
    var dataFree = false
    var twin = true

    private struct Key: CodingKey, Hashable {
      let stringValue: String
      var intValue: Int? { nil }
      init?(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    private struct PublishedDistance: Decodable {
      let type: String
      let alpha: Double?
      let c: Double?
    }

    /// Reads the settings; unknown ones are errors.
    init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: Key.self)
      for key in keys.allKeys {
        switch key.stringValue {
        case "estimate_order": estimateOrder = try keys.decode(Int.self, forKey: key)
        case "enhanced_ratio": enhancedRatio = try keys.decode(Double.self, forKey: key)
        case "ema_decay_rate": targetEMADecay = try keys.decode(Double.self, forKey: key)
        case "consistc_ratio": consistencyRatio = try keys.decode(Double.self, forKey: key)
        case "enhanced_range": enhancedRange = try keys.numbers(2, forKey: key)
        case "time_dist_ctrl": timeDistribution = try keys.numbers(3, forKey: key)
        case "dist_match_cof": rectification = try keys.decode(Double.self, forKey: key)
        case "use_image_free": dataFree = try keys.decode(Bool.self, forKey: key)
        case "using_twinflow": twin = try keys.decode(Bool.self, forKey: key)
        case "loss_func_type":
          let published = try keys.decode(PublishedDistance.self, forKey: key)
          switch published.type {
          case "l2": distance = .l2
          case "barron_reweighting":
            distance = .barron(alpha: published.alpha ?? 1, c: published.c ?? 1e-3)
          default: throw unknown(key, published.type, decoder)
          }
        default: throw unknown(key, "", decoder)
        }
      }
    }

    /// The description of a setting that is out of range, nil where there is none.
    ///
    /// - Parameter orders: the orders that the method supports.
    func problem(orders: ClosedRange<Int>) -> String? {
      func outside(_ name: String, _ value: Double?, _ range: ClosedRange<Double>) -> String? {
        guard let value, !range.contains(value) else { return nil }
        let end = range.upperBound.isFinite ? "to \(range.upperBound)" : "on"
        return "its \(name) is \(value), and a number from \(range.lowerBound) \(end) was expected"
      }
      if !orders.contains(estimateOrder) {
        return "its estimate_order is \(estimateOrder), and a whole number from "
          + "\(orders.lowerBound) to \(orders.upperBound) was expected"
      }
      if case .barron(_, let c) = distance, !(c > 0) {
        return "its loss_func_type has a c of \(c), and a number above 0 was expected"
      }
      if let control = timeDistribution, !control.allSatisfy({ $0 > 0 }) {
        return "its time_dist_ctrl is \(control), and numbers above 0 were expected"
      }
      return outside("enhanced_ratio", enhancedRatio, 0...(.greatestFiniteMagnitude))
        ?? outside("ema_decay_rate", targetEMADecay, 0...1)
        ?? outside("consistc_ratio", consistencyRatio, 0...1)
        ?? outside("dist_match_cof", rectification, 0...(.greatestFiniteMagnitude))
    }

    private func unknown(_ key: Key, _ value: String, _ decoder: any Decoder) -> DecodingError {
      .dataCorrupted(
        .init(
          codingPath: decoder.codingPath + [key],
          debugDescription: "the setting \(key.stringValue) \(value) is not known"))
    }

    /// The settings of the objective.
    var settings: TwinFlowSettings {
      var settings = TwinFlowSettings()
      settings.order = estimateOrder
      settings.enhancedRatio = enhancedRatio
      settings.targetEMADecay = targetEMADecay
      settings.consistencyRatio = consistencyRatio
      settings.dataFree = dataFree
      settings.regressionLoss = distance
      if let range = enhancedRange {
        settings.enhancedRange = .init(lower: range[0], upper: range[1])
      }
      if let control = timeDistribution {
        settings.timeDistribution = .init(a: control[0], b: control[1], scale: control[2])
      }
      if let rectification { settings.rectification = rectification }
      return settings
    }
  }

  /// One run of a sampler's case, by the published names.
  struct Run: Decodable, Sendable {
    let sampling_style: String
    let sampling_steps: Int
    let sampling_order: Int
    let stochast_ratio: Ratio
    let extrapol_ratio: Double
    let time_dist_ctrl: [Double]
    let rfba_gap_steps: [Double]

    /// A number, or nil for "SDE".
    struct Ratio: Decodable, Sendable {
      let value: Double?

      init(from decoder: any Decoder) throws {
        let one = try decoder.singleValueContainer()
        value = try? one.decode(Double.self)
        guard try value != nil || one.decode(String.self) == "SDE" else {
          throw DecodingError.dataCorruptedError(
            in: one, debugDescription: "a stochast_ratio must be a number or SDE")
        }
      }
    }

    /// The settings of the sampler, nil where they are out of range.
    var settings: SamplerSettings? {
      let styles: [String: SamplerSettings.Style] = ["few": .few, "mul": .multi, "any": .any]
      guard let style = styles[sampling_style], (1...GoldenCase.mostSteps).contains(sampling_steps),
        (1...2).contains(sampling_order), (0...1).contains(stochast_ratio.value ?? 0),
        extrapol_ratio >= 0, time_dist_ctrl.count == 3, time_dist_ctrl.allSatisfy({ $0 > 0 }),
        rfba_gap_steps.count == 2, rfba_gap_steps.allSatisfy({ (0..<1).contains($0) }),
        rfba_gap_steps.reduce(0, +) < 1
      else { return nil }
      var settings = SamplerSettings()
      settings.style = style
      settings.count = sampling_steps
      settings.order = sampling_order
      settings.stochasticity = stochast_ratio.value.map { .ratio($0) } ?? .publishedSDE
      settings.extrapolation = extrapol_ratio
      settings.grid = time_dist_ctrl
      settings.gaps = rfba_gap_steps
      return settings
    }
  }
}

extension KeyedDecodingContainer {
  /// A list of a given number of numbers.
  fileprivate func numbers(_ count: Int, forKey key: Key) throws -> [Double] {
    let numbers = try decode([Double].self, forKey: key)
    guard numbers.count == count else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self, debugDescription: "\(numbers) must be \(count) numbers")
    }
    return numbers
  }
}
