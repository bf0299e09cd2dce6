import Flow
import Layers
import Recipe
import Tensors
import Weights

/// A kind of network with its settings: what recipes and weight files name under `model`.
///
/// A new architecture is a folder of its own and one line in `Models.all`.
public protocol Architecture: RecipeGroup, Hashable {
  /// The network that is bound to weights.
  associatedtype Network

  /// The name in recipes and weight files.
  static var kind: String { get }

  /// The network, bound to the weights of a scope or declaring them.
  func network(_ scope: Scope) -> Network

  /// What the network takes of each sample: first the sample itself.
  ///
  /// - Parameter size: the height and width of a sample, in pixels or latents as the network has them;
  ///   nil for the usual one. Networks of other samples have no size.
  func inputs(_ size: ImageSize?) -> [InputSpec]

  /// Whether samples are the latents of a codec, and not pixels.
  var worksOnLatents: Bool { get }

  /// What the network's parameters are called on disk.
  var names: NameMap { get }
}

extension Architecture {
  /// Most parameters are called on disk as in memory.
  public var names: NameMap { NameMap() }

  /// Most networks work on the data themselves.
  public var worksOnLatents: Bool { false }

  /// Whether the network predicts the velocity of a flow, so that it can generate.
  static var isGenerative: Bool { Network.self is any VelocityModel.Type }

  /// Every parameter of the network.
  func declared(with lora: LoRA?) -> Named<ParameterSpec> {
    Scope.declare(adapters: lora) { network($0) }
  }

  /// The network bound to weights, as a velocity model; nil where it is none.
  func velocityModel(_ weights: Named<Tensor>, _ lora: LoRA?) -> (any VelocityModel)? {
    guard Self.isGenerative else { return nil }
    return Scope.bind(weights, adapters: lora) { network($0) } as? any VelocityModel
  }
}

/// An architecture with a stack of layers, which can be run in several ways.
public protocol StackedArchitecture: Architecture {
  /// How the stack is run.
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
