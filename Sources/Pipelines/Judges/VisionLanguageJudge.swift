import Foundation
import Layers
import Models
import Pictures
import Runtime
import Tensors
import Tokenizers
import Weights

/// A Qwen2.5-VL or a dense Qwen3-VL that answers questions about pictures.
///
/// Its folder is one of transformers' `Qwen2_5_VLForConditionalGeneration` or
/// `Qwen3VLForConditionalGeneration`, or Qwen-Image-Edit's, whose `text_encoder` is one; then tokenizer and
/// settings of the preprocessing are in the folders `tokenizer` and `processor` beside it.
public final class VisionLanguageJudge: Sendable {
  /// The network's sizes.
  public let config: any VisionLanguageConfig
  /// The preprocessing of pictures.
  public let processor: Qwen2VLImageProcessor
  /// The tokenizer.
  package let tokenizer: Tokenizer
  /// The language model's weights, which are loaded on first use.
  public let model: Component
  /// The map to logits; nil where it is the embedding of the tokens.
  let head: Component?
  let vision: VisionTower
  private let tower: any VisionTowerConfig
  let engine: Engine
  let compute: DType
  let programs = ProgramCache<Work>()
  /// The tokens that end an answer.
  let ends: Set<Int32>
  /// The token that follows an answer that has ended.
  let filler: Int32
  private let path: String

  /// Prompts are padded to multiples of this number of tokens, so that those of similar lengths share a
  /// program.
  package let multiple: Int

  enum Work: Hashable {
    case images([TokenGrid])
    case prompts(batch: Int, tokens: Int, images: Int, room: Int)
    case next(batch: Int, tokens: Int)
  }

  /// Opens a network; its weights are read on first use.
  ///
  /// - Parameters:
  ///   - name: a path, or a name for `ModelLibrary`.
  ///   - storage: how weights are kept on the devices.
  ///   - precision: the element type of the computation.
  ///   - multiple: what the lengths of prompts are padded to multiples of.
  /// - Throws: `PipelineError`, `PublishedConfigError`, `TokenizerError`, and the errors of weights: for
  ///   another architecture, a network without a vision tower or map to logits, and a folder without the
  ///   settings of the preprocessing.
  public init(
    _ name: String, storage: BaseDType = .stored, precision: Precision = .bfloat16,
    multiple: Int = 32, on engine: Engine
  ) throws {
    let folder = try JudgeFolder(name, component: "text_encoder")
    path = folder.path
    let config = try folder.visionLanguageConfig()
    guard let tower = config.tower else {
      throw PipelineError.unableNetwork(
        path: path, reason: "its config.json has no `vision_config`, and pictures are to be seen")
    }
    guard !config.layers.contains(.sliding) else {
      throw PipelineError.unableNetwork(
        path: path, reason: "its attention is limited to windows, with which no text is generated")
    }
    guard try !folder.thinksFirst() else {
      throw PipelineError.unableNetwork(
        path: path,
        reason:
          "its chat template lets it think before it answers, and the first token is to be the "
          + "answer: take the Instruct model")
    }
    (self.config, self.tower, self.engine, self.multiple) = (config, tower, engine, multiple)
    compute = precision.dtype
    processor = try folder.imageProcessor(orIn: "processor")
    try processor.check(tower, width: config.width, in: path)
    tokenizer = try Tokenizer(
      folder: folder.place(of: ["tokenizer_config.json"], orIn: "tokenizer").path)
    let files = try folder.weights("model.safetensors")
    let arrays = files.types.names
    let towerNames = tower.names(in: arrays)
    guard arrays.contains(towerNames.diskName(of: "patch_embed.proj.weight")) else {
      throw PipelineError.unableNetwork(
        path: files.path, reason: "it holds no vision tower, and pictures are to be seen")
    }
    let headNames = config.headNames(in: arrays)
    guard config.isTied || arrays.contains(headNames.diskName(of: "lm_head.weight")) else {
      throw PipelineError.unableNetwork(
        path: files.path,
        reason: "it holds no map to logits, `lm_head.weight`, and answers are to be given")
    }
    vision = try VisionTower(config, files.path, storage, on: engine)
    model = try Component(
      Scope.declare { config.model($0) }, in: files, names: config.names(in: arrays),
      ignoring: { config.ignores($0) }, storage: storage, on: engine)
    head =
      config.isTied
      ? nil
      : try Component(
        Scope.declare {
          LanguageModelHead($0, width: config.width, vocabulary: config.vocabulary)
        }, in: files, names: headNames, ignoring: { _ in true }, storage: storage, on: engine)
    let generation: AnswerEnds? =
      folder.has("generation_config.json")
      ? try folder.read("generation_config.json", for: "where answers end") : nil
    let end = tokenizer.id(of: "<|im_end|>") ?? tokenizer.endToken
    ends = Set(generation?.ends ?? end.map { [$0] } ?? [])
    filler = generation?.filler ?? tokenizer.paddingToken ?? ends.first ?? 0
  }

