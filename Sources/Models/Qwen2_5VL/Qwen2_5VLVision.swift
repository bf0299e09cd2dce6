import Layers
import Tensors

/// The vision tower of Qwen2.5-VL, which turns images into tokens of the language model: Bai and others,
/// "Qwen2.5-VL technical report", 2025.
///
/// A transformer on patches with rotary positions along rows and columns. In most layers a patch sees the
/// patches of its window, in some the whole image. At the end, squares of patches are merged into one
/// token; `Qwen2_5_VisionTransformerPretrainedModel` of transformers.
public struct Qwen2_5VLVision: VisionTowerNetwork {
  let config: Qwen2_5VLVisionConfig
  let embedding: Tensor
  let blocks: Stack<Qwen2_5VLVisionBlock>
  let norm: RMSNorm
  let merger: MLP

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: Qwen2_5VLVisionConfig) {
    self.config = config
    embedding = (scope / "patch_embed" / "proj").weight(
      "weight", [config.width, config.channels, config.frames, config.patch, config.patch],
      .fanIn(config.patchValues), axes: [.embed])
    blocks = Stack(scope / "blocks", count: config.depth, execution: config.execution) {
      Qwen2_5VLVisionBlock($0, config)
    }
    norm = RMSNorm(scope / "merger" / "ln_q", config.width)
    let (maps, width) = (scope / "merger" / "mlp", config.width * config.merge * config.merge)
    merger = MLP(
      maps.linear("0", width, width, from: .embed, to: .hidden),
      maps.linear("2", width, config.output, from: .hidden, to: .embed)
    ) { $0.gelu() }
  }

  /// Embeds images, see `VisionTowerNetwork`.
  public func features(_ patches: Tensor, grids: [TokenGrid], in dtype: DType) -> VisionFeatures {
    VisionFeatures(embeddings: self(patches, grids: grids, in: dtype))
  }

  /// Embeds images, see `VisionTowerNetwork`.
  ///
  /// - Returns: `[merged patches, output]`, the tokens of all images in reading order.
  public func callAsFunction(
    _ patches: Tensor, grids: [TokenGrid], in dtype: DType = .float32
  ) -> Tensor {
    config.check(patches, grids)
    let layout = VisionWindows(grids, merge: config.merge, window: config.windowSize)
    let units = layout.order.count
    let matrix = embedding.reshape([config.width, -1]).cast(to: dtype)
    let embedded = patches.cast(to: dtype).dot(matrix, contracting: ([1], [1]))
      .reshape([units, -1]).take(.constant(layout.order, shape: [units]))
    var x = embedded.reshape([1, -1, config.width])
    let rotary = layout.rotary(width: config.headWidth, base: config.theta)
    for run in runs {
      x = blocks(x, layers: run.layers) { block, x in
        block(x, run.isFull ? layout.images : layout.windows, rotary)
      }
    }
    let merged = merger(norm(x).reshape([1, units, -1])).reshape([units, config.output])
    return merged.take(.constant(layout.inverse, shape: [units]))
  }

  /// Consecutive layers of one kind.
  private var runs: [(layers: Range<Int>, isFull: Bool)] {
    let kinds = (0..<config.depth).map(config.fullLayers.contains)
    let starts = kinds.indices.filter { $0 == 0 || kinds[$0] != kinds[$0 - 1] }
    return zip(starts, starts.dropFirst() + [config.depth]).map { ($0..<$1, kinds[$0]) }
  }
}

/// One layer: attention, then a gated MLP, each on normalized patches.
struct Qwen2_5VLVisionBlock {
  let attentionNorm: RMSNorm
  let attention: VisionAttention
  let mlpNorm: RMSNorm
  let mlp: GatedMLP

  init(_ scope: Scope, _ config: Qwen2_5VLVisionConfig) {
    let width = config.width
    attentionNorm = RMSNorm(scope / "norm1", width)
    attention = VisionAttention(scope / "attn", width: width, heads: config.heads)
    mlpNorm = RMSNorm(scope / "norm2", width)
    mlp = GatedMLP(
      scope / "mlp", width, hidden: config.hidden, bias: true, activation: config.activation)
  }

  /// Patches `[1, patches, width]` to the same shape.
  ///
  /// - Parameter groups: the patches that see each other.
  func callAsFunction(_ x: Tensor, _ groups: [VisionWindows.Groups], _ rotary: Rotary) -> Tensor {
    let h = x + attention(attentionNorm(x), groups, rotary)
    return h + mlp(mlpNorm(h))
  }
}
