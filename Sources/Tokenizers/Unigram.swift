/// The unigram language model of SentencePiece (Kudo, 2018, "Subword Regularization"): the pieces of
/// the greatest sum of scores, found by the Viterbi algorithm.
struct Unigram: Sendable {
  let vocabulary: Vocabulary
  private let scores: [Double]
  private let unknown: Int32
  private let unknownScore: Double
  private let bytes: [Int32?]?

  /// Reads `model` of tokenizer.json.
  init(_ field: JSONField) throws {
    let pieces = try field.required("vocab")
    let elements = try pieces.elements()
    var vocabulary = Vocabulary(capacity: elements.count)
    var scores: [Double] = []
    for (id, element) in elements.enumerated() {
      guard case .array(let pair) = element.value, pair.count == 2,
        case .string(let token) = pair[0], let score = pair[1].double
      else { throw element.wrong("is not a piece and its score") }
      try vocabulary.add(token, id: Int32(id), of: pieces)
      scores.append(score)
    }
    let unknown = try field.required("unk_id")
    guard !elements.isEmpty else { throw pieces.wrong("is empty") }
    self.unknown = Int32(try unknown.int(in: 0...elements.count - 1))
    let fallsBack = try field.optional("byte_fallback")?.bool() ?? false
    bytes =
      fallsBack
      ? (0..<256).map { byte in
        let digits = String(byte, radix: 16, uppercase: true)
        return vocabulary.id(of: "<0x\(byte < 16 ? "0" : "")\(digits)>")
      } : nil
    // A character outside the vocabulary costs 10 more than the worst piece, as in SentencePiece.
    unknownScore = scores.min()! - 10
    (self.vocabulary, self.scores) = (vocabulary, scores)
  }

  /// The best path to a place.
  private struct Node {
    var score = 0.0
    var start = -1
    var id: Int32 = 0
  }

  /// The ids of a word.
  func encode(_ word: [Unicode.Scalar]) -> [Int32] {
    let text = word.flatMap { UTF8.encode($0)! }
    var nodes = [Node](repeating: Node(), count: text.count + 1)
    text.withUnsafeBufferPointer { bytes in
      var start = 0
      for scalar in word {
        let width = UTF8.width(scalar)
        let before = nodes[start].score
        func offer(_ length: Int, _ id: Int32, _ score: Double) {
          let end = start + length
          guard nodes[end].start < 0 || before + score > nodes[end].score else { return }
          nodes[end] = Node(score: before + score, start: start, id: id)
        }
        var isKnown = false
        let rest = UnsafeBufferPointer(rebasing: bytes[start...])
        vocabulary.forEachPrefix(of: rest) { length, id in
          offer(length, id, scores[Int(id)])
          if length == width { isKnown = true }
        }
        if !isKnown { offer(width, unknown, unknownScore) }
        start += width
      }
    }
    return pieces(nodes).flatMap { ids(of: Array(text[$0])) }
  }

  /// The pieces of the best path, unknown ones in a row as one.
  private func pieces(_ nodes: [Node]) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var end = nodes.count - 1
    var followsUnknown = false
    while end > 0 {
      let node = nodes[end]
      let isUnknown = node.id == unknown
      if isUnknown, followsUnknown, let last = pieces.last {
        pieces[pieces.count - 1] = node.start..<last.upperBound
      } else {
        pieces.append(node.start..<end)
      }
      followsUnknown = isUnknown
      end = node.start
    }
    return pieces.reversed()
  }

  private func ids(of piece: [UInt8]) -> [Int32] {
    if let id = vocabulary.id(of: piece) { return [id] }
    if let bytes {
      let fallback = piece.compactMap { bytes[Int($0)] }
      if fallback.count == piece.count { return fallback }
    }
    return [unknown]
  }
}
