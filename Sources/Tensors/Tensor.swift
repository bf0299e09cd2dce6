@_exported import PJRT

/// A symbolic array: one result of one operation in a traced graph.
///
/// Tensors are immutable values. Nothing is computed while tracing: a graph runs after it
/// is compiled.
public struct Tensor: Sendable {
  let node: Node
  let index: Int

  /// The shape and the element type.
  public var type: TensorType { node.results[index] }
  /// The sizes of the axes.
  public var shape: Shape { type.shape }
  /// The element type.
  public var dtype: DType { type.dtype }
  /// The number of axes.
  public var rank: Int { shape.rank }

  var id: ID { ID(node: ObjectIdentifier(node), index: index) }

  /// The identity of a tensor within a graph.
  struct ID: Hashable {
    let node: ObjectIdentifier
    let index: Int
  }
}

/// One operation applied to its operands.
///
/// Sendable: the only variable is emptied in `deinit`, after the last reference is gone.
final class Node: @unchecked Sendable {
  let operation: any Operation
  let results: [TensorType]
  private(set) var operands: [Tensor]

  init(_ operation: any Operation, _ operands: [Tensor]) {
    self.operation = operation
    self.operands = operands
    results = operation.results(operands.map(\.type))
  }

  /// Frees a chain of nodes of any length without recursion.
  deinit {
    var dying = giveUpOperands()
    while !dying.isEmpty {
      var node = dying.removeLast()
      if isKnownUniquelyReferenced(&node) { dying += node.giveUpOperands() }
    }
  }

  private func giveUpOperands() -> [Node] {
    let nodes = operands.map(\.node)
    operands = []
    return nodes
  }

  /// The tensors of all results.
  var tensors: [Tensor] { results.indices.map { Tensor(node: self, index: $0) } }
}

extension Tensor {
  /// Applies an operation and returns its first result.
  init(_ operation: any Operation, _ operands: [Tensor]) {
    self.init(node: Node(operation, operands), index: 0)
  }
}

extension Tensor {
  /// A tensor for tracing shapes only; it cannot be computed.
  public static func placeholder(_ type: TensorType) -> Tensor { .parameter(type) }
}
