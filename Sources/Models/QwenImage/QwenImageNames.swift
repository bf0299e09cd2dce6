import Layers
import Tensors
import Weights

extension QwenImageConfig: PublishedTransformer {
  /// The name in recipes.
  public static let kind = "qwen_image"

  /// The embedded condition can be shifted.
  public static let takesConditionShift = true

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> QwenImage { QwenImage(scope, self) }

  /// Latents and text; the reference images of edits, of any number and size, are not among them.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    let size = size ?? ImageSize(height: 128, width: 128)
    return [.sample([size.height, size.width, inputFeatures / (patch * patch)])]
      + InputSpec.text(tokens: Self.longestText, width: textWidth)
  }

  /// The number of text tokens that the published pipeline takes at most.
  public static let longestText = 1024

  /// Samples are the latents of Qwen-Image's autoencoder.
  public var worksOnLatents: Bool { true }

  /// The names of diffusers, also as in ComfyUI's files.
  public var layouts: [NameMap] {
    NameMap.published(
      [NameMap()], renaming: Self.targetEmbedder, to: "transformer.time_text_embed_2")
  }

  /// The modulation of the image's tokens.
  public static let landmarks = ["transformer_blocks.*.img_mod.1.weight"]

  /// The second time embedder.
  public static let targetEmbedder = "time_text_embed_2"

  /// The second time embedder starts as a copy of the first one.
  public var added: [AddedParameters] {
    hasTargetTime ? [AddedParameters(Self.targetEmbedder, .copied(from: "time_text_embed"))] : []
  }

  /// The mark of ComfyUI's files for reference images that are modulated with time 0.
  private static let cleanReferences = "__index_timestep_zero__"

  /// Marks of ComfyUI's files.
  public func ignores(_ array: String) -> Bool {
    layouts.contains { $0.prefix + Self.cleanReferences == array }
  }

  /// The config that the shapes of arrays imply. Heads are recognized by their norms.
  public init(_ arrays: CheckpointArrays, like base: Self?) throws(UnknownSizes) {
    self = base ?? Self()
    hasTargetTime = false
    if let other = arrays.diskNames.first(where: { $0.contains("addition_t_embedding") }) {
      throw UnknownSizes("its \(other) embeds a further time, which is not supported")
    }
    let input = try arrays.shape("img_in.weight", axes: 2)
    let output = try arrays.shape("proj_out.weight", axes: 2)
    let area = patch * patch
    guard input[1] % area == 0, output[0] % area == 0 else {
      throw UnknownSizes(
        "its \(input[1]) input and \(output[0]) output features are no patches of \(patch)²")
    }
    (inputFeatures, outputChannels) = (input[1], output[0] / area)
    textWidth = try arrays.shape("txt_in.weight", axes: 2)[1]
    depth = try arrays.layers(Self.landmarks[0])
    headWidth = try arrays.shape("transformer_blocks.*.attn.norm_q.weight", axes: 1)[0]
    guard rotaryAxes.reduce(0, +) == headWidth, input[0] % headWidth == 0 else {
      throw UnknownSizes(
        "its heads of \(headWidth) features have unknown rotary axes: put its config.json beside it"
      )
    }
    heads = input[0] / headWidth
    if arrays.diskNames.contains(where: ignores) { hasCleanReferences = true }
    execution = .standard(depth: depth)
  }
}
