import Weights

/// The layouts of an autoencoder's parameters on disk.
extension AutoencoderKLQwenImageConfig {
  /// The names in the original checkpoints, such as the `qwen_image_vae.safetensors` of ComfyUI: those of
  /// the code of "Wan" (Wan Team, 2025).
  public var originalNames: NameMap {
    var rules: [NameMap.Rule] = []
    for part in ["encoder", "decoder"] {
      for block in 0..<2 {
        rules += residual("\(part).mid_block.resnets.\(block)", "\(part).middle.\(2 * block)")
      }
      rules += [
        .rename("\(part).mid_block.attentions.0", to: "\(part).middle.1"),
        .rename("\(part).conv_in", to: "\(part).conv1"),
        .rename("\(part).norm_out", to: "\(part).head.0"),
        .rename("\(part).conv_out", to: "\(part).head.2"),
      ]
    }
    for number in encoderBlocks {
      rules += residual("encoder.down_blocks.\(number)", "encoder.downsamples.\(number)")
    }
    rules.append(.rename("encoder.down_blocks", to: "encoder.downsamples"))
    for level in multiples.indices {
      // All layers of the decoder are numbered in one list, an upsampling layer the last of its level.
      let (path, first) = ("decoder.up_blocks.\(level)", level * (blocks + 2))
      for block in 0...blocks {
        rules += residual("\(path).resnets.\(block)", "decoder.upsamples.\(first + block)")
      }
      rules.append(
        .rename("\(path).upsamplers.0", to: "decoder.upsamples.\(first + blocks + 1)"))
    }
    rules += [.rename("quant_conv", to: "conv1"), .rename("post_quant_conv", to: "conv2")]
    return NameMap(rules)
  }

  /// The names of parameters in files that hold arrays of these names: the published ones, which are
  /// those in memory, or the original ones, which may have a prefix.
  public func names(for arrays: [String]) -> NameMap {
    let mark = "encoder.middle.0.residual.0.gamma"
    guard let found = arrays.first(where: { $0 == mark || $0.hasSuffix("." + mark) }) else {
      return NameMap()
    }
    var names = originalNames
    names.prefix = String(found.dropLast(mark.count))
    return names
  }

  /// The numbers of the encoder's residual blocks in its list of layers.
  private var encoderBlocks: [Int] {
    var (numbers, next) = ([Int](), 0)
    for level in multiples.indices {
      for _ in 0..<blocks {
        numbers.append(next)
        next += attends(at: level) ? 2 : 1
      }
      next += 1
    }
    return numbers
  }

  private func residual(_ path: String, _ original: String) -> [NameMap.Rule] {
    [
      .rename("\(path).norm1", to: "\(original).residual.0"),
      .rename("\(path).conv1", to: "\(original).residual.2"),
      .rename("\(path).norm2", to: "\(original).residual.3"),
      .rename("\(path).conv2", to: "\(original).residual.6"),
      .rename("\(path).conv_shortcut", to: "\(original).shortcut"),
    ]
  }
}
