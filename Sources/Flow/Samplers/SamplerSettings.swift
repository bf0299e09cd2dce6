import Foundation
import Recipe
import Tensors

/// The settings of the any-step sampler.
public struct SamplerSettings: Hashable, Sendable {
  /// The target times that the network receives.
  public enum Style: String, Codable, Sendable, Hashable, CaseIterable {
    /// Always 0: each evaluation goes all the way to the data.
    case few
    /// The current time: the velocity of the flow itself.
    case multi
    /// The next time of the grid.
    case any
  }

  /// How much fresh noise replaces the estimated one in each step.
  public enum Stochasticity: Hashable, Sendable {
    /// A fixed fraction within [0, 1].
    case ratio(Double)
    /// As a stochastic differential equation would: `clamp(|Δt|·2t/t'², 0, 1)`.
    case sde
    /// As published for `sde`: the first step's ratio serves all of them.
    case publishedSDE
  }

  /// The number of steps; with order 2 each takes two evaluations, and half as many are made.
  public var count = 1
  /// The numbers of steps that can be made.
  public static let counts = 1...10_000

  /// The target times that the network receives.
  public var style = Style.few
  /// The amount of fresh noise in each step.
  public var stochasticity = Stochasticity.ratio(0)
  /// How far predictions are extrapolated against the step before, from the third step on.
  public var extrapolation = 0.0
  /// 1, or 2 for Heun's correction.
  public var order = 1
  /// The exponents of the grid's transformation `1 − (1 − (1 − uᵃ)ᵇ)ᶜ` (Kumaraswamy, 1980).
  public var grid = [1.0, 1.0, 1.0]
  /// How far the grid stays away from noise and from data.
  public var gaps = [0.0, 0.0]

  /// Makes the settings of one step.
  public init() {}

  /// The published preset for a number of steps.
  public static func preset(_ count: Int) -> SamplerSettings {
    var settings = SamplerSettings()
    settings.count = count
    switch count {
    case ...1: settings.stochasticity = .ratio(1)
    case 2: (settings.stochasticity, settings.gaps) = (.ratio(1), [0.001, 0.6])
    case 3...4: (settings.stochasticity, settings.gaps) = (.ratio(1), [0.001, 0.5])
    case 5...8: (settings.style, settings.gaps) = (.any, [0.001, 0.5])
    default:
      (settings.style, settings.gaps, settings.grid) = (.multi, [0.001, 0], [1.17, 0.8, 1.1])
    }
    return settings
  }

  /// Plain Euler steps along the flow, from noise to data.
  public static func euler(_ count: Int) -> SamplerSettings {
    var settings = SamplerSettings()
    (settings.count, settings.style) = (count, .multi)
    return settings
  }

  /// The numbers of one step.
  public struct Step<Number> {
    /// The current time.
    public let time: Number
    /// The target time that the network receives.
    public let target: Number
    /// The time of the next state.
    public let next: Number
    /// The fraction of the noise that is replaced by fresh noise.
    public let stochastic: Number
    /// How far predictions are extrapolated against the step before.
    public let extrapolation: Number
    /// 1 where Heun's correction applies, else 0.
    public let correct: Number
    /// The target time of Heun's second evaluation.
    public let secondTarget: Number
    /// The time that the network receives: the current one, unless the schedule rounds it.
    public let networkTime: Number
    /// The weight in the next state of how the predicted data have changed since the step before.
    public let change: Number

    /// The same with other numbers.
    public func map<Other>(_ transform: (Number) throws -> Other) rethrows -> Step<Other> {
      Step<Other>(
        time: try transform(time), target: try transform(target), next: try transform(next),
        stochastic: try transform(stochastic), extrapolation: try transform(extrapolation),
        correct: try transform(correct), secondTarget: try transform(secondTarget),
        networkTime: try transform(networkTime), change: try transform(change))
    }

    /// The numbers by name.
    public var named: Named<Number> {
      Named([
        ("time", time), ("target", target), ("next", next), ("stochastic", stochastic),
        ("extrapolation", extrapolation), ("correct", correct), ("second_target", secondTarget),
        ("network_time", networkTime), ("change", change),
      ])
    }

    /// Makes a step of named numbers.
    public init(_ named: Named<Number>) {
      self.init(
        time: named["time"]!, target: named["target"]!, next: named["next"]!,
        stochastic: named["stochastic"]!, extrapolation: named["extrapolation"]!,
        correct: named["correct"]!, secondTarget: named["second_target"]!,
        networkTime: named["network_time"]!, change: named["change"]!)
    }

    /// Makes a step of its numbers.
    init(
      time: Number, target: Number, next: Number, stochastic: Number, extrapolation: Number,
      correct: Number, secondTarget: Number, networkTime: Number, change: Number
    ) {
      (self.time, self.target, self.next) = (time, target, next)
      (self.stochastic, self.extrapolation) = (stochastic, extrapolation)
      (self.correct, self.secondTarget) = (correct, secondTarget)
      (self.networkTime, self.change) = (networkTime, change)
    }
  }

