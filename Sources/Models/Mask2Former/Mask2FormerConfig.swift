import Layers
import Recipe
import Weights

/// The sizes of Mask2Former, in the form of transformers' `config.json`, or from the arrays of a checkpoint of
/// mmdetection.
public struct Mask2FormerConfig: Decodable, Hashable, Sendable {
  /// How a checkpoint names and lays out the parameters.
  public enum Layout: Hashable, Sendable {
    /// As transformers' `Mask2FormerForUniversalSegmentation`.
    case transformers
    /// As mmdetection's `Mask2Former`.
    case mmdetection
  }

  /// The backbone.
  public var backbone: SwinConfig
  /// The features of the pixel decoder.
  public var featureWidth: Int
  /// The features of the maps that masks are made of.
  public var maskWidth: Int
  /// The features of a query.
  public var width: Int
  /// The features inside the MLPs of the pixel decoder.
  public var pixelHidden: Int
  /// The features inside the MLPs of the queries' decoder.
  public var hidden: Int
  /// The layers of the pixel decoder.
  public var pixelDepth: Int
  /// The layers of the queries' decoder.
  public var depth: Int
  /// The heads of all attention.
  public var heads: Int
  /// The number of queries.
  public var queries: Int
  /// The activation of the queries' MLPs.
  public var activation: Activation
  /// Whether norms are before a layer's parts, and not after them.
  public var normsFirst: Bool
  /// Whether the pixel decoder's features are mapped for the queries' decoder.
  public var hasProjections: Bool
  /// The pixels of an image in each direction for a pixel of a mask.
  public var maskStride: Int
  /// The names of the classes by their numbers.
  public var labels: [String]
  /// How the checkpoint is laid out.
  public var layout = Layout.transformers

  /// The resolutions that queries look at.
  static let levels = 3
  /// The points that a query of deformable attention looks at, at each resolution.
  static let points = 4
  /// The groups of the pixel decoder's norms.
  static let groups = 32

  enum CodingKeys: String, CodingKey {
    case backbone = "backbone_config"
    case namedBackbone = "backbone"
    case featureWidth = "feature_size"
    case maskWidth = "mask_feature_size"
    case width = "hidden_dim"
    case pixelHidden = "encoder_feedforward_dim"
    case hidden = "dim_feedforward"
    case pixelDepth = "encoder_layers"
    case depth = "decoder_layers"
    case heads = "num_attention_heads"
    case queries = "num_queries"
    case activation = "activation_function"
    case normsFirst = "pre_norm"
    case hasProjections = "enforce_input_projection"
    case maskStride = "common_stride"
    case strides = "feature_strides"
    case labels = "id2label"
    case classes = "num_labels"
    case kind = "model_type"
  }

