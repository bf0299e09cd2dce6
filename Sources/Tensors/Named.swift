/// Values under unique names, in a fixed order: the weights of a network, the state of a training
/// run, the arguments of a compiled function.
///
/// `Named<Tensor>` while tracing, `Named<Buffer>` at run time. Names are paths with dots, as in
/// checkpoints: `blocks.*.attention.to_q.weight`.
public struct Named<Leaf> {
  /// The names in order.
  public private(set) var names: [String] = []
  private var leaves: [String: Leaf] = [:]

  /// Makes an empty collection.
  public init() {}

  /// Makes a collection from pairs, whose names must be unique.
  public init(_ pairs: some Sequence<(String, Leaf)>) {
    for (name, leaf) in pairs {
      precondition(leaves[name] == nil, "the name \"\(name)\" is given twice")
      self[name] = leaf
    }
  }

  /// The values in the names' order.
  public var values: [Leaf] { names.map { leaves[$0]! } }

  /// Names and values in order.
  public var pairs: [(name: String, value: Leaf)] { names.map { ($0, leaves[$0]!) } }

  /// The number of values.
  public var count: Int { names.count }

  /// Whether there are no values.
  public var isEmpty: Bool { names.isEmpty }

  /// The value under a name; a new name is appended, nil removes the name.
  public subscript(name: String) -> Leaf? {
    get { leaves[name] }
    set {
      if let newValue {
        if leaves.updateValue(newValue, forKey: name) == nil { names.append(name) }
      } else if leaves.removeValue(forKey: name) != nil {
        names.removeAll { $0 == name }
      }
    }
  }

  /// The same names with other values.
  public func mapValues<Other>(_ transform: (Leaf) throws -> Other) rethrows -> Named<Other> {
    Named<Other>(try names.map { ($0, try transform(leaves[$0]!)) })
  }

  /// The same names with other values that may depend on the name.
  public func map<Other>(_ transform: (String, Leaf) throws -> Other) rethrows -> Named<Other> {
    Named<Other>(try names.map { ($0, try transform($0, leaves[$0]!)) })
  }

  /// The values whose names satisfy a predicate.
  public func filter(_ isIncluded: (String) throws -> Bool) rethrows -> Named {
    Named(try names.filter(isIncluded).map { ($0, leaves[$0]!) })
  }

  /// The values below a prefix, without it: `state.group("weights")` for `weights.*`.
  public func group(_ prefix: String) -> Named {
    let prefix = prefix + "."
    return Named(
      names.filter { $0.hasPrefix(prefix) }.map {
        (String($0.dropFirst(prefix.count)), leaves[$0]!)
      })
  }

  /// The same values with a prefix before each name.
  public func prefixed(_ prefix: String) -> Named {
    Named(names.map { ("\(prefix).\($0)", leaves[$0]!) })
  }

  /// Adds the values of another collection, replacing those of the same names.
  public mutating func merge(_ other: Named) {
    for name in other.names { self[name] = other.leaves[name] }
  }

  /// This collection with the values of another one added.
  public func merging(_ other: Named) -> Named {
    var merged = self
    merged.merge(other)
    return merged
  }
}

extension Named: Sendable where Leaf: Sendable {}
extension Named: Equatable where Leaf: Equatable {}
extension Named: Hashable where Leaf: Hashable {}
