import Tensors

/// The conditioner of a class-conditional network: a prompt is the number of a class, and the label
/// after the last class means no class.
public struct ClassLabels: Conditioner {
  /// The number of classes.
  public let count: Int

  /// Makes the conditioner of a network with `count` classes.
  public init(_ count: Int) { self.count = count }

  private static let name = InputSpec.classIndex(of: 0).name

  /// The label, an index.
  public var inputs: [InputSpec] { [.classIndex(of: count)] }

  /// The labels for prompts; an empty prompt means no class.
  ///
  /// - Throws: `PipelineError.unknownClass`.
  public func prepare(_ prompts: [Prompt]) throws -> Named<HostArray> {
    let labels = try prompts.map { prompt -> Int32 in
      if prompt.text.isEmpty { return Int32(count) }
      guard let label = Int32(prompt.text), (0..<Int32(count)).contains(label) else {
        throw PipelineError.unknownClass(prompt.text, classes: count, source: nil)
      }
      return label
    }
    return Named([(Self.name, HostArray(labels, shape: [labels.count]))])
  }

  /// Checks that labels are classes of the network.
  ///
  /// - Throws: `PipelineError.unknownClass`.
  public func check(_ arrays: Named<HostArray>, source: String) throws {
    let labels: [Int32] = arrays[Self.name]!.array()
    if let wrong = labels.first(where: { $0 < 0 || $0 >= count }) {
      throw PipelineError.unknownClass("\(wrong)", classes: count, source: source)
    }
  }

  /// The labels, unchanged.
  public func callAsFunction(_ arrays: Named<Tensor>) -> Named<Tensor> {
    arrays.filter { $0 == Self.name }
  }

  /// The label of no class.
  public func unconditional(_ arrays: Named<Tensor>) -> Named<Tensor> {
    self(arrays).mapValues { $0.zerosLike + Double(count) }
  }
}

extension Prompt {
  /// The prompt for a class by its number.
  public static func classNumber(_ number: Int) -> Prompt { Prompt("\(number)") }
}
