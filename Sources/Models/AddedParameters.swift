import Layers
import Tensors
import Weights

/// Parameters that a network has beyond those of the checkpoints that its training may start from, such as a
/// second time embedder.
///
/// They may be missing from such a checkpoint; no other parameter may, and of a checkpoint that has them
/// they are read.
public struct AddedParameters: Hashable, Sendable {
  /// The leading components of their names.
  public let path: String
  /// Their values where a checkpoint has none.
  public let start: Start
  /// What they are, in messages.
  public let meaning: String

  /// The values of parameters that a checkpoint does not have.
  public enum Start: Hashable, Sendable {
    /// Those of other parameters, given by their leading components.
    case copied(from: String)
    /// Those of their initializers.
    case initialized
  }

  /// Describes parameters.
  public init(_ path: String, _ start: Start, meaning: String = "second time embedder") {
    (self.path, self.start, self.meaning) = (path, start, meaning)
  }

  /// Whether a parameter is one of them.
  public func contains(_ name: String) -> Bool { name.hasPrefix(path + ".") }
}

/// The start of training from a checkpoint.
public struct WarmStart: Sendable {
  /// The parameters to read from the checkpoint.
  public let read: Named<ParameterSpec>
  /// The names that they are read from; those of copied parameters are the names of their sources.
  public let names: NameMap
  /// The parameters that get the values of their initializers.
  public let initialized: Named<ParameterSpec>
}

extension Architecture {
  /// By default a network has no parameters that checkpoints lack.
  public var added: [AddedParameters] { [] }

  /// How to start from a checkpoint.
  ///
  /// - Parameters:
  ///   - arrays: the names of its arrays.
  ///   - names: the names that the parameters have in it.
  public func warmStart(from arrays: [String], names: NameMap) -> WarmStart {
    let specs = declared(with: nil)
    var (rules, initialized) = (names.rules, Named<ParameterSpec>())
    for added in added {
      let own = specs.filter(added.contains)
      // A checkpoint that has some of them has all of them, or does not match.
      let isThere = own.names.contains { arrays.contains(names.diskName(of: $0)) }
      guard !isThere else { continue }
      switch added.start {
      case .copied(let source): rules.insert(.rename(added.path, to: source), at: 0)
      case .initialized: initialized.merge(own)
      }
    }
    var all = NameMap(rules, keepsStacks: names.keepsStacks)
    all.prefix = names.prefix
    return WarmStart(
      read: specs.filter { initialized[$0] == nil }, names: all, initialized: initialized)
  }
}
