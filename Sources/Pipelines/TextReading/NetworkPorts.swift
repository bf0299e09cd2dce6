import ONNXRuntime

extension ONNXSession {
  /// Checks that a network has one input and one output, arrays of f32.
  ///
  /// - Parameters:
  ///   - input: the sizes, nil for any.
  ///   - output: the sizes, nil for any.
  ///   - purpose: what the network should do.
  /// - Throws: `PipelineError.unableNetwork`.
  func check(takes input: [Int?], gives output: [Int?], _ purpose: String) throws {
    func fits(_ ports: [Port], _ sizes: [Int?]) -> Bool {
      guard ports.count == 1, let own = ports[0].shape, own.count == sizes.count else {
        return false
      }
      return zip(own, sizes).allSatisfy { $0 == nil || $1 == nil || $0 == $1 }
    }
    func text(_ sizes: [Int?]) -> String {
      "[" + sizes.map { $0.map(String.init) ?? "any" }.joined(separator: ", ") + "]"
    }
    func found(_ ports: [Port]) -> String {
      ports.map { $0.shape.map(text) ?? "another type" }.joined(separator: " and ")
    }
    guard fits(inputs, input), fits(outputs, output) else {
      throw PipelineError.unableNetwork(
        path: path,
        reason:
          "it turns \(found(inputs)) into \(found(outputs)), and a network that \(purpose) turns "
          + "\(text(input)) into \(text(output)), of f32")
    }
  }
}
