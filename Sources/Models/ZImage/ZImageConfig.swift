import Layers
import Recipe
import Weights

/// The configuration of a `ZImage`, in the form of diffusers' `config.json`.
public struct ZImageConfig: Hashable, Sendable {
  /// The heights and widths of the patches of latents that become tokens. Each has its own first and
  /// last map; images use `patch`.
  public var patches = [2]
  /// The frames of each of these patches; an image is one frame.
  public var framePatches = [1]
  /// The channels of latents.
  public var channels = 16
  /// The features of a token.
  public var width = 3840
  /// The number of blocks that all tokens pass together.
  public var depth = 30
  /// The number of blocks that tokens of the image, and those of the text, pass before.
  public var refinerDepth = 2
  /// The heads of attention.
  public var heads = 30
  /// The epsilon of the blocks' norms and of the text's.
  public var normEpsilon = 1e-5
  /// Whether queries and keys are normalized.
  public var hasHeadNorms = true
  /// The features of a text token.
  public var textWidth = 2560
  /// The base of the rotary frequencies.
  public var rotaryBase = 256.0
  /// The factor on times before their sinusoidal features.
  public var timeScale = 1000.0
  /// The numbers of a head's features that encode a token's place in the sequence, row and column.
  public var rotaryAxes = [32, 48, 48]
  /// The numbers of positions along these axes that the published code has tables for. Here angles are
  /// computed for any position.
  public var rotaryTables = [1024, 512, 512]
  /// How the network receives times.
  public var times = Times.plain
  /// How the stacks of blocks are executed.
  public var execution = StackExecution.scanned

  /// Makes the published sizes.
  public init() {}

  /// How the network receives current and target times, as `time_convention` in `config.json`.
  ///
  /// The network's own time t′ is 1 for data and 0 for noise, `sign(t)(1 − |t|)` of the flow's signed
  /// time t.
  public enum Times: String, Codable, Hashable, Sendable, CaseIterable {
    /// The current time alone, as in the published base networks.
    case plain
    /// With a second embedder, `E₁(|t′|) + E₂(tt′ − t′)·|tt′ − t′|`, as in TwinFlow's published
    /// weights. The network cannot tell the times (−t, −t) from (t, t), nor (1, 0) from (1, 1), because
    /// sign(0) is 0.
    case released
    /// With a second embedder, `E₁(|t′|) + E₂(tt′ − t′)·(tt′ − t′)`, and the embedded text negated where
    /// the time is negative, as in the training network of APEX: Liu et al., arXiv 2604.12322, 2026.
    /// There the factor has the other sign; with this one, released weights mean the same at positive
    /// times.
    case signed
  }

  /// The features of a head.
  public var headWidth: Int { width / heads }

  /// The features of the times' embedding.
  public var signalWidth: Int { min(width, 256) }

  /// The place of the maps of images among those of all patches: those of 2 × 2 patches of one frame
  /// where there are such, otherwise the first of one frame.
  var patchIndex: Int {
    let images = patches.indices.filter { framePatches[$0] == 1 }
    return images.first { patches[$0] == 2 } ?? images[0]
  }

  /// The height and width of the patches of images.
  public var patch: Int { patches[patchIndex] }

  /// The names of the maps of a patch in checkpoints, such as `2-1`.
  func patchName(_ place: Int) -> String { "\(patches[place])-\(framePatches[place])" }
}

