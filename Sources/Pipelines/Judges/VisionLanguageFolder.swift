import Foundation
import Models

/// What the folder of a language model that sees pictures holds beside its weights.
extension JudgeFolder {
  /// The sizes of the network, of the architecture that its `config.json` names.
  ///
  /// - Throws: `PipelineError.unknownNetwork` for another one, `unableNetwork` for a mixture of experts, and
  ///   the errors of `read`.
  func visionLanguageConfig() throws -> any VisionLanguageConfig {
    let (all, place) = (VisionLanguageModels.all, "\(path)/config.json")
    let kind = has("config.json") ? try NetworkKind(place).modelType : nil
    let family = all.first { $0.modelType == kind ?? Qwen2_5VLConfig.modelType }
    if let kind, kind == Qwen3VLConfig.modelType + "_moe" {
      throw PipelineError.unableNetwork(
        path: path,
        reason:
          "it is a mixture of experts, `\(kind)`, and of Qwen3-VL only the dense networks are "
          + "supported: 2B, 4B, 8B and 32B")
    }
    guard let family else {
      throw PipelineError.unknownNetwork(
        path: place, found: kind ?? "none", known: all.map { $0.modelType })
    }
    return try read(family)
  }

  private func read<Config: VisionLanguageConfig>(_: Config.Type) throws -> Config {
    try read("config.json", for: "the sizes of the network")
  }

  private struct Template: Decodable {
    let chat_template: String?
  }

  /// Whether answers begin with thoughts, by the chat template of the folder.
  ///
  /// - Throws: the errors of `read`.
  func thinksFirst() throws -> Bool {
    var templates: [String?] = []
    if has("chat_template.jinja") {
      templates.append(try? String(contentsOfFile: "\(path)/chat_template.jinja", encoding: .utf8))
    }
    for file in ["chat_template.json", "tokenizer_config.json"] where has(file) {
      let template: Template? = try? read(file, for: "how a conversation is written")
      templates.append(template?.chat_template)
    }
    return templates.contains { $0?.contains("<|im_start|>assistant\\n<think>") == true }
  }
}

extension Qwen2VLImageProcessor {
  /// Checks that the patches are those of a vision tower, and its tokens those of the language model.
  ///
  /// - Parameters:
  ///   - width: the features of a token of the language model.
  ///   - path: the folder, for messages.
  /// - Throws: `PipelineError.unfitComponents`.
  func check(_ tower: any VisionTowerConfig, width: Int, in path: String) throws(PipelineError) {
    for (name, own, other) in [
      ("patch_size", patch, tower.patch), ("temporal_patch_size", frames, tower.frames),
      ("merge_size", merge, tower.merge),
    ] where own != other {
      throw .unfitComponents(
        path: path,
        reason:
          "the `\(name)` of preprocessor_config.json is \(own), and that of the vision tower in "
          + "config.json \(other)")
    }
    guard tower.channels == 3 else {
      throw .unfitComponents(
        path: path, reason: "pictures have 3 channels, and the vision tower takes \(tower.channels)"
      )
    }
    guard tower.output == width else {
      throw .unfitComponents(
        path: path,
        reason:
          "the vision tower makes tokens of \(tower.output) features, and the language model takes "
          + "\(width)")
    }
  }
}

/// The tokens that end an answer, in `generation_config.json`.
struct AnswerEnds: Decodable {
  /// The tokens.
  let ends: [Int32]
  /// The token that follows them.
  let filler: Int32?

  private enum CodingKeys: String, CodingKey {
    case end = "eos_token_id"
    case filler = "pad_token_id"
  }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    ends =
      try (try? keys.decode([Int32].self, forKey: .end))
      ?? keys.decodeIfPresent(Int32.self, forKey: .end).map { [$0] } ?? []
    filler = try keys.decodeIfPresent(Int32.self, forKey: .filler)
  }
}
