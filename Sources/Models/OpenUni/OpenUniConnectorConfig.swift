import Layers
import Recipe
import Tensors
import Weights

/// The sizes of OpenUni's connector: keys of the published `ConnectorConfig`, and of OpenUni and SANA for what
/// is around it. The defaults are those of OpenUni-L.
///
/// The published checkpoints come without such a file, and their arrays say nearly all of it.
public struct OpenUniConnectorConfig: Codable, Hashable, Sendable {
  /// The features of a hidden state, which are the language model's.
  public var width = 1536
  /// The features inside a layer's MLP.
  public var hidden = 8960
  /// The number of layers.
  public var depth = 6
  /// The heads of attention, a divisor of the width.
  public var heads = 24
  /// The activation of the MLP.
  public var activation = Activation.geluTanh
  /// The ε of the norms.
  public var epsilon = 1e-6
  /// The number of learned queries.
  public var queries = 256
  /// The features of the output, which SANA takes as text.
  public var outputWidth = 2304
  /// How the stack of layers is executed.
  public var execution = StackExecution.unrolled

  /// The class in a `config.json` and in a `model_index.json`.
  public static let className = "OpenUniConnector"

  /// The features of a head in all published checkpoints.
  private static let headWidth = 64

  enum CodingKeys: String, CodingKey {
    case className = "_class_name"
    case width = "hidden_size"
    case hidden = "intermediate_size"
    case depth = "num_hidden_layers"
    case heads = "num_attention_heads"
    case activation = "hidden_act"
    case epsilon = "layer_norm_eps"
    case queries = "num_queries"
    case outputWidth = "caption_channels"
    case order = "proj_type"
    case execution
  }

  /// The order of connector and projector in the published models.
  private static let order = "enc_proj"

  /// Makes the config of OpenUni-L.
  public init() {}

  /// Reads the sizes.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let (keys, base) = (try decoder.container(keyedBy: CodingKeys.self), Self())
    try keys.expect(.className, Self.className)
    try keys.expect(.order, Self.order)
    width = try keys.value(.width, default: base.width, in: SizeLimit.features)
    hidden = try keys.value(.hidden, default: base.hidden, in: SizeLimit.features)
    depth = try keys.value(.depth, default: base.depth, in: SizeLimit.layers)
    heads = try keys.value(.heads, default: base.heads, in: SizeLimit.features)
    guard width % heads == 0 else {
      throw InvalidRecipeValue(CodingKeys.heads, heads, "it must divide `hidden_size`, \(width)")
    }
    activation = try keys.choice(.activation, default: base.activation)
    epsilon = try keys.value(.epsilon, default: base.epsilon, in: 0...1)
    queries = try keys.value(.queries, default: base.queries, in: SizeLimit.features)
    outputWidth = try keys.value(.outputWidth, default: base.outputWidth, in: SizeLimit.features)
    execution = try keys.execution(.execution, depth: depth)
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(Self.className, forKey: .className)
    try keys.encode(width, forKey: .width)
    try keys.encode(hidden, forKey: .hidden)
    try keys.encode(depth, forKey: .depth)
    try keys.encode(heads, forKey: .heads)
    try keys.encode(activation, forKey: .activation)
    try keys.encode(epsilon, forKey: .epsilon)
    try keys.encode(queries, forKey: .queries)
    try keys.encode(outputWidth, forKey: .outputWidth)
    try keys.encode(Self.order, forKey: .order)
    try keys.encode(execution, .execution, depth: depth)
  }

  /// The sizes that the shapes of a checkpoint's arrays imply, with heads as published.
  ///
  /// - Parameter path: the file in messages.
  /// - Throws: `PublishedConfigError` for arrays that are not those of a connector.
  public init(_ arrays: Named<TensorType>, path: String) throws(PublishedConfigError) {
    do {
      try self.init(CheckpointArrays(arrays, Self.names(in: arrays.names)))
    } catch {
      throw PublishedConfigError(path: path, reason: error.reason)
    }
  }

  private init(_ arrays: CheckpointArrays) throws(UnknownSizes) {
    let table = try arrays.shape(Self.queriesName, axes: 2)
    (queries, width) = (table[0], table[1])
    guard arrays.shape("projector.0.weight") == nil else {
      throw UnknownSizes(
        "it has a projector before the connector too, and only one behind it is supported")
    }
    depth = try arrays.layers(Self.landmark)
    hidden = try arrays.shape("connector.layers.*.mlp.fc1.weight", axes: 2)[0]
    let map = try arrays.shape("projector.weight", axes: 2)
    outputWidth = map[0]
    guard map[1] == width else {
      throw UnknownSizes(
        "its projector.weight is \(map), and its queries have \(width) features: they do not "
          + "belong together, or the projector is before the connector, which is not supported")
    }
    guard width % Self.headWidth == 0 else {
      throw UnknownSizes(
        "the heads of its \(width) features are unknown: put a config.json with `_class_name` "
          + "\(Self.className) and `num_attention_heads` beside it")
    }
    heads = width / Self.headWidth
    execution = .standard(depth: depth)
  }
}

extension OpenUniConnectorConfig {
  private static let queriesName = "meta_queries"
  private static let landmark = "connector.layers.*.layer_norm1.weight"

  /// The names of the parameters in OpenUni's checkpoints, and in those of TwinFlow's code, where connector and
  /// projector are within the transformer.
  private static let layouts: [NameMap] = [
    NameMap(),
    NameMap([
      .rename("connector", to: "transformer.connector"),
      .rename("projector", to: "transformer.projector"),
    ]),
  ]

  /// The names of the parameters in a checkpoint with these arrays.
  public static func names(in arrays: [String]) -> NameMap {
    let found = Set(arrays)
    return layouts.first { found.contains(NameMap.numbered($0.diskName(of: landmark), 0)) }
      ?? layouts[0]
  }

  /// Whether a checkpoint with these arrays has a connector, or part of one.
  public static func isIn(_ arrays: [String]) -> Bool {
    arrays.contains { name in name == queriesName || isOfConnector(name) }
  }

  /// Whether an array of a checkpoint does not belong to the connector: the rest of OpenUni.
  public static func ignores(_ array: String) -> Bool {
    array != queriesName && !isOfConnector(array)
  }

  private static func isOfConnector(_ array: String) -> Bool {
    ["connector.", "projector.", "transformer.connector.", "transformer.projector."]
      .contains(where: array.hasPrefix)
  }
}
