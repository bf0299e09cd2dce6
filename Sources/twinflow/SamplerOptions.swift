import ArgumentParser
import Flow
import Pipelines
import Runtime
import Training

extension SamplerSettings.Style: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}

/// The options of commands that generate.
struct SamplerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The target time of each step: 0 (few), the current time (multi) or the next one (any).",
      discussion: "By default chosen by the weights and the number of steps.",
      valueName: "style"))
  var style: SamplerSettings.Style?

  @Option(
    help: ArgumentHelp(
      "The fraction of the noise that is redrawn in each step, from 0 to 1.", valueName: "ratio"),
    transform: number(0...1))
  var stochastic: Double?

  @Option(
    help: ArgumentHelp(
      "The scale of classifier-free guidance.",
      discussion: "By default that of the weights; 0 is none.", valueName: "scale"),
    transform: number(0...1000))
  var guidance: Double?

  @Option(help: "The seed of all random numbers.", transform: seedOption)
  var seed: UInt64 = 0

  @Option(
    help: ArgumentHelp(
      "The element type that the network computes in: f32, or bf16, which is faster on GPUs."))
  var precision = Precision.float32

  /// The sampler of some weights for a number of steps.
  func settings(_ card: ModelFile.Card, steps: Int) -> SamplerSettings {
    var settings = card.sampler(steps)
    if let style { settings.style = style }
    if let stochastic { settings.stochasticity = .ratio(stochastic) }
    return settings
  }
}
