import Tensors

/// How the matrix `[…, rows, columns]` of a linear map is kept in fewer bits than it was trained with:
/// numbers of 4 or 8 bits, and scales that they are multiplied by.
public enum Quantization: String, Codable, Hashable, Sendable, CaseIterable {
  /// Integers within ±127, and an f32 scale for each row: symmetric quantization, as in Dettmers et al.,
  /// "LLM.int8()", 2022, without outliers.
  case int8
  /// Integers of 8 bits, and an f16 scale for each group of 32 columns: GGUF's Q8_0.
  case int8Groups = "int8-groups"
  /// Integers from −8 to 7, two in a byte, and an f16 scale for each group of 32 columns: 4.5 bits a
  /// weight, GGUF's Q4_0.
  ///
  /// Byte i of a group's 16 has column i in its lower half and column 16 + i in its upper one, each plus
  /// 8.
  case int4
  /// Floating-point numbers of 8 bits with 3 of fraction, and an f32 scale for each row.
  case float8e4m3 = "f8e4m3"
  /// Floating-point numbers of 8 bits with 2 of fraction, and an f32 scale for each row.
  case float8e5m2 = "f8e5m2"

  /// The columns of a group.
  public static let groupSize = 32

  /// The element type of the stored numbers; `int4` has two in each.
  public var valueType: DType {
    switch self {
    case .int8, .int8Groups: .int8
    case .int4: .uint8
    case .float8e4m3: .float8e4m3
    case .float8e5m2: .float8e5m2
    }
  }

  /// Whether scales are those of groups, not of rows.
  public var hasGroups: Bool { self == .int8Groups || self == .int4 }

  /// The element type of the scales.
  public var scaleType: DType { hasGroups ? .float16 : .float32 }

  /// The columns in an element of the stored numbers.
  public var columnsPerValue: Int { self == .int4 ? 2 : 1 }

  /// The shape of the stored numbers of a matrix.
  public func values(of shape: Shape) -> Shape {
    shape.replacing(-1, with: shape[-1] / columnsPerValue)
  }

  /// The shape of a matrix's scales.
  public func scales(of shape: Shape) -> Shape {
    hasGroups
      ? shape.replacing(-1, with: shape[-1] / Self.groupSize) : Shape(shape.sizes.dropLast())
  }

  /// The declarations of the two arrays that hold a matrix, sharded as the matrix is.
  public func arrays(of matrix: ParameterSpec) -> (values: ParameterSpec, scales: ParameterSpec) {
    precondition(
      matrix.isMatrix && (!hasGroups || matrix.shape[-1] % Self.groupSize == 0),
      "a parameter of the shape \(matrix.shape) is not quantized as \(rawValue)")
    return (
      ParameterSpec(
        shape: values(of: matrix.shape), initializer: matrix.initializer, axes: matrix.axes,
        isMatrix: true),
      ParameterSpec(
        shape: scales(of: matrix.shape), initializer: .ones,
        axes: hasGroups ? matrix.axes : Array(matrix.axes.prefix(matrix.shape.rank - 1)))
    )
  }

  /// The types of the two arrays that hold a matrix.
  public func types(of shape: Shape) -> (values: TensorType, scales: TensorType) {
    (TensorType(values(of: shape), valueType), TensorType(scales(of: shape), scaleType))
  }

  /// This, or `int8` where a device's columns of a matrix are not complete groups.
  ///
  /// - Parameter mesh: the devices that the matrix is sharded over.
  public func fitting(_ matrix: ParameterSpec, _ mesh: Mesh? = nil) -> Quantization {
    guard hasGroups else { return self }
    let local = mesh.map { matrix.sharding.local(matrix.shape, $0) } ?? matrix.shape
    return local[-1] % Self.groupSize == 0 ? self : .int8
  }

  /// How two arrays hold a matrix; nil for a matrix that is not quantized.
  ///
  /// - Parameter scales: the type of its scales, nil where there are none.
  public init?(values: TensorType, scales: TensorType?) {
    guard values.dtype == .int8 || values.dtype == .uint8 || scales != nil else { return nil }
    let hasGroups = scales?.shape.rank == values.shape.rank
    switch values.dtype {
    case .int8: self = hasGroups ? .int8Groups : .int8
    case .uint8: self = .int4
    case .float8e4m3: self = .float8e4m3
    case .float8e5m2: self = .float8e5m2
    default: return nil
    }
  }
}

/// How a parameter is kept on the devices or in a file.
public enum WeightStorage: Hashable, Sendable {
  /// In an element type.
  case dense(DType)
  /// A matrix with its scales beside it.
  case quantized(Quantization)

  /// In f32.
  public static let float32 = Self.dense(.float32)
  /// In bf16.
  public static let bfloat16 = Self.dense(.bfloat16)
  /// In f16.
  public static let float16 = Self.dense(.float16)
  /// In f64.
  public static let float64 = Self.dense(.float64)
  /// A matrix in integers of 8 bits.
  public static let int8 = Self.quantized(.int8)
  /// A matrix in integers of 4 bits.
  public static let int4 = Self.quantized(.int4)

  /// The element type of the parameter's numbers, without its scales.
  public var dtype: DType {
    switch self {
    case .dense(let dtype): dtype
    case .quantized(let quantization): quantization.valueType
    }
  }

  /// This for a parameter, see `Quantization.fitting`.
  public func fitting(_ spec: ParameterSpec, _ mesh: Mesh? = nil) -> WeightStorage {
    guard case .quantized(let quantization) = self else { return self }
    return .quantized(quantization.fitting(spec, mesh))
  }

  /// The arrays that hold a parameter: one, or the numbers and the scales of a matrix.
  public func arrays(of name: String, _ spec: ParameterSpec) -> Named<ArraySpec> {
    switch self {
    case .dense(let dtype): return Named([(name, ArraySpec(spec.type(dtype), spec.sharding))])
    case .quantized(let quantization):
      let (values, scales) = quantization.arrays(of: spec)
      return Named([
        (name, ArraySpec(values.type(quantization.valueType), values.sharding)),
        (
          name + QuantizedTensor.scaleSuffix,
          ArraySpec(scales.type(quantization.scaleType), scales.sharding)
        ),
      ])
    }
  }
}

extension Named<ParameterSpec> {
  /// The arrays that hold the parameters of a network; a quantized matrix is followed by its scales.
  public func arrays(_ storage: (String) -> WeightStorage) -> Named<ArraySpec> {
    var all = Named<ArraySpec>()
    for (name, spec) in pairs { all.merge(storage(name).arrays(of: name, spec)) }
    return all
  }
}
