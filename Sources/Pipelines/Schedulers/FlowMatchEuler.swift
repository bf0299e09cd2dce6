import Flow
import Foundation
import Recipe

/// The schedule of Euler steps along a flow, in the form of a published `scheduler_config.json`:
/// diffusers' `FlowMatchEulerDiscreteScheduler`; Esser and others, "Scaling rectified flow transformers
/// for high-resolution image synthesis", 2024.
///
/// Times run from 1, noise, to 0, data. They are computed in f32, as published.
public struct FlowMatchEuler: Hashable, Sendable {
  /// How times are moved towards noise.
  public enum Shift: Hashable, Sendable {
    /// By a constant: `s·t / (1 + (s − 1)·t)`.
    case fixed(Double)
    /// By µ, which grows with the number of image tokens.
    case dynamic(Dynamic)
  }

  /// A shift by the number of image tokens.
  public struct Dynamic: Hashable, Sendable {
    /// µ at `tokens.lowerBound` and at `tokens.upperBound`; a line beyond them too.
    public var shifts = (0.5, 1.15)
    /// The numbers of tokens with these shifts.
    public var tokens = 256...4096
    /// Whether the factor on `1/t − 1` is `e^µ`, or µ itself.
    public var isExponential = true

    /// Makes diffusers' defaults.
    public init() {}

    /// Whether two shifts are equal.
    public static func == (a: Self, b: Self) -> Bool {
      a.shifts == b.shifts && a.tokens == b.tokens && a.isExponential == b.isExponential
    }

    /// Hashes the numbers.
    public func hash(into hasher: inout Hasher) {
      hasher.combine(shifts.0)
      hasher.combine(shifts.1)
      hasher.combine(tokens)
      hasher.combine(isExponential)
    }

    /// µ for a number of image tokens.
    public func mu(tokens count: Int) -> Double {
      let slope =
        (shifts.1 - shifts.0) / Double(max(1, tokens.upperBound - tokens.lowerBound))
      return Double(count) * slope + (shifts.0 - slope * Double(tokens.lowerBound))
    }
  }

  /// How the times between the first and the last one are spaced.
  public enum Spacing: String, Hashable, Sendable {
    /// As shifted.
    case shifted
    /// By Karras and others, "Elucidating the design space of diffusion-based generative models", 2022,
    /// with ρ = 7.
    case karras
    /// By equal ratios.
    case exponential
  }

  /// The last time before 0, before it is shifted.
  public enum LastTime: Hashable, Sendable {
    /// 1 / steps, as pipelines give it that choose their times.
    case reciprocal
    /// The least time of training, .001, which a fixed shift has moved already: that of pipelines which
    /// leave times to the scheduler.
    case trained
  }

  /// How times are moved towards noise.
  public var shift = Shift.fixed(1)
  /// The last time before data that the times are stretched to, nil for none.
  public var terminal: Double?
  /// How times are spaced.
  public var spacing = Spacing.shifted
  /// The last time; it is that of the pipeline, not of the published keys.
  public var lastTime = LastTime.reciprocal
  /// Whether each step starts from fresh noise.
  public var isStochastic = false

  /// Makes a schedule without shifts.
  public init() {}

  /// The times of a number of steps, from noise to data, with 0 at the end.
  ///
  /// - Parameter tokens: the number of image tokens.
  public func times(_ count: Int, tokens: Int) -> [Double] {
    let last = lastTime == .trained ? leastTrained : 1 / Double(count)
    let even = (0..<count).map { i in
      count == 1 ? 1 : 1 + (last - 1) * Double(i) / Double(count - 1)
    }
    // The scheduler's own times are in f64 until the end.
    let times =
      lastTime == .trained
      ? shifted(even, tokens: tokens).map { Float($0) }
      : shifted(even.map { Float($0) }, tokens: tokens)
    return spaced(times).map { Double($0) } + [0]
  }

  /// The least time of training.
  private var leastTrained: Double {
    guard case .fixed(let shift) = shift else { return 0.001 }
    let s = Float(shift)
    return Double(s * 0.001 / (1 + (s - 1) * 0.001))
  }

  /// Times moved towards noise and stretched.
  private func shifted<Number: BinaryFloatingPoint>(
    _ even: [Number], tokens: Int
  ) -> [Number] {
    var times = even
    switch shift {
    case .fixed(let shift):
      let s = Number(shift)
      times = times.map { s * $0 / (1 + (s - 1) * $0) }
    case .dynamic(let shift):
      let mu = shift.mu(tokens: tokens)
      let factor = Number(shift.isExponential ? exp(mu) : mu)
      times = times.map { factor / (factor + (1 / $0 - 1)) }
    }
    // A single step, at t = 1, cannot be stretched.
    if let terminal, let last = times.last, last < 1 {
      let scale = (1 - last) / (1 - Number(terminal))
      times = times.map { 1 - (1 - $0) / scale }
    }
    return times
  }

