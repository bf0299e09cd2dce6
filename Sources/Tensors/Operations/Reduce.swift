/// A reduction over some axes, which are removed.
struct Reduce: Operation {
  enum Function: String, CaseIterable, Sendable {
    case sum = "add"
    case product = "multiply"
    case maximum, minimum, and, or
  }

  let function: Function
  let axes: [Int]

  var opcode: String { "stablehlo.reduce" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "dimensions = array<i64\(axes.isEmpty ? "" : ": ")\(list(axes))>"
  }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let type = operands[0]
    precondition(operands[1] == TensorType([], type.dtype))
    return [TensorType(type.shape.removing(axes), type.dtype)]
  }

  func regions(_ operands: [TensorType], _ emitter: Emitter) -> [String] {
    let scalar = TensorType([], operands[0].dtype)
    let (a, b) = (Tensor.parameter(scalar), Tensor.parameter(scalar))
    let combine = Binary(function: Binary.Function(rawValue: function.rawValue)!)
    return [emitter.region(Subgraph([a, b], [Tensor(combine, [a, b])]))]
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let x = at.x
    func spread(_ y: Tensor) -> Tensor { y.expanded(axes).broadcast(to: x.shape) }
    switch function {
    case .sum: return [spread(at.dy), nil]
    case .maximum, .minimum:
      // Ties share the cotangent.
      let isExtreme = x.equal(spread(at.y)).cast(to: x.dtype)
      return [isExtreme * spread(at.dy / isExtreme.sum(axes)), nil]
    case .product: preconditionFailure("the gradient of a product over axes is not implemented")
    case .and, .or: return [nil, nil]
    }
  }

  /// The result of reducing no elements.
  func initial(_ dtype: DType) -> Tensor {
    switch function {
    case .sum: return .constant(0.0, dtype)
    case .product: return .constant(1.0, dtype)
    case .and: return .constant(1.0, .bool)
    case .or: return .constant(0.0, .bool)
    case .maximum, .minimum:
      let low = function == .maximum
      if dtype.isFloat { return .constant(low ? -Double.infinity : .infinity, dtype) }
      let unsigned = [.uint8, .uint16, .uint32, .uint64].contains(dtype)
      let bits = 8 * dtype.byteCount - (unsigned ? 0 : 1)
      precondition(bits < 64, "no maximum or minimum over \(dtype.rawValue)")
      let top = bits == 63 ? Int64.max : (Int64(1) << Int64(bits)) - 1
      return .constant(integer: low ? (unsigned ? 0 : -top - 1) : top, dtype)
    }
  }
}

func list(_ values: [Int]) -> String { values.map { "\($0)" }.joined(separator: ", ") }

extension Tensor {
  private func reduce(_ function: Reduce.Function, _ axes: [Int]?, keep: Bool) -> Tensor {
    let axes = shape.axes(axes)
    let operation = Reduce(function: function, axes: axes)
    // Sums of half precision are accumulated in single precision.
    let wide = function == .sum && [.bfloat16, .float16].contains(dtype)
    let x = wide ? cast(to: .float32) : self
    let result = axes.isEmpty ? x : Tensor(operation, [x, operation.initial(x.dtype)])
    return (keep ? result.expanded(axes) : result).cast(to: dtype)
  }

  /// The sum over axes, all for nil; `keep` leaves them with size 1. Half precision is summed in
  /// f32.
  public func sum(_ axes: [Int]? = nil, keep: Bool = false) -> Tensor {
    reduce(.sum, axes, keep: keep)
  }
  /// The product over axes; not differentiable.
  public func product(_ axes: [Int]? = nil, keep: Bool = false) -> Tensor {
    reduce(.product, axes, keep: keep)
  }
  /// The largest value over axes; ties share the gradient.
  public func max(_ axes: [Int]? = nil, keep: Bool = false) -> Tensor {
    reduce(.maximum, axes, keep: keep)
  }
  /// The smallest value over axes; ties share the gradient.
  public func min(_ axes: [Int]? = nil, keep: Bool = false) -> Tensor {
    reduce(.minimum, axes, keep: keep)
  }
  /// The mean over axes, all for nil.
  public func mean(_ axes: [Int]? = nil, keep: Bool = false) -> Tensor {
    let count = shape.axes(axes).reduce(1) { $0 * shape.sizes[$1] }
    return sum(axes, keep: keep) / Double(count)
  }
  /// Whether all bools are true over axes.
  public func all(_ axes: [Int]? = nil) -> Tensor { reduce(.and, axes, keep: false) }
  /// Whether any bool is true over axes.
  public func any(_ axes: [Int]? = nil) -> Tensor { reduce(.or, axes, keep: false) }

  /// The index of the largest value along an axis, the first of ties; s32.
  public func argmax(_ axis: Int = -1) -> Tensor {
    let axis = shape.axis(axis)
    let index = Tensor.iota(shape, axis: axis, .int32)
    let isLargest = equal(max([axis], keep: true))
    return isLargest.select(index, .constant(Double(Int32.max), .int32)).min([axis])
  }
}
