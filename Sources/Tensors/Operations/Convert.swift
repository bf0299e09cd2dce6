/// A change of the element type, rounding to nearest.
struct Convert: Operation {
  let dtype: DType

  var opcode: String { "stablehlo.convert" }
  var isRearrangement: Bool { true }
  func results(_ operands: [TensorType]) -> [TensorType] { [TensorType(operands[0].shape, dtype)] }
  func pullback(_ at: Application) -> [Tensor?] {
    at.x.dtype.isFloat ? [at.dy.cast(to: at.x.dtype)] : [nil]
  }
}

/// The same bits read as another type of the same size.
struct BitcastConvert: Operation {
  let dtype: DType

  var opcode: String { "stablehlo.bitcast_convert" }
  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(
      operands[0].dtype.byteCount == dtype.byteCount,
      "the bits of \(operands[0]) cannot be read as \(dtype.rawValue)")
    return [TensorType(operands[0].shape, dtype)]
  }
}

/// The value, constant for gradients.
struct StopGradient: Operation {
  var opcode: String { "stop_gradient" }
  var isRearrangement: Bool { true }
  func results(_ operands: [TensorType]) -> [TensorType] { [operands[0]] }
  func plain(_ operands: [Tensor]) -> [Tensor]? { operands }
}

extension Tensor {
  /// This tensor converted to another element type.
  public func cast(to dtype: DType) -> Tensor {
    dtype == self.dtype ? self : Tensor(Convert(dtype: dtype), [self])
  }

  /// The same bits as another element type of the same size.
  public func bitcast(to dtype: DType) -> Tensor { Tensor(BitcastConvert(dtype: dtype), [self]) }

  /// The same value, constant for every gradient.
  public func stopGradient() -> Tensor { isConstant ? self : Tensor(StopGradient(), [self]) }
}

extension Named<Tensor> {
  /// The same values, constant for every gradient.
  public func stopGradient() -> Named { mapValues { $0.stopGradient() } }
}
