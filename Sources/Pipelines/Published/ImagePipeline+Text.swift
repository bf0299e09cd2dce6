import Models
import Runtime
import Tensors

extension ImagePipeline {
  /// The tokens of a batch of prompts, padded on the right.
  package struct TextTokens: Hashable, Sendable {
    /// The prompts with the places of their images.
    package let prompts: [MultimodalPrompt]
    /// The common length that they are padded to.
    package let length: Int
    /// The number of image tokens that are embedded by the vision tower; 0 without images.
    let imageTokens: Int
    /// The tokens for each of several encoders that encode each prompt together; empty for one.
    package var joint: [JointTokenizers.Ids] = []
    /// The classes that are the prompts, in place of tokens; empty for text.
    package var classes: [Int32] = []
    /// The tokens whose features are dropped.
    package let dropped: Range<Int>
    /// Whether no features of a prompt are dropped, because no instruction stands before it; empty where
    /// that is so of none.
    package let isPlain: [Bool]
    /// The number of features of each prompt; nil where that is one for each token.
    var featureCount: Int?

    /// The number of features of each prompt: those of its tokens that are kept, or `featureCount`.
    package var keptCounts: [Int] {
      if let featureCount { return counts.map { _ in featureCount } }
      return counts.enumerated().map { row, count in
        !isPlain.isEmpty && isPlain[row] ? count : count - dropped.count
      }
    }

    /// The common length of the features: that of the tokens without the dropped ones, or `featureCount`.
    package var keptLength: Int { featureCount ?? length - dropped.count }

    /// The number of tokens of each prompt.
    package var counts: [Int] {
      guard classes.isEmpty else { return classes.map { _ in length } }
      return joint.first.map { $0.rows.map { _ in length } } ?? prompts.map(\.tokens.count)
    }

    /// Whether the features of a prompt are fewer than the common length.
    var isPadded: Bool { featureCount == nil && counts.contains { $0 < length } }

    /// The arrays for the text encoder.
    package var arrays: Named<HostArray> {
      guard classes.isEmpty else {
        return Named([
          (InputSpec.classIndex(of: 0).name, HostArray(classes, shape: [classes.count]))
        ])
      }
      guard joint.isEmpty else { return Named(joint.map { ($0.name, $0.array) }) }
      let batch = MultimodalBatch(prompts, length: length, token: 0)
      var arrays = Named([("tokens", batch.tokens), ("valid", batch.valid)])
      if !isPlain.isEmpty {
        let marks: [Int32] = isPlain.map { $0 ? 1 : 0 }
        arrays["is_plain"] = HostArray(marks, shape: [isPlain.count])
      }
      if imageTokens > 0 {
        arrays["positions"] = batch.positions
        arrays["image_rows"] = batch.imageRows
      }
      return arrays
    }
  }

  /// The features of a batch of prompts.
  package struct TextFeatures: Sendable {
    /// The condition of the transformer: `text` `[batch, tokens, width]`; `text_mask`, the number of
    /// tokens of each prompt, where some is padded; and `pooled` `[batch, width]`, the features of the
    /// whole text, where the encoders make such.
    package let condition: Named<ShardedArray>
    /// The number of tokens of each prompt.
    package let counts: [Int]

    /// Takes features that have been encoded before.
    package init(condition: Named<ShardedArray>, counts: [Int]) {
      (self.condition, self.counts) = (condition, counts)
    }
  }