extension ZImageConfig: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = "Z-Image's transformer, by the keys of diffusers' `config.json`."

  /// The keys of recipes and of `config.json`.
  public static let fields: [Field] = [
    Field(
      "_class_name", \.ownClassName, where: { $0 == className || $0 == twoTimes },
      else: "only \(className) or \(twoTimes) is supported",
      "diffusers' class; the wrapper has an embedder of target times"),
    Field(
      "time_convention", \.times,
      "how times are embedded: plain (no target times), released (TwinFlow's published weights) or "
        + "signed (for training)"
    ).otherwise("that of the class") { _ in },
    Field(
      "all_patch_size", \.patches,
      where: { !$0.isEmpty && $0.allSatisfy(SizeLimit.patch.contains) },
      else: "it must be numbers from 1 to \(SizeLimit.patch.upperBound)",
      "heights and widths of patches of latents"),
    Field(
      "all_f_patch_size", \.framePatches,
      where: { !$0.isEmpty && $0.allSatisfy(SizeLimit.patch.contains) },
      else: "it must be numbers from 1 to \(SizeLimit.patch.upperBound)", "frames of these patches"),
    Field("in_channels", \.channels, in: SizeLimit.features, "channels of latents"),
    Field("dim", \.width, in: SizeLimit.features, "features of a token"),
    Field("n_layers", \.depth, in: SizeLimit.layers, "blocks of all tokens"),
    Field(
      "n_refiner_layers", \.refinerDepth, in: SizeLimit.layers,
      "blocks of the image's tokens, and of the text's, before them"),
    Field("n_heads", \.heads, in: SizeLimit.features, "heads of attention"),
    Field("qk_norm", \.hasHeadNorms, "whether queries and keys are normalized"),
    Field(
      "norm_eps", \.normEpsilon, where: { $0 >= 0 }, else: "it must be 0 or more",
      "epsilon of the norms of tokens"),
    Field("cap_feat_dim", \.textWidth, in: SizeLimit.features, "features of a text token"),
    Field(
      "siglip_feat_dim", \.pictureWidth, where: { $0 == nil },
      else: "only null is supported: there is no embedder of pictures",
      "features of the tokens of reference pictures"),
    Field(
      "rope_theta", \.rotaryBase, where: { $0 > 0 && $0.isFinite }, else: "it must be above 0",
      "base of the rotary frequencies"),
    Field(
      "t_scale", \.timeScale, where: { $0 > 0 && $0.isFinite }, else: "it must be above 0",
      "factor on times before their sinusoidal features"),
    Field(
      "axes_dims", \.rotaryAxes,
      where: { $0.count == 3 && $0.allSatisfy { SizeLimit.features.contains($0) && $0 % 2 == 0 } },
      else: "it must be three even numbers above 0",
      "features of a head that encode a token's place, row and column"),
    Field(
      "axes_lens", \.rotaryTables,
      where: { $0.count == 3 && $0.allSatisfy(SizeLimit.features.contains) },
      else: "it must be three numbers above 0",
      "positions that the published code has tables for; here there are any"),
    execution(\.chosenExecution) { $0.execution = .standard(depth: $0.depth) },
  ]

  /// Checks that the sizes fit each other.
  public func validate() throws {
    try check(execution, \.chosenExecution, depth: max(depth, refinerDepth))
    guard patches.count == framePatches.count else {
      throw invalid(
        \.framePatches, "there must be one for each of `all_patch_size`, \(patches.count)")
    }
    guard framePatches.contains(1) else {
      throw invalid(\.framePatches, "one must be 1: an image is one frame")
    }
    guard Set(patches.indices.map(patchName)).count == patches.count else {
      throw invalid(\.patches, "two have the same height, width and frames")
    }
    guard width % heads == 0 else {
      throw invalid(\.heads, "it must divide the width, \(width)")
    }
    guard rotaryAxes.reduce(0, +) == headWidth else {
      throw invalid(\.rotaryAxes, "their sum must be the width of a head, \(headWidth)")
    }
  }

  /// diffusers' class of the network without target times.
  public static let className = "ZImageTransformer2DModel"

  private static var twoTimes: String { className + "Wrapper" }

  private var ownClassName: String {
    get { hasTargetTime ? Self.twoTimes : Self.className }
    set { hasTargetTime = newValue == Self.twoTimes }
  }

  /// The features of pictures' tokens; none are supported.
  private var pictureWidth: Int? {
    get { nil }
    set {}
  }

  /// How the stacks are run, nil for the default of their depth.
  private var chosenExecution: StackExecution? {
    get { execution.chosen(depth: depth) }
    set { execution = newValue ?? .standard(depth: depth) }
  }
}

extension ZImageConfig {
  /// Whether there is a second time embedder, for the target time. Setting it to true makes plain times
  /// those of the published weights.
  public var hasTargetTime: Bool {
    get { times != .plain }
    set {
      if newValue != hasTargetTime { times = newValue ? .released : .plain }
    }
  }

  /// Signed times: networks cannot learn the twin trajectory with those of the published weights.
  public var withTargetTimes: Self {
    var config = self
    config.times = .signed
    return config
  }

  /// Another config with the times of this one.
  public func targetTimes(on other: Self) -> Self {
    var config = other
    config.times = times
    return config
  }
}
