import Layers
import Recipe
import Tensors

/// The sizes of a class-conditional diffusion transformer.
public struct DiTConfig {
  /// The height and width of the images that it is trained on; the batch may have others.
  public var size = 28
  /// The channels of the images.
  public var channels = 1
  /// The height and width of the patches that become tokens.
  public var patch = 4
  /// The features of a token.
  public var width = 192
  /// The number of blocks.
  public var depth = 6
  /// The heads of attention.
  public var heads = 3
  /// The hidden features of a block's perceptron as a multiple of the width.
  public var mlpRatio = 4
  /// The number of classes; one more stands for no class.
  public var classes = 10
  /// What times are multiplied with before their sinusoidal features.
  public var timeScale = 1000.0
  /// How the stack of blocks is run.
  public var execution = StackExecution.unrolled

  /// Makes the sizes of the demonstration.
  public init() {}

  enum CodingKeys: String, CodingKey {
    case size, channels, patch, width, depth, heads
    case mlpRatio = "mlp_ratio"
    case classes
    case timeScale = "time_scale"
    case execution
  }

  /// Reads the sizes; those that are absent keep their defaults.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    size = try keys.value(.size, default: size, in: SizeLimit.pixels)
    channels = try keys.value(.channels, default: channels, in: SizeLimit.features)
    patch = try keys.value(.patch, default: patch, in: SizeLimit.pixels)
    width = try keys.value(
      .width, default: width, where: { SizeLimit.features.contains($0) && $0 % 4 == 0 },
      "it must be a multiple of 4, at most \(SizeLimit.features.upperBound)")
    depth = try keys.value(.depth, default: depth, in: SizeLimit.layers)
    heads = try keys.value(.heads, default: heads, in: SizeLimit.features)
    mlpRatio = try keys.value(.mlpRatio, default: mlpRatio, in: 1...256)
    classes = try keys.value(.classes, default: classes, in: SizeLimit.classes)
    timeScale = try keys.value(
      .timeScale, default: timeScale, where: { $0 > 0 }, "it must be above 0")
    // Unrolled, the compiler's time grows with the depth faster than what the run gains.
    execution = try keys.value(.execution, default: depth > 24 ? .scanned : .unrolled)
    guard execution != .unrolled || SizeLimit.unrolledLayers.contains(depth) else {
      throw InvalidRecipeValue(
        CodingKeys.execution, execution.rawValue,
        "a stack of \(depth) layers is compiled as a loop: set it to scanned or recomputed")
    }
    guard size % patch == 0 else {
      throw InvalidRecipeValue(CodingKeys.patch, patch, "it must divide the size, \(size)")
    }
    guard width % heads == 0 else {
      throw InvalidRecipeValue(CodingKeys.heads, heads, "it must divide the width, \(width)")
    }
  }
}

extension DiTConfig: StackedArchitecture {
  /// The name in recipes.
  public static let kind = "dit"

  /// The network, bound to the weights of a scope.
  public func network(_ scope: Scope) -> DiT { DiT(scope, self) }

  /// Images, and their classes.
  public func inputs(_ size: ImageSize?) -> [InputSpec] {
    let size = size ?? ImageSize(height: self.size, width: self.size)
    return [.sample([size.height, size.width, channels]), .classIndex(of: classes)]
  }
}