  /// The times of the grid, from noise to data, the last one 0.
  public var times: [Double] {
    let number = order == 2 ? (count + 1) / 2 : count
    let open = gaps[1] == 0
    let points = open ? number + 1 : number
    let (from, to) = (gaps[0], 1 - gaps[1])
    let line = (0..<points).map { i in
      points == 1 ? from : from + (to - from) * Double(i) / Double(points - 1)
    }
    return (open ? Array(line.dropLast()) : line).map { u in
      1 - pow(1 - pow(1 - pow(u, grid[0]), grid[1]), grid[2])
    } + [0]
  }

  /// How many rounds of fresh noise are numbered up to the last step that takes any.
  package var freshNoises: Int { (steps.lastIndex { $0.needsNoise } ?? -1) + 1 }

  /// The numbers of all steps.
  public var steps: [Step<Double>] {
    let times = times
    func sde(_ time: Double, _ next: Double) -> Double {
      next > 0 ? min(1, max(0, abs(next - time) * 2 * time / (next * next))) : 1
    }
    return zip(times, times.dropFirst()).enumerated().map { i, pair in
      let (time, next) = pair
      let target =
        switch style {
        case .few: 0.0
        case .multi: time
        case .any: next
        }
      let stochastic =
        switch stochasticity {
        case .ratio(let ratio): ratio
        case .sde: sde(time, next)
        case .publishedSDE: sde(times[0], times[1])
        }
      let last = gaps[1] != 0 && i == times.count - 2
      return Step(
        time: time, target: target, next: next, stochastic: stochastic,
        extrapolation: i >= 2 ? extrapolation : 0,
        correct: order == 2 && !last && time < 1 ? 1 : 0, secondTarget: style == .few ? 0 : next,
        networkTime: time, change: 0)
    }
  }
}

extension SamplerSettings.Step where Number == Double {
  /// One Euler step along the flow, from a time to the next one.
  ///
  /// - Parameters:
  ///   - stochastic: the fraction of the noise that is replaced by fresh noise.
  ///   - networkTime: the time that the network receives, nil for the current one.
  ///   - change: the weight in the next state of the change of the predicted data.
  public static func euler(
    from time: Double, to next: Double, stochastic: Double = 0, networkTime: Double? = nil,
    change: Double = 0
  ) -> Self {
    Self(
      time: time, target: networkTime ?? time, next: next, stochastic: stochastic,
      extrapolation: 0, correct: 0, secondTarget: next, networkTime: networkTime ?? time,
      change: change)
  }

  /// The same step of a run whose times are scaled, as one that starts at a time below 1. The change of
  /// the predicted data, whose weight is that of other times, has none then.
  public func scaled(by factor: Double) -> Self {
    Self(
      time: time * factor, target: target * factor, next: next * factor, stochastic: stochastic,
      extrapolation: extrapolation, correct: correct, secondTarget: secondTarget * factor,
      networkTime: networkTime * factor, change: factor == 1 ? change : 0)
  }

  /// Whether fresh noise has any weight in this step.
  var needsNoise: Bool { stochastic > 0 && next > 0 }
}

extension SamplerSettings: RecipeGroup {
  /// The values of absent keys, except those of the preset of the number of steps.
  public static let defaults = Self()

  /// The keys of recipes; what is absent comes from the preset of the number of steps.
  public static let fields: [Field] = [
    Field("steps", \.presetCount, in: counts, "the number of steps; it chooses a preset").required,
    Field(
      "style", \.style, "target times: few asks for 0, multi for the current, any for the next"),
    Field("stochasticity", \.stochasticity, "how much fresh noise each step takes"),
    Field(
      "extrapolation", \.extrapolation, in: 0...,
      "how far predictions are extrapolated against the step before"),
    Field("order", \.order, in: 1...2, "1, or 2 for Heun's correction"),
    Field(
      "grid", \.grid, where: { $0.count == 3 && $0.allSatisfy { $0 > 0 } },
      else: "it must be three exponents above 0, as in [1, 1, 1]",
      "exponents of the grid's transformation"),
    Field(
      "gaps", \.gaps,
      where: { $0.count == 2 && $0.allSatisfy { (0..<1).contains($0) } && $0.reduce(0, +) < 1 },
      else: "it must be two gaps of at least 0 whose sum is below 1, as in [0.001, 0.5]",
      "how far the grid stays away from noise and from data"),
  ]

  /// The number of steps, with whose preset a new one replaces everything.
  private var presetCount: Int {
    get { count }
    set { self = .preset(newValue) }
  }
}

extension SamplerSettings.Stochasticity: Codable {
  /// Reads a number within [0, 1], `sde` or `sde-published`.
  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let ratio = try? value.decode(Double.self) {
      guard (0...1).contains(ratio) else {
        throw InvalidRecipeValue(ratio, "it must be a number from 0 to 1, or sde")
      }
      self = .ratio(ratio)
    } else {
      let name = try value.decode(String.self)
      switch name {
      case "sde": self = .sde
      case "sde-published": self = .publishedSDE
      default:
        throw InvalidRecipeValue(name, "it must be a number from 0 to 1, sde or sde-published")
      }
    }
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .ratio(let ratio): try value.encode(ratio)
    case .sde: try value.encode("sde")
    case .publishedSDE: try value.encode("sde-published")
    }
  }
}
