import Tensors
import Tokenizers

/// The tokenizers of text encoders that encode each prompt together, those of Stable Diffusion 3: every
/// prompt gets the same number of tokens.
package struct JointTokenizers: Sendable {
  /// The tokenizer of one encoder.
  package struct Part: Sendable {
    /// The encoder's name in messages.
    let title: String
    /// The name of its tokens among the arrays of prompts.
    package let name: String
    /// The tokenizer.
    package let tokenizer: Tokenizer
    /// The number of tokens that prompts are cut or padded to.
    package let length: Int
    /// The number of token ids that the encoder knows.
    let vocabulary: Int
  }

  /// The tokens of prompts for one encoder.
  package struct Ids: Hashable, Sendable {
    /// The name of the array.
    package let name: String
    /// The ids of each prompt.
    package let rows: [[Int32]]

    /// The array, s32 `[prompts, tokens]`.
    var array: HostArray {
      HostArray(rows.flatMap { $0 }, shape: [rows.count, rows[0].count])
    }
  }

  /// The tokenizers.
  package let parts: [Part]
  /// The number of tokens of the features that the encoders make together.
  package let length: Int

  /// The tokens of prompts.
  ///
  /// - Parameters:
  ///   - prompts: the prompts for each encoder.
  ///   - log: gets a sentence for a prompt that is cut.
  /// - Throws: `TokenizerError.noPaddingToken`, and `PipelineError.unfitComponents` for tokens that an
  ///   encoder does not know.
  func ids(
    _ prompts: [[String]], of path: String, log: (String) -> Void
  ) throws -> [Ids] {
    let ids = try zip(parts, prompts).map { part, texts in
      let batch = try part.tokenizer.encode(texts, limit: part.length, padsToLimit: true)
      if let wrong = batch.ids.first(where: { $0 < 0 || $0 >= part.vocabulary }) {
        throw PipelineError.unfitComponents(
          path: path,
          reason: "the tokenizer of \(part.title) makes the token \(wrong), and the encoder knows "
            + "\(part.vocabulary)")
      }
      let rows = texts.indices.map { row in
        Array(batch.ids[row * batch.length..<(row + 1) * batch.length])
      }
      return Ids(name: part.name, rows: rows)
    }
    for row in prompts[0].indices {
      var cuts: [String] = []
      for (part, texts) in zip(parts, prompts) {
        // Both CLIPs cut a prompt at the same place.
        if let cut = part.cut(texts[row]), !cuts.contains(cut) { cuts.append(cut) }
      }
      if !cuts.isEmpty { log(cuts.joined(separator: " ")) }
    }
    return ids
  }
}

extension JointTokenizers.Part {
  /// A sentence on a prompt of which the encoder gets only the beginning; nil for others.
  fileprivate func cut(_ text: String) -> String? {
    let all = tokenizer.encode(text)
    guard all.count > length else { return nil }
    let kept = tokenizer.encode(text, limit: length)
    // Special tokens at the end stand behind the text in both.
    let first = zip(all, kept).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? length
    return
      "The prompt has \(all.count) tokens, and \(title) takes \(length): for it the prompt is cut "
      + "before \"\(tokenizer.decode(Array(all[first...])).prefix(40))\"."
  }
}
