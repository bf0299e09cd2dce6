import Weights

/// The layouts of an autoencoder's parameters on disk.
extension AutoencoderKLConfig {
  /// The names of the parameters on disk, which are those in memory.
  public var names: NameMap { NameMap() }

  /// The names in older checkpoints, such as those of Stable Diffusion 1 and 2, where the maps of
  /// attention are `query`, `key`, `value` and `proj_attn`.
  public var oldNames: NameMap {
    let maps = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]
    return NameMap(
      attentionPaths.flatMap { path, _ in
        maps.map { .rename("\(path).\($0)", to: "\(path).\($1)") }
      })
  }

  /// The names in the original checkpoints, such as the `ae.safetensors` of FLUX: those of the code of
  /// "latent diffusion" (Rombach and others, 2022). The maps of attention are 1 × 1 convolutions there.
  public var originalNames: NameMap {
    let maps = [
      ("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out"),
    ]
    var rules: [NameMap.Rule] = []
    for (path, original) in attentionPaths {
      rules += maps.map { .rename("\(path).\($0)", to: "\(original).\($1)") }
      rules += maps.dropFirst().map { .pointwise("\(path).\($0.0).weight", axes: 2) }
    }
    for (path, original) in residualPaths {
      rules.append(.rename("\(path).conv_shortcut", to: "\(original).nin_shortcut"))
      rules.append(.rename(path, to: original))
    }
    for level in widths.indices.dropLast() {
      let upper = widths.count - 1 - level
      rules.append(
        .rename(
          "encoder.down_blocks.\(level).downsamplers.0", to: "encoder.down.\(level).downsample"))
      rules.append(
        .rename("decoder.up_blocks.\(level).upsamplers.0", to: "decoder.up.\(upper).upsample"))
    }
    rules += ["encoder", "decoder"].map { .rename("\($0).conv_norm_out", to: "\($0).norm_out") }
    return NameMap(rules)
  }

  /// The names of parameters in files that hold arrays of these names. Original checkpoints may have a
  /// prefix, such as `first_stage_model.` in those of a complete Stable Diffusion.
  public func names(for arrays: [String]) -> NameMap {
    let mark = "encoder.mid.block_1.norm1.weight"
    if let found = arrays.first(where: { $0 == mark || $0.hasSuffix("." + mark) }) {
      var names = originalNames
      names.prefix = String(found.dropLast(mark.count))
      return names
    }
    return arrays.contains { $0.hasSuffix(".query.weight") } ? oldNames : names
  }

  /// The paths of the attention layers, with those of original checkpoints.
  private var attentionPaths: [(path: String, original: String)] {
    var paths: [(String, String)] = []
    if hasMiddleAttention {
      paths = ["encoder", "decoder"].map { ("\($0).mid_block.attentions.0", "\($0).mid.attn_1") }
    }
    return paths
      + levelPaths("attentions", "attn", of: encoderAttention.sorted(), decoderAttention.sorted())
  }

  /// The paths of the residual blocks, with those of original checkpoints.
  private var residualPaths: [(path: String, original: String)] {
    let middles = ["encoder", "decoder"].flatMap { part in
      (0..<2).map { ("\(part).mid_block.resnets.\($0)", "\(part).mid.block_\($0 + 1)") }
    }
    let levels = Array(widths.indices)
    return middles + levelPaths("resnets", "block", of: levels, levels)
  }

  /// The paths of layers of one kind at levels of the encoder and of the decoder, which original
  /// checkpoints count from the highest resolution.
  private func levelPaths(
    _ kind: String, _ original: String, of encoder: [Int], _ decoder: [Int]
  ) -> [(String, String)] {
    encoder.flatMap { level in
      (0..<blocks).map {
        ("encoder.down_blocks.\(level).\(kind).\($0)", "encoder.down.\(level).\(original).\($0)")
      }
    }
      + decoder.flatMap { level in
        (0...blocks).map {
          (
            "decoder.up_blocks.\(level).\(kind).\($0)",
            "decoder.up.\(widths.count - 1 - level).\(original).\($0)"
          )
        }
      }
  }
}
