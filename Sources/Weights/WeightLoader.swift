import Runtime
import Files
import Foundation
import Layers
import PJRT
import Tensors

/// Reads the parameters of a network from files to devices.
///
/// Arrays are loaded one by one: each is assembled from the arrays on disk that `NameMap` names.
/// Every device receives its own region, converted one region at a time. Memory that has been read
/// is released immediately, so that besides the parameters at most one layer of one of them is in
/// memory. An array that needs no conversion is not copied at all where its file can be mapped and
/// has it at a multiple of 64 bytes.
public struct WeightLoader {
  /// The client whose devices get the parameters.
  public let client: Client
  /// The devices that they are spread over, nil for one.
  public let mesh: Mesh?

  /// Makes a loader.
  public init(_ client: Client, mesh: Mesh? = nil) {
    self.client = client
    self.mesh = mesh
  }

  /// How far a load has come.
  public struct Progress: Sendable {
    /// The bytes of the parameters that are on the devices.
    public let done: Int
    /// The bytes of all parameters.
    public let total: Int
    /// The parameter that was read last.
    public let name: String
  }

  /// Loads parameters.
  ///
  /// A matrix that is loaded as s8 is quantized, or stays quantized; it is followed by its scales, see
  /// `Named<ParameterSpec>.withScales`.
  ///
  /// - Parameters:
  ///   - names: how they are called and laid out on disk.
  ///   - allowsOverflow: whether finite numbers may become infinite.
  ///   - dtype: the element type that a parameter is to have; nil leaves it as it is stored.
  ///   - ignored: arrays on disk that need not be used, by their names.
  ///   - progress: called after every parameter.
  /// - Throws: `WeightsError.mismatch` with every array that is missing, unused or misshapen,
  ///   `beyondRange` for finite numbers that the wanted type cannot hold, `notFinite` for others that
  ///   cannot be quantized, and the plugin's errors.
  public func load(
    _ specs: Named<ParameterSpec>, from files: WeightFiles, names: NameMap = NameMap(),
    allowsOverflow: Bool = false, as dtype: (String) -> DType?,
    ignoring ignored: (String) -> Bool = { _ in false },
    progress: (Progress) -> Void = { _ in }
  ) throws -> Named<ShardedArray> {
    let layout = try Layout(specs, files, names, ignoring: ignored)
    let dtypes = specs.map { name, _ in dtype(name) ?? layout.stored[name]! }
    let total = specs.withScales { dtypes[$0] == .int8 }.map { name, spec in
      spec.type(dtypes[name] ?? .float32).byteCount
    }.values.reduce(0, +)
    var loaded = Named<ShardedArray>()
    var done = 0
    var infinite: [(name: String, count: Int)] = []
    var notFinite: [String] = []
    for (name, spec) in specs.pairs {
      var reader = RegionReader(files, layout.pieces[name]!)
      if dtypes[name] == .int8 {
        let (values, scales) = try quantized(spec, &reader)
        loaded[name] = values
        loaded[name + QuantizedTensor.scaleSuffix] = scales
        done += scales.type.byteCount
      } else {
        loaded[name] = try array(
          spec.type(dtypes[name]!), spec.sharding, layout.pieces[name]!, files, &reader)
      }
      if reader.infinite > 0 { infinite.append((name, reader.infinite)) }
      if reader.hasNotFinite { notFinite.append(name) }
      done += loaded[name]!.type.byteCount
      progress(Progress(done: done, total: total, name: name))
    }
    guard notFinite.isEmpty else {
      throw WeightsError.notFinite(path: files.path, names: notFinite)
    }
    guard infinite.isEmpty || allowsOverflow else {
      throw WeightsError.beyondRange(
        path: files.path, dtype: dtypes[infinite[0].name]!, names: infinite.map(\.name),
        count: infinite.reduce(0) { $0 + $1.count })
    }
    return loaded
  }

  /// The element types that parameters are stored in, found without reading them.
  ///
  /// - Parameter ignored: arrays on disk that need not be used, by their names.
  /// - Throws: `WeightsError.mismatch`.
  public static func storedTypes(
    _ specs: Named<ParameterSpec>, in files: WeightFiles, names: NameMap = NameMap(),
    ignoring ignored: (String) -> Bool = { _ in false }
  ) throws -> Named<DType> {
    let layout = try Layout(specs, files, names, ignoring: ignored)
    return specs.map { name, _ in layout.stored[name]! }
  }

  /// A parameter in a floating-point type.
  private func array(
    _ type: TensorType, _ sharding: Sharding, _ pieces: [NameMap.Piece], _ files: WeightFiles,
    _ reader: inout RegionReader
  ) throws -> ShardedArray {
    try ShardedArray(type, sharding, mesh, places: client.places(in: mesh)) { region, place in
      if let mapped = whole(region, of: type, pieces, files) {
        return try client.buffer(
          sharing: mapped.bytes, owner: mapped.owner, BufferType(type.dtype, region.sizes),
          on: client.devices[place])
      }
      return try buffer(reader.read(region, as: type.dtype), type.dtype, region, place)
    }
  }

