import Layers
import Tensors
import Weights

extension SD3Config: PublishedTransformer {
  /// The name in recipes.
  public static let kind = "sd3"

  /// The embedded condition can be shifted.
  public static let takesConditionShift = true

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> SD3 { SD3(scope, self) }

  /// Latents, text and pooled text.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    let size = size ?? ImageSize(height: sampleSize, width: sampleSize)
    return [.sample([size.height, size.width, channels])]
      + InputSpec.text(tokens: Self.longestText, width: textWidth)
      + [InputSpec.pooled(width: pooledWidth)]
  }

  /// The number of text tokens of the published pipeline: 77 of the CLIPs and 256 of T5.
  public static let longestText = 77 + 256

  /// Samples are the latents of an `AutoencoderKL`.
  public var worksOnLatents: Bool { true }

  /// The largest height and width of latents, which the table of positions has.
  public var largestSide: Int? { positionTable * patch }

  /// Guidance can leave out any blocks.
  public var skippableLayers: Int { depth }

  /// The table of positions, which is not trained.
  public func isTable(_ name: String) -> Bool { name == "pos_embed.pos_embed" }

  /// The names of diffusers, and those of the original network, which has one map to queries, keys and
  /// values, and shift before scale in every modulation; each also as in ComfyUI's files.
  public var layouts: [NameMap] {
    var rules: [NameMap.Rule] = [
      .rename("pos_embed.proj", to: "x_embedder.proj"),
      .rename("pos_embed.pos_embed", to: "pos_embed"),
      .rename("norm_out.linear", to: "final_layer.adaLN_modulation.1"),
      .swapHalves("norm_out.linear"), .rename("proj_out", to: "final_layer.linear"),
    ]
    for (part, original) in [("timestep_embedder", "t_embedder"), ("text_embedder", "y_embedder")] {
      for (map, place) in [("linear_1", 0), ("linear_2", 2)] {
        rules.append(
          .rename("time_text_embed.\(part).\(map)", to: "\(original).mlp.\(place)"))
      }
    }
    let last = "\(depth - 1)"
    for star in runs.map(\.star) + [last] {
      rules += Self.originalRules(ofBlock: star)
    }
    rules.append(.swapHalves("transformer_blocks.\(last).norm1_context.linear"))
    return NameMap.published(
      [NameMap(), NameMap(rules)], renaming: SD3.targetEmbedder,
      to: "transformer.\(SD3.targetEmbedder)")
  }

  /// The original names of a block's parameters.
  ///
  /// - Parameter number: its number, or what stands for it.
  private static func originalRules(ofBlock number: String) -> [NameMap.Rule] {
    let (block, original) = ("transformer_blocks.\(number)", "joint_blocks.\(number)")
    var rules: [NameMap.Rule] = []
    for (attention, stream, maps, norms, output) in [
      ("attn", "x_block.attn", ["to_q", "to_k", "to_v"], ["norm_q", "norm_k"], "to_out.0"),
      (
        "attn", "context_block.attn", ["add_q_proj", "add_k_proj", "add_v_proj"],
        ["norm_added_q", "norm_added_k"], "to_add_out"
      ),
      ("attn2", "x_block.attn2", ["to_q", "to_k", "to_v"], ["norm_q", "norm_k"], "to_out.0"),
    ] {
      let (own, other) = ("\(block).\(attention)", "\(original).\(stream)")
      rules.append(.split(disk: "\(other).qkv", maps.map { "\(own).\($0)" }))
      rules += zip(norms, ["ln_q", "ln_k"]).map { .rename("\(own).\($0)", to: "\(other).\($1)") }
      rules.append(.rename("\(own).\(output)", to: "\(other).proj"))
    }
    for (norm, mlp, stream) in [
      ("norm1", "ff", "x_block"), ("norm1_context", "ff_context", "context_block"),
    ] {
      let other = "\(original).\(stream)"
      rules += [
        .rename("\(block).\(norm).linear", to: "\(other).adaLN_modulation.1"),
        .rename("\(block).\(mlp).net.0.proj", to: "\(other).mlp.fc1"),
        .rename("\(block).\(mlp).net.2", to: "\(other).mlp.fc2"),
      ]
    }
    return rules
  }

  /// The modulation of the text's tokens, and the embedder of the pooled text.
  public static let landmarks = [
    "transformer_blocks.*.norm1_context.linear.weight",
    "time_text_embed.text_embedder.linear_1.weight",
  ]

  /// The second time embedder.
  public static let targetEmbedder = SD3.targetEmbedder

  /// The second time embedder starts from fresh values.
  public var added: [AddedParameters] {
    hasTargetTime ? [AddedParameters(Self.targetEmbedder, .initialized)] : []
  }

  /// The other networks in a file of a whole model.
  public func ignores(_ array: String) -> Bool {
    ["first_stage_model.", "text_encoders.", "model_sampling."].contains(where: array.hasPrefix)
  }

  /// The config that the shapes of arrays imply. Heads are recognized by their norms, and have 64 features
  /// without such.
  public init(_ arrays: CheckpointArrays, like base: Self?) throws(UnknownSizes) {
    self = base ?? Self()
    hasTargetTime = false
    let kernel = try arrays.shape("pos_embed.proj.weight", axes: 4)
    guard kernel[2] == kernel[3] else {
      throw UnknownSizes("its patches are \(kernel[2]) × \(kernel[3]), and squares were expected")
    }
    (channels, patch) = (kernel[1], kernel[2])
    textWidth = try arrays.shape("context_embedder.weight", axes: 2)[1]
    pooledWidth = try arrays.shape(
      "time_text_embed.text_embedder.linear_1.weight", axes: 2)[1]
    let tokens = try arrays.shape("pos_embed.pos_embed", axes: 3)[1]
    let side = Int(Double(tokens).squareRoot().rounded())
    guard side * side == tokens else {
      throw UnknownSizes("its table of \(tokens) positions is no square")
    }
    positionTable = side
    depth = try arrays.layers("transformer_blocks.*.norm1_context.linear.weight")
    let norm = "transformer_blocks.*.attn.norm_q.weight"
    hasHeadNorms = arrays.shape(norm) != nil
    headWidth = hasHeadNorms ? try arrays.shape(norm, axes: 1)[0] : 64
    guard kernel[0] % headWidth == 0 else {
      throw UnknownSizes("its \(kernel[0]) features do not make heads of \(headWidth)")
    }
    heads = kernel[0] / headWidth
    dualLayers = (0..<depth).filter {
      arrays.shape("transformer_blocks.*.attn2.to_out.0.weight", layer: $0) != nil
    }
    execution = .standard(depth: depth)
  }
}
