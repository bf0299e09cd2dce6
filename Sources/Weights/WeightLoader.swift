import Runtime
import Files
import Foundation
import Layers
import PJRT
import Tensors

/// Reads the parameters of a network from files to devices.
///
/// It goes array by array: each is put together from the arrays on disk that `NameMap` names, of which
/// every device gets its own region, and is converted a region at a time. What has been read is given
/// back at once, so that beside the parameters no more than a layer of one of them is in memory. An
/// array that is stored as it is wanted is not copied at all where its file can be mapped.
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
  /// - Parameters:
  ///   - names: how they are called and laid out on disk.
  ///   - allowsOverflow: whether finite numbers may become infinite.
  ///   - dtype: the element type that a parameter is to have; nil leaves it as it is stored.
  ///   - ignored: arrays on disk that need not be used, by their names.
  ///   - progress: told after every parameter.
  /// - Throws: `WeightsError.mismatch` with every array that is missing, unused or misshapen,
  ///   `beyondRange` for finite numbers that the wanted type cannot hold, and the plugin's errors.
  public func load(
    _ specs: Named<ParameterSpec>, from files: WeightFiles, names: NameMap = NameMap(),
    allowsOverflow: Bool = false, as dtype: (String) -> DType?,
    ignoring ignored: (String) -> Bool = { _ in false },
    progress: (Progress) -> Void = { _ in }
  ) throws -> Named<ShardedArray> {
    let layout = try Layout(specs, files, names, ignoring: ignored)
    let types = Named(
      specs.pairs.map { name, spec in
        (name, TensorType(spec.shape, dtype(name) ?? layout.stored[name]!))
      })
    let total = types.values.reduce(0) { $0 + $1.byteCount }
    var done = 0
    var lost: [(name: String, count: Int)] = []
    let loaded = try specs.map { name, spec in
      let type = types[name]!
      var count = 0
      let array = try ShardedArray(
        type, spec.sharding, mesh, places: client.places(in: mesh)
      ) { region, place in
        try buffer(
          region, of: type, layout.pieces[name]!, files, on: client.devices[place], lost: &count)
      }
      if count > 0 { lost.append((name, count)) }
      done += type.byteCount
      progress(Progress(done: done, total: total, name: name))
      return array
    }
    guard lost.isEmpty || allowsOverflow else {
      throw WeightsError.beyondRange(
        path: files.path, dtype: types[lost[0].name]!.dtype, names: lost.map(\.name),
        count: lost.reduce(0) { $0 + $1.count })
    }
    return loaded
  }

  /// The element types that parameters are stored in, found without reading them.
  ///
  /// - Throws: `WeightsError.mismatch`.
  public static func storedTypes(
    _ specs: Named<ParameterSpec>, in files: WeightFiles, names: NameMap = NameMap()
  ) throws -> Named<DType> {
    let layout = try Layout(specs, files, names) { _ in false }
    return specs.map { name, _ in layout.stored[name]! }
  }

  /// The region of a parameter that a device has.
  private func buffer(
    _ region: Region, of type: TensorType, _ pieces: [NameMap.Piece], _ files: WeightFiles,
    on device: Device, lost: inout Int
  ) throws -> Buffer {
    let local = BufferType(type.dtype, region.sizes)
    if let mapped = whole(region, of: type, pieces, files) {
      return try client.buffer(
        sharing: mapped.bytes, owner: mapped.owner, local, on: device)
    }
    let memory = AlignedMemory(byteCount: local.byteCount)
    for piece in pieces {
      guard let part = region.intersection(piece.box) else { continue }
      lost += copy(part, piece, files, to: region, memory.bytes, type.dtype)
    }
    return try client.buffer(
      sharing: UnsafeRawBufferPointer(memory.bytes), owner: memory, local, on: device)
  }

  /// The mapped bytes of a region that is exactly one array as it is stored.
  private func whole(
    _ region: Region, of type: TensorType, _ pieces: [NameMap.Piece], _ files: WeightFiles
  ) -> (bytes: UnsafeRawBufferPointer, owner: MappedFile)? {
    guard pieces.count == 1, pieces[0].box == region,
      files.types[pieces[0].disk]?.dtype == type.dtype
    else { return nil }
    return files.mapped(pieces[0].disk)
  }

  /// Copies a part of a parameter from the array on disk that has it.
  ///
  /// - Returns: how many finite numbers became infinite.
  private func copy(
    _ part: Region, _ piece: NameMap.Piece, _ files: WeightFiles, to region: Region,
    _ target: UnsafeMutableRawBufferPointer, _ dtype: DType
  ) -> Int {
    let stored = files.types[piece.disk]!.dtype
    let mapped = files.mapped(piece.disk)
    if stored == dtype, let mapped {
      region.copy(from: piece.box, mapped.bytes, to: target, width: dtype.byteCount)
      mapped.owner.release(mapped.bytes)
      return 0
    }
    // The part as it is stored, dense; then converted, and put in its place.
    let source: [UInt8]
    if let mapped {
      source = part.bytes(of: piece.box, mapped.bytes, width: stored.byteCount)
      mapped.owner.release(mapped.bytes)
    } else {
      source = files.bytes(piece.disk, part.moved(from: piece.box, rank: piece.shape.count))
    }
    guard stored != dtype else {
      source.withUnsafeBytes {
        region.copy(from: part, $0, to: target, width: dtype.byteCount)
      }
      return 0
    }
    let converted = AlignedMemory(byteCount: part.sizes.reduce(dtype.byteCount, *))
    let lost = source.withUnsafeBytes {
      ElementConversion.convert($0, stored, to: converted.bytes, dtype)
    }
    region.copy(
      from: part, UnsafeRawBufferPointer(converted.bytes), to: target, width: dtype.byteCount)
    return lost
  }
}

extension Region {
  /// A part of an array in the array's own coordinates.
  ///
  /// - Parameters:
  ///   - box: where the array lies.
  ///   - rank: how many of the last axes are the array's own.
  fileprivate func moved(from box: Region, rank: Int) -> Region {
    let places = start.indices.suffix(rank)
    return Region(
      start: places.map { start[$0] - box.start[$0] }, sizes: places.map { sizes[$0] })
  }
}

/// Memory at an address that the CPU's plugin can take as it is.
///
/// It is `@unchecked Sendable` because it is written before anyone else sees it.
private final class AlignedMemory: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer

  init(byteCount: Int) {
    bytes = .allocate(byteCount: byteCount, alignment: 64)
  }

  deinit { bytes.deallocate() }
}

/// Where each parameter lies on disk, checked against what is there.
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
        // Old files have axes of their own for maps that lie side by side: the same elements.
        let isSame =
          names.keepsStacks
          ? found.shape.count == part.shape.reduce(1, *) : found.shape.sizes == part.shape
        guard isSame, found.dtype.isFloat else {
          problems.append(
            .wrongType(
              name: part.disk, found: found, expected: TensorType(Shape(part.shape), .float32)))
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
}
