import Layers
import Tensors

/// A second output head of a network, for the twin trajectory.
///
/// Its values are the output at negative times, those of the first head at others, so that a network says
/// two things with one body: what a generator makes, and the flow of what it makes. Weights for
/// generation are without it.
enum TwinHead {
  /// The leading component of its parameters' names; behind it they are named like the first head's.
  static let name = "twin_head"
}

/// An architecture that can have a second output head, for the twin trajectory.
public protocol TwinHeadedArchitecture: Architecture {
  /// Whether it has one.
  var hasTwinHead: Bool { get set }

  /// The leading components of the first head's parameters.
  var head: [String] { get }
}

extension TwinHeadedArchitecture {
  /// The key for a second head; where there is none it is not written.
  static func twinHead(_ path: WritableKeyPath<Self, Bool?> & Sendable) -> Field {
    Field(
      TwinHead.name, path,
      "whether negative times have an output head of their own, in training; added where needed"
    ).otherwise("`false`") { _ in }
  }

  /// Whether there is a second head, nil where there is none.
  var chosenTwinHead: Bool? {
    get { hasTwinHead ? true : nil }
    set { hasTwinHead = newValue ?? false }
  }

  /// The second head, which starts as a copy of the first one; none where there is none.
  var addedHead: [AddedParameters] {
    guard hasTwinHead else { return [] }
    return head.map {
      AddedParameters(
        "\(TwinHead.name).\($0)", .copied(from: $0), meaning: "output head for the twin trajectory")
    }
  }
}

extension ModelConfig {
  private var twinHeaded: (any TwinHeadedArchitecture)? {
    architecture as? any TwinHeadedArchitecture
  }

  /// Whether the network can have a second output head, for the twin trajectory.
  public var takesTwinHead: Bool { twinHeaded != nil }

  /// Whether the network has a second output head.
  public var hasTwinHead: Bool { twinHeaded?.hasTwinHead ?? false }

  /// This network with a second output head, where it can have one.
  public var withTwinHead: ModelConfig { withTwinHead(true) }

  /// This network without a second output head: the one that generates.
  public var withoutTwinHead: ModelConfig { withTwinHead(false) }

  private func withTwinHead(_ hasTwinHead: Bool) -> ModelConfig {
    guard var architecture = twinHeaded else { return self }
    architecture.hasTwinHead = hasTwinHead
    return ModelConfig(architecture)
  }

  /// Whether a parameter belongs to the second output head.
  public func isTwinHead(_ name: String) -> Bool {
    hasTwinHead && name.hasPrefix(TwinHead.name + ".")
  }

  /// Whether a parameter belongs to the first output head of a network with two, which the output at negative
  /// times does not depend on.
  public func isFirstHead(_ name: String) -> Bool {
    guard let twinHeaded, hasTwinHead else { return false }
    return twinHeaded.head.contains { name.hasPrefix($0 + ".") }
  }
}

extension Tensor {
  /// The output of a network's first head, on rows of negative times replaced by that of the second.
  ///
  /// - Parameters:
  ///   - time: `[batch]`.
  ///   - twin: the output of the second head, of this shape; nil where there is none.
  func replaced(onTwinOf time: Tensor, by twin: Tensor?) -> Tensor {
    guard let twin else { return self }
    return time.less(0).expanded(toRank: rank).select(twin, self)
  }
}
