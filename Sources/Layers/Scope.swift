import Tensors

/// A place in the tree of a network's weights, and where they come from.
///
/// A layer asks its scope for weights by name. The same code declares them (`Scope.declare`) and
/// binds them to tensors; student, average and frozen teacher are three bindings in one graph.
public struct Scope {
  /// The names from the root, joined by dots; empty at the root.
  public let path: String
  private let source: Source

  /// Where weights come from.
  private final class Source {
    enum Mode {
      case declaring
      case bound(Named<Tensor>)
    }
    let mode: Mode
    let adapters: Adapters?
    /// Where the root of this source lies in the whole network.
    let prefix: String
    var declared = Named<Weight>()
    var used: Set<String> = []

    init(_ mode: Mode, _ adapters: Adapters? = nil, prefix: String = "") {
      (self.mode, self.adapters, self.prefix) = (mode, adapters, prefix)
    }
  }

  private init(path: String, source: Source) {
    self.path = path
    self.source = source
  }

  /// A scope whose weights are these tensors.
  public init(_ weights: Named<Tensor>) {
    self.init(path: "", source: Source(.bound(weights)))
  }

  /// A scope for one of several equal parts of another one, on these weights.
  func part(_ weights: Named<Tensor>) -> Scope {
    Scope(path: "", source: Source(.bound(weights), source.adapters, prefix: place))
  }

  /// The path from the root of the whole network.
  private var place: String {
    source.prefix.isEmpty || path.isEmpty ? source.prefix + path : "\(source.prefix).\(path)"
  }

  /// The scope of a part.
  public static func / (scope: Scope, name: String) -> Scope {
    Scope(path: scope.path.isEmpty ? name : "\(scope.path).\(name)", source: scope.source)
  }

  /// The scope of a numbered part.
  public static func / (scope: Scope, number: Int) -> Scope { scope / "\(number)" }

  /// Every weight that a network asks for: the one source for initial values, checks of files and
  /// optimiser state.
  public static func declare(
    adapters: Adapters? = nil, _ build: (Scope) -> some Any
  ) -> Named<Weight> {
    declare(Source(.declaring, adapters), build)
  }

  private static func declare(_ source: Source, _ build: (Scope) -> some Any) -> Named<Weight> {
    _ = build(Scope(path: "", source: source))
    return source.declared
  }

  /// Builds a network on weights of which it must use every one.
  public static func bind<Network>(
    _ weights: Named<Tensor>, adapters: Adapters? = nil, _ build: (Scope) -> Network
  ) -> Network {
    let scope = Scope(path: "", source: Source(.bound(weights), adapters))
    let network = build(scope)
    let unused = weights.names.filter { !scope.source.used.contains($0) }
    precondition(unused.isEmpty, "weights that the network does not use: \(unused)")
    return network
  }

  /// The weight of a name in this scope.
  ///
  /// Traps when it is asked for twice, is missing or has another shape: weights from files are
  /// checked against the declaration before they get here.
  ///
  /// - Parameter axes: what its axes stand for, which says how it is split over devices.
  public func weight(
    _ name: String, _ shape: Shape, _ initializer: Initializer, dtype: DType = .float32,
    axes: [LogicalAxis?] = []
  ) -> Tensor {
    let full = (self / name).path
    precondition(source.used.insert(full).inserted, "the weight \(full) is asked for twice")
    switch source.mode {
    case .declaring:
      let weight = Weight(
        type: TensorType(shape, dtype), initializer: initializer, sharding: Sharding(axes))
      source.declared[full] = weight
      return .placeholder(weight.type)
    case .bound(let weights):
      guard let tensor = weights[full] else {
        preconditionFailure("the weight \(full) is missing")
      }
      precondition(
        tensor.shape == shape, "the weight \(full) has the shape \(tensor.shape), not \(shape)")
      return tensor
    }
  }

  /// The adapters of the linear map in this scope, nil where it has none.
  func lowRank(
    _ input: Int, _ output: Int, from: LogicalAxis?, to: LogicalAxis?
  ) -> LowRank? {
    guard let adapters = source.adapters, adapters.apply(to: place) else { return nil }
    return LowRank(
      down: weight(Adapters.down, [adapters.rank, input], .fanIn(input), axes: [nil, from]),
      up: weight(Adapters.up, [output, adapters.rank], .zeros, axes: [to, nil]),
      scale: adapters.alpha / Double(adapters.rank))
  }

  /// The weights of `count` equal parts, each with a leading axis over the parts.
  func stacked(count: Int, _ build: (Scope) -> some Any) -> Named<Tensor> {
    Scope.declare(Source(.declaring, source.adapters, prefix: place), build).map { name, weight in
      self.weight(
        name, Shape([count] + weight.type.shape.sizes), .stacked(weight.initializer),
        dtype: weight.type.dtype, axes: [nil] + weight.sharding.axes)
    }
  }
}

/// What a network declares of one weight.
public struct Weight: Sendable, Hashable {
  /// Its shape and element type.
  public let type: TensorType
  /// Its values before training.
  public let initializer: Initializer
  /// How it is split over devices.
  public let sharding: Sharding

  /// Makes a declaration.
  public init(type: TensorType, initializer: Initializer, sharding: Sharding = .whole) {
    self.type = type
    self.initializer = initializer
    self.sharding = sharding
  }
}
