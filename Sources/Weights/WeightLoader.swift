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
  /// A matrix that is loaded quantized is followed by its scales, see `WeightStorage.arrays`. Where a
  /// device's columns are not complete groups, it is kept in 8 bits by rows, see
  /// `Quantization.fitting`.
  ///
  /// - Parameters:
  ///   - names: how they are called and laid out on disk.
  ///   - allowsOverflow: whether finite numbers may become infinite.
  ///   - storage: how a parameter is to be kept; nil leaves it as it is stored, see `storage(_:in:names:)`.
  ///   - ignored: arrays on disk that need not be used, by their names.
  ///   - progress: called after every parameter.
  /// - Throws: `WeightsError.mismatch` with every array that is missing, unused or misshapen,
  ///   `beyondRange` for finite numbers that the wanted type cannot hold, `notFinite` for others that
  ///   cannot be quantized, `unsupported`, and the plugin's errors.
  public func load(
    _ specs: Named<ParameterSpec>, from files: WeightFiles, names: NameMap = NameMap(),
    allowsOverflow: Bool = false, as storage: (String) -> WeightStorage?,
    ignoring ignored: (String) -> Bool = { _ in false },
    progress: (Progress) -> Void = { _ in }
  ) throws -> Named<ShardedArray> {
    let layout = try Layout(specs, files, names, ignoring: ignored)
    let kept = specs.map { name, spec in
      (storage(name) ?? layout.stored[name]!).fitting(spec, mesh)
    }
    let total = specs.arrays { kept[$0]! }.values.reduce(0) { $0 + $1.type.byteCount }
    var loaded = Named<ShardedArray>()
    var done = 0
    var infinite: [(name: String, count: Int)] = []
    var notFinite: [String] = []
    for (name, spec) in specs.pairs {
      var reader = RegionReader(files, layout.pieces[name]!)
      switch kept[name]! {
      case .quantized(let quantization):
        let (values, scales) = try quantized(spec, quantization, &reader)
        loaded[name] = values
        loaded[name + QuantizedTensor.scaleSuffix] = scales
        done += scales.type.byteCount
      case .dense(let dtype):
        loaded[name] = try array(
          spec.type(dtype), spec.sharding, layout.pieces[name]!, files, &reader)
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
        path: files.path, dtype: kept[infinite[0].name]!.dtype, names: infinite.map(\.name),
        count: infinite.reduce(0) { $0 + $1.count })
    }
    return loaded
  }

  /// How parameters are kept that are loaded as they are stored, found without reading them.
  ///
  /// Numbers of 16 bits and more stay as they are. Matrices of linear maps stay in 8 or 4 bits where the
  /// file has them in f8, in one of the forms of `Quantization`, or in GGUF's Q8_0 or Q4_0, whose numbers
  /// stay the same; all else in fewer than 16 bits becomes bf16. A parameter whose arrays on disk are of
  /// several forms is kept in the widest of their element types, at least bf16.
  ///
  /// - Throws: `WeightsError.mismatch` and `unsupported`.
  public static func storage(
    _ specs: Named<ParameterSpec>, in files: WeightFiles, names: NameMap = NameMap(),
    ignoring ignored: (String) -> Bool = { _ in false }
  ) throws -> Named<WeightStorage> {
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

  /// A quantized matrix, and its scales.
  private func quantized(
    _ spec: ParameterSpec, _ quantization: Quantization, _ reader: inout RegionReader
  ) throws -> (values: ShardedArray, scales: ShardedArray) {
    let places = client.places(in: mesh)
    let (values, scales) = quantization.arrays(of: spec)
    var read: [Int: (values: Buffer, scales: Buffer)] = [:]
    for place in places {
      let region = Region.whole(spec.shape, spec.sharding, place, mesh)
      let memory = reader.read(region, as: quantization)
      read[place] = (
        try buffer(
          memory.values, quantization.valueType,
          Region.whole(values.shape, values.sharding, place, mesh), place),
        try buffer(
          memory.scales, quantization.scaleType,
          Region.whole(scales.shape, scales.sharding, place, mesh), place)
      )
    }
    return (
      ShardedArray(values.type(quantization.valueType), values.sharding, mesh, places: places) {
        read[$1]!.values
      },
      ShardedArray(scales.type(quantization.scaleType), scales.sharding, mesh, places: places) {
        read[$1]!.scales
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

extension Region {
  /// The region of an array that a device of a mesh has; all of it without a mesh.
  fileprivate static func whole(
    _ shape: Shape, _ sharding: Sharding, _ place: Int, _ mesh: Mesh?
  ) -> Region {
    mesh.map { sharding.region(shape, of: place, $0) } ?? Region(whole: shape)
  }
}
