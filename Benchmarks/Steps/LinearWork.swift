import Layers
import Runtime
import Tensors

extension LoadedType {
  /// How a matrix is kept; in bf16 where it is kept as it is stored.
  var storage: WeightStorage {
    switch self {
    case .stored, .bf16: .bfloat16
    case .f32: .float32
    case .f8: .dense(.float8e4m3)
    case .int8: .int8
    case .int8Groups: .quantized(.int8Groups)
    case .int4: .int4
    }
  }
}

extension PreparedWork {
  /// A loop over eight square linear maps on 512 rows.
  ///
  /// - Parameters:
  ///   - size: the features.
  ///   - storage: how the matrices are kept.
  ///   - compute: the element type of the rows.
  static func linear(
    _ size: Int, _ storage: WeightStorage, _ compute: DType, on engine: Engine
  ) throws -> PreparedWork {
    let build = { (scope: Scope) in
      let stack = Stack(scope / "layers", count: 8, execution: .scanned) {
        $0.linear("map", size, size, bias: false)
      }
      return { (x: Tensor) in stack(x) { $0($1).rmsNormalized(epsilon: 1e-6) } }
    }
    var types = Scope.declare(build).arrays { _ in storage }.types
    let weights = types.names
    types["x"] = TensorType([512, size], compute)
    let arguments = try engine.compile(Named()) { _ in
      types.mapValues { type in
        let numbers = Tensor.iota(type.shape, axis: -1, .int32).remainder(.constant(7, .int32))
        return type.dtype.isFloat
          ? (numbers.cast(to: .float32) * 0.1 + 0.1).cast(to: type.dtype)
          : (numbers * .constant(9, .int32)).cast(to: type.dtype)
      }
    }(Named())
    let function = try engine.compile(types) { given in
      let y = Scope.bind(given.filter(weights.contains), build)(given["x"]!)
      return Named([("mean", y.cast(to: .float32).mean())])
    }
    return PreparedWork(function: function, arguments: arguments, value: "mean")
  }
}
