extension PublishedTransformer {
  /// The sizes alone: without target times, with the default execution of the stack.
  fileprivate var sizes: Self {
    var sizes = self
    sizes.hasTargetTime = false
    sizes.execution = Self.defaults.execution
    return sizes
  }

  /// The same sizes as another config's, with its own target times and execution where it says any.
  fileprivate func with(_ other: any PublishedTransformer) -> Self {
    guard let other = other as? Self else { return self }
    var config = self
    if other.hasTargetTime { config = other.targetTimes(on: config) }
    if other.execution != Self.defaults.execution { config.execution = other.execution }
    return config
  }

  fileprivate func hasSizes(of other: any Architecture) -> Bool {
    (other as? any PublishedTransformer).flatMap { $0 as? Self }.map { sizes == $0.sizes } ?? false
  }

  fileprivate var isStandard: Bool { sizes == Self.defaults.sizes }
}

extension ModelConfig {
  private var published: (any PublishedTransformer)? { architecture as? any PublishedTransformer }

  /// Whether the network's weights are published, so that its config is found beside them.
  public var isPublished: Bool { published != nil }

  /// Whether a published network has the largest published sizes, as where a recipe names only the kind.
  public var hasStandardSizes: Bool { withoutTwinHead.published?.isStandard ?? false }

  /// Whether the network has an embedder of target times; nil where it is not a published one.
  public var hasTargetTime: Bool? { published?.hasTargetTime }

  /// Whether the network cannot tell a point of the twin trajectory from its mirror image.
  public var confusesTwin: Bool { (architecture as? ZImageConfig)?.times == .released }

  /// The height and width of the patches of samples that become tokens, 1 where it is not a published
  /// network.
  public var patch: Int { published?.patch ?? 1 }

  /// The largest height and width of samples, nil for any.
  public var largestSide: Int? { published?.largestSide }

  /// Whether a parameter of a published network belongs to its embedder of target times.
  public func isTargetEmbedder(_ name: String) -> Bool {
    published.map { name.hasPrefix(type(of: $0).targetEmbedder + ".") } ?? false
  }

  /// This network with an embedder of target times for training, which its published weights may lack.
  public var withTargetTimes: ModelConfig {
    published.map { ModelConfig($0.withTargetTimes) } ?? self
  }

  /// Whether weights of another network are weights of this one: apart from a second output head they are
  /// equal, or they are published ones that differ at most in target times and in how the stack is run.
  public func takesWeights(of other: ModelConfig) -> Bool {
    let (own, other) = (withoutTwinHead, other.withoutTwinHead)
    return own.published.map { $0.hasSizes(of: other.architecture) } ?? (own == other)
  }

  /// A published network of the sizes of another one of its kind, with the target times, the second output
  /// head and the execution that this one says.
  public func sized(like other: ModelConfig) -> ModelConfig {
    guard let published, kind == other.kind, let other = other.withoutTwinHead.published else {
      return self
    }
    let sized = ModelConfig(other.with(published))
    return hasTwinHead ? sized.withTwinHead : sized
  }
}
