import Pipelines
import Runtime

extension TrainingRecipe {
  /// The features of prompts, with those of the prompt that guidance leads away from: from the cache of the
  /// run, in which those are kept that were not there. The text encoder is loaded only for these.
  ///
  /// - Parameters:
  ///   - pipeline: the model whose text encoder is that of the run.
  ///   - multiple: texts are padded to a multiple of this number of tokens.
  ///   - notice: called with sentences for the user.
  /// - Throws: the errors of files, of weights and of the plugin.
  package func encodedPrompts(
    _ prompts: some Sequence<String>, by pipeline: ImagePipeline, multiple: Int,
    notice: @escaping (String) -> Void
  ) throws -> EncodedPrompts {
    guard pipeline.classes == nil else { return try EncodedPrompts(prompts, by: pipeline) }
    let store = try EncodedStore(
      .texts, in: encodingCache(in: output), content: pipeline.textContent(),
      encoders: pipeline.folder.path, group: nil, notice: notice)
    let texts = Set(prompts).union([pipeline.kind.negative]).sorted()
    var cuts: [String] = []
    for text in texts { _ = try pipeline.tokens([text]) { cuts.append($0) } }
    if let first = cuts.first {
      notice(cuts.count == 1 ? first : "\(cuts.count) prompts are too long and are cut. \(first)")
    }
    var encoding = TextFeatureEncoding(pipeline, store)
    let keys = try encoding.add(texts)
    try encoding.finish()
    pipeline.encoder.component.release()
    try store.finish()
    return EncodedPrompts(
      zip(texts, keys).map { text, key in
        let place = store.place(of: key)
        return (text, Array(store.shards[Int(place.shard)].bytes(Int(place.entry))))
      }, rows: TextRows(of: pipeline), multiple: pipeline.hasOneTextLength ? 1 : multiple)
  }
}
