/// One kind of operation: its shape rule, its StableHLO text and its vector-Jacobian product.
///
/// An operation is a value. Equal operations on equal operands are emitted once.
protocol Operation: Hashable, Sendable {
  /// The operation's name in StableHLO or CHLO, with its dialect.
  var opcode: String { get }

  /// The attributes in MLIR's generic syntax, without braces.
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String

  /// The types of the results; traps on mismatched operands.
  func results(_ operands: [TensorType]) -> [TensorType]

  /// The regions' text, for operations that have any.
  func regions(_ operands: [TensorType], _ emitter: Emitter) -> [String]

  /// The cotangents of the operands, nil where there are none.
  func pullback(_ at: Application) -> [Tensor?]

  /// The same results from other operations; nil for operations that StableHLO has itself.
  func plain(_ operands: [Tensor]) -> [Tensor]?

  /// Whether results are the operands' elements in other places or another type: as cheap to compute
  /// again as to keep.
  var isRearrangement: Bool { get }
}

extension Operation {
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String { "" }
  func regions(_ operands: [TensorType], _ emitter: Emitter) -> [String] { [] }
  func pullback(_ at: Application) -> [Tensor?] { at.operands.map { _ in nil } }
  func plain(_ operands: [Tensor]) -> [Tensor]? { nil }
  var isRearrangement: Bool { false }
}

/// An operation applied during differentiation: its operands, its results, and the cotangents of
/// the results.
struct Application {
  let operands: [Tensor]
  let results: [Tensor]
  let cotangents: [Tensor?]

  /// The only operand.
  var x: Tensor { operands[0] }
  /// The only result.
  var y: Tensor { results[0] }
  /// The cotangent of the first result, which must not be nil.
  var dy: Tensor { cotangents[0]! }

  /// A result's cotangent, or zeros where nothing depends on it.
  func cotangent(_ index: Int) -> Tensor {
    cotangents[index] ?? .zeros(results[index].shape, results[index].dtype)
  }
}
