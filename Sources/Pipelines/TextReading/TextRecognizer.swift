import ONNXRuntime
import Pictures

/// The network of PP-OCR that reads a line of text.
struct TextRecognizer {
  private let network: ONNXSession
  private let characters: CTCCharacters

  private static let height = 48
  /// The least width that lines are padded to.
  private static let leastWidth = 320
  private static let batch = 6

  /// Opens a network, with the characters in its file's metadata.
  ///
  /// - Throws: `ONNXError`, and `PipelineError.unableNetwork` for one of other inputs or outputs, without
  ///   characters, or with too many or too few of them.
  init(_ path: String, by library: ONNXLibrary) throws {
    network = try ONNXSession(path, by: library)
    try network.check(
      takes: [nil, 3, Self.height, nil], gives: [nil, nil, nil], "reads lines of text")
    guard let list = try network.metadata("character") else {
      throw PipelineError.unableNetwork(
        path: path, reason: "its metadata has no list of characters under \"character\"")
    }
    characters = CTCCharacters(list)
    if let classes = network.outputs[0].shape?[2] { try check(classes) }
  }

  private func check(_ classes: Int) throws {
    guard classes != characters.classes else { return }
    throw PipelineError.unableNetwork(
      path: network.path,
      reason: "its list has \(characters.classes - 2) characters, and the network tells "
        + "\(classes) classes apart: characters, the blank and the space")
  }

  /// The texts of lines with their scores, in the order of the lines.
  ///
  /// - Throws: `ONNXError.failure`, and `PipelineError.unableNetwork` for another number of classes than
  ///   characters.
  func callAsFunction(_ lines: [RGBImage]) throws -> [(text: String, score: Double)] {
    // Lines of similar lengths are read together; each has the width of the longest one.
    let ratios = lines.map { Double($0.width) / Double($0.height) }
    let order = ratios.indices.sorted { (ratios[$0], $0) < (ratios[$1], $1) }
    var found = [(text: String, score: Double)](repeating: ("", 0), count: lines.count)
    for start in stride(from: 0, to: order.count, by: Self.batch) {
      let part = order[start..<min(start + Self.batch, order.count)]
      let ratio = max(
        Double(Self.leastWidth) / Double(Self.height), ratios[part.last!])
      let width = Int(Double(Self.height) * ratio)
      let pixels = PixelPlanes.values(
        of: part.map { lines[$0].ofHeight(Self.height, widthUpTo: width) }, width: width,
        height: Self.height, PixelPlanes.narrow)
      let output = try network(
        ONNXSession.Array(shape: [part.count, 3, Self.height, width], values: pixels))
      try check(output.shape[2])
      let size = output.shape[1] * output.shape[2]
      for (number, line) in part.enumerated() {
        found[line] = characters.decode(output.values[number * size..<(number + 1) * size])
      }
    }
    return found
  }
}
