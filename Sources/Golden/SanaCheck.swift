import Layers
import Models
import Tensors

extension GoldenCase {
  /// Checks SANA's transformer, with a second time embedder where its weights have one.
  func checkSana(on client: Client) throws -> [Comparison] {
    let sizes: SanaConfig = try transformerConfig()
    let latents = try latents("latents", channels: sizes.channels, multiple: sizes.patch)
    let rows = latents.rowCount
    var used = Named([("latents", latents)])
    used["txt"] = try input("txt", shape: [rows, nil, sizes.textWidth])
    let textTokens = used["txt"]!.shape[1]
    guard textTokens > 0 else { throw fail("its input txt has no tokens") }
    if inputs["txt_mask"] != nil {
      used["txt_mask"] = try input("txt_mask", shape: [rows, textTokens])
    }
    if sizes.hasGuidance { used["guidance"] = try input("guidance", shape: [rows]) }
    let sets = try timeSets(rows: rows, targets: sizes.hasTargetTime, &used)
    return try compare(
      Scope.declare { Sana($0, sizes) }, names: ModelConfig(sizes).names(in:),
      ignoring: sizes.ignores, inputs: used, on: client
    ) { weights, inputs in
      let network = Scope.bind(weights) { Sana($0, sizes) }
      var results = Named<Tensor>()
      for set in sets {
        let time = inputs["t_\(set)"]!
        let velocity = network(
          inputs["latents"]!.channelsLast, text: inputs["txt"]!, validText: inputs["txt_mask"],
          time: time, target: inputs["tt_\(set)"] ?? time, guidance: inputs["guidance"])
        for name in ["raw_\(set)", "gen_\(set)"] where expected[name] != nil {
          results[name] = velocity.channelsFirst
        }
      }
      return results
    }
  }
}
