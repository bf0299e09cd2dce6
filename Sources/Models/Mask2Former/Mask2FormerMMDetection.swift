import Layers
import Tensors
import Weights

/// Checkpoints of mmdetection, whose files hold no description of their networks.
extension Mask2FormerConfig {
  /// Reads the sizes from the arrays of a checkpoint; nil where it is of another network.
  ///
  /// Its activations are those that are published.
  ///
  /// - Parameter arrays: the types of its arrays.
  public init?(mmdetection arrays: Named<TensorType>) {
    let head = "panoptic_head"
    func sizes(_ name: String) -> [Int]? { arrays[name]?.shape.sizes }
    /// The number of parts that are numbered after a name.
    func count(_ start: String) -> Int {
      let numbers = arrays.names.compactMap { name -> Int? in
        guard name.hasPrefix("\(start).") else { return nil }
        return Int(name.dropFirst(start.count + 1).prefix { $0 != "." })
      }
      return (numbers.max() ?? -1) + 1
    }
    let stages = count("backbone.stages")
    guard stages > Self.levels,
      let patch = sizes("backbone.patch_embed.projection.weight"), patch.count == 4,
      let offsets = sizes(
        "\(head).pixel_decoder.encoder.layers.0.attentions.0.sampling_offsets.weight"),
      let pixelHidden = sizes("\(head).pixel_decoder.encoder.layers.0.ffns.0.layers.0.0.weight"),
      let hidden = sizes("\(head).transformer_decoder.layers.0.ffns.0.layers.0.0.weight"),
      let mask = sizes("\(head).pixel_decoder.mask_feature.weight"),
      let queries = sizes("\(head).query_embed.weight"),
      let classes = sizes("\(head).cls_embed.weight"),
      [offsets, pixelHidden, hidden, queries, classes].allSatisfy({ $0.count == 2 }),
      mask.count == 4
    else { return nil }
    var swin = SwinConfig()
    swin.width = patch[0]
    swin.patch = patch[2]
    swin.depths = (0..<stages).map { count("backbone.stages.\($0).blocks") }
    let tables = (0..<stages).map {
      sizes(
        "backbone.stages.\($0).blocks.0.attn.w_msa.relative_position_bias_table") ?? []
    }
    guard tables.allSatisfy({ $0.count == 2 && $0[1] > 0 }) else { return nil }
    swin.heads = tables.map { $0[1] }
    // The table has a row for each distance, (2 · window − 1)².
    swin.window = (Int(Double(tables[0][0]).squareRoot().rounded()) + 1) / 2
    swin.hasBias = sizes("backbone.stages.0.blocks.0.attn.w_msa.qkv.bias") != nil
    swin.mergesFeatures = true
    guard let inner = sizes("backbone.stages.0.blocks.0.ffn.layers.0.0.weight")?.first else {
      return nil
    }
    swin.ratio = Double(inner) / Double(swin.width)
    backbone = swin
    (featureWidth, maskWidth, width) = (offsets[1], mask[0], queries[1])
    (self.pixelHidden, self.hidden) = (pixelHidden[0], hidden[0])
    pixelDepth = count("\(head).pixel_decoder.encoder.layers")
    depth = count("\(head).transformer_decoder.layers")
    heads = offsets[0] / (Self.levels * Self.points * 2)
    self.queries = queries[0]
    (activation, normsFirst) = (.relu, false)
    hasProjections = arrays.names.contains { $0.hasPrefix("\(head).decoder_input_projs.") }
    let laterals = count("\(head).pixel_decoder.lateral_convs")
    maskStride = swin.strides[max(0, stages - Self.levels - laterals)]
    labels = (0..<max(1, classes[0] - 1)).map { "\($0)" }
    layout = .mmdetection
    guard heads > 0, featureWidth % heads == 0, width % heads == 0,
      featureWidth % Self.groups == 0, zip(swin.widths, swin.heads).allSatisfy({ $0 % $1 == 0 })
    else { return nil }
  }

  /// What the parameters are called in mmdetection's checkpoints.
  var mmdetectionNames: NameMap {
    let level = "model.pixel_level_module"
    let head = "panoptic_head"
    return NameMap(
      backboneRules("\(level).encoder") + pixelRules("\(level).decoder", "\(head).pixel_decoder")
        + queryRules("model.transformer_module", head) + [
          .rename("class_predictor", to: "\(head).cls_embed")
        ])
  }

