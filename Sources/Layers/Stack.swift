import Tensors

/// The execution of a stack.
public enum StackExecution: String, Codable, Sendable, Hashable, CaseIterable {
  /// Every layer is part of the program, with a barrier after it: fastest to run.
  case unrolled
  /// One loop over the layers: fastest to compile.
  case scanned
  /// One loop that keeps only its states and recomputes each layer for the gradient.
  case recomputed
}

/// Equal layers in sequence, whose weights are stored in arrays with a leading axis over the
/// layers.
public struct Stack<Layer> {
  /// The number of layers.
  public let count: Int
  private let weights: Named<Tensor>
  private let execution: StackExecution
  private let scope: Scope
  private let build: (Scope) -> Layer

  /// Makes a stack of `count` layers that a closure builds.
  ///
  /// - Parameter first: the number of the first layer in names, where layers before it are another stack.
  public init(
    _ scope: Scope, count: Int, first: Int = 0, execution: StackExecution = .unrolled,
    _ build: @escaping (Scope) -> Layer
  ) {
    self.count = count
    self.execution = execution
    self.scope = scope
    self.build = build
    weights = scope.stacked(count: count, first: first, build)
  }

  /// A single layer, for computations that it shares with the network around the stack.
  public func layer(_ index: Int) -> Layer {
    precondition((0..<count).contains(index), "layer \(index) of a stack of \(count)")
    return build(scope.part(weights.mapValues { $0.bits[index].number(of: $0.dtype) }))
  }

  /// The outputs of a stack.
  public struct Outputs {
    /// The values after the last layer.
    public let last: [Tensor]
    /// The values after each chosen layer, in the order in which they were chosen.
    public let chosen: [[Tensor]]
  }

  /// Runs values through layers.
  ///
  /// - Parameters:
  ///   - values: the values that layers pass on, such as the tokens of an image and of a text; each
  ///     keeps its type.
  ///   - layers: the layers to run, by default all of them.
  ///   - chosen: layers whose values are returned too: a text encoder's hidden states, or features
  ///     for a loss. A scanned stack then keeps the values of all layers that are run.
  ///   - apply: applies a layer.
  public func outputs(
    _ values: [Tensor], layers: Range<Int>? = nil, after chosen: [Int] = [],
    _ apply: (Layer, [Tensor]) -> [Tensor]
  ) -> Outputs {
    outputs(values, perLayer: [], layers: layers, after: chosen) { layer, values, _ in
      apply(layer, values)
    }
  }

  /// Runs values through layers that differ in more than their weights, see `outputs`.
  ///
  /// - Parameters:
  ///   - perLayer: tensors whose first axis is over all layers of the stack, such as the window of each
  ///     layer's attention.
  ///   - apply: applies a layer, given its element of each of them.
  public func outputs(
    _ values: [Tensor], perLayer: [Tensor], layers: Range<Int>? = nil, after chosen: [Int] = [],
    _ apply: (Layer, [Tensor], _ own: [Tensor]) -> [Tensor]
  ) -> Outputs {
    let layers = layers ?? 0..<count
    precondition(
      layers.lowerBound >= 0 && layers.upperBound <= count && chosen.allSatisfy(layers.contains),
      "layers \(layers) and outputs of \(chosen) of a stack of \(count)")
    if layers.isEmpty { return Outputs(last: values, chosen: []) }
    switch execution {
    case .unrolled:
      let parts = (weights.values.map(\.bits) + perLayer).map { $0.unstack() }
      var (state, kept) = (values, [Int: [Tensor]]())
      for i in layers {
        state = barrier(applied(parts.map { $0[i] }, state, apply))
        if chosen.contains(i) { kept[i] = state }
      }
      return Outputs(last: state, chosen: chosen.map { kept[$0]! })
    case .scanned, .recomputed:
      let result = scan(
        values, weights.values.map(\.bits) + perLayer, rounds: layers, length: count,
        recomputed: execution == .recomputed
      ) { state, elements in
        let next = applied(elements, state, apply)
        return (next, chosen.isEmpty ? [] : next)
      }
      return Outputs(
        last: result.carry,
        chosen: chosen.map { i in result.outputs.map { $0[i - layers.lowerBound] } })
    }
  }

  /// One layer on its elements of the weights and of the other tensors per layer.
  private func applied(
    _ elements: [Tensor], _ values: [Tensor], _ apply: (Layer, [Tensor], [Tensor]) -> [Tensor]
  ) -> [Tensor] {
    let own = Named(
      zip(weights.pairs, elements).map { ($0.name, $1.number(of: $0.value.dtype)) })
    let rest = Array(elements.dropFirst(weights.count))
    let next = apply(build(scope.part(own)), values, rest)
    precondition(
      next.map(\.type) == values.map(\.type),
      "a layer turned \(values.map(\.type)) into \(next.map(\.type))")
    return next
  }

  /// Runs several values through layers, see `outputs`.
  public func callAsFunction(
    _ values: [Tensor], layers: Range<Int>? = nil, _ apply: (Layer, [Tensor]) -> [Tensor]
  ) -> [Tensor] {
    outputs(values, layers: layers, apply).last
  }

  /// Runs a value through layers, see `outputs`.
  public func callAsFunction(
    _ x: Tensor, layers: Range<Int>? = nil, _ apply: (Layer, Tensor) -> Tensor
  ) -> Tensor {
    outputs([x], layers: layers) { [apply($0, $1[0])] }.last[0]
  }
}

extension Tensor {
  /// The bits of numbers of 8 bits, this for others.
  ///
  /// XLA slices such numbers in f16, so that a stack of them would be widened before a layer is taken
  /// from it; bits are sliced as they are. A scanned stack's bits are copied once for its loop.
  fileprivate var bits: Tensor { dtype.isFloat8 ? bitcast(to: .uint8) : self }

  /// The numbers of bits that `bits` has given; this for others.
  fileprivate func number(of dtype: DType) -> Tensor {
    dtype.isFloat8 ? bitcast(to: dtype) : self
  }
}
