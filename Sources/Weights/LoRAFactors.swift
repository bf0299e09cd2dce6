import Tensors

/// The factors of one matrix on the host, of all layers and padded to one rank.
struct LoRAFactors {
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