  /// A matrix in 8 bits, and its scales.
  private func quantized(
    _ spec: ParameterSpec, _ reader: inout RegionReader
  ) throws -> (values: ShardedArray, scales: ShardedArray) {
    precondition(spec.isMatrix, "only the matrices of linear maps are quantized")
    let places = client.places(in: mesh)
    var scales: [Int: Buffer] = [:]
    let values = try ShardedArray(spec.type(.int8), spec.sharding, mesh, places: places) {
      region, place in
      let memory = reader.readQuantized(region)
      scales[place] = try buffer(memory.scales, .float32, region.withoutColumns, place)
      return try buffer(memory.values, .int8, region, place)
    }
    return (
      values,
      ShardedArray(spec.scales.type(), spec.scales.sharding, mesh, places: places) {
        scales[$1]!
      }
    )
  }

  private func buffer(
    _ memory: AlignedMemory, _ dtype: DType, _ region: Region, _ place: Int
  ) throws -> Buffer {
    try client.buffer(
      sharing: UnsafeRawBufferPointer(memory.bytes), owner: memory,
      BufferType(dtype, region.sizes), on: client.devices[place])
  }

  /// The mapped bytes of a region that is exactly one array as it is stored, at an address that the
  /// CPU's plugin takes: of others it would make a copy, and the mapped bytes would stay in memory too.
  private func whole(
    _ region: Region, of type: TensorType, _ pieces: [NameMap.Piece], _ files: WeightFiles
  ) -> (bytes: UnsafeRawBufferPointer, owner: MappedFile)? {
    guard pieces.count == 1, pieces[0].box == region,
      files.types[pieces[0].disk]?.dtype == type.dtype
    else { return nil }
    return files.mapped(pieces[0].disk).flatMap { mapped in
      Int(bitPattern: mapped.bytes.baseAddress) % AlignedMemory.alignment == 0 ? mapped : nil
    }
  }
}

/// The place of each parameter on disk, checked against the files.
private struct Layout {
  private(set) var pieces: [String: [NameMap.Piece]] = [:]
  /// The element type that a parameter is stored in: the widest of its arrays'.
  private(set) var stored: [String: DType] = [:]

  init(
    _ specs: Named<ParameterSpec>, _ files: WeightFiles, _ names: NameMap,
    ignoring ignored: (String) -> Bool
  ) throws {
    let shapes = specs.mapValues(\.shape)
    var problems: [WeightsError.Problem] = []
    var used: Set<String> = []
    for (name, spec) in specs.pairs {
      var parts = names.pieces(of: name, shapes: shapes)
      // What many devices have written together has its layers in one array.
      if parts.count > 1, files.types[name]?.shape == spec.shape {
        parts = [
          NameMap.Piece(
            disk: name, shape: spec.shape.sizes, box: Region(whole: spec.shape))
        ]
      }
      for part in parts {
        used.insert(part.disk)
        guard let found = files.types[part.disk] else {
          problems.append(.missing(name: part.disk, similar: nil))
          continue
        }
        // Old files have separate axes for adjacent maps, with the same elements.
        let isSame =
          names.keepsStacks
          ? found.shape.count == part.shape.reduce(1, *) : found.shape.sizes == part.diskShape
        if spec.isMatrix, found.dtype == .int8, found.shape.sizes == part.shape {
          used.insert(part.scales.disk)
          if let problem = Self.problem(of: part.scales, files) { problems.append(problem) }
          stored[name] = stored[name] ?? .int8
          continue
        }
        guard isSame, found.dtype.isFloat else {
          problems.append(
            .wrongType(
              name: part.disk, found: found, expected: TensorType(Shape(part.diskShape), .float32)))
          continue
        }
        let widest = stored[name].map { $0.byteCount >= found.dtype.byteCount ? $0 : found.dtype }
        stored[name] = widest ?? found.dtype
      }
      pieces[name] = parts
    }
    let unused = files.types.names.filter { !used.contains($0) && !ignored($0) }
    problems = problems.map { problem in
      guard case .missing(let name, _) = problem else { return problem }
      return .missing(name: name, similar: nearestName(to: name, among: unused))
    }
    problems += unused.map { .unused(name: $0) }
    guard problems.isEmpty else {
      throw WeightsError.mismatch(path: files.path, problems: problems)
    }
  }

  /// What is wrong with the scales of a matrix in 8 bits: a number for each row, or a column of them.
  private static func problem(
    of scales: NameMap.Piece, _ files: WeightFiles
  ) -> WeightsError.Problem? {
    guard let found = files.types[scales.disk] else {
      return .missing(name: scales.disk, similar: nil)
    }
    let fits = [scales.shape, scales.shape + [1]].contains(found.shape.sizes)
    return fits && found.dtype.isFloat
      ? nil
      : .wrongType(
        name: scales.disk, found: found, expected: TensorType(Shape(scales.shape), .float32))
  }
}
