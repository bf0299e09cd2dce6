import ArgumentParser
import Flow
import Pipelines
import Runtime
import Training

extension SamplerSettings.Style: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}

/// How a command that generates is told to do it.
struct SamplerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The target time of each step: 0 (few), the current time (multi) or the next one (any).",
      discussion: "By default what suits the weights and the number of steps.",
      valueName: "style"))
  var style: SamplerSettings.Style?

  @Option(
    help: ArgumentHelp(
      "The part of the noise that each step draws anew, from 0 to 1.", valueName: "ratio"),
    transform: number(0...1))
  var stochastic: Double?

  @Option(
    help: ArgumentHelp(
      "The scale of classifier-free guidance.",
      discussion: "By default what the weights ask for; 0 is none.", valueName: "scale"),
    transform: number(0...1000))
  var guidance: Double?

  @Option(help: "The seed of everything random.", transform: seedOption)
  var seed: UInt64 = 0

  @Option(
    help: ArgumentHelp(
      "The element type that the network computes in: f32, or bf16, which GPUs are faster in."))
  var precision = Precision.float32

  /// The sampler of some weights for a number of steps.
  func settings(_ card: ModelFile.Card, steps: Int) -> SamplerSettings {
    var settings = card.sampler(steps)
    if let style { settings.style = style }
    if let stochastic { settings.stochasticity = .ratio(stochastic) }
    return settings
  }
}
