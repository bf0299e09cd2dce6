import Foundation
import Tensors
import Tokenizers

extension GoldenCase {
  /// Outputs that are not compared, and why.
  public var notCompared: [(name: String, reason: String)] {
    if kind == .clipJudge { return notComparedOfCLIP }
    guard kind == .tokenizer else { return [] }
    return expected.names.compactMap { name in
      switch name {
      case "ids_spm": (name, "it is of SentencePiece itself, without the special tokens in texts")
      case "ids_real":
        (try? PublishedVocabulary(of: self)).flatMap { vocabulary in
          vocabulary.path == nil
            ? (
              name,
              "\(vocabulary.fileName) is not in the folder that TWINFLOW_VOCABULARIES names, "
                + "\(PublishedVocabulary.folder ?? "which is not set")"
            ) : nil
        }
      default: nil
      }
    }
  }

  /// Encodes the case's texts, and compares the ids of every one.
  ///
  /// Outputs are `ids`, `ids77` (padded and truncated to that length), `ids_real` (with the real
  /// vocabulary) and `decoded` (the UTF-8 of the texts that all ids without padding stand for), each
  /// with the numbers of a text's elements in `…_len`.
  ///
  /// - Throws: `GoldenError.wrongCase`, also for an output that is not known.
  func checkTokenizer() throws -> [Comparison] {
    let texts = try texts()
    let tokenizer = try naming { try Tokenizer(folder: path + "/tokenizer") }
    let skipped = notCompared.map(\.name)
    return try expected.names.compactMap { name -> Comparison? in
      if name.hasSuffix("_len") || skipped.contains(name) { return nil }
      let wanted = try rows(of: name, in: expected, file: "expected", count: texts.count)
      switch name {
      case "ids": return compare(name, texts, wanted) { tokenizer.encode($0) }
      case "ids_real":
        let real = try PublishedVocabulary(of: self).tokenizer()
        return compare(name, texts, wanted) { real.encode($0) }
      case "decoded":
        return compare(name, texts, wanted) { text in
          let ids = tokenizer.encode(text)
          return tokenizer.decode(ids, skipSpecialTokens: false).utf8.map { Int32($0) }
        }
      default:
        guard name.hasPrefix("ids"), let length = Int(name.dropFirst(3)), 1...100_000 ~= length
        else { throw fail("its expected.safetensors has \(name), which no tokenizer computes") }
        guard length >= tokenizer.addedCount else {
          throw fail("its \(name) has no room for \(tokenizer.addedCount) special tokens")
        }
        let batch = try naming {
          try tokenizer.encode(texts, limit: length, padsToLimit: true)
        }
        var row = 0
        return compare(name, texts, wanted) { _ in
          defer { row += 1 }
          return Array(batch.ids[row * length..<(row + 1) * length])
        }
      }
    }
  }

  private func compare(
    _ name: String, _ texts: [String], _ wanted: [[Int32]], _ compute: (String) -> [Int32]
  ) -> Comparison {
    let different = zip(texts, wanted).enumerated().filter { compute($0.element.0) != $0.element.1 }
    return Comparison(
      name, different: different.count, of: texts.count,
      first: different.first.map { "text \($0.offset), \($0.element.0.debugDescription)" })
  }

  /// The texts, from their UTF-8.
  private func texts() throws -> [String] {
    let rows = try rows(of: "text", in: inputs, file: "inputs", values: "text_bytes", count: nil)
    return try rows.enumerated().map { index, row in
      let bytes = row.compactMap { UInt8(exactly: $0) }
      guard bytes.count == row.count, let text = String(validating: bytes, as: UTF8.self) else {
        throw fail("its text \(index) is not UTF-8")
      }
      return text
    }
  }

  /// The rows of an array of concatenated whole numbers, whose lengths stand in `…_len`.
  private func rows(
    of name: String, in arrays: Named<HostArray>, file: String, values: String? = nil, count: Int?
  ) throws -> [[Int32]] {
    func whole(_ name: String) throws -> [Int32] {
      guard let array = arrays[name] else { throw fail("its \(file).safetensors has no \(name)") }
      guard array.shape.count == 1 else {
        throw fail("its \(file) \(name) is \(array.shape), and one axis was expected")
      }
      return try array.values.map { value in
        guard let whole = Int32(exactly: value), whole >= 0 else {
          throw fail("its \(file) \(name) holds \(value), and whole numbers were expected")
        }
        return whole
      }
    }
    let lengths = try whole(name + "_len").map(Int.init)
    let all = try whole(values ?? name)
    guard count == nil || lengths.count == count, lengths.reduce(0, +) == all.count else {
      throw fail(
        "its \(file) \(values ?? name) has \(all.count) elements in \(lengths.count) rows, and "
          + "\(lengths.reduce(0, +)) in \(count ?? lengths.count) were expected")
    }
    var start = 0
    return lengths.map { length in
      defer { start += length }
      return Array(all[start..<start + length])
    }
  }
}
