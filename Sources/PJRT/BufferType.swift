/// The element type and shape of a buffer.
public struct BufferType: Hashable, Sendable, CustomStringConvertible {
  /// The type of one element.
  public let dtype: DType
  /// The size of each axis, outermost first; a scalar has none.
  public let shape: [Int]

  /// Makes a type.
  public init(_ dtype: DType, _ shape: [Int]) {
    self.dtype = dtype
    self.shape = shape
  }

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// The bytes of a dense array of this type.
  public var byteCount: Int { count * dtype.byteCount }

  /// The text, `f32[2, 3]`.
  public var description: String { "\(dtype.rawValue)\(shape)" }
}

/// The arguments of a program on each device, and which of them are donated.
public struct Signature: Hashable, Sendable {
  /// An argument: its type on one device, and its name in messages.
  public struct Argument: Hashable, Sendable {
    /// The type of the shard on one device.
    public let type: BufferType
    /// The name in messages.
    public let name: String?

    /// Makes an argument.
    public init(_ type: BufferType, name: String? = nil) {
      self.type = type
      self.name = name
    }
  }

  /// The arguments in the program's order.
  public let arguments: [Argument]
  /// The indices of donated arguments, which the program's text marks by `tf.aliasing_output` or
  /// `jax.buffer_donor`.
  public let donated: Set<Int>

  /// Makes a signature.
  public init(_ arguments: [Argument], donated: Set<Int> = []) {
    precondition(
      donated.allSatisfy(arguments.indices.contains), "a donated index is not an argument's")
    self.arguments = arguments
    self.donated = donated
  }

  /// Makes a signature of unnamed arguments.
  public init(_ types: [BufferType], donated: Set<Int> = []) {
    self.init(types.map { Argument($0) }, donated: donated)
  }
}
