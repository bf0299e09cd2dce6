import Files
import Layers
import Tensors

/// The place of each parameter on disk, checked against the files.
struct Layout {
  /// The arrays that hold a parameter.
  private(set) var pieces: [String: [NameMap.Piece]] = [:]
  /// How a parameter is kept that is loaded as it is stored.
  private(set) var stored: [String: WeightStorage] = [:]

  private let files: WeightFiles
  private var problems: [WeightsError.Problem] = []
  private var used: Set<String> = []

  /// The arrays beside a quantized one that weights do not depend on: ComfyUI's scales of inputs, and what
  /// says in which form the weights are, which is checked.
  static let besides = ["scale_input", "input_scale", ScaledForm.suffix]
  /// The array by which ComfyUI's files say that they have scales.
  private static let marker = "scaled_fp8"

  init(
    _ specs: Named<ParameterSpec>, _ files: WeightFiles, _ names: NameMap,
    ignoring ignored: (String) -> Bool
  ) throws {
    self.files = files
    let shapes = specs.mapValues(\.shape)
    for (name, spec) in specs.pairs {
      var parts = names.pieces(of: name, shapes: shapes)
      // What many devices have written together has its layers in one array.
      if parts.count > 1, files.types[name]?.shape == spec.shape {
        parts = [
          NameMap.Piece(
            disk: name, shape: spec.shape.sizes, box: Region(whole: spec.shape))
        ]
      }
      let kept = try parts.compactMap { try storage(of: $0, spec, keepsStacks: names.keepsStacks) }
      stored[name] = Self.common(kept)
      pieces[name] = parts
    }
    used.insert(names.prefix + Self.marker)
    let unused = files.types.names.filter { !used.contains($0) && !ignored($0) }
    // Comparing all names with all others of a file of another network would take minutes.
    var compared = 0
    problems = problems.map { problem in
      guard case .missing(let name, _) = problem, compared < 5 else { return problem }
      compared += 1
      return .missing(name: name, similar: nearestName(to: name, among: unused))
    }
    problems += unused.map { .unused(name: $0) }
    guard problems.isEmpty else {
      throw WeightsError.mismatch(path: files.path, problems: problems)
    }
  }

  /// How a parameter of one array alone is kept where nothing else is asked for; nil where the array does
  /// not fit, which is noted.
  private mutating func storage(
    of part: NameMap.Piece, _ spec: ParameterSpec, keepsStacks: Bool
  ) throws -> WeightStorage? {
    used.insert(part.disk)
    guard let found = files.types[part.disk] else {
      problems.append(.missing(name: part.disk, similar: nil))
      return nil
    }
    let array = StoredArray(files, part)
    if part.disk.hasSuffix(".weight") {
      let path = part.disk.dropLast("weight".count)
      for name in Self.besides { used.insert(path + name) }
      try ScaledForm.check(files, of: part.disk)
    }
    switch array.form {
    case .scaled(let quantization, let scales):
      used.insert(scales.name)
      return fits(part, found, quantization, scales) ? array.storage(isMatrix: spec.isMatrix) : nil
    case .elements(let dtype) where spec.isMatrix && !dtype.isFloat && Self.isPacked(dtype):
      // Integers mean nothing without scales.
      let name = StoredArray.scaleNames(of: part.disk)[0]
      used.insert(name)
      problems.append(.missing(name: name, similar: nil))
      return nil
    case .elements, .blocks:
      // Old files have separate axes for adjacent maps, with the same elements.
      let isSame =
        keepsStacks
        ? found.shape.count == part.shape.reduce(1, *) : found.shape.sizes == part.diskShape
      guard isSame, found.dtype.isFloat else {
        problems.append(wrongType(part.disk, found, TensorType(Shape(part.diskShape), .float32)))
        return nil
      }
      return array.storage(isMatrix: spec.isMatrix)
    }
  }

  private static func isPacked(_ dtype: DType) -> Bool { dtype == .int8 || dtype == .uint8 }

  /// Whether a quantized array and its scales have the shapes that they must have.
  private mutating func fits(
    _ part: NameMap.Piece, _ found: TensorType, _ quantization: Quantization,
    _ scales: StoredArray.ScaleArray
  ) -> Bool {
    let shape = Shape(part.shape)
    guard shape.rank > 0,
      quantization.columnsPerValue == 1 || shape[-1] % Quantization.groupSize == 0,
      found.shape == quantization.values(of: shape)
    else {
      problems.append(wrongType(part.disk, found, TensorType(shape, .float32)))
      return false
    }
    let type = files.types[scales.name]!
    let expected = quantization.scales(of: shape)
    let column = Shape(expected.sizes + [1])
    let isWhole = scales.extent == .matrix && type.shape.count == 1
    let isFit =
      type.dtype.isFloat
      && (type.shape == expected || !quantization.hasGroups && type.shape == column || isWhole)
    if !isFit {
      problems.append(wrongType(scales.name, type, TensorType(expected, quantization.scaleType)))
    }
    return isFit
  }

  private func wrongType(
    _ name: String, _ found: TensorType, _ expected: TensorType
  ) -> WeightsError.Problem { .wrongType(name: name, found: found, expected: expected) }

  /// How a parameter is kept whose arrays would be kept in these ways alone.
  private static func common(_ kept: [WeightStorage]) -> WeightStorage? {
    guard let first = kept.first, !kept.allSatisfy({ $0 == first }) else { return kept.first }
    let widest = kept.map { storage -> DType in
      guard case .dense(let dtype) = storage, !dtype.isFloat8 else { return .bfloat16 }
      return dtype
    }.max { $0.byteCount < $1.byteCount }
    return widest.map { .dense($0) }
  }
}

/// What a file says of how a quantized matrix is stored, in ComfyUI's arrays `x.comfy_quant` with a text
/// in JSON.
enum ScaledForm {
  static let suffix = "comfy_quant"
  /// The forms whose numbers are those of the array times its scales.
  private static let supported = ["float8_e4m3fn", "float8_e5m2", "int8_tensorwise"]

  /// Checks that an array is in a form that is read.
  ///
  /// - Throws: `WeightsError.unsupported`.
  static func check(_ files: WeightFiles, of array: String) throws {
    let name = String(array.dropLast("weight".count)) + suffix
    guard let type = files.types[name], !type.shape.sizes.isEmpty else { return }
    let text = files.bytes(name, Region(whole: type.shape))
    func fail(_ reason: String) -> WeightsError {
      .unsupported(path: files.path, name: array, reason: reason)
    }
    guard let fields = try? JSONValues.object(text, what: "") else {
      throw fail("\(name) is no JSON object")
    }
    let form = fields["format"] as? String ?? "none"
    guard supported.contains(form) else {
      throw fail("\(name) says \(form), and only \(supported.joined(separator: ", ")) are read")
    }
    if fields["convrot"] as? Bool == true {
      throw fail("\(name) says that its columns are rotated")
    }
  }
}
