import Flow
import Layers
import Recipe
import Tensors

/// A network by its kind and sizes, as recipes and weight files name it.
public enum ModelConfig: Hashable, Sendable {
  /// A class-conditional diffusion transformer.
  case dit(DiTConfig)
  /// The tutorial's U-Net.
  case tutorialUNet(TutorialUNetConfig)
  /// A perceptron for points.
  case perceptron(PointNetworkConfig)
  /// A classifier of images.
  case classifier(ClassifierConfig)

  /// Every weight of the network.
  public var weights: Named<ParameterSpec> { weights(with: nil) }

  /// Every weight of the network with adapters on its linear maps.
  public func weights(with adapters: LoRA?) -> Named<ParameterSpec> {
    switch self {
    case .dit(let config): Scope.declare(adapters: adapters) { DiT($0, config) }
    case .tutorialUNet(let config):
      Scope.declare(adapters: adapters) { TutorialUNet($0, config) }
    case .perceptron(let config): Scope.declare(adapters: adapters) { PointNetwork($0, config) }
    case .classifier(let config): Scope.declare(adapters: adapters) { Classifier($0, config) }
    }
  }

  /// The paths of the linear maps, which adapters can be put on.
  public var linearMaps: [String] {
    weights(with: LoRA(rank: 1, alpha: 1)).names.filter { $0.hasSuffix(".lora_A.weight") }
      .map { String($0.dropLast(".lora_A.weight".count)) }
  }

  /// The network as a velocity model bound to weights, nil for a classifier.
  public func velocityModel(
    _ weights: Named<Tensor>, adapters: LoRA? = nil
  ) -> (any VelocityModel)? {
    switch self {
    case .dit(let config): Scope.bind(weights, adapters: adapters) { DiT($0, config) }
    case .tutorialUNet(let config):
      Scope.bind(weights, adapters: adapters) { TutorialUNet($0, config) }
    case .perceptron(let config):
      Scope.bind(weights, adapters: adapters) { PointNetwork($0, config) }
    case .classifier: nil
    }
  }

  /// The shape of one sample, `[height, width, channels]` for images, and the number of classes; 0
  /// for a network that knows none.
  public var sample: (shape: Shape, classes: Int) {
    switch self {
    case .dit(let config): ([config.size, config.size, config.channels], config.classes)
    case .tutorialUNet(let config): ([config.size, config.size, config.channels], config.classes)
    case .perceptron(let config): ([config.features], 0)
    case .classifier(let config): ([config.size, config.size, config.channels], config.classes)
    }
  }
}

extension ModelConfig: CustomStringConvertible {
  /// The kind and the sizes as a recipe has them, `{kind: dit, size: 28, …}`.
  public var description: String {
    (try? RecipeWriter.line(self)) ?? "of an unknown kind"
  }
}

extension ModelConfig: Codable {
  private enum Kind: String, Codable, CaseIterable {
    case dit
    case tutorialUNet = "tutorial-unet"
    case perceptron, classifier
  }
  private enum CodingKeys: String, CodingKey { case kind }

  /// Reads `kind` and the sizes beside it.
  ///
  /// - Throws: an error that names the key whose value cannot be, and one for a network whose weights
  ///   cannot be counted.
  public init(from decoder: any Decoder) throws {
    switch try decoder.container(keyedBy: CodingKeys.self).value(.kind) as Kind {
    case .dit: self = .dit(try DiTConfig(from: decoder))
    case .tutorialUNet: self = .tutorialUNet(try TutorialUNetConfig(from: decoder))
    case .perceptron: self = .perceptron(try PointNetworkConfig(from: decoder))
    case .classifier: self = .classifier(try ClassifierConfig(from: decoder))
    }
    guard isCountable else {
      throw InvalidRecipeValue(
        "a network of \(weightCount) weights with samples of \(sample.shape)",
        "no device could hold it: lower its sizes")
    }
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .dit(let config):
      try keys.encode(Kind.dit, forKey: .kind)
      try config.encode(to: encoder)
    case .tutorialUNet(let config):
      try keys.encode(Kind.tutorialUNet, forKey: .kind)
      try config.encode(to: encoder)
    case .perceptron(let config):
      try keys.encode(Kind.perceptron, forKey: .kind)
      try config.encode(to: encoder)
    case .classifier(let config):
      try keys.encode(Kind.classifier, forKey: .kind)
      try config.encode(to: encoder)
    }
  }
}