  /// The tokens of prompts within the pipeline's template.
  ///
  /// - Throws: `PipelineError.unknownClass`, `unknownClassName` and `ambiguousClass` for prompts that are to
  ///   be classes, and `unfitComponents`.
  /// - Parameters:
  ///   - negatives: the prompts that guidance leads away from. No instruction stands before them, nor
  ///     before an empty prompt, which training takes for none.
  ///   - grids: the sizes in patches of the reference images, which every prompt has.
  ///   - log: gets a sentence for a prompt that is cut.
  package func tokens(
    _ prompts: [String], negatives: Set<String> = [], grids: [TokenGrid] = [],
    log: (String) -> Void = { _ in }
  ) throws -> TextTokens {
    if let classes {
      return TextTokens(
        prompts: [], length: 1, imageTokens: 0, classes: try prompts.map(classes.label),
        dropped: 0..<0, isPlain: [])
    }
    if let joint {
      return try tokens(jointly: joint.parts.map { _ in prompts }, log: log)
    }
    let isPlain = prompts.map {
      kind.template.hasInstruction && ($0.isEmpty || negatives.contains($0))
    }
    let (template, plain) = (kind.template, kind.template.withoutInstruction)
    let dropped = isPlain.contains(false) ? dropped(template) : 0..<0
    let merge = encoder.vision?.config.merge ?? 1
    let laidOut = try zip(prompts, isPlain).map { prompt, isPlain in
      let count = isPlain ? 0 : dropped.count
      let ids = try checked(
        ids(prompt, isPlain ? plain : template, count, images: grids.count, log: log), count)
      return try MultimodalPrompt(
        ids, imageToken: encoder.imageToken ?? -1, grids: grids, merge: merge)
    }
    let longest = zip(laidOut, isPlain).map { prompt, isPlain in
      prompt.tokens.count - (isPlain ? 0 : dropped.count)
    }.max()!
    let multiple = options.textMultiple
    let length = (longest + multiple - 1) / multiple * multiple + dropped.count
    return TextTokens(
      prompts: laidOut, length: min(length, encoder.longest ?? .max),
      imageTokens: encoder.vision?.tokenCount(grids) ?? 0, dropped: dropped,
      isPlain: dropped.isEmpty || !isPlain.contains(true) ? [] : isPlain,
      featureCount: encoder.featureCount)
  }

  /// The tokens of a template whose features are dropped.
  private func dropped(_ template: PromptTemplate) -> Range<Int> {
    guard template.hasInstruction else { return 0..<template.dropped }
    return 1..<max(1, instructionTokens - 1)
  }

  /// The tokens of prompts for several encoders that encode them together.
  ///
  /// - Parameters:
  ///   - prompts: the prompts for each encoder.
  ///   - log: gets a sentence for a prompt that is cut.
  package func tokens(
    jointly prompts: [[String]], log: (String) -> Void = { _ in }
  ) throws -> TextTokens {
    guard let joint else { preconditionFailure("\(kind.className) has one text encoder") }
    return TextTokens(
      prompts: [], length: joint.length, imageTokens: 0,
      joint: try joint.ids(prompts, of: folder.path, log: log), dropped: 0..<0, isPlain: [])
  }

  /// The token ids of a prompt in its template, cut where they are too many.
  private func ids(
    _ prompt: String, _ template: PromptTemplate, _ dropped: Int, images: Int,
    log: (String) -> Void
  ) -> [Int32] {
    guard let tokenizer else { preconditionFailure("classes have no tokens") }
    let (text, special) = (template.text(prompt, images: images), template.addsSpecialTokens)
    let all = tokenizer.encode(text, addSpecialTokens: special)
    let limit = min(
      template.limit == .max ? Int.max : template.limit + dropped,
      encoder.longest ?? .max)
    guard all.count > limit else { return all }
    let end =
      template.keepsEnd ? tokenizer.encode(template.after, addSpecialTokens: false) : []
    let cut = template.keepsEnd ? String(text.dropLast(template.after.count)) : text
    let kept = tokenizer.encode(cut, limit: limit - end.count, addSpecialTokens: special) + end
    // Special tokens at the end stand behind the text in both.
    let first = zip(all, kept).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? limit
    let rest = tokenizer.decode(Array(all[first...]))
    log(
      "The prompt has \(all.count - dropped) tokens with its template, and the model takes "
        + "\(limit - dropped): it is cut before \"\(rest.prefix(40))\".")
    return kept
  }

  /// Checks that tokens fit the text encoder.
  private func checked(_ ids: [Int32], _ dropped: Int) throws(PipelineError) -> [Int32] {
    if let wrong = ids.first(where: { $0 < 0 || $0 >= encoder.vocabulary }) {
      throw .unfitComponents(
        path: folder.path,
        reason: "the tokenizer makes the token \(wrong), and the text encoder knows "
          + "\(encoder.vocabulary)")
    }
    guard ids.count > dropped else {
      throw .unfitComponents(
        path: folder.path,
        reason: "the tokenizer makes \(ids.count) tokens of a prompt in its template, of which the "
          + "first \(dropped) are dropped")
    }
    return ids
  }