  /// Releases all weights; they are read again on the next use.
  public func release() {
    model.release()
    head?.release()
    vision.component.release()
  }

  /// The probability that the answer to a question begins with the first token of each of these texts,
  /// `[question][text]`; `yes` and ` Yes` are different texts.
  ///
  /// Benchmarks sum them up over the spellings of an answer.
  ///
  /// - Parameters:
  ///   - answers: texts that are not empty.
  ///   - questions: any number of them.
  /// - Throws: the errors of `prompts` and of the plugin.
  public func probabilities(
    of answers: [String], to questions: [Conversation]
  ) throws -> [[Double]] {
    let tokens = answers.map { firstToken(of: $0) }
    return try logits(ofAnswersTo: questions).map { row in
      let largest = row.max() ?? 0
      let weights = row.map { exp(Double($0 - largest)) }
      let sum = weights.reduce(0, +)
      return tokens.map { weights[Int($0)] / sum }
    }
  }

  /// The logits of the first token of the answer to each question, `[question][token]`.
  ///
  /// - Throws: the errors of `prompts` and of the plugin.
  package func logits(ofAnswersTo questions: [Conversation]) throws -> [[Float]] {
    try questions.inFilledBatches(of: Self.largestBatch) { try logits(prompts($0)) }
  }

  /// The first token of a text.
  package func firstToken(of text: String) -> Int32 {
    guard let token = tokenizer.encode(text, addSpecialTokens: false).first else {
      preconditionFailure("an answer is empty")
    }
    return token
  }

  /// The most probable answers to questions, token by token.
  ///
  /// - Parameter limit: the most tokens of an answer.
  /// - Throws: the errors of `prompts` and of the plugin.
  public func answers(to questions: [Conversation], limit: Int = 16) throws -> [String] {
    try questions.inFilledBatches(of: Self.largestBatch) {
      try generate(prompts($0), limit: limit)
    }.map { answer in
      tokenizer.decode(answer.tokens.prefix { !ends.contains($0) })
    }
  }

  /// The most questions that are computed together.
  private static let largestBatch = 4
}

extension VisionLanguageJudge {
  /// Conversations as the network takes them.
  package struct Prompts: Sendable {
    /// The tokens and their positions.
    package let rows: [MultimodalPrompt]
    /// The pictures of all of them, each once.
    package let patches: Qwen2VLImageProcessor.Patches
  }

  /// The text of a conversation as the network's chat template has it.
  package func text(of conversation: Conversation) -> String {
    conversation.text(system: type(of: config).systemMessage)
  }

  /// Lays out conversations.
  ///
  /// - Throws: `PipelineError.tooNarrow` for a picture that the network cannot see, `unfitComponents` for
  ///   another model's tokenizer, and `ModelError` for a text with the token of a picture.
  package func prompts(_ conversations: [Conversation]) throws -> Prompts {
    var (pictures, places) = ([RGBImage](), [RGBImage: Int]())
    let numbers = conversations.map { conversation in
      conversation.pictures.map { picture in
        if let place = places[picture] { return place }
        places[picture] = pictures.count
        pictures.append(picture)
        return pictures.count - 1
      }
    }
    let patches = try processor(pictures)
    let rows = try zip(conversations, numbers).map { conversation, numbers in
      let ids = tokenizer.encode(text(of: conversation), addSpecialTokens: false)
      if let wrong = ids.first(where: { $0 < 0 || $0 >= config.vocabulary }) {
        throw PipelineError.unfitComponents(
          path: path,
          reason: "the tokenizer makes the token \(wrong), and the network knows "
            + "\(config.vocabulary)")
      }
      return try MultimodalPrompt(
        ids, imageToken: config.imageToken, grids: patches.grids, images: numbers,
        merge: tower.merge)
    }
    return Prompts(rows: rows, patches: patches)
  }
}
