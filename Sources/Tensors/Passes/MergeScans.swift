/// Replaces loops by the versions that differentiation extended with the values that gradients
/// need, so that one loop computes both.
struct MergedScans {
  /// The node with the most results of each loop.
  private var widest: [Scan.Identity: Node] = [:]

  /// Finds the loops among nodes.
  init(_ nodes: [Node]) {
    for node in nodes {
      guard let scan = node.operation as? Scan else { continue }
      let identity = scan.identity(node)
      if let other = widest[identity], other.results.count >= node.results.count { continue }
      widest[identity] = node
    }
  }

  /// The results of the extended loop in place of a node's; nil where there is none.
  func replacement(for node: Node) -> [Tensor]? {
    guard let scan = node.operation as? Scan, scan.body == scan.origin,
      let wide = widest[scan.identity(node)], wide !== node
    else { return nil }
    return Array(wide.tensors.prefix(node.results.count))
  }
}
