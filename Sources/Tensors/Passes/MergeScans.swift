/// Loops that differentiation extended by what their gradients need, which stand in for the loops
/// themselves: one loop then computes both.
struct MergedScans {
  /// For each loop the node with the most results.
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

  /// The results of the extended loop in place of a node's, nil where there is none.
  func replacement(for node: Node) -> [Tensor]? {
    guard let scan = node.operation as? Scan, scan.body == scan.origin,
      let wide = widest[scan.identity(node)], wide !== node
    else { return nil }
    return Array(wide.tensors.prefix(node.results.count))
  }
}