  /// Reads the sizes; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    guard try keys.decodeIfPresent(String.self, forKey: .kind) == "mask2former" else {
      let found = try keys.decodeIfPresent(String.self, forKey: .kind)
      throw InvalidRecipeValue(
        CodingKeys.kind, found ?? "absent", "only mask2former is supported")
    }
    if let name = try keys.decodeIfPresent(String.self, forKey: .namedBackbone) {
      throw InvalidRecipeValue(
        CodingKeys.namedBackbone, name, "only a Swin under `backbone_config` is supported")
    }
    backbone = try keys.decodeIfPresent(SwinConfig.self, forKey: .backbone) ?? SwinConfig()
    featureWidth = try keys.value(
      .featureWidth, default: 256, where: { $0 > 0 && $0 % Self.groups == 0 },
      "it must be a multiple of \(Self.groups)")
    maskWidth = try keys.value(.maskWidth, default: 256, in: SizeLimit.features)
    width = try keys.value(
      .width, default: 256, where: { $0 > 0 && $0 % 4 == 0 },
      "it must be a multiple of 4")
    pixelHidden = try keys.value(.pixelHidden, default: 1024, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: 2048, in: SizeLimit.features)
    pixelDepth = try keys.value(.pixelDepth, default: 6, in: SizeLimit.unrolledLayers)
    // The published number counts the prediction before the first layer.
    depth = try keys.value(.depth, default: 10, in: SizeLimit.unrolledLayers) - 1
    heads = try keys.value(.heads, default: 8, in: SizeLimit.features)
    queries = try keys.value(.queries, default: 100, in: SizeLimit.features)
    activation = try keys.choice(.activation, default: .relu)
    normsFirst = try keys.value(.normsFirst, default: false)
    hasProjections =
      try keys.value(.hasProjections, default: false) || featureWidth != width
    maskStride = try keys.value(.maskStride, default: 4, in: 1...1024)
    guard featureWidth % heads == 0, width % heads == 0 else {
      throw InvalidRecipeValue(
        CodingKeys.heads, heads,
        "it must divide `feature_size`, \(featureWidth), and `hidden_dim`, \(width)")
    }
    let strides = try keys.value(.strides, default: [4, 8, 16, 32])
    guard strides == backbone.strides, strides.count > Self.levels else {
      throw InvalidRecipeValue(
        CodingKeys.strides, strides,
        "the backbone's stages have the strides \(backbone.strides), and more than "
          + "\(Self.levels) stages were expected")
    }
    let maskStrides = [strides[0], strides[strides.count - Self.levels]]
    guard maskStrides.contains(maskStride) else {
      throw InvalidRecipeValue(
        CodingKeys.maskStride, maskStride,
        "of the strides \(strides), it must be \(maskStrides[0]) or \(maskStrides[1])")
    }
    let names = try keys.decodeIfPresent([String: String].self, forKey: .labels)
    let count = try keys.decodeIfPresent(Int.self, forKey: .classes) ?? names?.count ?? 2
    guard SizeLimit.features.contains(count) else {
      throw InvalidRecipeValue(CodingKeys.classes, count, "at least one class was expected")
    }
    labels = (0..<count).map { names?["\($0)"] ?? "\($0)" }
  }

  /// The stages of the backbone that are added to the pixel decoder's features, the finest first.
  var fineStages: Range<Int> {
    backbone.strides.firstIndex(of: maskStride)!..<backbone.strides.count - Self.levels
  }
}

extension Mask2FormerConfig {
  /// What the parameters are called in a checkpoint with these arrays: those of transformers 4, which are
  /// the names in memory, or as transformers 5 names the modules of its Swin.
  public func names(in arrays: [String]) -> NameMap {
    guard layout == .transformers else { return mmdetectionNames }
    let decoder = "model.transformer_module.decoder.layers"
    var rules = (0..<depth).flatMap { layer in
      ["weight", "bias"].map { part in
        NameMap.Rule.split(
          disk: "\(decoder).\(layer).cross_attn.in_proj_\(part)",
          ["q", "k", "v"].map { "\(decoder).\(layer).cross_attn.\($0)_proj.\(part)" })
      }
    }
    let encoder = "model.pixel_level_module.encoder"
    let prefix =
      arrays.contains { $0.hasPrefix("\(encoder).swin.encoder.") }
      ? "\(encoder).swin" : encoder
    let isNew = arrays.contains { $0.hasPrefix("\(encoder).") && $0.contains(".attention.q_proj") }
    guard isNew || prefix != encoder else { return NameMap(rules) }
    let parts = [
      ("attention.self.query", "attention.q_proj"), ("attention.self.key", "attention.k_proj"),
      ("attention.self.value", "attention.v_proj"),
      (
        "attention.self.relative_position_bias_table",
        "attention.relative_position_bias.relative_position_bias_table"
      ),
      ("attention.output.dense", "attention.o_proj"), ("intermediate.dense", "mlp.fc1"),
      ("output.dense", "mlp.fc2"),
    ]
    for (stage, depth) in backbone.depths.enumerated() where isNew {
      for block in 0..<depth {
        let place = "encoder.layers.\(stage).blocks.\(block)"
        rules += parts.map {
          .rename("\(encoder).\(place).\($0)", to: "\(prefix).\(place).\($1)")
        }
      }
    }
    rules += ["embeddings", "encoder"].map {
      .rename("\(encoder).\($0)", to: "\(prefix).\($0)")
    }
    return NameMap(rules)
  }

  /// Whether an array of a checkpoint belongs to no parameter: the weights of the loss, tables, and the
  /// backbone's last norm, which features do not pass.
  public func ignores(_ array: String) -> Bool {
    array.hasPrefix("criterion.") || array.hasSuffix(".relative_position_index")
      || ["swin.layernorm", "encoder.layernorm"].contains {
        array.hasPrefix("model.pixel_level_module.encoder.\($0).")
          || array.hasPrefix("model.pixel_level_module.\($0).")
      }
  }
}