  private func renamed(
    _ memory: String, _ disk: String, _ parts: [(String, String)]
  ) -> [NameMap.Rule] {
    parts.map { .rename("\(memory).\($0)", to: "\(disk).\($1)") }
  }

  private func backboneRules(_ memory: String) -> [NameMap.Rule] {
    var rules = renamed(
      memory, "backbone",
      [
        ("embeddings.patch_embeddings.projection", "patch_embed.projection"),
        ("embeddings.norm", "patch_embed.norm"),
      ])
    for (stage, depth) in backbone.depths.enumerated() {
      let (own, other) = ("\(memory).encoder.layers.\(stage)", "backbone.stages.\(stage)")
      for block in 0..<depth {
        let (part, disk) = ("\(own).blocks.\(block)", "\(other).blocks.\(block)")
        rules.append(
          .split(
            disk: "\(disk).attn.w_msa.qkv",
            ["query", "key", "value"].map { "\(part).attention.self.\($0)" }))
        rules += renamed(
          part, disk,
          [
            (
              "attention.self.relative_position_bias_table",
              "attn.w_msa.relative_position_bias_table"
            ),
            ("attention.output.dense", "attn.w_msa.proj"), ("layernorm_before", "norm1"),
            ("layernorm_after", "norm2"), ("intermediate.dense", "ffn.layers.0.0"),
            ("output.dense", "ffn.layers.1"),
          ])
      }
      rules += renamed(own, other, [("downsample", "downsample")])
      rules.append(
        .rename("\(memory).hidden_states_norms.stage\(stage + 1)", to: "backbone.norm\(stage)"))
    }
    return rules
  }

  private func pixelRules(_ memory: String, _ disk: String) -> [NameMap.Rule] {
    var rules = renamed(
      memory, disk, [("level_embed", "level_encoding.weight"), ("mask_projection", "mask_feature")])
    for number in 0..<Self.levels {
      rules += renamed(
        "\(memory).input_projections.\(number)", "\(disk).input_convs.\(number)",
        [("0", "conv"), ("1", "gn")])
    }
    // The coarsest comes first.
    for (number, stage) in fineStages.reversed().enumerated() {
      for (part, name) in [("adapter", "lateral_convs"), ("layer", "output_convs")] {
        rules += renamed(
          "\(memory).\(part)_\(stage + 1)", "\(disk).\(name).\(number)",
          [("0", "conv"), ("1", "gn")])
      }
    }
    for layer in 0..<pixelDepth {
      rules += renamed(
        "\(memory).encoder.layers.\(layer)", "\(disk).encoder.layers.\(layer)",
        [
          ("self_attn_layer_norm", "norms.0"), ("self_attn", "attentions.0"),
          ("fc1", "ffns.0.layers.0.0"), ("fc2", "ffns.0.layers.1"),
          ("final_layer_norm", "norms.1"),
        ])
    }
    return rules
  }

  private func queryRules(_ memory: String, _ disk: String) -> [NameMap.Rule] {
    var rules = renamed(
      memory, disk,
      [
        ("queries_embedder", "query_embed"), ("queries_features", "query_feat"),
        ("level_embed", "level_embed"), ("decoder.layernorm", "transformer_decoder.post_norm"),
        ("input_projections", "decoder_input_projs"),
      ])
    for number in 0..<3 {
      rules.append(
        .rename(
          "\(memory).decoder.mask_predictor.mask_embedder.\(number).0",
          to: "\(disk).mask_embed.\(2 * number)"))
    }
    for layer in 0..<depth {
      let own = "\(memory).decoder.layers.\(layer)"
      let other = "\(disk).transformer_decoder.layers.\(layer)"
      for (number, attention) in ["cross_attn", "self_attn"].enumerated() {
        for part in ["weight", "bias"] {
          rules.append(
            .split(
              disk: "\(other).attentions.\(number).attn.in_proj_\(part)",
              ["q", "k", "v"].map { "\(own).\(attention).\($0)_proj.\(part)" }))
        }
        rules.append(
          .rename(
            "\(own).\(attention).out_proj", to: "\(other).attentions.\(number).attn.out_proj"))
      }
      rules += renamed(
        own, other,
        [
          ("cross_attn_layer_norm", "norms.0"), ("self_attn_layer_norm", "norms.1"),
          ("final_layer_norm", "norms.2"), ("fc1", "ffns.0.layers.0.0"),
          ("fc2", "ffns.0.layers.1"),
        ])
    }
    return rules
  }
}
