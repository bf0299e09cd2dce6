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
    let maps = layouts.map { NetworkMaps(specs, $0) }
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

/// The factors of one matrix on the host, of all layers and padded to one rank.
private struct LoRAFactors {
  private let changes: [FittedLoRA.Change]
  private let types: [TensorType]
  private let scale: Double
  private let files: WeightFiles
  private(set) var down: [UInt8]
  private(set) var up: [UInt8]
  private(set) var scales: [UInt8]

  /// - Parameter types: the types of A, B and the scales.
  init(
    _ changes: [FittedLoRA.Change], types: [TensorType], scale: Double, files: WeightFiles
  ) {
    (self.changes, self.types, self.scale, self.files) = (changes, types, scale, files)
    (down, up) = (Self.zeros(types[0].byteCount), Self.zeros(types[1].byteCount))
    scales = Self.zeros(4 * types[2].shape.count)
  }

  private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

  mutating func read() throws {
    var used: [Int: Int] = [:]
    for change in changes {
      let (module, layer) = (change.module, change.layer)
      let start = used[layer, default: 0]
      used[layer] = start + module.rank
      // The axis of layers, in a stack.
      let (own, one) = change.box.start.count > 2 ? ([layer], [1]) : ([], [])
      let rows = change.box.start[own.count]
      try copy(
        module.down, to: &down, types[0],
        Region(start: own + [start, 0], sizes: one + [module.rank, module.input]))
      try copy(
        module.up, to: &up, types[1],
        Region(start: own + [rows, start], sizes: one + [module.output, module.rank]))
      let rank = types[2].shape[-1]
      scales.withUnsafeMutableBytes { scales in
        for component in start..<start + module.rank {
          scales.storeBytes(
            of: Float(module.scale * scale), toByteOffset: 4 * (layer * rank + component),
            as: Float.self)
        }
      }
    }
  }

  /// Copies an array of the file to a region of one of the factors.
  private func copy(
    _ array: String, to target: inout [UInt8], _ type: TensorType, _ region: Region
  ) throws {
    let source = files.types[array]!
    let stored = files.bytes(array, Region(whole: source.shape))
    var infinite = 0
    let converted = [UInt8](
      unsafeUninitializedCapacity: source.shape.count * type.dtype.byteCount
    ) { memory, count in
      count = source.shape.count * type.dtype.byteCount
      infinite = stored.withUnsafeBytes {
        ElementConversion.convert(
          $0, source.dtype,
          to: UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(memory)[..<count]),
          type.dtype)
      }
    }
    guard infinite == 0 else {
      throw WeightsError.beyondRange(
        path: files.path, dtype: type.dtype, names: [array], count: infinite)
    }
    converted.withUnsafeBytes { converted in
      target.withUnsafeMutableBytes {
        Region(whole: type.shape).copy(
          from: region, converted, to: $0, width: type.dtype.byteCount)
      }
    }
  }
}

/// The linear maps of a network by their names in a layout on disk.
private struct NetworkMaps {
  /// A part of a parameter that is all or a part of a map on disk.
  struct Place {
    let parameter: String
    /// The sizes of the map on disk, output and input.
    let module: [Int]
    /// The region of the map on disk in the parameter's coordinates.
    let box: Region
  }

  /// The names of the maps on disk.
  private(set) var names: [String] = []
  private var places: [String: [Place]] = [:]
  /// The names by what is left of them when underscores replace dots.
  private var flat: [String: String] = [:]
  /// The names of what is no linear map but has a weight, such as a norm.
  private var others: Set<String> = []

  init(_ specs: Named<ParameterSpec>, _ layout: NameMap) {
    let shapes = specs.mapValues(\.shape)
    var layout = layout
    layout.prefix = ""
    for (name, spec) in specs.pairs where name.hasSuffix(".weight") {
      for piece in layout.pieces(of: name, shapes: shapes) where piece.disk.hasSuffix(".weight") {
        let map = String(piece.disk.dropLast(".weight".count))
        guard spec.isMatrix, piece.shape.count == 2 else {
          others.formUnion([map, map.replacing(".", with: "_")])
          continue
        }
        if places[map] == nil { names.append(map) }
        places[map, default: []].append(
          Place(parameter: name, module: piece.shape, box: piece.box))
        flat[map.replacing(".", with: "_")] = map
      }
    }
  }

  /// The places of a module, nil where the network does not have it.
  subscript(_ module: LoRAFile.Module) -> [Place]? {
    places[module.isFlat ? flat[module.name] ?? "" : module.name]
  }

  /// Whether a module of the network that is no linear map has this name.
  func hasOther(_ module: LoRAFile.Module) -> Bool { others.contains(module.name) }
}