  /// The program that encodes prompts.
  ///
  /// - Throws: `RuntimeError.outOfMemory`, and the plugin's errors.
  func textProgram(_ tokens: TextTokens) throws -> CompiledFunction {
    var types = tokens.arrays.mapValues(\.type)
    if tokens.imageTokens > 0 {
      types["images"] = TensorType([tokens.imageTokens, encoder.width], options.compute.dtype)
    }
    let dropped = tokens.dropped
    return try program(.text(types, dropped: dropped)) {
      let arguments = encoder.component.types.prefixed("weights").merging(types)
      let compute = options.compute.dtype
      return try engine.compile(
        arguments, shardings: encoder.component.shardings.prefixed("weights")
      ) { [encoder] arguments in
        let encoded = encoder.encode(arguments.group("weights"), arguments, compute)
        guard encoder.featureCount == nil, let valid = arguments["valid"] else { return encoded }
        let (features, isPlain) = (encoded["text"]!, arguments["is_plain"]?.greater(0))
        let kept = features.without(dropped, exceptIn: isPlain)
        // Features at padding are undefined; the published pipelines have zeros there, or mask them.
        let isText = valid.without(dropped, exceptIn: isPlain).expanded([2])
          .broadcast(to: kept.shape)
        return Named([("text", isText.select(kept, kept.zerosLike))])
      }
    }
  }

  /// Encodes prompts; the encoder's weights are loaded for it.
  ///
  /// - Parameter images: the embeddings of the reference images, nil without.
  package func features(
    _ tokens: TextTokens, images: ShardedArray? = nil
  ) throws -> TextFeatures {
    guard tokens.classes.isEmpty else {
      return TextFeatures(
        condition: try tokens.arrays.mapValues { try engine.array($0) }, counts: tokens.counts)
    }
    let program = try textProgram(tokens)
    var arguments = try encoder.component.load().prefixed("weights")
    arguments.merge(try tokens.arrays.mapValues { try engine.array($0) })
    arguments["images"] = images
    var condition = try RuntimeError.reportingMemory(of: program) { try program(arguments) }
    let counts = tokens.keptCounts
    if tokens.isPadded {
      condition["text_mask"] = try engine.array(counts.map(Int32.init), shape: [counts.count])
    }
    return TextFeatures(condition: condition, counts: counts)
  }

  /// The types of the transformer's condition for prompts.
  func conditionTypes(_ tokens: TextTokens) -> Named<TensorType> {
    let count = tokens.counts.count
    guard tokens.classes.isEmpty else {
      return Named([(InputSpec.classIndex(of: 0).name, TensorType([count], .int32))])
    }
    var types = Named([
      (
        "text",
        TensorType(
          [count, tokens.keptLength, encoder.width], options.compute.dtype)
      )
    ])
    if tokens.isPadded { types["text_mask"] = TensorType([count], .int32) }
    if encoder.pooledWidth > 0 {
      types[InputSpec.pooled] = TensorType([count, encoder.pooledWidth], options.compute.dtype)
    }
    return types
  }
}

extension Tensor {
  /// `[batch, tokens, …]` without a range of tokens.
  ///
  /// - Parameter rows: bools `[batch]`, true in rows of which as many of the last tokens are left out
  ///   instead; nil for none.
  fileprivate func without(_ tokens: Range<Int>, exceptIn rows: Tensor?) -> Tensor {
    guard !tokens.isEmpty else { return self }
    let rest = slice(1, tokens.upperBound..<shape[1])
    let kept =
      tokens.lowerBound > 0
      ? Tensor.concatenate([slice(1, 0..<tokens.lowerBound), rest], axis: 1) : rest
    guard let rows else { return kept }
    return rows.expanded(toRank: rank).select(slice(1, 0..<shape[1] - tokens.count), kept)
  }
}
