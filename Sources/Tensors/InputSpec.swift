/// One array that a network takes of each sample.
public struct InputSpec: Hashable, Sendable {
  /// Its name.
  public let name: String
  /// The shape of one sample's.
  public let shape: Shape
  /// The element type.
  public let dtype: DType
  /// For indices the number of values, the last of which stands for none; nil for other arrays.
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

  /// The sample, of a shape.
  public static func sample(_ shape: Shape) -> InputSpec { InputSpec(sample, shape) }

  /// A class as an index, of `classes` and one more for none.
  public static func classIndex(of classes: Int) -> InputSpec {
    InputSpec("class", [], .int32, count: classes + 1)
  }

  /// The type of a batch's.
  public func type(batch: Int) -> TensorType { TensorType(Shape([batch] + shape.sizes), dtype) }
}
