import Layers
import Tensors
import Weights

extension SanaConfig: PublishedTransformer {
  /// The name in recipes.
  public static let kind = "sana"

  /// The embedded condition can be shifted.
  public static let takesConditionShift = true

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> Sana { Sana(scope, self) }

  /// Latents and text.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    let size = size ?? ImageSize(height: sampleSize, width: sampleSize)
    return [.sample([size.height, size.width, channels])]
      + InputSpec.text(tokens: Self.longestText, width: textWidth)
  }

  /// The number of text tokens that the published pipeline takes at most.
  public static let longestText = 300

  /// Samples are the latents of an `AutoencoderDC`.
  public var worksOnLatents: Bool { true }

  /// The names of diffusers, where the maps of the Mix-FFN are 1 × 1 convolutions; and those in the checkpoints
  /// of OpenUni and of TwinFlow's code for it, which hold the connector too.
  public var layouts: [NameMap] {
    ["", "transformer.", "transformer.transformer."].map {
      var names = NameMap(MixFFN.rules("transformer_blocks.*.ff"))
      names.prefix = $0
      return names
    }
  }

  /// The Mix-FFN's expansion, and the norm of the text.
  public static let landmarks = [
    "transformer_blocks.*.ff.conv_inverted.weight", "caption_norm.weight",
  ]

  /// The second time embedder.
  public static let targetEmbedder = "time_embed_2"

  /// The second time embedder starts from fresh values.
  public var added: [AddedParameters] {
    hasTargetTime ? [AddedParameters(Self.targetEmbedder, .initialized)] : []
  }

  /// The rest of an OpenUni is ignored: its connector, and the language model and the autoencoder where they
  /// were saved with it.
  public func ignores(_ array: String) -> Bool {
    !OpenUniConnectorConfig.ignores(array) || array.hasPrefix("lmm.") || array.hasPrefix("vae.")
  }

  /// The heads of attention to the text by its features, as published.
  private static let publishedCrossHeads = [1152: 16, 2240: 20]

  /// The config that the shapes of arrays imply. Their heads are those of `base`, or as published.
  public init(_ arrays: CheckpointArrays, like base: Self?) throws(UnknownSizes) {
    self = base ?? Self()
    hasTargetTime = false
    let input = try arrays.shape("patch_embed.proj.weight", axes: 4)
    let output = try arrays.shape("proj_out.weight", axes: 2)
    (channels, patch) = (input[1], input[2])
    let (width, area) = (input[0], patch * patch)
    guard input[3] == patch, output[0] % area == 0 else {
      throw UnknownSizes("its \(output[0]) output features are no patches of \(patch)²")
    }
    (outputChannels, crossWidth) = (output[0] / area, width)
    textWidth = try arrays.shape("caption_projection.linear_1.weight", axes: 2)[1]
    depth = try arrays.layers(Self.landmarks[0])
    let hidden = try arrays.shape("transformer_blocks.*.ff.conv_point.weight", axes: 4)[1]
    let ratio = Double(hidden) / Double(width)
    // The hidden features are this product without its fraction.
    mlpRatio = Int(ratio * Double(width)) == hidden ? ratio : ratio.nextUp
    let cross = try arrays.shape("transformer_blocks.*.attn2.to_q.weight", axes: 2)[0]
    let like = base.flatMap { $0.crossHeads * $0.crossHeadWidth == cross ? $0.crossHeads : nil }
    let count = like ?? Self.publishedCrossHeads[cross] ?? base?.crossHeads ?? 0
    guard width % headWidth == 0, count > 0, cross % count == 0 else {
      throw UnknownSizes(
        "the heads of its \(width) and \(cross) features are unknown: put its config.json beside it"
      )
    }
    (heads, crossHeads, crossHeadWidth) = (width / headWidth, count, cross / count)
    func has(_ name: String) -> Bool { arrays.shape(name) != nil }
    hasAttentionBias = has("transformer_blocks.*.attn1.to_q.bias")
    hasQueryNorms = has("transformer_blocks.*.attn1.norm_q.weight")
    hasNormWeights = has("transformer_blocks.*.norm2.weight")
    hasGuidance = has("time_embed.guidance_embedder.linear_1.weight")
    execution = .standard(depth: depth)
  }
}