  private func spaced(_ times: [Float]) -> [Float] {
    guard spacing != .shifted, let first = times.first, let last = times.last, times.count > 1
    else { return times }
    let line = times.indices.map { Double($0) / Double(times.count - 1) }
    switch spacing {
    case .shifted: return times
    case .karras:
      let (from, to) = (pow(Double(first), 1.0 / 7), pow(Double(last), 1.0 / 7))
      return line.map { Float(pow(from + $0 * (to - from), 7)) }
    case .exponential:
      let (from, to) = (log(Double(first)), log(Double(last)))
      return line.map { Float(exp(from + $0 * (to - from))) }
    }
  }

  /// The numbers of the steps: the velocity at the current time, followed to the next one.
  public func steps(_ count: Int, tokens: Int) -> [SamplerSettings.Step<Double>] {
    let times = times(count, tokens: tokens)
    return zip(times, times.dropFirst()).map { time, next in
      SamplerSettings.Step.euler(from: time, to: next, stochastic: isStochastic ? 1 : 0)
    }
  }
}

extension FlowMatchEuler: Codable {
  private enum CodingKeys: String, CodingKey {
    case className = "_class_name"
    case trainSteps = "num_train_timesteps"
    case shift
    case isDynamic = "use_dynamic_shifting"
    case baseShift = "base_shift"
    case maxShift = "max_shift"
    case baseTokens = "base_image_seq_len"
    case maxTokens = "max_image_seq_len"
    case inverts = "invert_sigmas"
    case terminal = "shift_terminal"
    case karras = "use_karras_sigmas"
    case exponential = "use_exponential_sigmas"
    case beta = "use_beta_sigmas"
    case shiftKind = "time_shift_type"
    case isStochastic = "stochastic_sampling"
  }

  static let className = "FlowMatchEulerDiscreteScheduler"

  /// Reads the published keys.
  ///
  /// - Throws: an error that names a key whose value is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    func value<T: Decodable>(_ key: CodingKeys, _ standard: T) throws -> T {
      try keys.decodeIfPresent(T.self, forKey: key) ?? standard
    }
    func refuse(_ key: CodingKeys, _ found: String, _ reason: String) -> InvalidRecipeValue {
      InvalidRecipeValue(key, found, reason)
    }
    let name = try value(.className, Self.className)
    guard name == Self.className else {
      throw refuse(.className, name, "only \(Self.className) is supported")
    }
    guard try value(.trainSteps, 1000) == 1000 else {
      throw refuse(.trainSteps, "\(try value(.trainSteps, 1000))", "only 1000 is supported")
    }
    for key in [CodingKeys.inverts, .beta] where try value(key, false) {
      throw refuse(key, "true", "only false is supported")
    }
    if try value(.isDynamic, false) {
      var dynamic = Dynamic()
      dynamic.shifts = (try value(.baseShift, 0.5), try value(.maxShift, 1.15))
      let (first, last) = (try value(.baseTokens, 256), try value(.maxTokens, 4096))
      guard first < last else {
        throw refuse(.maxTokens, "\(last)", "it must be above `base_image_seq_len`, \(first)")
      }
      dynamic.tokens = first...last
      let kind = try value(.shiftKind, "exponential")
      guard ["exponential", "linear"].contains(kind) else {
        throw refuse(.shiftKind, kind, "it must be exponential or linear")
      }
      dynamic.isExponential = kind == "exponential"
      shift = .dynamic(dynamic)
    } else {
      let factor = try value(.shift, 1.0)
      guard factor > 0, factor.isFinite else {
        throw refuse(.shift, "\(factor)", "it must be above 0")
      }
      shift = .fixed(factor)
    }
    terminal = try keys.decodeIfPresent(Double.self, forKey: .terminal).flatMap {
      $0 == 0 ? nil : $0
    }
    if let terminal, !(0..<1).contains(terminal) {
      throw refuse(.terminal, "\(terminal)", "it must be at least 0 and below 1")
    }
    switch (try value(.karras, false), try value(.exponential, false)) {
    case (false, false): spacing = .shifted
    case (true, false): spacing = .karras
    case (false, true): spacing = .exponential
    case (true, true):
      throw refuse(.karras, "true", "`use_exponential_sigmas` is true too; only one can be")
    }
    isStochastic = try value(.isStochastic, false)
  }

  /// Writes the published keys.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(Self.className, forKey: .className)
    switch shift {
    case .fixed(let shift): try keys.encode(shift, forKey: .shift)
    case .dynamic(let dynamic):
      try keys.encode(true, forKey: .isDynamic)
      try keys.encode(dynamic.shifts.0, forKey: .baseShift)
      try keys.encode(dynamic.shifts.1, forKey: .maxShift)
      try keys.encode(dynamic.tokens.lowerBound, forKey: .baseTokens)
      try keys.encode(dynamic.tokens.upperBound, forKey: .maxTokens)
      try keys.encode(dynamic.isExponential ? "exponential" : "linear", forKey: .shiftKind)
    }
    try keys.encodeIfPresent(terminal, forKey: .terminal)
    if spacing == .karras { try keys.encode(true, forKey: .karras) }
    if spacing == .exponential { try keys.encode(true, forKey: .exponential) }
    if isStochastic { try keys.encode(true, forKey: .isStochastic) }
  }
}
