import Layers
import Models
import Tensors

extension GoldenCase {
  /// Checks SiT, whose published network counts time from noise to data and predicts data − noise.
  func checkSiT(on client: Client) throws -> [Comparison] {
    let sizes: SiTConfig = try transformerConfig()
    let latents = try latents("latents", channels: sizes.channels, multiple: sizes.patch)
    let labels = try labels(rows: latents.rowCount, classes: sizes.classes)
    var used = Named([("latents", latents), ("labels", labels)])
    let sets = try timeSets(rows: latents.rowCount, targets: false, &used)
    return try compare(
      Scope.declare { SiT($0, sizes) }, names: ModelConfig(sizes).names(in:),
      ignoring: sizes.ignores, inputs: used, on: client
    ) { weights, inputs in
      let network = Scope.bind(weights) { SiT($0, sizes) }
      let condition = Named([("class", inputs["labels"]!.cast(to: .int32))])
      return Named(
        sets.map { set in
          let time = 1 - inputs["t_\(set)"]!
          let velocity = network(
            inputs["latents"]!.channelsLast, time: time, target: time, condition: condition)
          return ("raw_\(set)", -velocity.channelsFirst)
        })
    }
  }
}
