import Flow
import Layers
import Recipe
import Tensors
import Weights

/// A kind of network with its settings, as under `model` in recipes and weight files.
///
/// A new architecture is a folder of its own and one line in `Models.all`.
public protocol Architecture: RecipeGroup, Hashable {
  /// The network that is bound to weights.
  associatedtype Network

  /// The name in recipes and weight files.
  static var kind: String { get }

  /// The network, which binds or declares the weights of a scope.
  func network(_ scope: Scope) -> Network

  /// The inputs of the network for each sample, the sample itself first.
  ///
  /// - Parameter size: the height and width of a sample, in pixels or latents as the network has
  ///   them; nil for the default. It is ignored by networks whose samples are not images.
  func inputs(_ size: ImageSize?) -> [InputSpec]

  /// Whether samples are the latents of a codec, not pixels.
  var worksOnLatents: Bool { get }

  /// The names of the network's parameters on disk.
  var names: NameMap { get }

  /// The parameters that checkpoints, from which training starts, may lack.
  var added: [AddedParameters] { get }

  /// Whether a parameter is a table, such as one of positions, which is not trained.
  func isTable(_ name: String) -> Bool

  /// Whether the network's embedded condition can be shifted, see `ConditionShift`.
  static var takesConditionShift: Bool { get }
}

extension Architecture {
  /// By default the names in memory.
  public var names: NameMap { NameMap() }

  /// By default networks work on the data themselves.
  public var worksOnLatents: Bool { false }

  /// By default all parameters are trained.
  public func isTable(_ name: String) -> Bool { false }

  /// By default it cannot.
  public static var takesConditionShift: Bool { false }

  /// Whether the network predicts the velocity of a flow, so that it can generate.
  static var isGenerative: Bool { Network.self is any VelocityModel.Type }

  /// Every parameter of the network.
  func declared(with lora: LoRA?) -> Named<ParameterSpec> {
    Scope.declare(lora: lora) { network($0) }
  }

  /// The network bound to weights, as a velocity model; nil where it is not one.
  func velocityModel(_ weights: Named<Tensor>, _ lora: LoRA?) -> (any VelocityModel)? {
    guard Self.isGenerative else { return nil }
    return Scope.bind(weights, lora: lora) { network($0) } as? any VelocityModel
  }
}

/// An architecture with a stack of layers, whose execution can be chosen.
public protocol StackedArchitecture: Architecture {
  /// How the stack is executed.
  var execution: StackExecution { get set }
}

/// The height and width of images in pixels.
public struct ImageSize: Hashable, Sendable, CustomStringConvertible {
  /// The number of rows.
  public var height: Int
  /// The number of columns.
  public var width: Int

  /// Makes a size.
  public init(height: Int, width: Int) {
    (self.height, self.width) = (height, width)
  }

  /// The size as width × height.
  public var description: String { "\(width)x\(height)" }
}

/// An architecture whose network is trained on answers, not as the velocity of a flow.
public protocol SupervisedArchitecture: Architecture {
  /// The kind of the objective that trains it.
  static var objective: String { get }

  /// The scalars of a batch; `loss` is minimized.
  ///
  /// - Parameter batch: the arrays of `inputs`, each with a first axis for the samples.
  func metrics(_ weights: Named<Tensor>, _ batch: Named<Tensor>) -> Named<Tensor>
}
