/// One array that a network takes as input for each sample.
public struct InputSpec: Hashable, Sendable {
  /// Its name.
  public let name: String
  /// The shape for one sample.
  public let shape: Shape
  /// The element type.
  public let dtype: DType
  /// The number of values of an index, the last of which stands for none; nil for other arrays.
  public let count: Int?

  /// Describes an array.
  public init(_ name: String, _ shape: Shape, _ dtype: DType = .float32, count: Int? = nil) {
    self.name = name
    self.shape = shape
    self.dtype = dtype
    self.count = count
  }

  /// The sample that is noised and denoised.
  public static let sample = "sample"

  /// The spec of samples of a shape.
  public static func sample(_ shape: Shape) -> InputSpec { InputSpec(sample, shape) }

  /// A class index: one of `classes`, or one more for no class.
  public static func classIndex(of classes: Int) -> InputSpec {
    InputSpec("class", [], .int32, count: classes + 1)
  }

  /// The text that conditions a network: the hidden states `text` of its encoder, and `text_mask`, 1 for
  /// tokens and 0 for the padding behind them.
  public static func text(tokens: Int, width: Int) -> [InputSpec] {
    [InputSpec("text", [tokens, width]), InputSpec("text_mask", [tokens], .int32)]
  }

  /// The name of the features of a whole text.
  public static let pooled = "pooled"

  /// The features of a whole text, which its encoders make of it beside those of its tokens.
  public static func pooled(width: Int) -> InputSpec { InputSpec(pooled, [width]) }

  /// The type for a batch.
  public func type(batch: Int) -> TensorType { TensorType(Shape([batch] + shape.sizes), dtype) }
}
