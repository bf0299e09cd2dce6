import Foundation
import Models
import Pictures
import Pipelines

/// The answers of OpenAI's images API, with what this server adds.
enum OpenAIAnswer {
  /// A picture.
  struct Picture: Encodable {
    var base64: String?
    var url: String?
    let seed: UInt64
    let timing: PictureTiming

    enum CodingKeys: String, CodingKey {
      case base64 = "b64_json"
      case url, seed, timing
    }
  }

  /// The tokens of a request, as bills count them.
  struct Usage: Encodable {
    let inputTokens: Int
    let outputTokens: Int
    let inputImages: Int

    enum CodingKeys: String, CodingKey {
      case total = "total_tokens"
      case input = "input_tokens"
      case output = "output_tokens"
      case details = "input_tokens_details"
    }

    enum Details: String, CodingKey {
      case text = "text_tokens"
      case image = "image_tokens"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(inputTokens + inputImages + outputTokens, forKey: .total)
      try container.encode(inputTokens + inputImages, forKey: .input)
      try container.encode(outputTokens, forKey: .output)
      var details = container.nestedContainer(keyedBy: Details.self, forKey: .details)
      try details.encode(inputTokens, forKey: .text)
      try details.encode(inputImages, forKey: .image)
    }
  }

  /// What all answers about pictures say.
  struct Common: Encodable {
    let created: Int
    let size: String
    let format: PictureFormat
    let model: String
    let usage: Usage

    enum CodingKeys: String, CodingKey {
      case size, model, background, quality, usage
      case format = "output_format"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(size, forKey: .size)
      try container.encode(model, forKey: .model)
      try container.encode(format.rawValue, forKey: .format)
      try container.encode("opaque", forKey: .background)
      try container.encode("high", forKey: .quality)
      try container.encode(usage, forKey: .usage)
    }
  }

  /// All pictures of a request.
  struct Pictures: Encodable {
    let common: Common
    let data: [Picture]

    enum CodingKeys: String, CodingKey { case created, data }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(common.created, forKey: .created)
      try container.encode(data, forKey: .data)
      try common.encode(to: encoder)
    }
  }

  /// An event of a stream.
  struct Event: Encodable {
    /// `image_generation` or `image_edit`.
    let kind: String
    /// The number of the preview from 0; nil for the picture itself.
    let preview: Int?
    let common: Common
    let picture: Picture

    /// The name of the event.
    var name: String { "\(kind).\(preview == nil ? "completed" : "partial_image")" }

    enum CodingKeys: String, CodingKey {
      case type
      case created = "created_at"
      case preview = "partial_image_index"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(name, forKey: .type)
      try container.encode(common.created, forKey: .created)
      try container.encodeIfPresent(preview, forKey: .preview)
      try picture.encode(to: encoder)
      try common.encode(to: encoder)
    }
  }

  /// A model in a list.
  struct Model: Encodable {
    let id: String
    let created: Int
    let facts: Facts

    /// What this server says of a model besides its name.
    struct Facts: Encodable {
      let isDefault: Bool
      let size: String
      let isFreeInSize: Bool
      let sizeMultiple: Int
      let steps: Int
      let isGuided: Bool
      let guidance: Double
      let styles: [String]
      let edits: Bool
      let loras: [String]

      enum CodingKeys: String, CodingKey {
        case isDefault = "default"
        case isGuided = "guided"
        case isFreeInSize = "free_size"
        case sizeMultiple = "size_multiple"
        case size, steps, guidance, styles, edits, loras
      }
    }

    enum CodingKeys: String, CodingKey {
      case id, object, created
      case owner = "owned_by"
      case facts = "twinflow"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(id, forKey: .id)
      try container.encode("model", forKey: .object)
      try container.encode(created, forKey: .created)
      try container.encode("twinflow", forKey: .owner)
      try container.encode(facts, forKey: .facts)
    }
  }

  /// A list of models.
  struct Models: Encodable {
    let object = "list"
    let data: [Model]
  }
}
