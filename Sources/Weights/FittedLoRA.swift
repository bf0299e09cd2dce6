import Files
import Layers
import PJRT
import Runtime
import Tensors

extension LoRAFile {
  /// Finds the network's maps that the file's modules change.
  ///
  /// - Parameters:
  ///   - specs: the network's parameters.
  ///   - layouts: the names and layouts on disk that the file's modules may follow: the published
  ///     layout and those of other programs. Each module is looked for in all of them, in order.
  ///   - network: the network's name in messages.
  /// - Throws: `WeightsError.otherModel` where no module is one of the network's, and
  ///   `loraMismatch` with every module that does not fit.
  public func fitted(
    to specs: Named<ParameterSpec>, layouts: [NameMap] = [NameMap()], network: String
  ) throws -> FittedLoRA {
    // Layouts may differ in nothing but a prefix, and those of LoRA are its own.
    let plain = layouts.map { NameMap($0.rules, keepsStacks: $0.keepsStacks) }
    let maps = plain.enumerated().filter { !plain[..<$0.offset].contains($0.element) }
      .map { NetworkMaps(specs, $0.element) }
    var problems: [WeightsError.LoRAProblem] = []
    var changes: [String: [FittedLoRA.Change]] = [:]
    var known = 0
    for module in modules {
      guard let places = maps.lazy.compactMap({ $0[module] }).first else {
        problems.append(
          maps.contains { $0.hasOther(module) }
            ? .notLinear(name: module.name) : .unknownModule(name: module.name, similar: nil))
        continue
      }
      known += 1
      let expected = places[0].module
      guard expected == [module.output, module.input] else {
        problems.append(
          .wrongSizes(
            name: module.name, found: [module.output, module.input], expected: expected))
        continue
      }
      for place in places {
        let others = changes[place.parameter, default: []]
        if let other = others.first(where: { $0.box.intersection(place.box) != nil }) {
          problems.append(.changedTwice(name: module.name, other: other.module.name))
        }
        changes[place.parameter, default: []].append(
          FittedLoRA.Change(module: module, box: place.box))
      }
    }
    guard problems.isEmpty else {
      let names = maps.flatMap(\.names)
      guard known > 0 || problems.contains(where: \.isOfThisNetwork) else {
        throw WeightsError.otherModel(
          path: path, network: network, modules: modules.map(\.name), known: names.sorted())
      }
      problems = problems.map { problem in
        guard case .unknownModule(let name, _) = problem else { return problem }
        return .unknownModule(name: name, similar: nearestName(to: name, among: names))
      }
      throw WeightsError.loraMismatch(
        path: path, network: network, problems: problems, modules: modules.count)
    }
    return FittedLoRA(file: self, network: specs, changes: changes)
  }
}

/// LoRA of a file, and the maps of a network that it changes.
public struct FittedLoRA: Sendable {
  private let file: LoRAFile
  /// The network's matrices that are changed.
  private let matrices: Named<ParameterSpec>
  private let changes: [String: [Change]]
  /// The rank of a matrix's adapter: the largest of its layers'.
  private let ranks: [String: Int]

  /// The change of a part of a matrix.
  struct Change {
    let module: LoRAFile.Module
    /// The region of the module's whole map in the matrix's coordinates; it may reach beyond the
    /// matrix.
    let box: Region
  }

  init(file: LoRAFile, network: Named<ParameterSpec>, changes: [String: [Change]]) {
    self.file = file
    self.changes = changes
    matrices = network.filter { changes[$0] != nil }
    ranks = changes.mapValues { changes in
      var ranks: [Int: Int] = [:]
      for change in changes { ranks[change.layer, default: 0] += change.module.rank }
      return ranks.values.max() ?? 0
    }
  }

  /// The parameters of the network that are changed.
  public var changed: [String] { matrices.names }

  /// The declarations of the adapter's tensors, see `Adapter`.
  ///
  /// - Parameter name: the name of the adapter among those of the network, without dots.
  public func specs(as name: String) -> Named<ParameterSpec> {
    matrices.pairs.reduce(into: Named()) { all, matrix in
      all.merge(specs(as: name, of: matrix.name))
    }
  }

  private func specs(as name: String, of matrix: String) -> Named<ParameterSpec> {
    Adapter.specs(
      of: name, path: String(matrix.dropLast(".weight".count)), matrix: matrices[matrix]!,
      rank: ranks[matrix]!)
  }

  /// Reads the factors to devices, to be bound beside the network's weights.
  ///
  /// - Parameters:
  ///   - name: the name of the adapter among those of the network, without dots.
  ///   - scale: the factor of all changes.
  ///   - dtype: the element type of the factors; nil for that in the file.
  ///   - mesh: the devices that they are spread over, nil for one.
  /// - Throws: `WeightsError.beyondRange` for finite numbers that the type cannot hold, and the
  ///   plugin's errors.
  public func load(
    as name: String, scale: Double = 1, dtype: DType? = nil, on client: Client, mesh: Mesh? = nil
  ) throws -> Named<ShardedArray> {
    var loaded = Named<ShardedArray>()
    for matrix in matrices.names {
      let changes = changes[matrix]!
      let stored = Set(
        changes.flatMap { [$0.module.down, $0.module.up] }.map { file.files.types[$0]!.dtype })
      let dtype = dtype ?? (stored.count == 1 ? stored.first! : .float32)
      let specs = specs(as: name, of: matrix).pairs
      var factors = LoRAFactors(
        changes, types: specs.map { $0.value.type(dtype) }, scale: scale, files: file.files)
      try factors.read()
      for ((name, spec), bytes) in zip(specs, [factors.down, factors.up, factors.scales]) {
        let type = spec.type(name == specs[2].name ? .float32 : dtype)
        loaded[name] = try ShardedArray(
          type, spec.sharding, mesh, places: client.places(in: mesh)
        ) { region, place in
          let part = bytes.withUnsafeBytes {
            region.bytes(of: Region(whole: type.shape), $0, width: type.dtype.byteCount)
          }
          return try part.withUnsafeBytes {
            try client.buffer(
              bytes: $0, BufferType(type.dtype, region.sizes), on: client.devices[place])
          }
        }
      }
    }
    return loaded
  }
}

extension FittedLoRA.Change {
  /// The number of the layer in a stack, 0 for other matrices.
  var layer: Int { box.start.count > 2 ? box.start[0] : 0 }
}
