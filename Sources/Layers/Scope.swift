import Tensors

/// A node in the tree of a network's weights, with the source of the weights.
///
/// A layer asks its scope for weights by name. The same code declares them (`Scope.declare`) and
/// binds them to tensors; student, average and frozen teacher are three bindings in one graph.
public struct Scope {
  /// The names from the root, joined by dots; empty at the root.
  public let path: String
  private let source: Source

  /// The source of weights.
  private final class Source {
    enum Mode {
      case declaring
      case bound(Named<Tensor>)
    }
    let mode: Mode
    let lora: LoRA?
    /// The path of this source's root in the whole network.
    let prefix: String
    /// The names of the adapters that are bound, by the paths of their maps.
    let adapters: [String: [String]]
    var declared = Named<ParameterSpec>()
    var used: Set<String> = []

    init(_ mode: Mode, _ lora: LoRA? = nil, prefix: String = "") {
      (self.mode, self.lora, self.prefix) = (mode, lora, prefix)
      var adapters: [String: [String]] = [:]
      if case .bound(let weights) = mode {
        for case (let path, let adapter)? in weights.names.map(Adapter.parse) {
          adapters[path, default: []].append(adapter)
        }
      }
      self.adapters = adapters
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

  /// A scope on the weights of one of this scope's equal layers.
  func part(_ weights: Named<Tensor>) -> Scope {
    Scope(path: "", source: Source(.bound(weights), source.lora, prefix: place))
  }

  /// The path from the root of the whole network.
  var place: String {
    source.prefix.isEmpty || path.isEmpty ? source.prefix + path : "\(source.prefix).\(path)"
  }

  /// The scope of a child.
  public static func / (scope: Scope, name: String) -> Scope {
    Scope(path: scope.path.isEmpty ? name : "\(scope.path).\(name)", source: scope.source)
  }

  /// The scope of a numbered child.
  public static func / (scope: Scope, number: Int) -> Scope { scope / "\(number)" }

  /// Every weight that a network asks for, from which initial values, checks of files and optimizer
  /// state are derived.
  public static func declare(
    lora: LoRA? = nil, _ build: (Scope) -> some Any
  ) -> Named<ParameterSpec> {
    declare(Source(.declaring, lora), build)
  }

  private static func declare(_ source: Source, _ build: (Scope) -> some Any) -> Named<
    ParameterSpec
  > {
    _ = build(Scope(path: "", source: source))
    return source.declared
  }

  /// Builds a network on weights, all of which it must use.
  public static func bind<Network>(
    _ weights: Named<Tensor>, lora: LoRA? = nil, _ build: (Scope) -> Network
  ) -> Network {
    let scope = Scope(path: "", source: Source(.bound(weights), lora))
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
  /// - Parameter axes: the logical axes, by which it is sharded over devices.
  public func weight(
    _ name: String, _ shape: Shape, _ initializer: Initializer, axes: [LogicalAxis?] = []
  ) -> Tensor {
    weight(name, ParameterSpec(shape: shape, initializer: initializer, axes: axes))
  }

  /// The weight of a name in this scope, as a layer or a stack of layers declares it.
  private func weight(_ name: String, _ spec: ParameterSpec) -> Tensor {
    let full = (self / name).path
    let shape = spec.shape
    precondition(source.used.insert(full).inserted, "the weight \(full) is asked for twice")
    switch source.mode {
    case .declaring:
      source.declared[full] = spec
      return .placeholder(TensorType(shape, .float32))
    case .bound(let weights):
      guard let tensor = weights[full] else {
        preconditionFailure("the weight \(full) is missing")
      }
      precondition(
        tensor.shape == shape, "the weight \(full) has the shape \(tensor.shape), not \(shape)")
      return tensor
    }
  }

  /// The matrix of a linear map, `[output, input]`: quantized where the tensors of this scope are, with
  /// `NAME_scale` beside `NAME`.
  func matrix(
    _ name: String, _ shape: Shape, _ initializer: Initializer, axes: [LogicalAxis?]
  ) -> LinearMap.Base {
    let spec = ParameterSpec(
      shape: shape, initializer: initializer, axes: axes, isMatrix: true)
    guard let quantization = quantization(name) else { return .dense(weight(name, spec)) }
    let (values, scales) = arrays(name, spec, quantization)
    return .quantized(QuantizedTensor(values: values, scales: scales, quantization))
  }

  /// How the tensors that a matrix is bound to hold it; nil where it is not quantized.
  private func quantization(_ name: String) -> Quantization? {
    guard case .bound(let weights) = source.mode, let values = weights[(self / name).path] else {
      return nil
    }
    let scales = weights[(self / name).path + QuantizedTensor.scaleSuffix]
    return Quantization(values: values.type, scales: scales?.type)
  }

  /// The two arrays of a quantized matrix.
  private func arrays(
    _ name: String, _ matrix: ParameterSpec, _ quantization: Quantization
  ) -> (values: Tensor, scales: Tensor) {
    let arrays = quantization.arrays(of: matrix)
    return (
      weight(name, arrays.values), weight(name + QuantizedTensor.scaleSuffix, arrays.scales)
    )
  }

  /// The parameters of `count` equal layers, each with a leading axis over the layers: `*` in their
  /// names stands for the layer's number, or `*+13` where the first layer has the number 13.
  func stacked(count: Int, first: Int = 0, _ build: (Scope) -> some Any) -> Named<Tensor> {
    let layers = self / (first == 0 ? "*" : "*+\(first)")
    let declared = Scope.declare(
      Source(.declaring, source.lora, prefix: layers.place), build)
    var weights = Named<Tensor>()
    for (name, spec) in declared.pairs {
      let spec = spec.stacked(count)
      if spec.isMatrix, let quantization = layers.quantization(name) {
        let arrays = layers.arrays(name, spec, quantization)
        weights[name] = arrays.values
        weights[name + QuantizedTensor.scaleSuffix] = arrays.scales
      } else {
        weights[name] = layers.weight(name, spec)
      }
      guard spec.isMatrix, name.hasSuffix(".weight") else { continue }
      let path = (layers / String(name.dropLast(".weight".count))).path
      for tensors in layers.adapters(path: path, matrix: spec, { $0 }) {
        for (name, tensor) in tensors.pairs {
          weights[String(name.dropFirst(layers.path.count + 1))] = tensor
        }
      }
    }
    return weights
  }

  /// The adapters that are bound to the map at a path from the root, each made from its tensors in
  /// the order of `Adapter.Part`.
  ///
  /// - Parameter matrix: the map's matrix, or those of a stack.
  func adapters<Made>(
    path: String, matrix: ParameterSpec, _ make: (Named<Tensor>) -> Made
  ) -> [Made] {
    guard case .bound(let weights) = source.mode else { return [] }
    let root = Scope(path: "", source: source)
    return (source.adapters[path] ?? []).map { adapter in
      let down = weights[Adapter.name(.down, of: adapter, path: path)]!
      precondition(
        down.rank == matrix.shape.rank,
        "the adapter \(adapter) of \(path) is \(down.type), its matrix \(matrix.shape)")
      let specs = Adapter.specs(
        of: adapter, path: path, matrix: matrix, rank: down.shape[down.rank - 2])
      return make(specs.map { name, spec in root.weight(name, spec) })
    }
  }

  /// The LoRA of this network, nil without.
  var lora: LoRA? { source.lora }
}

/// A network's declaration of one parameter. Its element type is that of the tensor it is bound to.
public struct ParameterSpec: Sendable, Hashable {
  /// Its shape; the layers of a stack are the first axis.
  public let shape: Shape
  /// Its values before training.
  public let initializer: Initializer
  /// The logical axes, by which it is sharded over devices; other axes are not sharded.
  public let axes: [LogicalAxis?]
  /// Whether it is the matrix of a linear map, or of a stack of them, which can be quantized.
  public let isMatrix: Bool

  /// Makes a declaration.
  public init(
    shape: Shape, initializer: Initializer, axes: [LogicalAxis?] = [], isMatrix: Bool = false
  ) {
    self.shape = shape
    self.initializer = initializer
    self.axes = axes
    self.isMatrix = isMatrix
  }

  /// The same parameter of a stack of layers.
  func stacked(_ count: Int) -> ParameterSpec {
    ParameterSpec(
      shape: Shape([count] + shape.sizes), initializer: .stacked(initializer),
      axes: [nil] + axes, isMatrix: isMatrix)
  }

  /// How it is sharded over devices.
  public var sharding: Sharding { Sharding(axes) }

  /// Its type in an element type, f32 as it is trained.
  public func type(_ dtype: DType = .float32) -> TensorType { TensorType(shape, dtype) }
}

extension Named<ParameterSpec> {
  /// The types of the parameters in one element type, f32 as they are trained.
  public func types(_ dtype: DType = .float32) -> Named<TensorType> {
    mapValues { $0.type(dtype) }
  }

  /// How the parameters are sharded over devices.
  public var shardings: Named<Sharding> { mapValues(\.sharding) }
}
