import Layers
import Recipe

extension AutoencoderDCConfig {
  enum CodingKeys: String, CodingKey {
    case channels = "in_channels"
    case latentChannels = "latent_channels"
    case headWidth = "attention_head_dim"
    case encoderBlocks = "encoder_block_types"
    case decoderBlocks = "decoder_block_types"
    case encoderWidths = "encoder_block_out_channels"
    case decoderWidths = "decoder_block_out_channels"
    case encoderLayers = "encoder_layers_per_block"
    case decoderLayers = "decoder_layers_per_block"
    case encoderKernels = "encoder_qkv_multiscales"
    case decoderKernels = "decoder_qkv_multiscales"
    case upsampling = "upsample_block_type"
    case downsampling = "downsample_block_type"
    case decoderNorms = "decoder_norm_types"
    case decoderActivations = "decoder_act_fns"
    case hasEncoderShortcut = "encoder_out_shortcut"
    case hasDecoderShortcut = "decoder_in_shortcut"
    case outputActivation = "decoder_conv_act_fn"
    case scale = "scaling_factor"
    case className = "_class_name"
  }

  private typealias Keys = KeyedDecodingContainer<CodingKeys>

  /// Reads the sizes; those that are absent keep their published defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(.className, Self.className)
    channels = try keys.value(.channels, default: channels, in: SizeLimit.features)
    latentChannels = try keys.value(
      .latentChannels, default: latentChannels, in: SizeLimit.features)
    headWidth = try keys.value(.headWidth, default: headWidth, in: SizeLimit.features)
    downsampling = try keys.choice(.downsampling, default: downsampling)
    upsampling = try keys.choice(.upsampling, default: upsampling)
    hasEncoderShortcut = try keys.value(.hasEncoderShortcut, default: hasEncoderShortcut)
    hasDecoderShortcut = try keys.value(.hasDecoderShortcut, default: hasDecoderShortcut)
    outputActivation = try keys.choice(.outputActivation, default: outputActivation)
    scale = try keys.value(
      .scale, default: scale, where: { $0 > 0 && $0.isFinite }, "it must be above 0")
    encoder = try Self.side(
      keys, encoder, .encoderWidths, .encoderBlocks, .encoderLayers, .encoderKernels)
    self.decoder = try Self.side(
      keys, self.decoder, .decoderWidths, .decoderBlocks, .decoderLayers, .decoderKernels)
    let levels = self.decoder.widths.count
    self.decoder.norms = try Self.perLevel(keys, .decoderNorms, .rms, levels)
    self.decoder.activations = try Self.perLevel(keys, .decoderActivations, .silu, levels)
    guard levels == encoder.widths.count else {
      throw InvalidRecipeValue(
        CodingKeys.decoderWidths, self.decoder.widths,
        "the encoder has \(encoder.widths.count) levels")
    }
    try checkShortcuts()
  }

  /// Reads the levels of one side.
  private static func side(
    _ keys: Keys, _ standard: Side, _ widthsKey: CodingKeys, _ blocksKey: CodingKeys,
    _ layersKey: CodingKeys, _ kernelsKey: CodingKeys
  ) throws -> Side {
    var side = standard
    side.widths = try keys.value(
      widthsKey, default: side.widths,
      where: { (1...16).contains($0.count) && $0.allSatisfy(SizeLimit.features.contains) },
      "it must be the features of 1 to 16 levels")
    let levels = side.widths.count
    side.blocks = try perLevel(keys, blocksKey, .residual, levels)
    let least = levels == 1 ? 1 : 0
    side.layers = try keys.value(
      layersKey, default: side.layers,
      where: { layers in
        layers.count == levels && layers.dropFirst().allSatisfy(SizeLimit.unrolledLayers.contains)
          && (least...SizeLimit.unrolledLayers.upperBound).contains(layers[0])
      }, "it must be blocks of each of \(levels) levels; only the first may have none")
    side.kernels = try keys.value(
      kernelsKey, default: side.kernels,
      where: { kernels in
        kernels.count == levels
          && kernels.joined().allSatisfy { $0 % 2 == 1 && SizeLimit.patch.contains($0) }
      }, "it must be lists of odd kernels, one for each of \(levels) levels")
    // The defaults are of six levels.
    guard side.layers.count == levels else {
      throw InvalidRecipeValue(layersKey, side.layers, "\(levels) levels were expected")
    }
    guard side.kernels.count == levels else {
      throw InvalidRecipeValue(kernelsKey, side.kernels, "\(levels) levels were expected")
    }
    side.norms = [Norm](repeating: .rms, count: levels)
    side.activations = [Activation](repeating: .silu, count: levels)
    return side
  }

  /// A choice for each level, which may be given once for all.
  private static func perLevel<Choice: Codable & CaseIterable & RawRepresentable<String>>(
    _ keys: Keys, _ key: CodingKeys, _ standard: Choice, _ levels: Int
  ) throws -> [Choice] {
    guard keys.contains(key) else { return [Choice](repeating: standard, count: levels) }
    let one = try? keys.decode(String.self, forKey: key)
    let names =
      try one.map { [String](repeating: $0, count: levels) }
      ?? keys.decode([String].self, forKey: key)
    let choices = names.compactMap(Choice.init)
    guard choices.count == levels, names.count == levels else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw InvalidRecipeValue(
        key, names, "one of \(known) was expected for each of \(levels) levels")
    }
    return choices
  }

  /// Checks that the shortcuts can average or repeat whole channels.
  private func checkShortcuts() throws {
    func check(
      _ key: CodingKeys, _ side: Side, _ fits: (_ width: Int, _ next: Int) -> Bool,
      _ reason: String
    ) throws {
      let widths = side.widths[side.firstLevel...]
      guard zip(widths, widths.dropFirst()).allSatisfy(fits) else {
        throw InvalidRecipeValue(key, side.widths, reason)
      }
    }
    let byFours = downsampling == .pixels
    try check(
      .encoderWidths, encoder, { 4 * $0 % $1 == 0 && (!byFours || $1 % 4 == 0) },
      "four times the features of a level must be a multiple of those of the next, which pixels make "
        + "by fours")
    try check(
      .decoderWidths, decoder, { 4 * $0 % $1 == 0 },
      "four times the features of a level must be a multiple of those of the next")
    if encoder.firstLevel > 0, downsampling == .pixels, encoder.widths[1] % 4 != 0 {
      throw InvalidRecipeValue(
        CodingKeys.encoderWidths, encoder.widths, "pixels make the first features by fours")
    }
    for (key, side, isUsed) in [
      (CodingKeys.encoderWidths, encoder, hasEncoderShortcut),
      (.decoderWidths, decoder, hasDecoderShortcut),
    ] {
      guard !isUsed || side.widths.last! % latentChannels == 0 else {
        throw InvalidRecipeValue(
          key, side.widths, "the last must be a multiple of the latent's \(latentChannels)")
      }
      guard
        side.blocks.indices.allSatisfy({
          side.blocks[$0] == .residual || side.widths[$0] >= headWidth
        })
      else {
        throw InvalidRecipeValue(
          key, side.widths, "levels with attention have at least a head, \(headWidth)")
      }
    }
  }

  /// Writes the published form.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(Self.className, forKey: .className)
    try keys.encode(channels, forKey: .channels)
    try keys.encode(latentChannels, forKey: .latentChannels)
    try keys.encode(headWidth, forKey: .headWidth)
    try keys.encode(self.encoder.blocks, forKey: .encoderBlocks)
    try keys.encode(decoder.blocks, forKey: .decoderBlocks)
    try keys.encode(self.encoder.widths, forKey: .encoderWidths)
    try keys.encode(decoder.widths, forKey: .decoderWidths)
    try keys.encode(self.encoder.layers, forKey: .encoderLayers)
    try keys.encode(decoder.layers, forKey: .decoderLayers)
    try keys.encode(self.encoder.kernels, forKey: .encoderKernels)
    try keys.encode(decoder.kernels, forKey: .decoderKernels)
    try keys.encode(upsampling, forKey: .upsampling)
    try keys.encode(downsampling, forKey: .downsampling)
    try keys.encode(decoder.norms, forKey: .decoderNorms)
    try keys.encode(decoder.activations, forKey: .decoderActivations)
    try keys.encode(hasEncoderShortcut, forKey: .hasEncoderShortcut)
    try keys.encode(hasDecoderShortcut, forKey: .hasDecoderShortcut)
    try keys.encode(outputActivation, forKey: .outputActivation)
    try keys.encode(scale, forKey: .scale)
  }
}
